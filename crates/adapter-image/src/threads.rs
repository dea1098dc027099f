//! The threads that pictures are made on.

use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use roster_domain::ports::ProcessError;
use rustix::process::{getpriority_process, setpriority_process};
use tokio::sync::{Semaphore, oneshot};

use crate::unavailable;

/// How much the threads give way to those that answer requests (`nice`): they get a tenth of what others get.
const NICE: i32 = 10;

/// As many threads as the machine has processors, which do nothing else. So what the allocator keeps for each of them is
/// little, and an image finds there what the one before has freed.
///
/// It is a pool of rayon's, since a decoder's use of rayon then stays in it.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    pool: Arc<ThreadPool>,
    /// One for each thread. Nothing waits in the pool itself, where a thread that waits for a part of its work would begin it.
    free: Arc<Semaphore>,
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
        Ok(Self { pool: Arc::new(pool), free: Arc::new(Semaphore::new(number)) })
    }

    /// Does the work on one of the threads, once one is free. A panic of a decoder says that the image is damaged.
    ///
    /// What has begun is done to its end, also where nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
    ) -> Result<T, ProcessError> {
        let thread = Arc::clone(&self.free).acquire_owned().await.map_err(unavailable)?;
        let (answer, answered) = oneshot::channel();
        self.pool.spawn(move || {
            // The panic's own message went to standard error.
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ProcessError::Damaged));
            drop(thread);
            // Nobody takes the answer where the caller has gone.
            let _ = answer.send(done);
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
    use super::*;

    #[tokio::test]
    async fn the_threads_give_way_to_others() {
        let threads = Threads::start().unwrap();
        let priority = || Ok(getpriority_process(None).unwrap());
        let outside = priority().unwrap();
        let inside = threads.run(priority).await.unwrap();
        assert_eq!((inside, priority().unwrap()), (NICE.max(outside), outside));
    }

    #[tokio::test]
    async fn a_part_of_the_work_stays_on_the_threads() {
        let threads = Threads::start().unwrap();
        let names = threads.run(|| {
            let name = || thread::current().name().map(str::to_owned);
            let (one, other) = rayon::join(name, name);
            Ok([name(), one, other])
        });
        for name in names.await.unwrap() {
            assert!(name.as_deref().is_some_and(|name| name.starts_with("image-")), "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_of_a_decoder_says_that_the_image_is_damaged() {
        let threads = Threads::start().unwrap();
        let free = threads.free.available_permits();
        for _ in 0..=free {
            let answer: Result<(), _> = threads.run(|| panic!("expected by this test")).await;
            assert!(matches!(answer, Err(ProcessError::Damaged)));
        }
        threads.run(|| Ok(())).await.unwrap();
        assert_eq!(threads.free.available_permits(), free);
    }
}
