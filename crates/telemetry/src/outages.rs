//! Tells of the stores: counts their calls, and reports an outage once, when it starts and when it is over, not per call.
//!
//! That it is over is said by the store that failed, never by another, and not by what is read where writes fail. While nothing
//! is wrong, all this costs a look at one flag.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};
use roster_domain::Chain;
use roster_domain::ports::{Access, CallOutcome, StoreCall, StoreObserver};
use roster_domain::values::StoreName;
use tokio::time::Instant;

/// How long nothing may have failed before anything can say that it is over: what fails now and then is still out of order.
const QUIET: Duration = Duration::from_secs(10);

/// After how long without a failure the next is told as if it were the first, where nothing has said that it is over.
pub(crate) const FORGOTTEN: Duration = Duration::from_hours(1);

/// How many of the things that are never over by themselves are told apart within that time.
const MOST_TOLD: usize = 1_000;

/// What goes on now, and what was told of requests.
#[derive(Debug, Default)]
pub struct Outages {
    counts: bool,
    /// Whether there is any: that is asked at each success.
    any: AtomicBool,
    by_store: Mutex<HashMap<StoreName, Outage>>,
    /// When requests last met with what no store tells of.
    told: Mutex<HashMap<(&'static str, String), Instant>>,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    kind: &'static str,
    since: Instant,
    last: Instant,
    /// The most that failed: it has to go well before this is over.
    access: Access,
    failures: u64,
}

impl StoreObserver for Outages {
    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }

    fn ended(&self, call: &StoreCall<'_>, outcome: CallOutcome<'_>) {
        let outcome = match outcome {
            CallOutcome::Done(shown) => {
                self.went_well(call.store, shown);
                "ok"
            }
            CallOutcome::Refused => {
                self.went_well(call.store, Access::Read);
                "refused"
            }
            CallOutcome::Failed(error) => {
                if self.failed(call) {
                    let (cause, store, operation) = (call.kind, call.store.as_str(), call.operation);
                    let error = Chain(error);
                    tracing::error!(event = "outage begins", cause, store, operation, %error, "{store} is out of order");
                }
                "unavailable"
            }
            CallOutcome::Abandoned => "abandoned",
        };
        if self.counts {
            let (store, operation) = (Arc::<str>::from(call.store.clone()), call.operation);
            counter!("roster_store_calls_total", "store" => Arc::clone(&store), "operation" => operation, "outcome" => outcome)
                .increment(1);
            histogram!("roster_store_call_duration_seconds", "store" => store, "operation" => operation)
                .record(self.now().saturating_duration_since(call.began));
        }
    }
}

impl Outages {
    /// None yet. Calls are counted where somebody wants to know.
    #[must_use]
    pub fn new(counts: bool) -> Self {
        Self { counts, ..Self::default() }
    }

    /// Whether a request's failure is to be told with the request: no store has told of it, and no request in the last hour.
    pub(crate) fn is_untold(&self, cause: &'static str, error: &impl Display) -> bool {
        let goes_on = self.any.load(Ordering::Relaxed)
            && lock(&self.by_store).values().any(|outage| outage.kind == cause);
        !goes_on && self.is_news(cause, error.to_string(), FORGOTTEN)
    }

    /// A request met with what stays until somebody changes it, as this text tells in detail. Whether that is to be told: none
    /// did for so long, which is an hour at most.
    pub(crate) fn is_news(&self, cause: &'static str, detail: String, pause: Duration) -> bool {
        let mut told = lock(&self.told);
        if told.len() >= MOST_TOLD {
            told.retain(|_, last| last.elapsed() < FORGOTTEN);
        }
        let what = (cause, detail);
        if told.len() >= MOST_TOLD && !told.contains_key(&what) {
            return false;
        }
        told.insert(what, Instant::now()).is_none_or(|before| before.elapsed() >= pause)
    }

    /// A call failed. Whether an outage begins by that.
    fn failed(&self, call: &StoreCall<'_>) -> bool {
        let (mut by_store, now) = (lock(&self.by_store), Instant::now());
        self.any.store(true, Ordering::Relaxed);
        let begins = Outage { kind: call.kind, since: now, last: now, access: call.access, failures: 0 };
        let outage = by_store.entry(call.store.clone()).or_insert(begins);
        if outage.last.elapsed() >= FORGOTTEN {
            *outage = begins;
        }
        outage.last = now;
        outage.access = outage.access.max(call.access);
        outage.failures += 1;
        outage.failures == 1
    }

    fn went_well(&self, store: &StoreName, shown: Access) {
        if let Some(Outage { kind: cause, since, failures, .. }) = self.over_by(store, shown) {
            let (store, seconds) = (store.as_str(), since.elapsed().as_secs());
            tracing::info!(event = "outage over", cause, store, failures, seconds, "{store} answers again");
        }
    }

    /// The outage that is over by a call which went well.
    fn over_by(&self, store: &StoreName, shown: Access) -> Option<Outage> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let mut by_store = lock(&self.by_store);
        let is_over = |outage: &Outage| outage.access <= shown && outage.last.elapsed() >= QUIET;
        let over = by_store.get(store).copied().filter(is_over)?;
        by_store.remove(store);
        self.any.store(!by_store.is_empty(), Ordering::Relaxed);
        Some(over)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// A call of this store that fails. Whether it is told.
    fn fails(outages: &Outages, store: &str, access: Access) -> bool {
        let began = outages.now();
        outages.failed(&StoreCall {
            kind: "disk",
            store: &StoreName::new(store),
            operation: "edit",
            access,
            began,
        })
    }

    /// What is over by a call of this store: how many failures it had, and how long it lasted.
    fn works(outages: &Outages, store: &str, access: Access) -> Option<(u64, Duration)> {
        outages
            .over_by(&StoreName::new(store), access)
            .map(|outage| (outage.failures, outage.since.elapsed()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_of_a_store_alone_is_told() {
        let outages = Outages::default();
        assert!(fails(&outages, "a", Access::Read));
        assert!(!fails(&outages, "a", Access::Read));
        assert!(!fails(&outages, "a", Access::Write));
        assert!(fails(&outages, "b", Access::Write));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_once_what_failed_goes_well_and_lasts_until_then_though_it_failed_once() {
        let outages = Outages::default();
        assert_eq!(works(&outages, "a", Access::Write), None);
        fails(&outages, "a", Access::Read);
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), Some((1, QUIET)));
        assert!(!outages.any.load(Ordering::Relaxed));
        assert!(fails(&outages, "a", Access::Read));
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_now_and_then_goes_on() {
        let outages = Outages::default();
        for round in 0..10 {
            assert_eq!(fails(&outages, "a", Access::Read), round == 0);
            advance(QUIET / 2).await;
            assert_eq!(works(&outages, "a", Access::Write), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_other_store_ends_it() {
        let outages = Outages::default();
        fails(&outages, "a", Access::Read);
        fails(&outages, "b", Access::Read);
        advance(QUIET * 100).await;
        assert_eq!(works(&outages, "b", Access::Write), Some((1, QUIET * 100)));
        assert_eq!(works(&outages, "c", Access::Write), None);
        assert!(!fails(&outages, "a", Access::Read));
    }

    #[tokio::test(start_paused = true)]
    async fn reads_do_not_end_it_where_writes_fail() {
        let outages = Outages::default();
        fails(&outages, "a", Access::Write);
        fails(&outages, "a", Access::Read);
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Read), None);
        assert!(!fails(&outages, "a", Access::Write));
        advance(QUIET).await;
        assert_eq!(works(&outages, "a", Access::Write), Some((3, QUIET * 2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_tells_what_its_store_has_not_told() {
        let outages = Outages::default();
        assert!(outages.is_untold("disk", &"it answers nonsense"));
        assert!(!outages.is_untold("disk", &"it answers nonsense"));
        fails(&outages, "a", Access::Read);
        assert!(!outages.is_untold("disk", &"it is away"));
        assert!(outages.is_untold("another", &"it is away"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nothing_ends_is_told_again_after_an_hour_without_it() {
        let outages = Outages::default();
        let mut told = Vec::new();
        for pause in [FORGOTTEN / 2, FORGOTTEN / 2, FORGOTTEN, Duration::ZERO] {
            let is_news = outages.is_news("no bucket", String::new(), FORGOTTEN);
            told.push((fails(&outages, "a", Access::Write), is_news));
            advance(pause).await;
        }
        assert_eq!(told, [(true, true), (false, false), (false, false), (true, true)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_fills_the_table_of_what_was_told_no_further_than_its_bound() {
        let outages = Outages::default();
        for number in 0..2 * MOST_TOLD {
            assert_eq!(outages.is_news("image", number.to_string(), FORGOTTEN), number < MOST_TOLD);
        }
        assert_eq!(lock(&outages.told).len(), MOST_TOLD);
    }
}
