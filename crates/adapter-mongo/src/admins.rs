//! The first admin, and whether there has ever been one.
//!
//! Two things tell of it: the documents of admins, live, trashed or purged, and a mark in `roster_meta`, which stays when
//! somebody removes those documents by hand. Which of two is first is decided by the unique index on
//! `roster.first_admin`, in the one write that creates the user.

use std::sync::atomic::Ordering;

use mongodb::bson::doc;

use crate::MongoStore;
use crate::server::ServerFailure;

const MARK: &str = "had_admin";

/// What a database tells of admins.
pub(crate) struct Told {
    /// Whether there has been one.
    pub(crate) had: bool,
    /// Whether the mark says so.
    is_marked: bool,
}

impl MongoStore {
    pub(crate) async fn had_admin(&self) -> Result<bool, ServerFailure> {
        if self.had_admin.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let Told { had, is_marked } = self.finds_admin().await?;
        if had {
            if !is_marked {
                self.note_admin().await;
            }
            self.had_admin.store(true, Ordering::Relaxed);
        }
        Ok(had)
    }

    /// Looks for what tells of an admin, and leaves no mark.
    pub(crate) async fn finds_admin(&self) -> Result<Told, ServerFailure> {
        let meta = self.server.meta.clone();
        let is_marked = self
            .server
            .run("find", async move { meta.find_one(doc! { "_id": MARK }).await })
            .await?
            .is_some();
        let had = is_marked
            || self.server.exists(doc! { "role": "admin" }).await?
            || self.server.exists(doc! { "roster.first_admin": true }).await?;
        Ok(Told { had, is_marked })
    }

    /// Leaves the mark. An admin's own document tells as much until it is purged, so that one who could not be noted now is
    /// noted by the next who asks, and by the purge at the latest.
    pub(crate) async fn note_admin(&self) {
        if let Err(failure) = self.mark_admin().await {
            tracing::warn!(
                event = "admin not noted",
                error = %failure,
                "the list of admins could not be written; upkeep does it"
            );
        }
    }

    pub(crate) async fn mark_admin(&self) -> Result<(), ServerFailure> {
        let meta = self.server.writes.meta.clone();
        let mark = async move {
            meta.update_one(doc! { "_id": MARK }, doc! { "$set": { "v": 1 } }).upsert(true).await.map(|_| ())
        };
        match self.server.writes.run("update", mark).await {
            // Another instance has left it at the same time.
            Err(failure) if failure.is_duplicate_key() => Ok(()),
            marked => marked,
        }
    }
}
