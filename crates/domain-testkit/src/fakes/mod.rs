//! A clock that is set, ids that are counted, and secrets that are none: for tests alone.

mod clock;
mod hasher;
mod ids;
mod processor;
mod tokens;

pub use clock::ManualClock;
pub use hasher::PlainHasher;
pub use ids::CountingIds;
pub use processor::AcceptingProcessor;
pub use tokens::PlainTokens;
