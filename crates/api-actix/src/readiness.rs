//! Readiness: probes all stores at once, and caches the result for a second.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use roster_domain::ports::Unavailable;
use roster_domain::values::StoreName;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a store may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// For how long an answer holds.
const FRESH: Duration = Duration::from_secs(1);

/// How a store is asked whether it is there.
pub(crate) struct Probe {
    kind: &'static str,
    store: StoreName,
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<(), Unavailable>> + Send + Sync>,
}

impl Probe {
    /// `kind` is what its own [`Unavailable`] calls it, and `store` which of that kind it is.
    pub(crate) fn new<F>(
        kind: &'static str,
        store: StoreName,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Unavailable>> + Send + 'static,
    {
        Self { kind, store, ask: Box::new(move || Box::pin(ask())) }
    }

    async fn answer(&self) -> Found {
        let answer = timeout(DEADLINE, (self.ask)()).await;
        let answer = answer.unwrap_or_else(|late| Err(Unavailable::new(self.kind, late)));
        Found { store: self.store.clone(), answer }
    }
}

/// How a store was found.
pub(crate) struct Found {
    pub(crate) store: StoreName,
    pub(crate) answer: Result<(), Unavailable>,
}

/// Whether this instance is to be sent requests.
#[derive(Default)]
pub(crate) struct Readiness {
    probes: Vec<Probe>,
    stopping: AtomicBool,
    /// When the stores were asked last, and whether all were well. Whoever asks meanwhile waits for that answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    pub(crate) fn new(probes: Vec<Probe>) -> Self {
        Self { probes, ..Self::default() }
    }

    /// From now on it is not ready, whatever the stores say.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether all stores answer. Where they were asked for this, `tell` is given how they were found.
    ///
    /// It is not to be dropped before its end: the next would ask them again, though they may still be at it.
    pub(crate) async fn look(&self, tell: impl FnOnce(Vec<Found>)) -> bool {
        if self.is_stopping() {
            return false;
        }
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < FRESH
        {
            return ready;
        }
        let found = join_all(self.probes.iter().map(Probe::answer)).await;
        let ready = found.iter().all(|found| found.answer.is_ok());
        *last = Some((Instant::now(), ready));
        tell(found);
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::time::advance;

    use super::*;

    /// A store that counts how often it is asked, and answers as it is set.
    #[derive(Default)]
    struct Store {
        asked: AtomicUsize,
        is_away: AtomicBool,
    }

    impl Store {
        fn probe(self: &Arc<Self>) -> Probe {
            let store = Arc::clone(self);
            Probe::new("a store", StoreName::new("one"), move || {
                store.asked.fetch_add(1, Ordering::Relaxed);
                let away = store.is_away.load(Ordering::Relaxed);
                async move {
                    tokio::time::sleep(DEADLINE / 2).await;
                    if away { Err(Unavailable::new("a store", "it is away")) } else { Ok(()) }
                }
            })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is what a look gives")]
    fn nothing_is_wrong(found: Vec<Found>) {
        assert!(found.iter().all(|found| found.answer.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_share_one_look_and_those_after_it_the_next() {
        let store = Arc::<Store>::default();
        let readiness = Readiness::new(vec![store.probe()]);
        assert!(
            join_all((0..100).map(|_| readiness.look(nothing_is_wrong))).await.into_iter().all(|ready| ready)
        );
        assert_eq!(store.asked(), 1);
        advance(FRESH).await;
        assert!(readiness.look(nothing_is_wrong).await);
        assert_eq!(store.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_not_waited_for_and_all_are_asked_at_once() {
        let (hangs, away) = (Probe::new("another", StoreName::new("two"), pending), Arc::<Store>::default());
        away.is_away.store(true, Ordering::Relaxed);
        let readiness = Readiness::new(vec![hangs, away.probe()]);
        let began = Instant::now();
        let mut told = Vec::new();
        assert!(
            !readiness
                .look(|found| told.extend(found.into_iter().map(|found| found.answer.unwrap_err().store)))
                .await
        );
        assert_eq!((told, began.elapsed()), (vec!["another", "a store"], DEADLINE));

        away.is_away.store(false, Ordering::Relaxed);
        assert!(!readiness.look(|_| panic!("the last answer holds")).await);
    }

    #[tokio::test]
    async fn who_stops_is_not_ready_and_asks_nobody() {
        let store = Arc::<Store>::default();
        let readiness = Readiness::new(vec![store.probe()]);
        readiness.stop();
        assert!(!readiness.look(|_| panic!("nobody was asked")).await);
        assert_eq!(store.asked(), 0);
    }
}
