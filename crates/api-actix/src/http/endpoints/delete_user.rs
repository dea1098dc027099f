use actix_web::HttpResponse;
use roster_domain::values::Reason;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::openapi::{CallerRefusals, DeletionRefusals, Failures, QueryRefusals, UnknownUser};

/// Put a user into the trash
#[utoipa::path(
    delete,
    path = "/api/v1/auth/users/{user_id}",
    tag = "users",
    security(("bearer" = [])),
    params(
        ("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$"),
        ("reason" = String, Query, description = "Why", min_length = 1, max_length = 1000, pattern = r"\S"),
    ),
    responses(
        (status = 204, description = "In the trash"),
        CallerRefusals, DeletionRefusals, UnknownUser, QueryRefusals, Failures,
    ),
)]
pub(in crate::http) async fn delete_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let mut fields = call.query();
    let Ok(reason) = fields.text("reason", Reason::parse) else {
        return Err(Refusal::Invalid(fields.faults()));
    };
    let (user, request) = (call.user_id()?, call.request());
    call.run_to_end(|roster| async move { roster.delete_user(caller, user, reason, request).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
