use actix_web::{HttpResponse, web};
use roster_domain::entities::Edit;
use roster_domain::values::{Email, Username};
use utoipa::ToSchema;

use crate::http::answers::User;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{BodyRefusals, CallerRefusals, EditConflicts, Failures, IdRefusals, UnknownUser};
use crate::http::validation::BodyFields;

/// What is to change: one of them, or both.
#[derive(ToSchema)]
#[expect(dead_code, reason = "stands in the OpenAPI document alone; the body is read field by field")]
pub(in crate::http) struct EditForm {
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    username: Option<String>,
    #[schema(format = Email, max_length = 254)]
    email: Option<String>,
}

/// Edit a user
#[utoipa::path(
    put,
    path = "/api/v1/auth/users/{user_id}",
    tag = "users",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    request_body = EditForm,
    responses(
        (status = 200, description = "The user as it is now", body = User),
        CallerRefusals, BodyRefusals, IdRefusals, UnknownUser, EditConflicts, Failures,
    ),
)]
pub(in crate::http) async fn edit_user(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let body = call.body(payload).await?;
    let mut fields = BodyFields::new(&body);
    let username = fields.optional_text("username", Username::parse);
    let email = fields.optional_text("email", Email::parse);
    if let (Ok(None), Ok(None)) = (&username, &email) {
        fields.break_rule("username or email must be given");
    }
    let edit = match (username, email) {
        (Ok(username), Ok(email)) if username.is_some() || email.is_some() => Edit { email, username },
        _ => return Err(Refusal::Invalid(fields.faults())),
    };
    let (user, request) = (call.user_id()?, call.request());
    let user =
        call.run_to_end(|roster| async move { roster.edit_user(caller, user, edit, request).await }).await?;
    Ok(HttpResponse::Ok().json(User::from(&user)))
}
