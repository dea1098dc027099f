//! Read-only connections. Point look-ups run on the caller's thread, pages on threads of their own.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roster_domain::ports::Unavailable;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::clock::now;
use crate::fault::Fault;
use crate::home::Home;
use crate::migrate;

/// How many pages are read at once at most: they are work for the processor, and each holds a connection.
const MAX_PAGES: usize = 4;

/// How many steps of SQLite's machine lie between two looks at the deadline: well under a millisecond.
const STEPS: i32 = 10_000;

/// How much longer than its deadline a caller waits for a page whose thread does not come back.
const GRACE: Duration = Duration::from_millis(500);

/// Opens a connection that only reads.
type Open = fn(&Path) -> rusqlite::Result<Connection>;

pub(crate) struct Readers {
    path: PathBuf,
    open: Open,
    home: Home,
    deadline: Duration,
    /// One for each core and each page at once is kept; beyond that they are opened and closed as needed.
    idle: Mutex<Vec<Connection>>,
    keep: usize,
    pages: Arc<Semaphore>,
    /// One at a time, in nobody's way: neither long pages nor a disk that hangs take more of the other.
    probes: Arc<Semaphore>,
}

impl Readers {
    /// # Errors
    /// Where the file can't be told from others.
    pub(crate) fn new(path: &Path, open: Open, deadline: Duration) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let pages = cores.min(MAX_PAGES);
        Ok(Self {
            path: path.to_owned(),
            open,
            home: Home::of(path)?,
            deadline,
            idle: Mutex::new(Vec::new()),
            keep: cores + 1 + pages,
            pages: Arc::new(Semaphore::new(pages)),
            probes: Arc::new(Semaphore::new(1)),
        })
    }

    /// Looks something up on the caller's own thread: a few pages of the file, through an index.
    pub(crate) fn look_up<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Unavailable> {
        self.on_connection(|connection| read(connection)).map_err(Unavailable::from)
    }

    /// Reads something longer from one snapshot, on a thread for such, within the deadline.
    pub(crate) async fn page<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let end = now() + self.deadline;
        let this = Arc::clone(self);
        self.on_thread(&self.pages, move || {
            this.on_connection(|connection| {
                connection.progress_handler(STEPS, Some(move || now() >= end))?;
                let transaction = connection.unchecked_transaction()?;
                let answer = read(&transaction)?;
                drop(transaction);
                connection.progress_handler(0, None::<fn() -> bool>)?;
                Ok(answer)
            })
        })
        .await
    }

    /// Tries whether the file is where it was and can be read, and is of no newer program, on a thread for that.
    pub(crate) async fn probe(self: &Arc<Self>) -> Result<(), Unavailable> {
        let this = Arc::clone(self);
        self.on_thread(&self.probes, move || {
            this.home.check()?;
            let version = this.on_connection(|connection| {
                connection.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |_| Ok(()))?;
                migrate::version(connection)
            })?;
            migrate::heed(version)
        })
        .await
    }

    /// Reads on a thread, within the deadline.
    async fn on_thread<T: Send + 'static>(
        &self,
        threads: &Arc<Semaphore>,
        read: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let reading = async {
            let permit = Arc::clone(threads).acquire_owned().await.map_err(|_| Fault::Closing)?;
            let reading = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by who waits for it: a disk that hangs holds up so many threads and no more.
                let _permit = permit;
                read()
            });
            match reading.await {
                Ok(answer) => answer,
                Err(_) => Err(Fault::Panicked),
            }
        };
        let answer = tokio::time::timeout(self.deadline + GRACE, reading).await;
        Ok(answer.unwrap_or(Err(Fault::TimedOut))?)
    }

    /// A connection that failed is not used again; opening another is cheap.
    fn on_connection<T>(
        &self,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = if let Some(connection) = idle {
            connection
        } else {
            self.home.check()?;
            (self.open)(&self.path)?
        };
        let answer = read(&mut connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(connection);
        }
        Ok(answer)
    }
}
