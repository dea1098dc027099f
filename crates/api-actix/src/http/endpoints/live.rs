use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

/// That the process serves.
#[derive(Serialize, ToSchema)]
struct Live {
    /// Always the same.
    #[schema(example = "live")]
    status: &'static str,
}

/// Whether the process serves
///
/// It asks nobody else: where this does not answer, a restart may help.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "It does", body = Live)))]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(Live { status: "live" })
}
