use actix_web::HttpResponse;

use crate::http::answers::User;
use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::{CallerRefusals, Failures, IdRefusals, UnknownUser};

/// Read a user
///
/// For the user and for admins.
#[utoipa::path(
    get,
    path = "/api/v1/auth/users/{user_id}",
    tag = "users",
    security(("bearer" = [])),
    params(("user_id" = String, Path, description = "The user's id", pattern = "^[0-9a-f]{24}$")),
    responses(
        (status = 200, description = "The user", body = User),
        CallerRefusals, IdRefusals, UnknownUser, Failures,
    ),
)]
pub(super) async fn read_user(call: Call) -> Result<HttpResponse, Refusal> {
    let caller = call.caller()?;
    let user = call.roster().read_user(caller, call.user_id()?).await?;
    Ok(HttpResponse::Ok().json(User::from(&user)))
}
