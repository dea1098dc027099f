use std::any::Any;
use std::fmt::Display;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use actix_http::Response;
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use roster_domain::entities::Request;
use roster_domain::values::{ClientAddress, RequestId, UserId};
use roster_domain::{Chain, Error};
use roster_http_server::Malformed;
use roster_telemetry::requests::{self, Requests};
use roster_telemetry::{Done, Outages, failures};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::error::Refusal;
use super::headers::{Area, name};
use super::state::AppState;

/// What the log tells of a request besides its answer.
pub(super) struct Noted {
    /// Its id is the server's own, never the client's: by that stores tell requests apart. Its name is the client's.
    pub(super) request: Request,
    /// Whose token it came with, once that was found valid.
    pub(super) caller: Option<UserId>,
}

/// Around every request: gives it an id, gives every response its headers, and writes the access log.
pub(super) fn observe<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
{
    let started = Instant::now();
    let state = request.app_data::<web::Data<AppState>>();
    let id = state.map_or(RequestId::from_bytes([0; 16]), |state| state.ids.request_id());
    let peer = request.peer_addr();
    let client = state.map_or(ClientAddress::UNKNOWN, |state| state.proxies.client(peer, request.headers()));
    let counted = state.and_then(|state| state.requests.as_ref()).map(Requests::begin);
    let id = Request::of_client(id, client).named(name(request.headers()));
    request.extensions_mut().insert(Noted { request: id, caller: None });
    let area = Area::of(request.path());
    let method = request.method().clone();
    let answer = AssertUnwindSafe(service.call(request)).catch_unwind();

    async move {
        let done = Done { method: Some(method), started, counted, client };
        let mut response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Outside::new(id, area, &done, &error).into()),
            Err(panic) => return Err(Outside::new(id, area, &done, message(&*panic)).into()),
        };
        let endpoint =
            response.request().app_data::<&'static Endpoint>().map(|endpoint| endpoint.path.as_str());
        let caller = response.request().extensions().get::<Noted>().and_then(|noted| noted.caller);
        done.tell(endpoint, response.status().as_u16(), id, caller);
        // By what was served, where something was: a path may be written in many ways.
        let area = endpoint.map_or(area, Area::of);
        let mut is_stopping = false;
        if let Some(state) = response.request().app_data::<web::Data<AppState>>() {
            if let Some(error) = response.response().error() {
                count_limited(state, error);
                if let Some(refusal) = error.as_error::<Refusal>() {
                    log_failure(&state.outages, refusal, id);
                }
            }
            is_stopping = state.readiness.is_stopping();
        }
        if is_stopping {
            // So that clients, a proxy among them, open their next connection elsewhere.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        area.set_headers(response.headers_mut(), id);
        Ok(response)
    }
}

/// Answers what the server could not read as a request: with an id, in JSON and in the log, as all else is.
pub(crate) fn refuse(state: &AppState, malformed: Malformed, peer: SocketAddr) -> Response<BoxBody> {
    // There are no headers that could name another, or the request.
    let client = state.proxies.client(Some(peer), &HeaderMap::new());
    let id = Request::of_client(state.ids.request_id(), client);
    let counted = state.requests.as_ref().map(Requests::begin);
    let done = Done { method: None::<Method>, started: Instant::now(), counted, client };
    let mut answer = Refusal::Malformed(malformed).error_response();
    done.tell(None, answer.status().as_u16(), id, None);
    Area::Other.set_headers(answer.headers_mut(), id);
    answer.into()
}

/// Counts a request beyond a limit, where anybody wants to know.
fn count_limited(state: &AppState, error: &actix_web::Error) {
    if state.requests.is_some()
        && let Some(Refusal::Domain(Error::RateLimited { limit, .. })) = error.as_error::<Refusal>()
    {
        requests::limited(limit);
    }
}

/// Logs why a request failed, where that is ours to know.
fn log_failure(outages: &Outages, refusal: &Refusal, request: Request) {
    let error = Chain(refusal);
    match refusal.outage() {
        Some((cause, blame)) => failures::tell_of_many(outages, cause, blame, &error, request),
        None if refusal.status_code().is_server_error() => failures::tell_of_one(&error, request),
        None => {}
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// What is answered where the application gave no answer at all: it panicked.
#[derive(Debug, thiserror::Error)]
#[error("the application gave no answer")]
struct Outside {
    id: Request,
    area: Area,
}

impl Outside {
    fn new(id: Request, area: Area, done: &Done<Method>, why: &(impl Display + ?Sized)) -> Self {
        failures::tell_of_one(why, id);
        done.tell(None, StatusCode::INTERNAL_SERVER_ERROR.as_u16(), id, None);
        Self { id, area }
    }
}

impl ResponseError for Outside {
    fn error_response(&self) -> HttpResponse {
        let mut response = Refusal::from(Error::Internal("no answer".into())).error_response();
        self.area.set_headers(response.headers_mut(), self.id);
        response
    }
}
