//! A fixed number of threads that hash, behind a [fair queue](crate::queue).
//!
//! The threads have the priority of all others. These figures are of a thread that hashed one password at a time: where
//! `wrk -t1 -c32 /health` keeps the others busy and 64 clients log in (two cores, cost 12), it gets 72 % of its rate without
//! the log-ins, and 2.8 of 7.9 log-ins a second remain. With the threads at nice 10 (`renice -n 10 -p` for each) it gets
//! 94 %, but 0.2 log-ins remain: whoever keeps the others busy would stop the hashing. Without wrk, a `/health` now and then
//! has a p99 of 3.6 ms and 1.1 ms.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use roster_domain::ports::{HashError, StillWanted};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::queue::{Queue, Turn};
use crate::work::{self, Job, Jobs, LANES, Raw, Step, Work};

/// Threads and their queue. The threads end when the pool is dropped and what they are at is done.
///
/// Who waits, waits in its own future: where that is dropped, its place is free at once, and nothing is left of it.
pub(crate) struct Pool {
    queue: Arc<Jobs>,
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

impl Pool {
    /// `queue` is how many may wait besides those that are being worked on; `patience` is how long others wait for a place
    /// among them, and `deadline` is for all waiting and work together.
    pub(crate) fn start(
        threads: NonZero<usize>,
        queue: usize,
        patience: Duration,
        deadline: Duration,
    ) -> io::Result<Self> {
        let queue = Queue::new(threads.get().saturating_mul(LANES).saturating_add(queue));
        // Closes the queue where not all threads start.
        let pool = Self { queue, patience, deadline, meters: Meters::new() };
        work::start(threads.get(), &pool.queue)?;
        Ok(pool)
    }

    /// Has work done on one of the threads, in its turn. It is not begun where nobody waits for it, its time is over, or it is
    /// not wanted, and given up when nobody waits for it any more.
    pub(crate) async fn run<W: Work>(
        &self,
        turn: Turn,
        still_wanted: StillWanted,
        work: W,
    ) -> Result<W::Answer, HashError> {
        let done = self.run_in_turn(turn, still_wanted, work).await;
        if matches!(done, Err(HashError::Overloaded)) {
            self.meters.refused.increment(1);
        }
        done
    }

    async fn run_in_turn<W: Work>(
        &self,
        turn: Turn,
        still_wanted: StillWanted,
        work: W,
    ) -> Result<W::Answer, HashError> {
        let asked = Instant::now();
        let end = asked + self.deadline;
        let (answer, mut answered) = oneshot::channel();
        let errand = Errand {
            work,
            answer: Some(answer),
            still_wanted,
            waiting: Some(Waiting::begin(&self.meters.waiting)),
            asked,
            began: asked,
            end,
            meters: self.meters.clone(),
        };
        let place = self.queue.enter(turn, Box::new(errand));
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

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A work and who waits for it.
struct Errand<W: Work> {
    work: W,
    /// Whoever waits for the answer, until it is sent.
    answer: Option<oneshot::Sender<Result<W::Answer, HashError>>>,
    still_wanted: StillWanted,
    waiting: Option<Waiting>,
    asked: Instant,
    began: Instant,
    end: Instant,
    meters: Meters,
}

impl<W: Work> Errand<W> {
    fn follow(&mut self, step: Step<W::Answer>) -> Option<Raw> {
        match step {
            Step::Hash(raw) => Some(raw),
            Step::Done(answer) => {
                self.meters.run.record(self.began.elapsed());
                self.answer(Ok(answer));
                None
            }
        }
    }

    fn answer(&mut self, answer: Result<W::Answer, HashError>) {
        if let Some(waits) = self.answer.take() {
            // Nobody takes it where the caller has given up meanwhile.
            let _ = waits.send(answer);
        }
    }
}

impl<W: Work> Job for Errand<W> {
    fn begin(&mut self) -> Option<Raw> {
        self.waiting = None;
        if !self.is_wanted() {
            return None;
        }
        self.began = Instant::now();
        self.meters.wait.record(self.began - self.asked);
        if self.began >= self.end {
            self.answer(Err(HashError::Overloaded));
            return None;
        }
        if !self.still_wanted.holds() {
            self.answer(Err(HashError::NotWanted));
            return None;
        }
        let step = self.work.begin(self.end);
        self.follow(step)
    }

    fn go_on(&mut self, hash: [u8; 24]) -> Option<Raw> {
        // Its hashes may end before the thread looks whether somebody waits for it.
        if !self.is_wanted() {
            return None;
        }
        let step = self.work.go_on(hash);
        self.follow(step)
    }

    fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::ready;
    use std::pin::pin;
    use std::sync::mpsc;

    use roster_bcrypt_lanes::Cost;
    use roster_domain::values::ClientAddress;

    use super::*;
    use crate::queue::Kind;

    const AMPLE: Duration = Duration::from_mins(1);

    fn one_thread(queue: usize, deadline: Duration) -> Pool {
        one_thread_with_patience(queue, Duration::ZERO, deadline)
    }

    fn one_thread_with_patience(queue: usize, patience: Duration, deadline: Duration) -> Pool {
        Pool::start(NonZero::<usize>::MIN, queue, patience, deadline).unwrap()
    }

    fn turn(number: u8) -> Turn {
        let client = Some(ClientAddress::new([192, 0, 2, number].into()).client());
        Turn { kind: Kind::LogIn, client, account: 0 }
    }

    async fn run<W: Work>(pool: &Pool, work: W) -> Result<W::Answer, HashError> {
        pool.run(turn(1), StillWanted::always(), work).await
    }

    /// Work without a bcrypt.
    struct AtOnce<F>(Option<F>);

    impl<T: Send + 'static, F: FnOnce(Instant) -> T + Send + 'static> Work for AtOnce<F> {
        type Answer = T;

        fn begin(&mut self, end: Instant) -> Step<T> {
            Step::Done(self.0.take().unwrap()(end))
        }

        fn go_on(&mut self, _hash: [u8; 24]) -> Step<T> {
            unreachable!("nothing was to be hashed")
        }
    }

    fn at_once<T: Send + 'static>(work: impl FnOnce(Instant) -> T + Send + 'static) -> impl Work<Answer = T> {
        AtOnce(Some(work))
    }

    /// Hashes over and over until it is told what to answer, or to panic.
    struct OverAndOver(mpsc::Receiver<&'static str>);

    impl Work for OverAndOver {
        type Answer = &'static str;

        fn begin(&mut self, _end: Instant) -> Step<&'static str> {
            Step::Hash(Raw::of_nobody(Cost::MIN))
        }

        fn go_on(&mut self, _hash: [u8; 24]) -> Step<&'static str> {
            match self.0.try_recv() {
                Ok("panic") => panic!("expected by this test"),
                Ok(answer) => Step::Done(answer),
                Err(_) => Step::Hash(Raw::of_nobody(Cost::MIN)),
            }
        }
    }

    fn over_and_over() -> (mpsc::Sender<&'static str>, OverAndOver) {
        let (tell, told) = mpsc::channel();
        (tell, OverAndOver(told))
    }

    /// Hashes once.
    struct Once;

    impl Work for Once {
        type Answer = [u8; 24];

        fn begin(&mut self, _end: Instant) -> Step<[u8; 24]> {
            Step::Hash(Raw::of_nobody(Cost::MIN))
        }

        fn go_on(&mut self, hash: [u8; 24]) -> Step<[u8; 24]> {
            Step::Done(hash)
        }
    }

    fn hash_of_nobody() -> [u8; 24] {
        bcrypt::bcrypt(Cost::MIN.get(), [0; 16], b"\0")
    }

    /// Keeps a whole thread busy.
    struct Blocks {
        entered: Option<oneshot::Sender<()>>,
        may_go_on: mpsc::Receiver<()>,
    }

    impl Job for Blocks {
        fn begin(&mut self) -> Option<Raw> {
            self.entered.take().unwrap().send(()).unwrap();
            self.may_go_on.recv().unwrap();
            None
        }

        fn go_on(&mut self, _hash: [u8; 24]) -> Option<Raw> {
            unreachable!("nothing was to be hashed")
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }

    /// Keeps the pool's thread busy until told to go on, under no deadline and in a place of its own.
    async fn occupy(pool: &Pool) -> mpsc::Sender<()> {
        let (entered, has_entered) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let place = pool.queue.enter(turn(9), Box::new(Blocks { entered: Some(entered), may_go_on }));
        has_entered.await.unwrap();
        drop(place);
        go_on
    }

    /// Work that tells whether it was done, and, when dropped without that, that it was not.
    fn traced() -> (impl Work<Answer = ()>, oneshot::Receiver<()>) {
        let (done, was_done) = oneshot::channel();
        (at_once(move |_| done.send(()).unwrap()), was_done)
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
        let mut waiting: Vec<_> =
            (0..LANES).map(|number| Box::pin(run(&pool, at_once(move |_| number)))).collect();
        for work in &mut waiting {
            assert!(poll_once!(*work).is_none());
        }

        assert!(matches!(run(&pool, at_once(|_| "refused")).await, Err(HashError::Overloaded)));

        go_on.send(()).unwrap();
        for (number, work) in waiting.into_iter().enumerate() {
            assert_eq!(work.await.unwrap(), number);
        }
    }

    #[tokio::test]
    async fn work_that_lost_its_place_is_refused_when_its_patience_ends() {
        let pool = one_thread_with_patience(1, Duration::from_millis(10), AMPLE);
        let go_on = occupy(&pool).await;
        let mut waiting: Vec<_> =
            (0..LANES).map(|number| Box::pin(run(&pool, at_once(move |_| number)))).collect();
        for work in &mut waiting {
            assert!(poll_once!(*work).is_none());
        }
        let mut other = pin!(pool.run(turn(2), StillWanted::always(), at_once(|_| "other")));
        assert!(poll_once!(other).is_none());

        assert!(matches!(waiting.pop().unwrap().await, Err(HashError::Overloaded)));

        go_on.send(()).unwrap();
        assert_eq!(other.await.unwrap(), "other");
        for (number, work) in waiting.into_iter().enumerate() {
            assert_eq!(work.await.unwrap(), number);
        }
    }

    #[tokio::test]
    async fn work_that_is_not_wanted_when_its_turn_comes_is_not_begun() {
        let pool = one_thread(1, AMPLE);
        let (work, was_done) = traced();
        let unwanted = pool.run(turn(1), StillWanted::as_long_as(|| false), work);
        assert!(matches!(unwanted.await, Err(HashError::NotWanted)));
        assert!(was_done.await.is_err());
    }

    #[tokio::test]
    async fn whoever_waits_for_a_place_gets_the_next_that_is_free_in_the_order_of_their_asking() {
        let pool = one_thread_with_patience(0, AMPLE, AMPLE);
        let go_on = occupy(&pool).await;
        let mut places: Vec<_> = (1..LANES).map(|_| Box::pin(run(&pool, at_once(|_| ())))).collect();
        for work in &mut places {
            assert!(poll_once!(*work).is_none());
        }
        let (tell, turns) = mpsc::channel();
        let work = |name| {
            let tell = tell.clone();
            Box::pin(run(&pool, at_once(move |_| tell.send(name).unwrap())))
        };
        let (mut gone, mut second, mut third) = (work("gone"), work("second"), work("third"));
        assert!(poll_once!(gone).is_none() && poll_once!(second).is_none() && poll_once!(third).is_none());
        drop(gone);
        drop(places);
        go_on.send(()).unwrap();
        third.await.unwrap();
        second.await.unwrap();
        drop(tell);
        assert_eq!(turns.iter().collect::<Vec<_>>(), ["second", "third"]);
    }

    #[tokio::test]
    async fn whoever_stops_to_wait_frees_their_place_at_once_wherever_it_is() {
        const QUEUE: usize = 5;
        let nothing = || at_once(|_| ());
        let pool = one_thread(QUEUE, AMPLE);
        let go_on = occupy(&pool).await;
        let mut waiting: Vec<_> = (1..LANES + QUEUE).map(|_| Box::pin(run(&pool, nothing()))).collect();
        for work in &mut waiting {
            assert!(poll_once!(*work).is_none());
        }
        for place in 0..LANES + QUEUE - 1 {
            assert!(matches!(run(&pool, nothing()).await, Err(HashError::Overloaded)));
            drop(waiting.remove(place));
            waiting.insert(place, Box::pin(run(&pool, nothing())));
            assert!(poll_once!(waiting[place]).is_none());
        }
        // Nothing of those that have gone is in the way of the others, who all have their turn.
        go_on.send(()).unwrap();
        for work in waiting {
            work.await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_takes_less_does_not_wait_for_what_takes_more() {
        let pool = one_thread(1, AMPLE);
        let (tells, mut long): (Vec<_>, Vec<_>) = (1..LANES)
            .map(|_| over_and_over())
            .map(|(tell, work)| (tell, Box::pin(run(&pool, work))))
            .unzip();
        for work in &mut long {
            assert!(poll_once!(*work).is_none());
        }
        // One after the other in the last lane, while the others go on.
        for _ in 0..3 {
            assert_eq!(run(&pool, Once).await.unwrap(), hash_of_nobody());
        }
        for (tell, work) in tells.into_iter().zip(long) {
            tell.send("done").unwrap();
            assert_eq!(work.await.unwrap(), "done");
        }
    }

    #[tokio::test]
    async fn whoever_stops_to_wait_while_they_are_hashed_leaves_their_lane_to_the_next() {
        let pool = one_thread(1, AMPLE);
        let (tells, mut long): (Vec<_>, Vec<_>) = (0..LANES)
            .map(|_| over_and_over())
            .map(|(tell, work)| (tell, Box::pin(run(&pool, work))))
            .unzip();
        let mut last = long.pop().unwrap();
        for work in &mut long {
            assert!(poll_once!(*work).is_none());
        }
        // Done in the last lane, so that the others are being hashed.
        assert_eq!(run(&pool, Once).await.unwrap(), hash_of_nobody());
        assert!(poll_once!(last).is_none());
        let mut next = pin!(run(&pool, Once));
        assert!(poll_once!(next).is_none());
        drop(long.remove(0));
        assert_eq!(next.await.unwrap(), hash_of_nobody());
        drop((tells, long, last));
        assert_eq!(run(&pool, Once).await.unwrap(), hash_of_nobody());
    }

    #[tokio::test]
    async fn a_panic_amidst_its_hashes_fails_its_own_caller_and_no_other() {
        let pool = one_thread(1, AMPLE);
        let (tell_one, one) = over_and_over();
        let (tell_other, other) = over_and_over();
        let (mut one, mut other) = (pin!(run(&pool, one)), pin!(run(&pool, other)));
        assert!(poll_once!(one).is_none() && poll_once!(other).is_none());
        tell_one.send("panic").unwrap();
        assert!(matches!(one.await, Err(HashError::Failed(_))));
        tell_other.send("alive").unwrap();
        assert_eq!(other.await.unwrap(), "alive");
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
        let failed = run(&pool, at_once(|_| -> () { panic!("expected by this test") })).await;
        assert!(matches!(failed, Err(HashError::Failed(_))));
        assert_eq!(run(&pool, at_once(|_| "alive")).await.unwrap(), "alive");
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
        run(&pool, at_once(|_| GUARD.set(Some(guard)))).await.unwrap();
        drop(pool);
        has_ended.await.unwrap();
    }
}
