use actix_web::HttpResponse;

use crate::http::answers::RestoredUser;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, TrashRefusals, UnknownUser};

/// Bring a user back from the trash
///
/// For admins. Everything is as it was, but the user has to log in anew.
#[utoipa::path(
    put,
    path = "/api/v1/trash/restore/{user_id}",
    tag = "trash",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    responses(
        (status = 200, description = "The user", body = RestoredUser),
        CallerRefusals, TrashRefusals, UnknownUser, Failures,
    ),
)]
pub(super) async fn restore_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let (user, request) = (call.user_id()?, call.request());
    let user =
        call.run_to_end(|roster| async move { roster.restore_user(caller, user, request).await }).await?;
    Ok(HttpResponse::Ok().json(RestoredUser::new(&user, call.image_addresses())))
}
