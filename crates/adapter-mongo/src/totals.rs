//! How many live users there are, and where among them a page begins.
//!
//! Counting a million through an index takes a fifth of a second. So above ten thousand the count is kept for five seconds
//! and adjusted by what this instance writes. The count goes through the ids in steps, and no write of this instance is
//! under way during a step: so each write is either counted by a step or added to its result, never both, never neither.
//!
//! Each step leaves a mark: how many users there are up to an id. A page in the depth begins at the mark before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use roster_domain::values::UserId;
use tokio::sync::RwLock;
use tokio::time::{Instant, timeout};

use crate::MongoStore;
use crate::document::{self, object_id};
use crate::indexes;
use crate::server::{DEADLINE, Failure, Find, Server};

/// Up to so many users are counted anew every time.
const COUNTED_ANEW: u64 = 10_000;

/// How long a larger count is kept.
const KEPT: Duration = Duration::from_secs(5);

/// How many users one step counts: a write waits for one step at most, about five milliseconds.
pub(crate) const STEP: u64 = 20_000;

/// How long a step waits for a write that hangs. New writes wait behind it, so it gives up early.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Writes that change the number hold it shared, a step alone.
    steps: RwLock<()>,
    /// Held by the one who counts.
    count: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Kept {
    total: u64,
    marks: Vec<Mark>,
    since: Instant,
}

/// How many live users there are up to an id, itself included. Later marks have larger ids.
#[derive(Debug, Clone, Copy)]
struct Mark {
    id: UserId,
    rank: u64,
}

/// A count that is under way. The last mark is how far it has come.
#[derive(Debug)]
struct Running {
    since: Instant,
    marks: Vec<Mark>,
    /// Whether a write failed meanwhile, so that nobody knows whether it happened.
    spoilt: bool,
}

/// Where a page begins: behind so many of the users whose ids come after that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) after: Option<UserId>,
    pub(crate) skip: u64,
}

/// Adds to the marks from a user on.
fn shift(marks: &mut [Mark], user: UserId, by: i64) {
    let behind = marks.partition_point(|mark| mark.id < user);
    for mark in &mut marks[behind..] {
        mark.rank = mark.rank.saturating_add_signed(by);
    }
}

impl Totals {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write that changes the number of live users by `by` where `happened` says so of its answer.
    pub(crate) fn counting<T: Send + 'static>(
        self: &Arc<Self>,
        user: UserId,
        by: i64,
        write: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
        happened: impl Fn(&T) -> bool + Send + 'static,
    ) -> impl Future<Output = Result<T, Failure>> + Send + 'static {
        let totals = Arc::clone(self);
        async move {
            let _no_step = totals.steps.read().await;
            let answer = write.await.map_err(Failure::from);
            match &answer {
                Ok(answer) if happened(answer) => totals.add(user, by),
                Ok(_) => {}
                Err(failure) if failure.is_duplicate_key() => {}
                Err(_) => totals.forget(),
            }
            answer
        }
    }

    fn add(&self, user: UserId, by: i64) {
        let mut state = self.state();
        if let Some(kept) = &mut state.kept {
            kept.total = kept.total.saturating_add_signed(by);
            shift(&mut kept.marks, user, by);
        }
        if let Some(running) = &mut state.running {
            shift(&mut running.marks, user, by);
        }
    }

    /// After a write of which nobody knows whether it happened, or of which it is not known what it changed.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.kept = None;
        if let Some(running) = &mut state.running {
            running.spoilt = true;
        }
    }

    fn kept(&self) -> Option<u64> {
        self.state().kept.as_ref().filter(|kept| kept.since.elapsed() < KEPT).map(|kept| kept.total)
    }

    /// Where to look for what comes after the first `offset` live users. Marks that are no longer kept up are not gone by.
    pub(crate) fn start(&self, offset: u64) -> Start {
        let state = self.state();
        let marks = state.kept.as_ref().map(|kept| kept.marks.as_slice()).unwrap_or_default();
        match marks.partition_point(|mark| mark.rank <= offset).checked_sub(1).map(|last| marks[last]) {
            Some(mark) => Start { after: Some(mark.id), skip: offset - mark.rank },
            None => Start { after: None, skip: offset },
        }
    }

    /// Counts the next users. Returns the number of all once the last is counted.
    async fn step(&self, server: &Server) -> Result<Option<u64>, Failure> {
        let no_write = timeout(PATIENCE, self.steps.write()).await;
        let _no_write = no_write.map_err(|_| Failure::TimedOut(PATIENCE))?;
        let last = self.state().running.as_ref().and_then(|running| running.marks.last().copied());
        let rest = after(last.map(|mark| mark.id));
        let find = Find {
            filter: rest.clone(),
            projection: doc! { "_id": 1 },
            sort: doc! { "_id": 1 },
            skip: STEP - 1,
            limit: 1,
            index: Some(indexes::LIVE),
        };
        let boundary = find.run(&server.users, DEADLINE).await?;
        let counted = last.map_or(0, |mark| mark.rank);
        if let Some(id) = boundary.first().and_then(|boundary| document::user_id(boundary)) {
            if let Some(running) = &mut self.state().running {
                running.marks.push(Mark { id, rank: counted + STEP });
            }
            Ok(None)
        } else {
            let total = counted + count(&server.database, rest, indexes::LIVE, 0).await?;
            self.end(total);
            Ok(Some(total))
        }
    }

    /// Ends a count, before any write goes on, and keeps it where it is still known to be true.
    fn end(&self, total: u64) {
        let mut state = self.state();
        if let Some(Running { since, marks, spoilt: false }) = state.running.take()
            && total >= COUNTED_ANEW
        {
            state.kept = Some(Kept { total, marks, since });
        }
    }
}

/// Live users behind an id.
pub(crate) fn after(reached: Option<UserId>) -> Document {
    let reached = reached.map_or_else(|| ObjectId::from_bytes([0; 12]), object_id);
    doc! { "is_deleted": false, "_id": { "$gt": reached } }
}

/// The command `count`, which needs a third less time through an index than the aggregation that the driver has for it.
async fn count(
    database: &Database,
    filter: Document,
    index: &str,
    limit: u64,
) -> mongodb::error::Result<u64> {
    let command = doc! {
        "count": "users",
        "query": filter,
        "hint": index,
        "limit": i64::try_from(limit).unwrap_or(0),
        "maxTimeMS": i64::try_from(DEADLINE.as_millis()).unwrap_or(i64::MAX),
    };
    let answer = database.run_command(command).await?;
    let counted = match answer.get("n") {
        Some(Bson::Int32(counted)) => i64::from(*counted),
        Some(Bson::Int64(counted)) => *counted,
        _ => return Err(mongodb::error::Error::custom("the answer to `count` holds no number")),
    };
    Ok(u64::try_from(counted).unwrap_or_default())
}

impl MongoStore {
    /// How many live users there are.
    pub(crate) async fn live_total(&self) -> Result<u64, Failure> {
        if let Some(total) = self.totals.kept() {
            return Ok(total);
        }
        let few = self.count(doc! { "is_deleted": false }, indexes::LIVE, COUNTED_ANEW).await?;
        if few < COUNTED_ANEW {
            return Ok(few);
        }
        let (totals, server) = (Arc::clone(&self.totals), self.server.clone());
        self.server
            .run(async move {
                let _alone = totals.count.lock().await;
                if let Some(total) = totals.kept() {
                    return Ok::<_, Failure>(total);
                }
                let since = Instant::now();
                totals.state().running = Some(Running { since, marks: Vec::new(), spoilt: false });
                loop {
                    if let Some(total) = totals.step(&server).await? {
                        break Ok(total);
                    }
                }
            })
            .await
    }

    /// How many documents a filter finds through an index, counted up to `limit`; all of them where it is 0.
    pub(crate) async fn count(
        &self,
        filter: Document,
        index: &'static str,
        limit: u64,
    ) -> Result<u64, Failure> {
        let database = self.server.database.clone();
        self.server.run(async move { count(&database, filter, index, limit).await }).await
    }
}

/// The ids of documents that were found.
pub(crate) fn ids(found: &[RawDocumentBuf]) -> Vec<Bson> {
    found.iter().filter_map(|found| found.get_object_id("_id").ok()).map(Bson::from).collect()
}
