use actix_web::{HttpResponse, web};
use roster_domain::use_cases::{Prepared, SignUp};
use roster_domain::values::{Email, Password, Username};
use roster_fastapi_body::form;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{EMAIL, PASSWORD, USERNAME};
use crate::http::refusals::{BodyRefusals, Failures, LimitRefusals, SignUpConflicts};

form! {
    /// What somebody signs up with.
    pub(super) struct SignUpForm {
        /// To log in with. Nobody else has it, in whatever case.
        email: Email = EMAIL,
        /// Shown to others. Nobody else has it, in whatever case.
        username: Username = USERNAME,
        /// To log in with.
        password: Password = PASSWORD,
    }
}

impl From<SignUpForm> for SignUp {
    fn from(SignUpForm { email, username, password }: SignUpForm) -> Self {
        Self { email, username, password }
    }
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    /// What was done, for people.
    message: &'static str,
}

/// Create a user
///
/// The user can log in at once. Email and username belong to nobody else, in any case of their letters.
#[utoipa::path(
    post,
    path = "/api/v1/auth/signup",
    tag = "accounts",
    request_body = SignUpForm,
    responses((status = 201, description = "Created", body = Message), SignUpConflicts, BodyRefusals, LimitRefusals, Failures),
)]
pub(super) async fn sign_up(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let form: SignUpForm = call.body(payload).await?;
    create(&call, call.roster().prepare_sign_up(form.into(), call.request()).await?).await
}

/// Creates who has signed up, and answers that.
pub(super) async fn create(call: &Call, prepared: Prepared) -> Result<HttpResponse, Refusal> {
    let request = call.request();
    call.run_to_end(|roster| async move { roster.create_user(prepared, request).await }).await?;
    Ok(HttpResponse::Created().json(Message { message: "User account created successfully." }))
}
