//! The sweep: upkeep that adopts users whom others wrote, and finishes what a crash left half-done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mongodb::bson::RawDocumentBuf;
use mongodb::bson::oid::ObjectId;
use roster_domain::ports::Unavailable;

use crate::{MongoStore, document};

/// What lets one instance compare all users, and the others not.
const COMPARISON: &str = "comparison";

impl MongoStore {
    /// Looks after what others wrote. Names that others changed in adopted users leave no trace, so all users are compared with
    /// what is kept of them: once after the start, and then by one of the instances each `compare_every`; never again without it.
    /// A comparison takes a second for a million users.
    ///
    /// Any number of instances may sweep at once.
    pub async fn sweep(&self, compare_every: Option<Duration>) -> Result<(), Unavailable> {
        self.sweep_changes().await?;
        let turn = match compare_every {
            Some(every) => self.take(COMPARISON, every).await?,
            None => None,
        };
        let is_first = !self.has_compared.load(Ordering::Relaxed);
        if turn.is_none() && !is_first {
            return Ok(());
        }
        let compared = self.compare_all().await;
        match (&compared, turn) {
            (Ok(()), _) => self.has_compared.store(true, Ordering::Relaxed),
            (Err(_), Some(turn)) => self.give_back(turn).await,
            (Err(_), None) => {}
        }
        compared
    }

    /// Adopts users that the FastAPI service or somebody with a shell wrote, notices users that were deleted or restored so,
    /// removes tombstones that a crash left, and makes indexes that are missing. An index leads to each of them: where nothing
    /// was changed, nothing is read.
    async fn sweep_changes(&self) -> Result<(), Unavailable> {
        self.heed_format().await?;
        self.look_after_indexes().await?;
        let mut refused = self.adopt_all().await?;
        let changed = self.marked_beneath().await?;
        refused.extend(self.mend(changed).await?);
        report(&refused);
        self.had_admin().await?;
        Ok(())
    }

    /// Compares all users with what is kept of them, a step at a time, and makes new keys for names that others changed.
    async fn compare_all(&self) -> Result<(), Unavailable> {
        let (mut refused, mut after) = (Vec::new(), None);
        loop {
            let (changed, last) = self.compared(after).await?;
            refused.extend(self.mend(changed).await?);
            if last.is_none() {
                break;
            }
            after = last;
        }
        report(&refused);
        Ok(())
    }

    /// Makes what is kept of users fit again, and returns those whose names are others'.
    async fn mend(&self, changed: Vec<RawDocumentBuf>) -> Result<Vec<ObjectId>, Unavailable> {
        let (tombstones, changed): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|found| document::is_tombstone(found));
        for tombstone in &tombstones {
            self.bury(tombstone).await?;
        }
        let mut refused = Vec::new();
        for batch in changed.chunks(1_000) {
            refused.extend(self.adopt(batch).await?);
        }
        Ok(refused)
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
