//! The number of live users, and the marks from which deep pages start.
//!
//! Counting a million through an index takes a fifth of a second. So above ten thousand the count is kept for five seconds
//! and adjusted by what this instance writes. The count goes through the ids in steps, and each write of this instance is
//! either counted by a step or added to its result, never both, never neither:
//!
//! - No write begins during a step.
//! - A write that is under way when a step begins may hang for ever, so nobody waits for it. The step leaves its user out of
//!   what the server counts, and takes it for what the write needs it to be; what the write does is added at its end.
//!
//! Each step leaves a mark: how many users there are up to an id. A page in the depth begins at the mark before it.

use std::collections::HashMap;
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
use crate::server::{DEADLINE, Find, ServerFailure};

/// Up to so many users are counted anew every time.
const COUNTED_ANEW: u64 = 10_000;

/// How long a larger count is kept.
const KEPT: Duration = Duration::from_secs(5);

/// How many users one step counts: a write waits for one step at most, about five milliseconds.
pub(crate) const STEP: u64 = 20_000;

/// How long a write waits for a step whose server does not answer. Then the count is not kept.
const PATIENCE: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Held by a step, and shared by writes for the moment in which they begin.
    steps: RwLock<()>,
    /// Held by the one who counts.
    count: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    running: Option<Running>,
    /// The last count that ended, also where it is not kept.
    last: Option<(Instant, u64)>,
    /// Writes of this instance that have begun and not ended, by their number.
    under_way: HashMap<u64, UnderWay>,
    next_write: u64,
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
    /// What writes have changed that ended during the step which is under way, and which it does not count.
    ended: Vec<(UserId, i64)>,
    /// Whether it is not known what a write changed meanwhile.
    spoilt: bool,
}

/// A write that changes the number of live users by `by`, if it happens.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    user: UserId,
    by: i64,
    /// Whether a step has left its user out.
    left_out: bool,
}

impl UnderWay {
    /// How many live users its user is, as long as it has not happened: a deletion needs one who is live.
    const fn needs(self) -> i64 {
        if self.by < 0 { 1 } else { 0 }
    }
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

/// A write under way. Where it is dropped before it has ended, nobody knows what it did.
struct Write {
    totals: Arc<Totals>,
    number: u64,
}

impl Drop for Write {
    fn drop(&mut self) {
        let mut state = self.totals.state();
        if state.under_way.remove(&self.number).is_some() {
            state.forget();
        }
    }
}

impl Write {
    /// It did what it was to do, or nothing; `None` where that is not known.
    fn ended(self, happened: Option<bool>) {
        let mut state = self.totals.state();
        let Some(write) = state.under_way.remove(&self.number) else { return };
        match happened {
            Some(true) => state.add(write.user, write.by),
            // What was taken for granted of its user was not so.
            Some(false) if write.left_out => state.forget(),
            Some(false) => {}
            None => state.forget(),
        }
    }
}

impl State {
    fn add(&mut self, user: UserId, by: i64) {
        if let Some(kept) = &mut self.kept {
            kept.total = kept.total.saturating_add_signed(by);
            shift(&mut kept.marks, user, by);
        }
        if let Some(running) = &mut self.running {
            shift(&mut running.marks, user, by);
            running.ended.push((user, by));
        }
    }

    fn forget(&mut self) {
        self.kept = None;
        self.last = None;
        if let Some(running) = &mut self.running {
            running.spoilt = true;
        }
    }
}

impl Running {
    /// How many users a step has counted up to an id, or to the end: those that the server found, those that it was not to
    /// look for, and what their writes have done meanwhile.
    fn counted(&self, found: u64, left_out: &[UnderWay], up_to: Option<UserId>) -> u64 {
        let (reached, before) = self.marks.last().map_or((None, 0), |last| (Some(last.id), last.rank));
        let is_here = |user: UserId| {
            reached.is_none_or(|reached| user > reached) && up_to.is_none_or(|up_to| user <= up_to)
        };
        let taken: i64 = left_out.iter().filter(|write| is_here(write.user)).map(|write| write.needs()).sum();
        let done: i64 = self.ended.iter().filter(|(user, _)| is_here(*user)).map(|(_, by)| by).sum();
        (before + found).saturating_add_signed(taken + done)
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
    ) -> impl Future<Output = Result<T, ServerFailure>> + Send + 'static {
        let totals = Arc::clone(self);
        async move {
            let begun = totals.begin(user, by).await;
            let answer = write.await.map_err(ServerFailure::from);
            begun.ended(match &answer {
                Ok(answer) => Some(happened(answer)),
                Err(failure) if failure.is_duplicate_key() => Some(false),
                Err(_) => None,
            });
            answer
        }
    }

    async fn begin(self: Arc<Self>, user: UserId, by: i64) -> Write {
        let no_step = timeout(PATIENCE, self.steps.read()).await;
        let mut state = self.state();
        if no_step.is_err()
            && let Some(running) = &mut state.running
        {
            running.spoilt = true;
        }
        let number = state.next_write;
        state.next_write += 1;
        state.under_way.insert(number, UnderWay { user, by, left_out: false });
        drop(state);
        drop(no_step);
        Write { totals: self, number }
    }

    /// After writes of which it is not known what they changed.
    pub(crate) fn forget(&self) {
        self.state().forget();
    }

    fn kept(&self) -> Option<u64> {
        self.state().kept.as_ref().filter(|kept| kept.since.elapsed() < KEPT).map(|kept| kept.total)
    }

    /// Whether there were many when they were last counted.
    fn were_many(&self) -> bool {
        let state = self.state();
        state.kept.is_some() || state.running.is_some()
    }

    /// What a count came to that began at that time or later.
    fn counted_since(&self, time: Instant) -> Option<u64> {
        self.state().last.filter(|(since, _)| *since >= time).map(|(_, total)| total)
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

    /// Begins a step: how far the count has come, and the writes whose users it leaves out.
    fn begin_step(&self) -> (Option<UserId>, Vec<UnderWay>) {
        let mut state = self.state();
        let reached = state.running.as_ref().and_then(|running| running.marks.last()).map(|mark| mark.id);
        let mut left_out = Vec::new();
        for write in state.under_way.values_mut() {
            if reached.is_none_or(|reached| write.user > reached) {
                write.left_out = true;
                left_out.push(*write);
            }
        }
        left_out.sort_unstable_by_key(|write| write.user);
        let twice = left_out.windows(2).any(|writes| writes[0].user == writes[1].user);
        if let Some(running) = &mut state.running {
            running.ended.clear();
            // What two need can't both be so.
            running.spoilt |= twice;
        }
        (reached, left_out)
    }

    /// Ends a step that reached this user, and is not the last.
    fn end_step(&self, id: UserId, left_out: &[UnderWay]) {
        if let Some(running) = &mut self.state().running {
            let rank = running.counted(STEP, left_out, Some(id));
            running.marks.push(Mark { id, rank });
        }
    }

    /// Ends a count with the users that its last step found, and keeps it where it is still known to be true.
    fn end(&self, found: u64, left_out: &[UnderWay]) -> u64 {
        let mut state = self.state();
        let Some(running) = state.running.take() else { return found };
        let total = running.counted(found, left_out, None);
        let Running { since, marks, spoilt, .. } = running;
        state.last = Some((since, total));
        state.kept = (!spoilt && total >= COUNTED_ANEW).then_some(Kept { total, marks, since });
        total
    }
}

/// Live users behind an id.
pub(crate) fn after(reached: Option<UserId>) -> Document {
    let reached = reached.map_or_else(|| ObjectId::from_bytes([0; 12]), object_id);
    doc! { "is_deleted": false, "_id": { "$gt": reached } }
}

/// Those of them who are not left out.
fn without(mut live: Document, left_out: &[UnderWay]) -> Document {
    if !left_out.is_empty()
        && let Ok(ids) = live.get_document_mut("_id")
    {
        ids.insert(
            "$nin",
            left_out.iter().map(|write| Bson::from(object_id(write.user))).collect::<Vec<_>>(),
        );
    }
    live
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
    /// How many live users there are. Nobody who waits for another's count has an operation under way.
    pub(crate) async fn live_total(&self) -> Result<u64, ServerFailure> {
        if let Some(total) = self.totals.kept() {
            return Ok(total);
        }
        if !self.totals.were_many() {
            let few = self.count(doc! { "is_deleted": false }, indexes::LIVE, COUNTED_ANEW).await?;
            if few < COUNTED_ANEW {
                return Ok(few);
            }
        }
        timeout(DEADLINE, self.count_all()).await.unwrap_or(Err(ServerFailure::TimedOut(DEADLINE)))
    }

    /// Counts all live users, or waits for who does.
    async fn count_all(&self) -> Result<u64, ServerFailure> {
        let (totals, asked) = (&self.totals, Instant::now());
        let _alone = totals.count.lock().await;
        if let Some(total) = totals.kept().or_else(|| totals.counted_since(asked)) {
            return Ok(total);
        }
        let running = Running { since: Instant::now(), marks: Vec::new(), ended: Vec::new(), spoilt: false };
        totals.state().running = Some(running);
        loop {
            if let Some(total) = self.step().await? {
                return Ok(total);
            }
        }
    }

    /// Counts the next users. Returns the number of all once the last is counted.
    async fn step(&self) -> Result<Option<u64>, ServerFailure> {
        let _no_write_begins = self.totals.steps.write().await;
        let (reached, left_out) = self.totals.begin_step();
        let rest = without(after(reached), &left_out);
        let find = Find {
            filter: rest.clone(),
            projection: doc! { "_id": 1 },
            sort: doc! { "_id": 1 },
            skip: STEP - 1,
            limit: 1,
            index: Some(indexes::LIVE),
        };
        let boundary = self.server.find(find, DEADLINE).await?;
        if let Some(id) = boundary.first().and_then(|boundary| document::user_id(boundary)) {
            self.totals.end_step(id, &left_out);
            Ok(None)
        } else {
            let found = self.count(rest, indexes::LIVE, 0).await?;
            Ok(Some(self.totals.end(found, &left_out)))
        }
    }

    /// How many documents a filter finds through an index, counted up to `limit`; all of them where it is 0.
    pub(crate) async fn count(
        &self,
        filter: Document,
        index: &'static str,
        limit: u64,
    ) -> Result<u64, ServerFailure> {
        let database = self.server.database.clone();
        self.server.run("count", async move { count(&database, filter, index, limit).await }).await
    }
}

/// The ids of documents that were found.
pub(crate) fn ids(found: &[RawDocumentBuf]) -> Vec<Bson> {
    found.iter().filter_map(|found| found.get_object_id("_id").ok()).map(Bson::from).collect()
}
