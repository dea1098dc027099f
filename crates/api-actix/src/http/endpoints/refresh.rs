use actix_web::{HttpResponse, web};
use roster_domain::values::RefreshToken;
use roster_fastapi_body::form;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::REFRESH_TOKEN;
use crate::http::refusals::{BodyRefusals, CredentialRefusals, Failures};

form! {
    /// Whose access token has ended.
    struct RefreshForm {
        /// That of a log-in.
        refresh_token: RefreshToken = REFRESH_TOKEN,
    }
}

/// A new access token.
#[derive(Serialize, ToSchema)]
struct FreshToken<'a> {
    /// A bearer token for the next half hour.
    access_token: &'a str,
}

/// Exchange a refresh token for a new access token
///
/// The refresh token stays as it is, until it ends.
#[utoipa::path(
    post,
    path = "/api/v1/refresh/",
    tag = "tokens",
    request_body = RefreshForm,
    responses(
        (status = 200, description = "Refreshed", body = FreshToken),
        CredentialRefusals, BodyRefusals, Failures,
    ),
)]
pub(super) async fn refresh(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let RefreshForm { refresh_token: token } = call.body(payload).await?;
    let access = call.roster().refresh(token, call.request()).await?;
    Ok(HttpResponse::Ok().json(FreshToken { access_token: access.expose() }))
}
