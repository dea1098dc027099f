//! What Roster does beside the requests, from its start to its stop: the trash's retention, image removals, a store's upkeep.

mod expiry;
mod jobs;

pub use expiry::told as told_of_expired;
pub use jobs::Jobs;
