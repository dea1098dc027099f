use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use roster_domain::ports::Unavailable;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How many operations may wait for the disk at once. A disk that hangs keeps these threads and no more.
const THREADS: usize = 16;
/// How long an operation may take, its wait for a thread included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Runs what waits for a disk on blocking threads, so many at once, and gives it up after a deadline.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    threads: Arc<Semaphore>,
    deadline: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self { threads: Arc::new(Semaphore::new(THREADS)), deadline: DEADLINE }
    }
}

impl Worker {
    /// Runs `work`. It is told whether it is still waited for; its thread is free for others once it has ended, whoever waits.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
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
        match result {
            Ok(done) => done.map_err(unavailable),
            Err(elapsed) => Err(unavailable(elapsed.into())),
        }
    }
}

fn unavailable(error: io::Error) -> Unavailable {
    Unavailable::new("image folder", error)
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
        let worker = Worker { threads: Arc::new(Semaphore::new(1)), deadline: Duration::from_millis(20) };
        let (release, hangs) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();

        let answer = worker
            .run(move |abandoned| {
                let _ = hangs.recv();
                tell.send(abandoned.load(Ordering::Acquire)).map_err(io::Error::other)
            })
            .await;
        assert!(answer.is_err());

        // The hanging one still has the only thread.
        assert!(worker.run(|_| Ok(())).await.is_err());

        drop(release);
        assert!(told.recv().unwrap(), "it was not told that it had been given up");
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_a_fault() {
        let answer = Worker::default().run(|_| -> io::Result<()> { panic!("boom") }).await;
        assert!(answer.is_err());
    }
}
