//! The contract of every port as a library of tests, in-memory adapters that keep it, and fixtures.
//!
//! - [`contract`]: one test function for each MUST of a port's doc. An adapter's crate runs all of them with one macro:
//!   [`store_contract!`], [`database_contract!`], [`image_store_contract!`], [`hasher_contract!`], [`tokens_contract!`].
//! - [`memory`]: adapters that keep the contract and nothing after the process.
//! - [`fakes`]: a clock that is set, ids that are counted, secrets that are none.
//! - [`fixtures`]: users, accounts, changes and images to test with.
//! - [`formats`]: stores as released versions left them.
//! - [`RosterBuilder`]: the use cases over all of these.

pub mod contract;
pub mod fakes;
pub mod fixtures;
pub mod formats;
pub mod memory;
mod roster;

pub use roster::{RosterBuilder, TestRoster};
