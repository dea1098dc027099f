//! The headers that every response has, and what a request is called by.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use roster_domain::entities::Request;
use roster_domain::values::RequestName;

/// The header that names a request: as its client sent it, else by its id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Swagger UI is served by ourselves, but draws with inline styles and images.
const SWAGGER_UI: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Which headers a response has beside those that all have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Area {
    Api,
    Docs,
    Other,
}

impl Area {
    pub(super) fn of(path: &str) -> Self {
        if path.starts_with("/api/") {
            Self::Api
        } else if path.starts_with("/docs/") {
            Self::Docs
        } else {
            Self::Other
        }
    }

    pub(super) fn set_headers(self, headers: &mut HeaderMap, id: Request) {
        headers.insert(REQUEST_ID, id_header(id));
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(X_FRAME_OPTIONS, DENY);
        headers.insert(REFERRER_POLICY, NO_REFERRER);
        headers
            .insert(CONTENT_SECURITY_POLICY, if matches!(self, Self::Docs) { SWAGGER_UI } else { NOTHING });
        if matches!(self, Self::Api) && !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
    }
}

/// How the client calls its request, where it says so once.
pub(super) fn name(headers: &HeaderMap) -> Option<RequestName> {
    let mut names = headers.get_all(REQUEST_ID);
    let name = names.next().filter(|_| names.next().is_none())?;
    RequestName::parse(name.as_bytes())
}

fn id_header(id: Request) -> HeaderValue {
    // Visible ASCII is always a header's value.
    HeaderValue::try_from(id.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
