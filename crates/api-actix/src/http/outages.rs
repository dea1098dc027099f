//! Tells what keeps requests from being answered: once when it begins and once when it is over, however many fail meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long no request may have failed before it is over. A full disk still reads, so that one success says little.
const QUIET: Duration = Duration::from_secs(10);

/// What goes on now, by what fails: a store's name, say.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Whether there is any: that is asked at each success.
    any: AtomicBool,
    by_cause: Mutex<HashMap<&'static str, Outage>>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    last: Instant,
    failures: u64,
}

/// One that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) cause: &'static str,
    pub(super) failures: u64,
    /// From the first failure to the last.
    pub(super) lasted: Duration,
}

impl Outages {
    fn by_cause(&self) -> MutexGuard<'_, HashMap<&'static str, Outage>> {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request failed. Whether it is the first of an outage.
    pub(super) fn failed(&self, cause: &'static str) -> bool {
        let now = Instant::now();
        let mut by_cause = self.by_cause();
        let outage = by_cause.entry(cause).or_insert(Outage { since: now, last: now, failures: 0 });
        outage.last = now;
        outage.failures += 1;
        let is_first = outage.failures == 1;
        self.any.store(true, Ordering::Relaxed);
        is_first
    }

    /// A request was answered. What is over by that.
    pub(super) fn answered(&self) -> Vec<Over> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut by_cause = self.by_cause();
        let over = by_cause.extract_if(|_, outage| outage.last.elapsed() >= QUIET);
        let over = over
            .map(|(cause, outage)| Over {
                cause,
                failures: outage.failures,
                lasted: outage.last.duration_since(outage.since),
            })
            .collect();
        self.any.store(!by_cause.is_empty(), Ordering::Relaxed);
        over
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_alone_begins_an_outage() {
        let outages = Outages::default();
        assert!(outages.failed("disk"));
        assert!(!outages.failed("disk"));
        assert!(outages.failed("network"));
        // Reads succeed on a full disk, which is full all the same.
        assert_eq!(outages.answered(), []);
        assert!(!outages.failed("disk"));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_once_requests_are_answered_and_none_has_failed_for_a_while() {
        let outages = Outages::default();
        assert_eq!(outages.answered(), []);
        outages.failed("disk");
        advance(QUIET / 2).await;
        outages.failed("disk");
        advance(QUIET / 2).await;
        assert_eq!(outages.answered(), []);
        advance(QUIET / 2).await;
        assert_eq!(outages.answered(), [Over { cause: "disk", failures: 2, lasted: QUIET / 2 }]);
        assert_eq!(outages.answered(), []);
        assert!(outages.failed("disk"));
    }
}
