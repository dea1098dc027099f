//! HTTP/1.1 over connections that are bounded in number, in time and in bytes. It knows no route.
//!
//! A connection has one request at a time: its next head is read once the answer before has been written. So each request is
//! framed, answered and closed by its own head (RFC 9112, 6.3, 9.3.2 and 9.6), and a client that sends requests without
//! reading the answers has at most two KiB of them in memory. After each request all other connections of the thread have their
//! turn, so that whoever sends requests ahead holds nobody up. The dispatcher of actix-http parses ahead, and lets the
//! requests of a connection share one state; of actix-http only the codec is used here, a new one for each request.
//!
//! - [`listen`](fn@listen): the sockets.
//! - `serving`: the server of an application over these sockets.
//! - `connections`: the open connections, and which of them is closed when.
//! - `connection`: the life of one: head, service, answer, and again.
//! - `head`: where a head ends, and what is refused before anybody reads it.
//! - `body`: where a body ends.
//! - `incoming`: what a client sends, as it is asked for.
//! - `outgoing`: answers, as the client reads them.
//! - `places` and `signals`: how many connections a process may have, and what asks it to end.

mod body;
mod connection;
mod connections;
mod head;
mod incoming;
mod listen;
mod outgoing;
mod places;
mod serving;
mod signals;

pub use connections::{Meters, Patience};
pub use head::Malformed;
pub use listen::listen;
pub use places::{places, raise_file_limit};
pub use serving::{Config, serve};
pub use signals::StopSignals;
