//! The program's commands beside `serve`: what they do, what they say, and their exit codes.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

mod admin;
mod check;
mod first_start;
#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;
mod health;
mod lost;
mod migrate;
mod program;
mod purge;
mod stores;
mod upgrade;
mod usage;
