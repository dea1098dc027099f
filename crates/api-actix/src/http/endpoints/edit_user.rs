use actix_web::{HttpResponse, web};
use roster_domain::entities::Edit;
use roster_domain::values::{Email, Username};
use roster_fastapi_body::{form, optional};

use crate::http::answers::User;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::{EMAIL, USERNAME};
use crate::http::refusals::{BodyRefusals, CallerRefusals, EditConflicts, Failures, IdRefusals, UnknownUser};

form! {
    /// What is to change: one of them, or both.
    struct EditForm {
        /// The new username. Nobody else has it, in whatever case.
        username: Option<Username> = optional(USERNAME),
        /// The new email. Nobody else has it, in whatever case.
        email: Option<Email> = optional(EMAIL),
    }
    check |edit| match (&edit.username, &edit.email) {
        (None, None) => Err("username or email must be given"),
        _ => Ok(()),
    };
}

/// Edit a user
///
/// For the user and for admins. What is left out stays as it is.
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
pub(super) async fn edit_user(call: Call, payload: web::Payload) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let EditForm { username, email } = call.body(payload).await?;
    let (user, request) = (call.user_id()?, call.request());
    let edit = Edit { email, username };
    let user =
        call.run_to_end(|roster| async move { roster.edit_user(caller, user, edit, request).await }).await?;
    Ok(HttpResponse::Ok().json(User::from(&user)))
}
