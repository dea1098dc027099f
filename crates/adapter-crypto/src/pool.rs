//! A fixed number of threads for work that takes long, and a bounded queue before them.
//!
//! The threads have the priority of all others. Where `wrk -t1 -c32 /health` keeps the others busy and 64 clients log in
//! (two cores, cost 12), it gets 72 % of its rate without the log-ins, and 2.8 of 7.9 log-ins a second remain. With the
//! threads at nice 10 (`renice -n 10 -p` for each) it gets 94 %, but 0.2 log-ins remain: whoever keeps the others busy would
//! stop the hashing. Without wrk, a `/health` now and then has a p99 of 3.6 ms and 1.1 ms.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use crossbeam_channel::Sender;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use roster_domain::ports::HashError;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

type Job = Box<dyn FnOnce() + Send>;

/// The threads end when the pool is dropped and what they are at is done.
///
/// Who waits, waits in its own future: where that is dropped, its place is free at once, and nothing is left of it.
#[derive(Debug)]
pub(crate) struct Pool {
    /// How many may wait for the threads, those included that are worked for. Who finds no place waits a moment for one.
    places: Semaphore,
    /// In the order of their asking: one for each thread's work, and one for what it is to begin next.
    turns: Arc<Semaphore>,
    jobs: Sender<Job>,
    patience: Duration,
    deadline: Duration,
    meters: Meters,
}

/// What is counted, where somebody has asked for it before the pool was started.
#[derive(Debug, Clone)]
struct Meters {
    waiting: Gauge,
    wait: Histogram,
    run: Histogram,
    refused: Counter,
}

impl Meters {
    fn new() -> Self {
        Self {
            waiting: gauge!("roster_hash_waiting"),
            wait: histogram!("roster_hash_wait_seconds"),
            run: histogram!("roster_hash_run_seconds"),
            refused: counter!("roster_hash_refused_total"),
        }
    }
}

/// Something that waits for a thread, and is counted as such until this is dropped.
struct Waiting(Gauge);

impl Waiting {
    fn begin(count: &Gauge) -> Self {
        count.increment(1);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// The work panicked. The panic's own message went to standard error.
#[derive(Debug, thiserror::Error)]
#[error("a hashing thread panicked")]
struct Panicked;

/// All threads have ended, though the pool is there.
#[derive(Debug, thiserror::Error)]
#[error("no hashing thread is left")]
struct NoThreads;

impl Pool {
    /// `queue` is how many may wait besides those that are being worked on; `patience` is how long others wait for a place
    /// among them, and `deadline` is for all waiting and work together.
    pub(crate) fn start(
        threads: NonZero<usize>,
        queue: usize,
        patience: Duration,
        deadline: Duration,
    ) -> io::Result<Self> {
        // Nothing waits in the channel but what has a turn.
        let (jobs, waiting) = crossbeam_channel::unbounded::<Job>();
        for number in 0..threads.get() {
            let waiting = waiting.clone();
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || {
                for job in waiting {
                    // Whoever waits for a job that panicked learns of it: its answer is dropped.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })?;
        }
        let places = Semaphore::new(threads.get().saturating_add(queue).min(Semaphore::MAX_PERMITS));
        let turns = Arc::new(Semaphore::new(2 * threads.get()));
        Ok(Self { places, turns, jobs, patience, deadline, meters: Meters::new() })
    }

    /// Does the work on one of the threads, and tells it when its time is over. It is not begun any more where nobody waits
    /// for it or that is past.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Instant) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let done = self.run_in_turn(work).await;
        if matches!(done, Err(HashError::Overloaded)) {
            self.meters.refused.increment(1);
        }
        done
    }

    async fn run_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(Instant) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let now = Instant::now();
        let waiting = Waiting::begin(&self.meters.waiting);
        let Meters { wait, run, .. } = self.meters.clone();
        let end = now + self.deadline;
        let _place = match timeout_at(end.min(now + self.patience), self.places.acquire()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_closed)) => return Err(HashError::Failed(Box::new(NoThreads))),
            Err(_elapsed) => return Err(HashError::Overloaded),
        };
        let turn = match timeout_at(end, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_closed)) => return Err(HashError::Failed(Box::new(NoThreads))),
            Err(_elapsed) => return Err(HashError::Overloaded),
        };
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            let _turn = turn;
            drop(waiting);
            if answer.is_closed() {
                return;
            }
            let began = Instant::now();
            wait.record(began - now);
            let result = if began >= end { Err(HashError::Overloaded) } else { Ok(work(end)) };
            if result.is_ok() {
                run.record(began.elapsed());
            }
            // Nobody takes the answer where the caller has given up meanwhile.
            let _ = answer.send(result);
        });
        self.jobs.send(job).map_err(|_| HashError::Failed(Box::new(NoThreads)))?;
        match timeout_at(end, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_dropped)) => Err(HashError::Failed(Box::new(Panicked))),
            Err(_elapsed) => Err(HashError::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;
    use std::pin::pin;
    use std::sync::mpsc;

    use super::*;

    const AMPLE: Duration = Duration::from_mins(1);

    fn one_thread(queue: usize, deadline: Duration) -> Pool {
        one_thread_with_patience(queue, Duration::ZERO, deadline)
    }

    fn one_thread_with_patience(queue: usize, patience: Duration, deadline: Duration) -> Pool {
        Pool::start(NonZero::<usize>::MIN, queue, patience, deadline).unwrap()
    }

    /// Keeps the pool's thread busy, under no deadline and in nobody's place, until told to go on.
    async fn occupy(pool: &Pool) -> mpsc::Sender<()> {
        let (entered, has_entered) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let work = move || {
            entered.send(()).unwrap();
            may_go_on.recv().unwrap();
        };
        pool.jobs.send(Box::new(work)).unwrap();
        has_entered.await.unwrap();
        go_on
    }

    /// Work that tells whether it was done, and, when dropped without that, that it was not.
    fn traced() -> (impl FnOnce(Instant) + Send, oneshot::Receiver<()>) {
        let (done, was_done) = oneshot::channel();
        (move |_| done.send(()).unwrap(), was_done)
    }

    /// Lets a future run until it has to wait.
    macro_rules! poll_once {
        ($future:expr) => {
            tokio::select! { biased; result = &mut $future => Some(result), () = ready(()) => None }
        };
    }

    #[tokio::test]
    async fn beyond_a_full_queue_work_is_refused_when_its_patience_ends() {
        let pool = one_thread_with_patience(1, Duration::from_millis(10), AMPLE);
        let go_on = occupy(&pool).await;
        let mut first = pin!(pool.run(|_| "first"));
        let mut second = pin!(pool.run(|_| "second"));
        assert!(poll_once!(first).is_none() && poll_once!(second).is_none());

        assert!(matches!(pool.run(|_| "refused").await, Err(HashError::Overloaded)));

        go_on.send(()).unwrap();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), ("first", "second"));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_place_gets_the_next_that_is_free_in_the_order_of_their_asking() {
        let pool = one_thread_with_patience(0, AMPLE, AMPLE);
        let go_on = occupy(&pool).await;
        let mut first = Box::pin(pool.run(|_| "first"));
        let mut gone = Box::pin(pool.run(|_| "gone"));
        let mut second = pin!(pool.run(|_| "second"));
        let mut third = pin!(pool.run(|_| "third"));
        assert!(poll_once!(first).is_none() && poll_once!(gone).is_none());
        assert!(poll_once!(second).is_none() && poll_once!(third).is_none());
        drop(gone);
        drop(first);
        go_on.send(()).unwrap();
        assert!(poll_once!(third).is_none(), "it is the second's turn");
        assert_eq!((second.await.unwrap(), third.await.unwrap()), ("second", "third"));
    }

    #[tokio::test]
    async fn whoever_stops_to_wait_frees_their_place_at_once_wherever_it_is() {
        const QUEUE: usize = 5;
        let nothing = |_: Instant| ();
        let pool = one_thread(QUEUE, AMPLE);
        let go_on = occupy(&pool).await;
        let mut waiting: Vec<_> = (0..=QUEUE).map(|_| Box::pin(pool.run(nothing))).collect();
        for work in &mut waiting {
            assert!(poll_once!(*work).is_none());
        }
        for place in 0..=QUEUE {
            assert!(matches!(pool.run(nothing).await, Err(HashError::Overloaded)));
            drop(waiting.remove(place));
            waiting.insert(place, Box::pin(pool.run(nothing)));
            assert!(poll_once!(waiting[place]).is_none());
        }
        // Nothing of those that have gone is in the way of the others, who all have their turn.
        go_on.send(()).unwrap();
        for work in waiting {
            work.await.unwrap();
        }
    }

    #[tokio::test]
    async fn work_that_waits_longer_than_the_deadline_is_refused_and_never_begun() {
        let pool = one_thread(1, Duration::from_millis(10));
        let go_on = occupy(&pool).await;
        let (work, was_done) = traced();
        assert!(matches!(pool.run(work).await, Err(HashError::Overloaded)));
        go_on.send(()).unwrap();
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn work_whose_time_is_over_is_not_begun_though_its_caller_has_not_noticed() {
        let pool = one_thread(1, Duration::from_nanos(1));
        let (work, was_done) = traced();
        let mut late = pin!(pool.run(work));
        // The caller is not polled again before the thread has decided.
        let first = poll_once!(late);
        assert!(was_done.await.is_err());
        let result = match first {
            Some(result) => result,
            None => late.await,
        };
        assert!(matches!(result, Err(HashError::Overloaded)));
    }

    #[tokio::test]
    async fn work_whose_caller_has_gone_is_not_begun() {
        let pool = one_thread(1, AMPLE);
        let go_on = occupy(&pool).await;
        let (work, was_done) = traced();
        let mut abandoned = Box::pin(pool.run(work));
        assert!(poll_once!(abandoned).is_none());
        drop(abandoned);
        go_on.send(()).unwrap();
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_caller_and_no_other() {
        let pool = one_thread(1, AMPLE);
        let failed = pool.run(|_| panic!("expected by this test")).await;
        assert!(matches!(failed, Err(HashError::Failed(_))));
        assert_eq!(pool.run(|_| "alive").await.unwrap(), "alive");
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_its_threads() {
        struct TellsWhenDropped(Option<oneshot::Sender<()>>);
        impl Drop for TellsWhenDropped {
            fn drop(&mut self) {
                self.0.take().unwrap().send(()).unwrap();
            }
        }
        thread_local!(static GUARD: RefCell<Option<TellsWhenDropped>> = const { RefCell::new(None) });

        let pool = one_thread(1, AMPLE);
        let (ended, has_ended) = oneshot::channel();
        let guard = TellsWhenDropped(Some(ended));
        pool.run(|_| GUARD.set(Some(guard))).await.unwrap();
        drop(pool);
        has_ended.await.unwrap();
    }
}
