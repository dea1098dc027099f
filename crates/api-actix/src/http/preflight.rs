use actix_cors::CorsError;
use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;

use super::answers::Detail;

/// Around CORS: a preflight that it refuses is told why in JSON, as everything else is.
pub(super) async fn refuse_in_json<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, String>>, Error> {
    let response = next.call(request).await?;
    let Some(refusal) = response.response().error().and_then(Error::as_error::<CorsError>) else {
        return Ok(response.map_body(|_, body| EitherBody::left(body)));
    };
    let body = serde_json::to_string(&Detail { detail: refusal.to_string() })?;
    Ok(response.map_body(|head, _| {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        EitherBody::right(body)
    }))
}
