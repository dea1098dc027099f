//! The whole API suite once more, over a MongoDB.

#[path = "api/main.rs"]
mod api;

use api::harness;
