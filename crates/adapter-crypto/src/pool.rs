//! A fixed number of threads for work that takes long, behind a [fair queue](crate::queue).
//!
//! What is waited for is the queue's to order. What is done is the worker's: a function that gets one [`Begun`] work at a time.
//! A worker that does several at once may take more from the queue with
//! [`next_waiting`](crate::queue::Queue::next_waiting) and [`Job::begin`] each.
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

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use roster_domain::ports::HashError;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::queue::{Queue, Taken, Turn};

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, HashError>>;

/// Something to do, and where its answer goes.
pub(crate) trait Work: Send + 'static {
    /// Whether somebody still waits for the answer.
    fn is_awaited(&self) -> bool;
    /// Answers that it is not done.
    fn refuse(self, why: HashError);
}

/// Whether work should still be done, asked when its turn has come.
pub(crate) type StillWanted = Box<dyn Fn() -> bool + Send>;

/// Work that waits.
pub(crate) struct Job<W> {
    work: W,
    asked: Instant,
    end: Instant,
    still_wanted: StillWanted,
    waiting: Waiting,
    meters: Meters,
}

/// Work whose turn has come.
#[derive(Debug)]
pub(crate) struct Begun<W> {
    pub(crate) work: W,
    /// When its time is over.
    pub(crate) end: Instant,
}

impl<W: Work> Job<W> {
    /// Begins it, unless nobody wants it any more or its time is over: then whoever waits is told.
    fn begin(self) -> Option<Begun<W>> {
        let Self { work, asked, end, still_wanted, waiting, meters } = self;
        drop(waiting);
        if !work.is_awaited() {
            return None;
        }
        let began = Instant::now();
        meters.wait.record(began - asked);
        if began >= end {
            work.refuse(HashError::Overloaded);
        } else if !still_wanted() {
            work.refuse(HashError::NotWanted);
        } else {
            return Some(Begun { work, end });
        }
        None
    }
}

/// Threads and their queue. The threads end when the pool is dropped and what they are at is done.
///
/// Who waits, waits in its own future: where that is dropped, its place is free at once, and nothing is left of it.
pub(crate) struct Pool<W: Work> {
    queue: Arc<Queue<Job<W>>>,
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

impl<W: Work> Pool<W> {
    /// `queue` is how many may wait besides those that are being worked on; `patience` is how long others wait for a place
    /// among them, and `deadline` is for all waiting and work together.
    pub(crate) fn start(
        threads: NonZero<usize>,
        queue: usize,
        patience: Duration,
        deadline: Duration,
        worker: impl Fn(Begun<W>) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Queue::new(threads.get().saturating_add(queue));
        let meters = Meters::new();
        let pool = Self { queue: Arc::clone(&queue), patience, deadline, meters: meters.clone() };
        for number in 0..threads.get() {
            let (queue, worker, run) = (Arc::clone(&queue), worker.clone(), meters.run.clone());
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || {
                while let Some(Taken { job, place }) = queue.next() {
                    if let Some(begun) = job.begin() {
                        let began = Instant::now();
                        // Whoever waits for work that panicked learns of it: its answer is dropped.
                        let done = catch_unwind(AssertUnwindSafe(|| worker(begun)));
                        if done.is_ok() {
                            run.record(began.elapsed());
                        }
                    }
                    drop(place);
                }
            })?;
        }
        Ok(pool)
    }

    /// Has work done on one of the threads, in its turn. It is not begun any more where nobody waits for it, its time is over,
    /// or it is not wanted.
    pub(crate) async fn run<T>(
        &self,
        turn: Turn,
        still_wanted: StillWanted,
        work: impl FnOnce(Answer<T>) -> W,
    ) -> Result<T, HashError> {
        let done = self.run_in_turn(turn, still_wanted, work).await;
        if matches!(done, Err(HashError::Overloaded)) {
            self.meters.refused.increment(1);
        }
        done
    }

    async fn run_in_turn<T>(
        &self,
        turn: Turn,
        still_wanted: StillWanted,
        work: impl FnOnce(Answer<T>) -> W,
    ) -> Result<T, HashError> {
        let asked = Instant::now();
        let end = asked + self.deadline;
        let (answer, mut answered) = oneshot::channel();
        let (waiting, meters) = (Waiting::begin(&self.meters.waiting), self.meters.clone());
        let place =
            self.queue.enter(turn, Job { work: work(answer), asked, end, still_wanted, waiting, meters });
        loop {
            let until = place.outside_since().map_or(end, |since| end.min(since + self.patience));
            tokio::select! {
                biased;
                answer = &mut answered => {
                    return answer.unwrap_or_else(|_dropped| Err(HashError::Failed(Box::new(Panicked))));
                }
                () = place.moved() => {}
                () = sleep_until(until) => return Err(HashError::Overloaded),
            }
        }
    }
}

impl<W: Work> Drop for Pool<W> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;
    use std::pin::pin;
    use std::sync::mpsc;

    use roster_domain::values::ClientAddress;

    use super::*;
    use crate::queue::Kind;

    const AMPLE: Duration = Duration::from_mins(1);

    /// Work that answers what a function does.
    struct Call {
        act: Box<dyn FnOnce(Instant) -> &'static str + Send>,
        answer: Answer<&'static str>,
    }

    impl Work for Call {
        fn is_awaited(&self) -> bool {
            !self.answer.is_closed()
        }

        fn refuse(self, why: HashError) {
            let _ = self.answer.send(Err(why));
        }
    }

    fn one_thread(queue: usize, deadline: Duration) -> Pool<Call> {
        one_thread_with_patience(queue, Duration::ZERO, deadline)
    }

    fn one_thread_with_patience(queue: usize, patience: Duration, deadline: Duration) -> Pool<Call> {
        let worker = |Begun { work: Call { act, answer }, end }: Begun<Call>| {
            let _ = answer.send(Ok(act(end)));
        };
        Pool::start(NonZero::<usize>::MIN, queue, patience, deadline, worker).unwrap()
    }

    fn turn(number: u8) -> Turn {
        let client = Some(ClientAddress::new([192, 0, 2, number].into()).client());
        Turn { kind: Kind::LogIn, client, account: 0 }
    }

    async fn run(
        pool: &Pool<Call>,
        act: impl FnOnce(Instant) -> &'static str + Send + 'static,
    ) -> Result<&'static str, HashError> {
        pool.run(turn(1), Box::new(|| true), |answer| Call { act: Box::new(act), answer }).await
    }

    /// Keeps the pool's thread busy until told to go on, in a place of its own.
    async fn occupy(pool: &Pool<Call>) -> mpsc::Sender<()> {
        let (entered, has_entered) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let act = Box::new(move |_| {
            entered.send(()).unwrap();
            may_go_on.recv().unwrap();
            ""
        });
        let (answer, _awaited) = oneshot::channel();
        let (waiting, meters) = (Waiting::begin(&pool.meters.waiting), pool.meters.clone());
        let now = Instant::now();
        let work = Call { act, answer };
        let job =
            Job { work, asked: now, end: now + AMPLE, still_wanted: Box::new(|| true), waiting, meters };
        let place = pool.queue.enter(turn(9), job);
        has_entered.await.unwrap();
        drop(place);
        go_on
    }

    /// Work that tells whether it was done, and, when dropped without that, that it was not.
    fn traced() -> (impl FnOnce(Instant) -> &'static str + Send, oneshot::Receiver<()>) {
        let (done, was_done) = oneshot::channel();
        let act = move |_| {
            done.send(()).unwrap();
            ""
        };
        (act, was_done)
    }

    /// Lets a future run until it has to wait.
    macro_rules! poll_once {
        ($future:expr) => {
            tokio::select! { biased; result = &mut $future => Some(result), () = ready(()) => None }
        };
    }

    #[tokio::test]
    async fn beyond_a_full_queue_work_is_refused_when_its_patience_ends() {
        let pool = one_thread_with_patience(2, Duration::from_millis(10), AMPLE);
        let go_on = occupy(&pool).await;
        let mut first = pin!(run(&pool, |_| "first"));
        let mut second = pin!(run(&pool, |_| "second"));
        assert!(poll_once!(first).is_none() && poll_once!(second).is_none());

        assert!(matches!(run(&pool, |_| "refused").await, Err(HashError::Overloaded)));

        go_on.send(()).unwrap();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), ("first", "second"));
    }

    #[tokio::test]
    async fn work_that_lost_its_place_is_refused_when_its_patience_ends() {
        let pool = one_thread_with_patience(2, Duration::from_millis(10), AMPLE);
        let go_on = occupy(&pool).await;
        let mut first = pin!(run(&pool, |_| "first"));
        let mut second = pin!(run(&pool, |_| "second"));
        assert!(poll_once!(first).is_none() && poll_once!(second).is_none());
        let other = |answer| Call { act: Box::new(|_| "other"), answer };
        let mut other = pin!(pool.run(turn(2), Box::new(|| true), other));
        assert!(poll_once!(other).is_none());

        assert!(matches!(second.await, Err(HashError::Overloaded)));

        go_on.send(()).unwrap();
        assert_eq!((first.await.unwrap(), other.await.unwrap()), ("first", "other"));
    }

    #[tokio::test]
    async fn work_that_is_not_wanted_when_its_turn_comes_is_not_begun() {
        let pool = one_thread(1, AMPLE);
        let (act, was_done) = traced();
        let unwanted = pool.run(turn(1), Box::new(|| false), |answer| Call { act: Box::new(act), answer });
        assert!(matches!(unwanted.await, Err(HashError::NotWanted)));
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn whoever_waits_for_a_place_gets_the_next_that_is_free_in_the_order_of_their_asking() {
        let pool = one_thread_with_patience(0, AMPLE, AMPLE);
        let go_on = occupy(&pool).await;
        let (done, in_order) = mpsc::channel();
        let named = |name: &'static str| {
            let done = done.clone();
            move |_: Instant| {
                done.send(name).unwrap();
                name
            }
        };
        let mut first = Box::pin(run(&pool, named("first")));
        let mut gone = Box::pin(run(&pool, named("gone")));
        let mut second = pin!(run(&pool, named("second")));
        let mut third = pin!(run(&pool, named("third")));
        assert!(poll_once!(first).is_none() && poll_once!(gone).is_none());
        assert!(poll_once!(second).is_none() && poll_once!(third).is_none());
        drop(gone);
        drop(first);
        go_on.send(()).unwrap();
        assert_eq!((third.await.unwrap(), second.await.unwrap()), ("third", "second"));
        assert_eq!(in_order.try_iter().collect::<Vec<_>>(), ["second", "third"]);
    }

    #[tokio::test]
    async fn whoever_stops_to_wait_frees_their_place_at_once_wherever_it_is() {
        const QUEUE: usize = 5;
        let nothing = |_: Instant| "";
        let pool = one_thread(QUEUE, AMPLE);
        let go_on = occupy(&pool).await;
        let mut waiting: Vec<_> = (0..QUEUE).map(|_| Box::pin(run(&pool, nothing))).collect();
        for work in &mut waiting {
            assert!(poll_once!(*work).is_none());
        }
        for place in 0..QUEUE {
            assert!(matches!(run(&pool, nothing).await, Err(HashError::Overloaded)));
            drop(waiting.remove(place));
            waiting.insert(place, Box::pin(run(&pool, nothing)));
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
        assert!(matches!(run(&pool, work).await, Err(HashError::Overloaded)));
        go_on.send(()).unwrap();
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn work_whose_time_is_over_is_not_begun_though_its_caller_has_not_noticed() {
        let pool = one_thread(1, Duration::from_nanos(1));
        let (work, was_done) = traced();
        let mut late = pin!(run(&pool, work));
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
        let mut abandoned = Box::pin(run(&pool, work));
        assert!(poll_once!(abandoned).is_none());
        drop(abandoned);
        go_on.send(()).unwrap();
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_caller_and_no_other() {
        let pool = one_thread(1, AMPLE);
        let failed = run(&pool, |_| panic!("expected by this test")).await;
        assert!(matches!(failed, Err(HashError::Failed(_))));
        assert_eq!(run(&pool, |_| "alive").await.unwrap(), "alive");
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
        let set = |_| {
            GUARD.set(Some(guard));
            ""
        };
        run(&pool, set).await.unwrap();
        drop(pool);
        has_ended.await.unwrap();
    }
}
