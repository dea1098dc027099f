//! The access log, and the count of requests.

use actix_web::http::{Method, StatusCode};
use roster_domain::entities::Request;
use roster_domain::values::{ClientAddress, UserId};
use roster_telemetry::requests::{self, InFlight};
use tokio::time::Instant;

use super::endpoint::UNKNOWN;

/// A request whose answer is there: the access log tells of it, and it is counted where anybody wants to know.
pub(super) struct Done {
    /// None where the request could not be read.
    pub(super) method: Option<Method>,
    pub(super) started: Instant,
    pub(super) counted: Option<InFlight>,
    pub(super) client: ClientAddress,
}

impl Done {
    pub(super) fn tell(
        &self,
        endpoint: Option<&'static str>,
        status: StatusCode,
        request: Request,
        caller: Option<UserId>,
    ) {
        let Self { method, started, counted, client } = self;
        let (took, route) = (started.elapsed(), endpoint.unwrap_or(UNKNOWN));
        let method = method.as_ref();
        if counted.is_some() {
            requests::answered(method.map(Method::as_str), route, status.as_u16(), took);
        }
        let user = caller.map(tracing::field::display);
        // To the microsecond, which is more than a clock can tell, and short.
        let duration_ms = (took.as_secs_f64() * 1_000_000.0).round() / 1000.0;
        // What changed nothing and went well is told at `debug`: at the rate of reads, the log would cost more than they do.
        let is_read = method.is_some_and(|method| matches!(*method, Method::GET | Method::HEAD));
        let is_quiet = is_read && (status.is_success() || status == StatusCode::NOT_MODIFIED);
        let method = method.map(tracing::field::display);
        let status = status.as_u16();
        // A level is part of what tracing compiles of a line.
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    event = "answered",
                    method,
                    route,
                    status,
                    duration_ms,
                    user,
                    %client,
                    %request,
                    "answered"
                )
            };
        }
        if is_quiet {
            tell!(debug);
        } else {
            tell!(info);
        }
    }
}
