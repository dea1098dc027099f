use actix_web::HttpResponse;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, TrashRefusals};

/// Delete a user in the trash for good
///
/// For admins. The profile image goes too, and the email and the username are free again.
#[utoipa::path(
    delete,
    path = "/api/v1/trash/permanent/delete/{user_id}",
    tag = "trash",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    responses((status = 204, description = "Gone"), CallerRefusals, TrashRefusals, Failures),
)]
pub(super) async fn purge_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let (user, request) = (call.user_id()?, call.request());
    call.run_to_end(|roster| async move { roster.purge_user(caller, user, request).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
