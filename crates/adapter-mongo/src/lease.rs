//! Leases: which of several instances does a piece of upkeep. A lease only saves work. It expires by the server's clock,
//! and an instance that continues with an expired one does no harm.

use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, doc};
use mongodb::options::ReturnDocument;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::MongoStore;
use crate::server::ServerFailure;

/// How long a lease lasts that is renewed: so long a job waits whose instance has died.
const RENEWED: Duration = Duration::from_secs(10);

/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// A lease that is renewed until it is dropped or given back.
pub(crate) struct Lease {
    turn: Turn,
    store: MongoStore,
    renewing: JoinHandle<()>,
}

/// A job that was taken, by whom it may be prolonged or given back. Whoever takes it after a lapse has another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    job: &'static str,
    owner: ObjectId,
}

impl Lease {
    /// Lets others have it at once.
    pub(crate) async fn give_back(self) {
        self.renewing.abort();
        self.store.give_back(self.turn).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl MongoStore {
    /// Takes a job for so long; `None` where it is taken.
    pub(crate) async fn take(
        &self,
        job: &'static str,
        time: Duration,
    ) -> Result<Option<Turn>, ServerFailure> {
        let meta = self.server.writes.meta.clone();
        let never = DateTime::from_millis(0);
        let owner = ObjectId::new();
        let update = vec![
            doc! { "$set": { "taken": { "$lte": [{ "$ifNull": ["$until", never] }, "$$NOW"] } } },
            doc! { "$set": {
                "until": { "$cond": ["$taken", { "$add": ["$$NOW", millis(time)] }, "$until"] },
                "owner": { "$cond": ["$taken", owner, "$owner"] },
            } },
        ];
        let take = async move {
            meta.find_one_and_update(doc! { "_id": job }, update)
                .upsert(true)
                .return_document(ReturnDocument::After)
                .await
        };
        match self.server.writes.run("update", take).await {
            Ok(lease) => {
                let is_ours =
                    lease.is_some_and(|lease| lease.get_object_id("owner").is_ok_and(|found| found == owner));
                Ok(is_ours.then_some(Turn { job, owner }))
            }
            // Another instance has made the document at the same time.
            Err(failure) if failure.is_duplicate_key() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Takes a job until it is given back; `None` where it is taken.
    pub(crate) async fn lease(&self, job: &'static str) -> Result<Option<Lease>, ServerFailure> {
        let Some(turn) = self.take(job, RENEWED).await? else { return Ok(None) };
        let store = self.clone();
        let renewing = tokio::spawn(async move {
            loop {
                sleep(RENEW_EVERY).await;
                if let Err(failure) = store.prolong(turn, RENEWED).await {
                    tracing::debug!(
                        event = "lease not renewed",
                        job,
                        error = %failure,
                        "a lease could not be renewed"
                    );
                }
            }
        });
        Ok(Some(Lease { turn, store: self.clone(), renewing }))
    }

    /// Lets others have it at once, if nobody else has it already.
    pub(crate) async fn give_back(&self, turn: Turn) {
        if let Err(failure) = self.prolong(turn, Duration::ZERO).await {
            tracing::debug!(
                event = "lease left to lapse",
                job = turn.job,
                error = %failure,
                "a lease could not be given back; it ends by itself"
            );
        }
    }

    /// Makes it last so long from now on, unless it has lapsed and somebody else has it.
    async fn prolong(&self, Turn { job, owner }: Turn, time: Duration) -> Result<(), ServerFailure> {
        let meta = self.server.writes.meta.clone();
        let update = vec![doc! { "$set": { "until": { "$add": ["$$NOW", millis(time)] } } }];
        self.server
            .writes
            .run("update", async move { meta.update_one(doc! { "_id": job, "owner": owner }, update).await })
            .await?;
        Ok(())
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
