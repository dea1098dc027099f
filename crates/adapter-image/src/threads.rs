//! The thread pool that decodes and encodes pictures.

use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use roster_domain::ports::ProcessError;
use rustix::process::{getpriority_process, setpriority_process};
use tokio::sync::oneshot;

use crate::turns::Turn;
use crate::unavailable::unavailable;

/// How much the threads give way to those that answer requests (`nice`): they get a tenth of what others get.
const NICE: i32 = 10;

/// As many threads as the machine has processors, which do nothing else. So what the allocator keeps for each of them is
/// little, and an image finds there what the one before has freed.
///
/// It is a pool of rayon's, since a decoder's use of rayon then stays in it.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    pool: Arc<ThreadPool>,
}

impl Threads {
    pub(crate) fn start() -> io::Result<Self> {
        let number = thread::available_parallelism().map_or(1, NonZero::get);
        let pool = ThreadPoolBuilder::new()
            .num_threads(number)
            .thread_name(|number| format!("image-{number}"))
            .start_handler(|_| give_way())
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { pool: Arc::new(pool) })
    }

    /// How many there are. As many turns are given out: nothing waits in the pool itself, where a thread that waits for a
    /// part of its work would begin it.
    pub(crate) fn number(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Does the work on one of the threads, and gives the turn back with what it made. A panic of a decoder says that the
    /// image is damaged.
    ///
    /// What has begun is done to its end, also where nobody waits for it any more, and has its turn as long.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
    ) -> Result<(Turn, T), ProcessError> {
        let (answer, answered) = oneshot::channel();
        self.pool.spawn(move || {
            // The panic's own message went to standard error.
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ProcessError::Damaged));
            // Nobody takes the answer where the caller has gone.
            let _ = answer.send(done.map(|made| (turn, made)));
        });
        answered.await.map_err(unavailable)?
    }
}

/// Lowers this thread's priority. Where that is forbidden, or there is no such thing for a thread, the work is the same.
fn give_way() {
    #[cfg(target_os = "linux")]
    if getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _ = setpriority_process(None, NICE);
    }
}

#[cfg(test)]
mod tests {
    use roster_domain::values::UserId;

    use super::*;
    use crate::turns::Turns;

    const ANN: UserId = UserId::from_bytes([1; 12]);

    async fn run<T: Send + 'static>(
        threads: &Threads,
        work: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
    ) -> Result<T, ProcessError> {
        let turn = Turns::new(1).take(ANN).await.unwrap();
        threads.run(turn, work).await.map(|(_, made)| made)
    }

    #[tokio::test]
    async fn the_threads_give_way_to_others() {
        let threads = Threads::start().unwrap();
        let priority = || Ok(getpriority_process(None).unwrap());
        let outside = priority().unwrap();
        let inside = run(&threads, priority).await.unwrap();
        assert_eq!((inside, priority().unwrap()), (NICE.max(outside), outside));
    }

    #[tokio::test]
    async fn a_part_of_the_work_stays_on_the_threads() {
        let threads = Threads::start().unwrap();
        let names = run(&threads, || {
            let name = || thread::current().name().map(str::to_owned);
            let (one, other) = rayon::join(name, name);
            Ok([name(), one, other])
        });
        for name in names.await.unwrap() {
            assert!(name.as_deref().is_some_and(|name| name.starts_with("image-")), "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_of_a_decoder_says_that_the_image_is_damaged_and_its_turn_goes_on() {
        let (threads, turns) = (Threads::start().unwrap(), Turns::new(1));
        for _ in 0..3 {
            let turn = turns.take(ANN).await.unwrap();
            let answer: Result<(Turn, ()), _> = threads.run(turn, || panic!("expected by this test")).await;
            assert!(matches!(answer, Err(ProcessError::Damaged)));
        }
        threads.run(turns.take(ANN).await.unwrap(), || Ok(())).await.unwrap();
    }
}
