use actix_web::HttpResponse;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, IdRefusals, UnknownImage};

/// Delete a user's profile image
///
/// For the user and for admins.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/users/{user_id}/profile-image",
    tag = "images",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    responses((status = 204, description = "Deleted"), CallerRefusals, IdRefusals, UnknownImage, Failures),
)]
pub(super) async fn delete_profile_image(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let (user, request) = (call.user_id()?, call.request());
    call.run_to_end(|roster| async move { roster.delete_image(caller, user, request).await }).await?;
    Ok(HttpResponse::NoContent().finish())
}
