//! The version of a database's format: a document of `roster_meta` holds it, and who knows only older ones writes nothing.
//!
//! A field that an older program may leave alone needs no new version. A change of what stands in users' documents is one of
//! [`document::VERSION`](crate::document::VERSION) as well: each document tells whether it is brought forward, so that this
//! goes on where it was killed, and finds what an older instance writes meanwhile.

use mongodb::bson::{Bson, doc};

use crate::MongoStore;
use crate::server::ServerFailure;

/// The newest format. Before there were versions it was 1.
pub(crate) const NEWEST: i32 = 2;

const FORMAT: &str = "format";

/// The format of a database that a newer program has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newer(pub(crate) i64);

impl MongoStore {
    /// Whether a newer program has opened the database: then this one must not write a thing.
    pub(crate) async fn newer_format(&self) -> Result<Option<Newer>, ServerFailure> {
        let meta = self.server.meta.clone();
        let found =
            self.server.run("find", async move { meta.find_one(doc! { "_id": FORMAT }).await }).await?;
        let version = match found.as_ref().and_then(|found| found.get("version")) {
            Some(Bson::Int32(version)) => i64::from(*version),
            Some(Bson::Int64(version)) => *version,
            #[expect(clippy::cast_possible_truncation, reason = "a shell writes whole numbers so")]
            Some(Bson::Double(version)) => *version as i64,
            _ => 1,
        };
        Ok((version > NEWEST.into()).then_some(Newer(version)))
    }

    /// Looks whether a newer program has opened the database since, and writes nothing any more as long as that is so.
    pub(crate) async fn heed_format(&self) -> Result<(), ServerFailure> {
        let newer = self.newer_format().await?.map(|Newer(version)| version);
        let before = self.server.writes.close_for(newer);
        match newer {
            None => Ok(()),
            Some(version) => {
                if before.is_none() {
                    tracing::error!(
                        event = "newer format",
                        version,
                        "a newer Roster has brought the database to format {version}: this one writes nothing any more; stop it"
                    );
                }
                Err(ServerFailure::Newer(version))
            }
        }
    }

    /// Says that the database is of the newest format, before anything is written that makes it so. Of a program that is newer
    /// still, and came first, it tells.
    pub(crate) async fn claim_format(&self) -> Result<Option<Newer>, ServerFailure> {
        let meta = self.server.meta.clone();
        let not_newer = doc! { "_id": FORMAT, "version": { "$not": { "$gt": NEWEST } } };
        let claim = async move {
            let set = doc! { "$set": { "version": NEWEST } };
            meta.update_one(not_newer, set).upsert(true).await.map(|_| ())
        };
        match self.server.run("update", claim).await {
            // Another instance has written it at the same time: one like this, or a newer one.
            Err(failure) if failure.is_duplicate_key() => self.newer_format().await,
            claimed => claimed.map(|()| None),
        }
    }
}
