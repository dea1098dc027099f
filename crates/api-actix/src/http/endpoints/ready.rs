use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::Refusal;
use crate::http::refusals::Failures;

/// That requests can be served.
#[derive(Serialize, ToSchema)]
struct Ready {
    /// Always the same.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether to send requests here
///
/// All stores answer, and the process does not stop. Where one does not, the log tells which.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses((status = 200, description = "Yes", body = Ready), Failures),
)]
pub(super) async fn ready(call: Call) -> Result<HttpResponse, Refusal> {
    // It is an answer like any other, and no failure of this request: what is wrong was told where it was found.
    let mut response = if call.is_ready().await? {
        HttpResponse::Ok().json(Ready { status: "ready" })
    } else {
        Refusal::NotReady.error_response()
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
