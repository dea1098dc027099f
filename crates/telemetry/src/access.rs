//! The access log, and the count of requests.

use roster_domain::entities::Request;
use roster_domain::values::{ClientAddress, UserId};
use tokio::time::Instant;

use crate::requests::{self, InFlight};

const NOT_MODIFIED: u16 = 304;

/// What stands for the path where there is no endpoint.
const UNKNOWN: &str = "unknown";

/// A request whose answer is there: the access log tells of it, and it is counted where anybody wants to know.
pub struct Done<M> {
    /// None where the request could not be read.
    pub method: Option<M>,
    /// When its head was there.
    pub started: Instant,
    /// Where it is counted.
    pub counted: Option<InFlight>,
    /// Where it comes from.
    pub client: ClientAddress,
}

impl<M: AsRef<str>> Done<M> {
    /// It was answered with that status: by that endpoint, if by any.
    pub fn tell(
        &self,
        endpoint: Option<&'static str>,
        status: u16,
        request: Request,
        caller: Option<UserId>,
    ) {
        let Self { method, started, counted, client } = self;
        let (took, route) = (started.elapsed(), endpoint.unwrap_or(UNKNOWN));
        let method = method.as_ref().map(AsRef::as_ref);
        if counted.is_some() {
            requests::answered(method, route, status, took);
        }
        let user = caller.map(tracing::field::display);
        // To the microsecond, which is more than a clock can tell, and short.
        let duration_ms = (took.as_secs_f64() * 1_000_000.0).round() / 1000.0;
        // What changed nothing and went well is told at `debug`: at the rate of reads, the log would cost more than they do.
        let is_read = method.is_some_and(|method| matches!(method, "GET" | "HEAD"));
        let is_quiet = is_read && matches!(status, 200..=299 | NOT_MODIFIED);
        let method = method.map(tracing::field::display);
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
