//! Roster as a client sees it: each test starts the real binary in a folder of its own and speaks HTTP with it.
//!
//! The store under test is chosen in one place of the harness; nothing else here knows which it is.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

#[expect(dead_code, reason = "the tests of outages need more of it")]
pub(crate) mod harness;

mod access;
mod admin_policy;
mod bulk_delete;
mod clients;
mod connections;
mod documented_examples;
mod editing;
mod errors;
mod health;
mod images;
mod listing;
mod logs;
mod metrics;
mod openapi;
mod overload;
mod profile_image;
mod rate_limits;
mod restarts;
mod s3;
mod sessions;
mod settings;
mod sign_up;
mod tokens;
mod trash;
mod validation;
