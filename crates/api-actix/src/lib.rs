//! The HTTP interface of Roster and its composition root; binary `roster`.
//!
//! - [`commands`]: what the program can be told to do.
//! - `composition`: builds the use cases over their adapters. No other module names an adapter.
//! - [`http`]: the routes.
//! - [`server`]: listens, serves, and stops in good order.
//! - `metrics_port`: where Prometheus reads what is counted.

pub mod commands;
mod composition;
pub mod http;
mod listen;
mod metrics_port;
pub mod server;
