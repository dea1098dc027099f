use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Gauge, counter, gauge, histogram};

/// Counts requests.
pub(crate) struct Requests {
    in_flight: Gauge,
}

/// A request in flight, which is counted as such until this is dropped.
pub(crate) struct InFlight(Gauge);

impl Requests {
    pub(crate) fn new() -> Self {
        Self { in_flight: gauge!("roster_http_requests_in_flight") }
    }

    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.increment(1);
        InFlight(self.in_flight.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Counts a request that was answered. One whose client has gone before is not. What could not be read as a request counts as `other`.
pub(crate) fn answered(method: Option<&Method>, route: &'static str, status: StatusCode, took: Duration) {
    let method = method.map_or("other", name);
    let status = status.as_str().to_owned();
    counter!("roster_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    histogram!("roster_http_request_duration_seconds", "method" => method, "route" => route).record(took);
}

/// Counts a request that was refused because of a limit, by the setting's name.
pub(crate) fn limited(limit: &'static str) {
    counter!("roster_rate_limited_total", "limit" => limit).increment(1);
}

/// A method by its name; all that a client may make up by one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
