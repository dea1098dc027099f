//! Reports outages once, when they start and when they are over, not per request.
//!
//! That it is over is said by what failed, never by other requests: a database is not well because images are, nor a full
//! disk because it can be read. While nothing is wrong, all this costs a look at one flag.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roster_domain::ports::Unavailable;
use roster_domain::values::StoreName;
use tokio::time::Instant;

/// How long nothing may have failed before anything can say that it is over: what fails now and then is still out of order.
const QUIET: Duration = Duration::from_secs(10);

/// After how long without a failure the next is told as if it were the first, where nothing has said that it is over.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// How many of the things that are never over by themselves are told apart within that time.
const MOST_REFUSED: usize = 1_000;

/// What is asked of a store. What can be written can be read, too; not the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What went wrong, and has to go well before it is over.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Call(StoreName, Access),
    /// An answer of the endpoint with this path, where no store can tell.
    Answer(&'static str),
}

impl Wanted {
    /// Whether this is it: a call of that store which went well.
    fn is_call(&self, store: &StoreName, access: Access) -> bool {
        matches!(self, Self::Call(of, failed) if of == store && *failed <= access)
    }
}

/// What goes on now, by what fails: a store's name, say.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    /// Whether there is any: that is asked at each success.
    any: AtomicBool,
    by_cause: Mutex<HashMap<&'static str, Outage>>,
    /// When requests last met with what is never over by itself.
    refused: Mutex<HashMap<(&'static str, String), Instant>>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    last: Instant,
    wanted: Vec<Wanted>,
    failures: u64,
    /// When the last request failed of it. None has where only a job did, which tells of itself.
    last_request: Option<Instant>,
}

/// One that is over.
#[derive(Debug, PartialEq, Eq)]
struct Over {
    cause: &'static str,
    failures: u64,
    /// From the first failure until it was known that it is over.
    lasted: Duration,
}

impl Outages {
    /// A call of this store failed. Who asked for it tells of that, if anybody does: see [`failed`](Self::failed).
    pub(crate) fn call_failed(&self, store: &StoreName, access: Access, error: &Unavailable) {
        let mut by_cause = lock(&self.by_cause);
        let (outage, call) = (self.begun(&mut by_cause, error.store), Wanted::Call(store.clone(), access));
        if !outage.wanted.contains(&call) {
            outage.wanted.push(call);
        }
    }

    /// A request to the endpoint with this path failed. Whether that is to be told, being the first of an outage.
    pub(crate) fn failed(&self, cause: &'static str, endpoint: &'static str) -> bool {
        let mut by_cause = lock(&self.by_cause);
        let outage = self.begun(&mut by_cause, cause);
        if !outage.wanted.iter().any(|wanted| matches!(wanted, Wanted::Call(..))) {
            // The last one stands for all: some are seldom asked.
            outage.wanted = vec![Wanted::Answer(endpoint)];
        }
        outage.failures += 1;
        is_news(outage.last_request.replace(Instant::now()))
    }

    /// A request met with what stays until somebody changes it, as this text tells in detail. Whether that is to be told.
    pub(crate) fn refused(&self, cause: &'static str, detail: String) -> bool {
        let mut refused = lock(&self.refused);
        if refused.len() >= MOST_REFUSED {
            refused.retain(|_, last| last.elapsed() < FORGOTTEN);
        }
        let known = (cause, detail);
        if refused.len() >= MOST_REFUSED && !refused.contains_key(&known) {
            return false;
        }
        is_news(refused.insert(known, Instant::now()))
    }

    /// A call of this store went well.
    pub(crate) fn call_succeeded(&self, store: &StoreName, access: Access) {
        self.went_well(|wanted| wanted.is_call(store, access));
    }

    /// A request to the endpoint with this path was answered.
    pub(crate) fn answered(&self, endpoint: &'static str) {
        self.went_well(|wanted| *wanted == Wanted::Answer(endpoint));
    }

    fn went_well(&self, what: impl Fn(&Wanted) -> bool) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        for Over { cause, failures, lasted } in self.over_by(what) {
            let seconds = lasted.as_secs();
            tracing::info!(event = "outage over", cause, failures, seconds, "requests are answered again");
        }
    }

    /// What was told and is over by something that went well.
    fn over_by(&self, what: impl Fn(&Wanted) -> bool) -> Vec<Over> {
        let mut by_cause = lock(&self.by_cause);
        let over = by_cause.extract_if(|_, outage| {
            if outage.last.elapsed() >= QUIET {
                outage.wanted.retain(|wanted| !what(wanted));
            }
            outage.wanted.is_empty()
        });
        let told = over.filter(|(_, outage)| outage.failures > 0);
        let told = told
            .map(|(cause, Outage { since, failures, .. })| Over { cause, failures, lasted: since.elapsed() })
            .collect();
        self.any.store(!by_cause.is_empty(), Ordering::Relaxed);
        told
    }

    /// The outage of that cause; it begins now where there is none.
    fn begun<'a>(
        &self,
        by_cause: &'a mut HashMap<&'static str, Outage>,
        cause: &'static str,
    ) -> &'a mut Outage {
        self.any.store(true, Ordering::Relaxed);
        let now = Instant::now();
        let outage = by_cause.entry(cause).or_insert_with(|| Outage {
            since: now,
            last: now,
            wanted: Vec::new(),
            failures: 0,
            last_request: None,
        });
        outage.last = now;
        outage
    }
}

/// Whether a failure is to be told, given when the one before it was.
fn is_news(before: Option<Instant>) -> bool {
    before.is_none_or(|before| before.elapsed() >= FORGOTTEN)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const EDIT: &str = "/edit";

    fn store(name: &str) -> StoreName {
        StoreName::new(name)
    }

    /// A request that fails of a call of this store. Whether it is told.
    fn fails(outages: &Outages, name: &str, access: Access) -> bool {
        outages.call_failed(&store(name), access, &Unavailable::new("disk", "it is away"));
        outages.failed("disk", EDIT)
    }

    /// What is over by a call of this store.
    fn works(outages: &Outages, name: &str, access: Access) -> Vec<Over> {
        outages.over_by(|wanted| wanted.is_call(&store(name), access))
    }

    fn over(failures: u64, lasted: Duration) -> [Over; 1] {
        [Over { cause: "disk", failures, lasted }]
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_alone_is_told() {
        let outages = Outages::default();
        assert!(fails(&outages, "a", Access::Read));
        assert!(!fails(&outages, "a", Access::Read));
        assert!(!fails(&outages, "a", Access::Write));
        assert!(outages.failed("load", EDIT));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_once_what_failed_goes_well_and_lasts_until_then_though_it_failed_once() {
        let outages = Outages::default();
        assert_eq!(works(&outages, "a", Access::Write), []);
        fails(&outages, "a", Access::Read);
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), over(1, QUIET));
        assert!(!outages.any.load(Ordering::Relaxed));
        assert!(fails(&outages, "a", Access::Read));
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_now_and_then_goes_on() {
        let outages = Outages::default();
        for round in 0..10 {
            assert_eq!(fails(&outages, "a", Access::Read), round == 0);
            advance(QUIET / 2).await;
            assert_eq!(works(&outages, "a", Access::Write), []);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_other_store_ends_it_nor_an_answer_that_needed_none() {
        let outages = Outages::default();
        fails(&outages, "a", Access::Read);
        advance(QUIET * 100).await;
        assert_eq!(works(&outages, "b", Access::Write), []);
        assert_eq!(outages.over_by(|wanted| *wanted == Wanted::Answer(EDIT)), []);
        assert!(!fails(&outages, "a", Access::Read));
    }

    #[tokio::test(start_paused = true)]
    async fn two_stores_of_one_name_have_to_be_well_both() {
        let outages = Outages::default();
        fails(&outages, "a", Access::Read);
        fails(&outages, "b", Access::Read);
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), []);
        assert_eq!(works(&outages, "b", Access::Read), over(2, QUIET));
    }

    #[tokio::test(start_paused = true)]
    async fn reads_do_not_end_it_where_writes_fail() {
        let outages = Outages::default();
        fails(&outages, "a", Access::Read);
        fails(&outages, "a", Access::Write);
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), []);
        assert!(!fails(&outages, "a", Access::Write));
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Write), over(3, QUIET * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_store_can_tell_an_answer_of_the_endpoint_does() {
        let outages = Outages::default();
        outages.failed("disk", EDIT);
        advance(QUIET).await;
        assert_eq!(outages.over_by(|wanted| *wanted == Wanted::Answer("/another")), []);
        assert_eq!(outages.over_by(|wanted| *wanted == Wanted::Answer(EDIT)), over(1, QUIET));
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_request_met_with_is_not_told() {
        let outages = Outages::default();
        outages.call_failed(&store("a"), Access::Read, &Unavailable::new("disk", "it is away"));
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), []);
        assert!(!outages.any.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nothing_ends_is_told_again_after_an_hour_without_it() {
        let outages = Outages::default();
        let mut told = Vec::new();
        for pause in [FORGOTTEN / 2, FORGOTTEN / 2, FORGOTTEN, Duration::ZERO] {
            told.push((fails(&outages, "a", Access::Write), outages.refused("no bucket", String::new())));
            advance(pause).await;
        }
        assert_eq!(told, [(true, true), (false, false), (false, false), (true, true)]);
    }
}
