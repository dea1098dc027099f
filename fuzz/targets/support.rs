//! A Roster over memory, called without a socket, and what holds for its answers.

#![cfg(feature = "api")]

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::{Payload, Service};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{Bytes, Data};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use roster_api_actix::http::{AppState, app};
use roster_domain::Roster;
use roster_domain::entities;
use roster_domain::use_cases::SignUp;
use roster_domain::values::{ClientAddress, Email, Password, RequestId, Username};
use roster_domain_testkit::RosterBuilder;
use roster_domain_testkit::fakes::CountingIds;
use serde_json::Value;

/// After how many requests everything is made anew, so that an input has the same effect whenever it comes.
const REQUESTS: u32 = 500;

/// A request, as far as it can be one.
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// How many bytes of the body arrive at once.
    pub chunk: usize,
}

/// An answer that has what every answer has to have.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// Sends a request. In its headers and its path, `ADMIN` and `USER` stand for an admin's and a user's token and id.
pub fn call(request: Request) -> Answer {
    thread_local! {
        static SYSTEM: actix_web::rt::SystemRunner = actix_web::rt::System::new();
        // Never dropped at the process's end, when others of the thread's own that it needs are gone.
        static WORLD: ManuallyDrop<RefCell<Option<World>>> = const { ManuallyDrop::new(RefCell::new(None)) };
        static LEFT: Cell<u32> = const { Cell::new(0) };
    }
    SYSTEM.with(|system| {
        system.block_on(async {
            if LEFT.get() == 0 {
                let world = World::new().await;
                WORLD.with(|kept| kept.replace(Some(world)));
                LEFT.set(REQUESTS);
            }
            LEFT.set(LEFT.get() - 1);
            let world = WORLD.with(|kept| kept.borrow().clone()).expect("it was made");
            world.call(request).await
        })
    })
}

type Serve = dyn Fn(actix_http::Request) -> LocalBoxFuture<'static, (StatusCode, HeaderMap, Bytes)>;

#[derive(Clone)]
struct World {
    serve: Rc<Serve>,
    admin: Rc<Who>,
    user: Rc<Who>,
}

struct Who {
    id: String,
    token: String,
}

impl World {
    async fn new() -> Self {
        let roster = RosterBuilder::new().build().roster;
        let admin = Rc::new(Who::new(&roster, "ada", true).await);
        let user = Rc::new(Who::new(&roster, "ben", false).await);
        let state = Data::new(AppState::new(roster, Arc::new(CountingIds::new())));
        let service = Rc::new(init_service(app(&state)).await);
        let serve = move |request| -> LocalBoxFuture<'static, _> {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let response = match service.call(request).await {
                    Ok(response) => response.into_parts().1.map_into_boxed_body(),
                    Err(error) => error.error_response(),
                };
                let (head, body) = response.into_parts();
                let body = to_bytes(body).await.unwrap_or_else(|error| panic!("a broken body: {error}"));
                (head.status(), head.headers().clone(), body)
            })
        };
        Self { serve: Rc::new(serve), admin, user }
    }

    async fn call(&self, request: Request) -> Answer {
        let name = format!("{} {}", request.method, request.uri);
        let path = request.uri.to_string().replace("ADMIN", &self.admin.id).replace("USER", &self.user.id);
        let Ok(uri) = path.parse::<Uri>() else { panic!("{path} is a path still") };
        let mut sent = TestRequest::with_uri("/").method(request.method).to_request();
        sent.head_mut().uri = uri;
        for (name, value) in request.headers {
            let text = value.to_str().unwrap_or_default();
            let value = if text.contains("ADMIN") || text.contains("USER") {
                let text = text.replace("ADMIN", &self.admin.token).replace("USER", &self.user.token);
                HeaderValue::try_from(text).expect("a token is a header's value")
            } else {
                value
            };
            sent.headers_mut().append(name, value);
        }
        let chunks: Vec<_> = request
            .body
            .chunks(request.chunk.max(1))
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        if !chunks.is_empty() {
            *sent.payload() = Payload::Stream { payload: stream::iter(chunks).boxed_local() };
        }
        let (status, headers, body) = (self.serve)(sent).await;
        check(&name, status, &headers, &body);
        Answer { status, body: body.to_vec() }
    }
}

impl Who {
    async fn new(roster: &Roster, name: &str, admin: bool) -> Self {
        let password = || Password::parse("a secret".to_owned()).expect("a password");
        let email = || Email::parse(&format!("{name}@example.com")).expect("an address");
        let username = Username::parse(name).expect("a name");
        let form = SignUp { email: email(), username, password: password() };
        let request = entities::Request::of_client(RequestId::from_bytes([0; 16]), ClientAddress::UNKNOWN);
        let done = if admin {
            roster.admin_sign_up(None, form, request).await
        } else {
            roster.sign_up(form, request).await
        };
        done.expect("nobody is there yet");
        let tokens = roster.log_in(email(), password(), request).await.expect("they have signed up");
        let claims = roster.authenticate(Some(&tokens.access)).expect("it is new");
        Self { id: claims.user_id.to_string(), token: tokens.access.expose().to_owned() }
    }
}

/// What the contract promises of every answer.
fn check(name: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{name}: {text}");
    for header in ["x-request-id", "x-content-type-options"] {
        assert!(headers.contains_key(header), "{name}: {status} without {header}");
    }
    if status.is_client_error() || status.is_server_error() {
        let body: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{name}: {status} {text}"));
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{name}: {text}");
        assert!(body.get("detail").is_some(), "{name}: {text}");
    }
    let says_when = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    assert_eq!(headers.contains_key("retry-after"), says_when, "{name}");
}

/// A request written as in HTTP/1.1, leniently read: what can't be is left out.
#[must_use]
pub fn written(bytes: &[u8]) -> Option<Request> {
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        Some(line)
    };
    let first = str::from_utf8(line()?).ok()?;
    let (method, uri) = first.split_once(' ')?;
    let (method, uri) = (Method::from_bytes(method.as_bytes()).ok()?, uri.parse().ok()?);
    let mut headers = HeaderMap::new();
    while let Some(header) = line().filter(|header| !header.is_empty()) {
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&header[..colon]);
        let value = HeaderValue::from_bytes(header[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let body = rest.to_vec();
    Some(Request { method, uri, headers, chunk: body.len(), body })
}
