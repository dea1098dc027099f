use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// That the server answers.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always the same.
    #[schema(example = "I am healthy")]
    status: &'static str,
}

/// Whether the server answers
///
/// It asks no store: `/health/ready` does.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "It does", body = Health)))]
pub(super) async fn health() -> HttpResponse {
    // Never serialised: this is asked more often than anything else.
    HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(r#"{"status":"I am healthy"}"#)
}
