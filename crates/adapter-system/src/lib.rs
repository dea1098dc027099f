//! The system's clock, and ids from its generator: the ports [`Clock`](roster_domain::ports::Clock) and
//! [`Ids`](roster_domain::ports::Ids).

mod clock;
mod ids;

pub use clock::SystemClock;
pub use ids::RandomIds;
