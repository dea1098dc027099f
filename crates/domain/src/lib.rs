//! The rules of Roster: what a user, a trash entry and a session are, what may be done with them, and the ports
//! through which that reaches a database, an image store, a clock. No I/O crate stands behind this one.
//!
//! - [`values`]: what a field may hold. Values from clients are *parsed* and may be refused; values from a store are
//!   *rehydrated* and never refused.
//! - [`entities`]: users, trash entries, sessions.
//! - [`ports`]: what the rules need from outside, as object-safe traits; each method's doc says what an adapter MUST do,
//!   and `roster-domain-testkit` holds one test for each MUST.
//! - [`use_cases`]: [`Roster`], one method a use case, one file each.
//!
//! # How to add a port method
//!
//! 1. Write it in its trait, with its MUST clauses.
//! 2. Write their contract tests in `roster-domain-testkit`, and the in-memory adapter that passes them.
//! 3. Every adapter of the port now fails to compile, then fails its contract, then is done.

mod chain;
pub mod entities;
mod error;
mod limits;
pub mod ports;
mod room;
pub mod use_cases;
pub mod values;

pub use chain::Chain;
pub use error::{Damage, Error};
pub use limits::{Rate, RateLimits};
pub use use_cases::{
    ACCESS_TOKEN_LIFETIME, AdminSignUp, BulkDeletion, PURGE_BATCH, Ports, Roster, Rules, SESSION_LIFETIME,
    SignUp, TokenPair, UploadTarget,
};
