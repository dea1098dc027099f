use actix_web::{HttpResponse, web};
use roster_domain::use_cases::{Prepared, SignUp};
use roster_domain::values::{Email, Password, Username};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::answers::Message;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{BodyRefusals, Failures, LimitRefusals, SignUpConflicts};
use crate::http::validation::BodyFields;

/// What somebody signs up with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the body is read field by field")]
pub(in crate::http) struct SignUpForm {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    username: String,
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    password: String,
}

/// Create a user
#[utoipa::path(
    post,
    path = "/api/v1/auth/signup",
    tag = "accounts",
    request_body = SignUpForm,
    responses((status = 201, description = "Created", body = Message), SignUpConflicts, BodyRefusals, LimitRefusals, Failures),
)]
pub(in crate::http) async fn sign_up(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let form = read_form(&call.body(payload).await?)?;
    create(&call, call.roster().prepare_sign_up(form, call.request()).await?).await
}

/// Reads the fields of a sign-up.
pub(super) fn read_form(body: &Map<String, Value>) -> Result<SignUp, Refusal> {
    let mut fields = BodyFields::new(body);
    let email = fields.text("email", Email::parse);
    let username = fields.text("username", Username::parse);
    let password = fields.text("password", |text| Password::parse(text.to_owned()));
    match (email, username, password) {
        (Ok(email), Ok(username), Ok(password)) => Ok(SignUp { email, username, password }),
        _ => Err(Refusal::Invalid(fields.faults())),
    }
}

/// Creates who has signed up, and answers that.
pub(super) async fn create(call: &Call, prepared: Prepared) -> Result<HttpResponse, Refusal> {
    let request = call.request();
    call.run_to_end(|roster| async move { roster.create_user(prepared, request).await }).await?;
    Ok(HttpResponse::Created().json(Message { message: "User account created successfully." }))
}
