//! What is counted of requests. What stands in a label is one of a few: a route's pattern and never a path, a name of ours and
//! never a client's.

use std::time::Duration;

use metrics::{Gauge, counter, gauge, histogram};

/// Counts the requests that wait for their answer.
pub struct Requests {
    in_flight: Gauge,
}

/// A request in flight, which is counted as such until this is dropped.
pub struct InFlight(Gauge);

impl Requests {
    /// None yet. It is made once [metrics are recorded](crate::prometheus::record).
    #[must_use]
    #[expect(clippy::new_without_default, reason = "when it is made matters")]
    pub fn new() -> Self {
        Self { in_flight: gauge!("roster_http_requests_in_flight") }
    }

    /// One begins.
    #[must_use]
    pub fn begin(&self) -> InFlight {
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
pub fn answered(method: Option<&str>, route: &'static str, status: u16, took: Duration) {
    let method = method.map_or("other", name);
    let status = status.to_string();
    counter!("roster_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    histogram!("roster_http_request_duration_seconds", "method" => method, "route" => route).record(took);
}

/// Counts a request that was refused because of a limit, by the setting's name.
pub fn limited(limit: &'static str) {
    counter!("roster_rate_limited_total", "limit" => limit).increment(1);
}

/// A method by its name; all that a client may make up by one.
fn name(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
