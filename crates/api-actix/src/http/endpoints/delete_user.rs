use actix_web::HttpResponse;
use roster_domain::values::Reason;
use roster_fastapi_body::form;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::fields::REASON;
use crate::http::refusals::{CallerRefusals, DeletionRefusals, Failures, QueryRefusals, UnknownUser};

form! {
    /// Why somebody is deleted.
    struct DeletionQuery {
        /// Why, for the log
        reason: Reason = REASON,
    }
}

/// Put a user into the trash
///
/// For the user and for admins. The user can no longer log in, and can be restored for some time.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/users/{user_id}",
    tag = "users",
    security(("bearer" = [])),
    params(
        ("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$"),
        DeletionQuery,
    ),
    responses(
        (status = 204, description = "In the trash"),
        CallerRefusals, DeletionRefusals, UnknownUser, QueryRefusals, Failures,
    ),
)]
pub(super) async fn delete_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let DeletionQuery { reason } = call.query()?;
    let (user, request) = (call.user_id()?, call.request());
    call.run_to_end(|roster| async move { roster.delete_user(caller, user, reason, request).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
