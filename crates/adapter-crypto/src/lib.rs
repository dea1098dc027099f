//! Password hashes (bcrypt) and tokens (JWT): the ports
//! [`PasswordHasher`](roster_domain::ports::PasswordHasher) and [`Tokens`](roster_domain::ports::Tokens).

mod claims;
mod hasher;
pub mod key_file;
mod pool;
mod provider;
mod queue;
mod scheme;
mod tokens;
mod work;

pub use hasher::{BcryptHasher, HasherConfig, StartError};
pub use tokens::JwtTokens;
