//! Logs, metrics and readiness: what a store's failure looks like to an operator.
//!
//! - [`logging`]: where the log is written, and how much of it.
//! - [`announce()`]: the log's first lines, which say what is open to whom.
//! - [`Outages`]: what is made of the calls that stores tell of, so that each outage is told once and not with each request.
//! - [`Done`]: the access log.
//! - [`failures`]: what the log says of a request that failed.
//! - [`prometheus`] and [`requests`]: what is counted.
//! - [`Readiness`]: whether the stores are well.

mod access;
mod announce;
pub mod failures;
pub mod logging;
mod outages;
pub mod prometheus;
mod readiness;
pub mod requests;

pub use access::Done;
pub use announce::announce;
pub use outages::Outages;
pub use readiness::{Probe, Readiness};
