//! Readiness: probes all stores at once, and caches the result for a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use roster_domain::ports::Unavailable;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a store may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// For how long an answer holds.
const FRESH: Duration = Duration::from_secs(1);

/// How a store is asked whether it is there, within two seconds.
pub struct Probe {
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<(), Unavailable>> + Send + Sync>,
}

impl Probe {
    /// By a call of which the store tells itself.
    pub fn new<S, F>(store: Arc<S>, ask: impl Fn(Arc<S>) -> F + Send + Sync + 'static) -> Self
    where
        S: Send + Sync + ?Sized + 'static,
        F: Future<Output = Result<(), Unavailable>> + Send + 'static,
    {
        Self { ask: Box::new(move || Box::pin(ask(Arc::clone(&store)))) }
    }

    /// Whether the store answers in time. It is asked to the end, by its own deadline: what is late fails there, and is told.
    async fn is_well(&self) -> bool {
        matches!(timeout(DEADLINE, tokio::spawn((self.ask)())).await, Ok(Ok(Ok(()))))
    }
}

/// Whether this instance is to be sent requests.
#[derive(Default)]
pub struct Readiness {
    probes: Vec<Probe>,
    stopping: AtomicBool,
    /// When the stores were asked last, and whether all were well. Whoever asks meanwhile waits for that answer.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// Asks these stores.
    #[must_use]
    pub fn new(probes: Vec<Probe>) -> Self {
        Self { probes, ..Self::default() }
    }

    /// From now on it is not ready, whatever the stores say.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to [`stop`](Self::stop).
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether all stores answer. Whoever asks within a second of another is given the same answer.
    ///
    /// It is not to be dropped before its end: the next would ask them again, though they may still be at it.
    pub async fn look(&self) -> bool {
        if self.is_stopping() {
            return false;
        }
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < FRESH
        {
            return ready;
        }
        let ready = join_all(self.probes.iter().map(Probe::is_well)).await.into_iter().all(|is_well| is_well);
        *last = Some((Instant::now(), ready));
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
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
            Probe::new(Arc::clone(self), |store| {
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

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_share_one_look_and_those_after_it_the_next() {
        let store = Arc::<Store>::default();
        let readiness = Readiness::new(vec![store.probe()]);
        assert!(join_all((0..100).map(|_| readiness.look())).await.into_iter().all(|ready| ready));
        assert_eq!(store.asked(), 1);
        advance(FRESH).await;
        assert!(readiness.look().await);
        assert_eq!(store.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_not_waited_for_and_all_are_asked_at_once() {
        let (hangs, away) = (Probe::new(Arc::new(()), |_| pending()), Arc::<Store>::default());
        away.is_away.store(true, Ordering::Relaxed);
        let readiness = Readiness::new(vec![hangs, away.probe()]);
        let began = Instant::now();
        assert!(!readiness.look().await);
        assert_eq!((away.asked(), began.elapsed()), (1, DEADLINE));

        away.is_away.store(false, Ordering::Relaxed);
        assert!(!readiness.look().await, "the last answer holds");
    }

    #[tokio::test]
    async fn who_stops_is_not_ready_and_asks_nobody() {
        let store = Arc::<Store>::default();
        let readiness = Readiness::new(vec![store.probe()]);
        readiness.stop();
        assert!(!readiness.look().await);
        assert_eq!(store.asked(), 0);
    }
}
