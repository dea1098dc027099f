use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use roster_domain::ports::{Access, CallOutcome, StoreCalls, StoreObserver, Unavailable};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What the log calls such a store.
const STORE: &str = "image folder";

/// How many operations may wait for the disk at once. A disk that hangs keeps these threads and no more.
const THREADS: usize = 16;
/// How long an operation may take, its wait for a thread included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs what waits for a disk on blocking threads, so many at once, and gives it up after a deadline.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    threads: Arc<Semaphore>,
    deadline: Duration,
    calls: StoreCalls,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            threads: Arc::new(Semaphore::new(THREADS)),
            deadline: DEADLINE,
            calls: StoreCalls::of_the_one(STORE),
        }
    }
}

impl Worker {
    /// The same, which tells of what it runs.
    pub(crate) fn observed_by(self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { calls: self.calls.told_to(observer), ..self }
    }

    /// Runs `work`. It is told whether it is still waited for; its thread is free for others once it has ended, whoever waits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        access: Access,
        work: impl FnOnce(&AtomicBool) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let call = self.calls.begin(operation, access);
        let waiting = AbandonOnDrop(Arc::default());
        let abandoned = Arc::clone(&waiting.0);
        let result = timeout(self.deadline, async {
            let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(io::Error::other)?;
            spawn_blocking(move || {
                let _thread = thread;
                work(&abandoned)
            })
            .await
            .map_err(io::Error::other)?
        })
        .await;
        let answer = result.unwrap_or_else(|elapsed| Err(elapsed.into()));
        call.end(match &answer {
            Ok(_) => CallOutcome::Done(access),
            Err(error) => CallOutcome::Failed(error),
        });
        answer.map_err(|error| Unavailable::new(STORE, error))
    }
}

/// Says so when nobody waits any more: the deadline has passed, or the caller is gone.
struct AbandonOnDrop(Arc<AtomicBool>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_given_up_and_told_so() {
        let worker = Worker {
            threads: Arc::new(Semaphore::new(1)),
            deadline: Duration::from_millis(20),
            ..Worker::default()
        };
        let (release, hangs) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();

        let answer = worker
            .run("hang", Access::Read, move |abandoned| {
                let _ = hangs.recv();
                tell.send(abandoned.load(Ordering::Acquire)).map_err(io::Error::other)
            })
            .await;
        assert!(answer.is_err());

        // The hanging one still has the only thread.
        assert!(worker.run("wait", Access::Read, |_| Ok(())).await.is_err());

        drop(release);
        assert!(told.recv().unwrap(), "it was not told that it had been given up");
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_a_fault() {
        let answer =
            Worker::default().run("panic", Access::Read, |_| -> io::Result<()> { panic!("boom") }).await;
        assert!(answer.is_err());
    }
}
