use actix_web::{HttpResponse, web};
use roster_domain::Error;
use roster_domain::use_cases::Checked;
use roster_domain::values::{Email, Password};
use roster_fastapi_body::form;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{EMAIL, PASSWORD};
use crate::http::refusals::{BodyRefusals, CredentialRefusals, Failures, LimitRefusals};

form! {
    /// Who wants to log in.
    struct LogInForm {
        /// In any case of its letters.
        email: Email = EMAIL,
        /// As it was given at the sign-up.
        password: Password = PASSWORD,
    }
}

/// The tokens of a new session.
#[derive(Serialize, ToSchema)]
struct TokenPair<'a> {
    /// A bearer token for the next half hour.
    access_token: &'a str,
    /// For new access tokens, for seven days.
    refresh_token: &'a str,
}

/// Log in
///
/// Starts a session. Its access token is sent as `Authorization: Bearer …`; its refresh token gives new ones.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "tokens",
    request_body = LogInForm,
    responses(
        (status = 200, description = "Logged in", body = TokenPair),
        CredentialRefusals, BodyRefusals, LimitRefusals, Failures,
    ),
)]
pub(super) async fn log_in(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let LogInForm { email, password } = call.body(payload).await?;
    let request = call.request();
    let known = match call.roster().check_password(email, password, request).await? {
        Checked::Right(known) => known,
        Checked::Wrong(failed) => {
            call.run_beside(|roster| async move { roster.note_failed_log_in(failed, request).await });
            return Err(Error::BadCredentials.into());
        }
    };
    let pair = call.run_to_end(|roster| async move { roster.start_session(known, request).await }).await?;
    Ok(HttpResponse::Ok()
        .json(TokenPair { access_token: pair.access.expose(), refresh_token: pair.refresh.expose() }))
}
