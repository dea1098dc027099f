//! What is looked after beside requests: users that others wrote, and what a crash left half-way.

use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use roster_domain::ports::Unavailable;

use crate::format::Newer;
use crate::server::Failure;
use crate::{MongoStore, document};

/// How often [`MongoStore::upkeep`] is to run, so that what others wrote is found within a minute.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(45);

/// For how long the other instances leave the sweep to the one that has begun one. It is less than the interval, so that a
/// single instance always has its turn, whatever the clocks' jitter.
const TURN: Duration = Duration::from_secs(35);

/// How many changed users one sweep takes at most; the next takes on.
const CHANGED: i64 = 10_000;

impl MongoStore {
    /// A [`sweep`](Self::sweep) where no instance has begun one for a while.
    pub async fn upkeep(&self) -> Result<(), Unavailable> {
        let Some(turn) = self.take("sweep", TURN).await? else {
            return Ok(());
        };
        let swept = self.sweep().await;
        if swept.is_err() {
            // For another instance, and for the next try: it would find the turn taken, and all would seem well.
            self.give_back(turn).await;
        }
        swept
    }

    /// Adopts users that the FastAPI service or somebody with a shell wrote, makes new keys for names that were changed so,
    /// notices users that were deleted or restored so, removes tombstones that a crash left, and makes indexes that are missing.
    ///
    /// Any number of instances may do it at once. It reads all users, so it takes a second for a million of them.
    pub async fn sweep(&self) -> Result<(), Unavailable> {
        if let Some(Newer(version)) = self.newer_format().await? {
            let reason =
                format!("a newer Roster has brought the database to format {version}: stop this one");
            return Err(Failure::Unexpected(reason).into());
        }
        self.look_after_indexes().await?;
        let mut refused = self.adopt_all().await?;
        let changed = self.changed_beneath(CHANGED).await?;
        let (tombstones, changed): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|found| document::is_tombstone(found));
        for tombstone in &tombstones {
            self.bury(tombstone).await?;
        }
        for batch in changed.chunks(1_000) {
            refused.extend(self.adopt(batch).await?);
        }
        report(&refused);
        self.had_admin().await?;
        Ok(())
    }
}

/// Tells the operator of users who can't log in until somebody decides.
fn report(refused: &[ObjectId]) {
    if !refused.is_empty() {
        let users: Vec<String> = refused.iter().map(|id| id.to_hex()).collect();
        tracing::warn!(
            event = "users not adopted",
            ?users,
            "another user has their email or username; give them other names or remove them"
        );
    }
}
