use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use roster_domain::Error;
use roster_fastapi_body::Fault;
use roster_http_server::Malformed;
use roster_telemetry::failures::Blame;

use super::answers::{Detail, Limited, NameTaken};

/// After how many seconds a client may try again where a store was out of reach.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Why a request is not answered as it wished to be: a use case refused, or the request did not get that far.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Domain(#[from] Error),
    #[error("the request has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    #[error("not an id")]
    NotAnId,
    #[error("no ids")]
    NoIds,
    #[error("not an image's name")]
    NotAnImageName,
    #[error("the body is too large")]
    TooLarge,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("too many large bodies arrive at once")]
    NoRoom,
    #[error("the body can't be read")]
    Unreadable,
    #[error("no such path")]
    UnknownPath,
    #[error("not ready")]
    NotReady,
    #[error("not a request")]
    Malformed(Malformed),
    #[error("the body is encoded")]
    Encoded,
}

impl Refusal {
    /// What keeps this request from being answered, where it does so to others as well or each time it is repeated: a store
    /// that is away, too much to do, something that is missing.
    pub(super) const fn outage(&self) -> Option<(&'static str, Blame)> {
        match self {
            Self::Domain(Error::Unavailable(away)) => Some((away.kind, Blame::Store)),
            Self::Domain(Error::Overloaded) | Self::NoRoom => Some(("load", Blame::Load)),
            Self::Domain(Error::NoImageStore) => Some(("image store not configured", Blame::Settings)),
            Self::Domain(Error::ImageMissing { .. }) => Some(("missing image", Blame::Image)),
            Self::Domain(Error::ImageDamaged { .. }) => Some(("damaged image", Blame::Content)),
            _ => None,
        }
    }

    /// The status, and what is told. This is the one place where the domain's errors meet HTTP.
    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Domain(error) => domain_answer(error),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "Unprocessable Content"),
            Self::NotAnId => (StatusCode::BAD_REQUEST, "Not a valid ObjectId"),
            Self::NoIds => (StatusCode::BAD_REQUEST, "No ids were given"),
            Self::NotAnImageName => {
                (StatusCode::BAD_REQUEST, "The file's name must end in .jpg, .jpeg or .png")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "There was an error parsing the body"),
            Self::UnknownPath => (StatusCode::NOT_FOUND, "Not Found"),
            Self::NoRoom | Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Self::Malformed(Malformed::Syntax) => (StatusCode::BAD_REQUEST, "Not a valid HTTP request"),
            Self::Malformed(Malformed::HeadTooLarge) => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's head is too large")
            }
            Self::Malformed(Malformed::HeadTooSlow) => {
                (StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time")
            }
            Self::Encoded => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body's Content-Encoding is not supported")
            }
        }
    }
}

fn domain_answer(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::NotAuthenticated => (StatusCode::UNAUTHORIZED, "Not a valid token "),
        Error::Forbidden => (StatusCode::FORBIDDEN, "You don't have access to perform this action"),
        Error::BadCredentials => (StatusCode::UNAUTHORIZED, "Incorrect email or password"),
        Error::BadRefreshToken => (StatusCode::UNAUTHORIZED, "Not a valid refresh token"),
        Error::UserNotFound => (StatusCode::NOT_FOUND, "User not found"),
        Error::NoImage | Error::ImageMissing { .. } => (StatusCode::NOT_FOUND, "User has no profile image"),
        Error::EmailTaken => (StatusCode::CONFLICT, "User already exists with this email"),
        Error::UsernameTaken { .. } => (StatusCode::CONFLICT, "User already exists with this username"),
        Error::AlreadyInTrash => (StatusCode::BAD_REQUEST, "User is already deleted"),
        Error::NotInTrash => (StatusCode::BAD_REQUEST, "User is not in the trash"),
        Error::UnknownImageFormat => (StatusCode::BAD_REQUEST, "The file is not a JPEG or PNG image"),
        Error::DamagedImage => (StatusCode::BAD_REQUEST, "The image is incomplete or damaged"),
        Error::TooManyPixels { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "The image has too many pixels"),
        Error::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
        Error::NoImageStore | Error::ImageDamaged { .. } | Error::Overloaded | Error::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.answer().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, text) = self.answer();
        let mut response = HttpResponse::build(status);
        match status {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            // Which it would be of (RFC 9110, 15.5.16).
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                response.insert_header((ACCEPT_ENCODING, HeaderValue::from_static("identity")));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                if let Self::Domain(Error::RateLimited { retry_after, .. }) = self {
                    response.insert_header((RETRY_AFTER, seconds(*retry_after)));
                }
            }
            _ => {}
        }
        match self {
            // The rest of such a body is not waited for.
            Self::TooLarge | Self::TooSlow | Self::NoRoom => {
                response.force_close().json(Detail { detail: text })
            }
            Self::Domain(Error::TooManyPixels { allowed }) => {
                response.json(Detail { detail: format!("{text}: at most {allowed} are allowed") })
            }
            Self::Domain(Error::RateLimited { .. }) => {
                response.json(Limited { detail: text, code: "rate_limited" })
            }
            Self::Invalid(faults) => response.json(Detail { detail: faults }),
            Self::Domain(Error::UsernameTaken { suggestions }) if !suggestions.is_empty() => {
                response.json(Detail { detail: NameTaken::new(text, suggestions) })
            }
            _ => response.json(Detail { detail: text }),
        }
    }
}

/// Whole seconds, one at least, after which that time is over.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use roster_domain::ports::Unavailable;
    use roster_domain::values::Username;
    use serde_json::{Value, json};

    async fn answer(refusal: Refusal) -> (HttpResponse<()>, Value) {
        let (head, body) = refusal.error_response().into_parts();
        let body = to_bytes(body).await.unwrap();
        (head, serde_json::from_slice(&body).unwrap())
    }

    #[actix_web::test]
    async fn an_outage_is_503_that_says_when_to_retry_and_nothing_of_its_cause() {
        let outage = || Unavailable::new("the database", "disk of server 7 is full");
        for error in [Error::Unavailable(outage()), Error::Overloaded, Error::NoImageStore] {
            let (head, body) = answer(error.into()).await;
            assert_eq!((head.status().as_u16(), body), (503, json!({ "detail": "Service Unavailable" })));
            assert_eq!(head.headers().get("retry-after").unwrap(), "5");
        }
    }

    #[actix_web::test]
    async fn beyond_a_limit_it_is_429_that_says_when_the_next_is_let_in() {
        let error =
            Error::RateLimited { limit: "SIGNUPS_PER_CLIENT", retry_after: Duration::from_millis(1001) };
        let (head, body) = answer(error.into()).await;
        let expected = json!({ "detail": "Too many requests", "code": "rate_limited" });
        assert_eq!((head.status().as_u16(), body), (429, expected));
        assert_eq!(head.headers().get("retry-after").unwrap(), "2");
    }

    #[actix_web::test]
    async fn an_image_of_too_many_pixels_is_413_that_says_how_many_are_allowed() {
        let refusal = Error::TooManyPixels { allowed: 1_000 };
        let (head, body) = answer(refusal.into()).await;
        let detail = "The image has too many pixels: at most 1000 are allowed";
        assert_eq!((head.status().as_u16(), body), (413, json!({ "detail": detail })));
    }

    #[actix_web::test]
    async fn too_many_requests_are_429_that_says_when_to_retry() {
        for (millis, seconds) in [(0, "1"), (1_000, "1"), (1_001, "2"), (60_000, "60")] {
            let retry_after = Duration::from_millis(millis);
            let (head, body) =
                answer(Error::RateLimited { limit: "SIGNUPS_PER_CLIENT", retry_after }.into()).await;
            let told = json!({ "detail": "Too many requests", "code": "rate_limited" });
            assert_eq!((head.status().as_u16(), body), (429, told));
            assert_eq!(head.headers().get("retry-after").unwrap(), seconds);
        }
    }

    #[actix_web::test]
    async fn a_bug_is_500_that_says_nothing() {
        let (head, body) = answer(Error::Internal("secret".into()).into()).await;
        assert_eq!((head.status().as_u16(), body), (500, json!({ "detail": "Internal Server Error" })));
    }

    #[actix_web::test]
    async fn every_401_names_the_scheme() {
        for (error, detail) in [
            (Error::NotAuthenticated, "Not a valid token "),
            (Error::BadCredentials, "Incorrect email or password"),
            (Error::BadRefreshToken, "Not a valid refresh token"),
        ] {
            let (head, body) = answer(error.into()).await;
            assert_eq!((head.status().as_u16(), body), (401, json!({ "detail": detail })));
            assert_eq!(head.headers().get("www-authenticate").unwrap(), "Bearer");
        }
    }

    #[actix_web::test]
    async fn a_taken_username_comes_with_free_ones_at_a_sign_up_and_alone_at_an_edit() {
        let taken = "User already exists with this username";
        let suggestions = vec![Username::parse("amelieab").unwrap(), Username::parse("ameliecd").unwrap()];
        let (head, body) = answer(Error::UsernameTaken { suggestions }.into()).await;
        let expected =
            json!({ "detail": { "message": taken, "suggested_usernames": ["amelieab", "ameliecd"] } });
        assert_eq!((head.status().as_u16(), body), (409, expected));

        let (head, body) = answer(Error::UsernameTaken { suggestions: Vec::new() }.into()).await;
        assert_eq!((head.status().as_u16(), body), (409, json!({ "detail": taken })));
    }
}
