//! Read-only connections. Point look-ups run on the caller's thread, pages on threads of their own.
//!
//! `SQLite` opens the write-ahead log of each connection with `O_CREAT`, which waits while the disk hangs. So look-ups have
//! connections that were opened before the service started to answer.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::clock::now;
use crate::fault::SqliteFault;
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

/// Connections that nobody uses. Beyond `keep` they are opened and closed as needed.
struct Idle {
    connections: Mutex<Vec<Connection>>,
    keep: usize,
}

impl Idle {
    const fn new(keep: usize) -> Self {
        Self { connections: Mutex::new(Vec::new()), keep }
    }

    fn take(&self) -> Option<Connection> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, connection: Connection) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() < self.keep {
            connections.push(connection);
        }
    }
}

pub(crate) struct Readers {
    path: PathBuf,
    open: Open,
    home: Home,
    deadline: Duration,
    for_look_ups: Idle,
    for_pages: Idle,
    pages: Arc<Semaphore>,
    /// One at a time, in nobody's way: neither long pages nor a disk that hangs take more of the other.
    probes: Arc<Semaphore>,
}

impl Readers {
    /// Opens no connection.
    ///
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
            // One for each thread that serves, one for each that carries writes to their end, and one for all others.
            for_look_ups: Idle::new(2 * cores + 1),
            for_pages: Idle::new(pages),
            pages: Arc::new(Semaphore::new(pages)),
            probes: Arc::new(Semaphore::new(1)),
        })
    }

    /// Opens the connections for look-ups, and reads once by each: only then the log is open.
    ///
    /// # Errors
    /// Where one can't be opened or can't read.
    pub(crate) fn open_for_look_ups(&self) -> rusqlite::Result<()> {
        for _ in 0..self.for_look_ups.keep {
            let connection = (self.open)(&self.path)?;
            migrate::version(&connection)?;
            self.for_look_ups.give(connection);
        }
        Ok(())
    }

    /// Looks something up on the caller's own thread: a few pages of the file, through an index.
    pub(crate) fn look_up<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqliteFault> {
        self.on_connection(&self.for_look_ups, |connection| read(connection))
    }

    /// Reads something longer from one snapshot, on a thread for such, within the deadline.
    pub(crate) async fn page<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteFault> {
        let end = now() + self.deadline;
        let this = Arc::clone(self);
        self.on_thread(&self.pages, move || {
            this.on_connection(&this.for_pages, |connection| {
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
    pub(crate) async fn probe(self: &Arc<Self>) -> Result<(), SqliteFault> {
        let this = Arc::clone(self);
        self.on_thread(&self.probes, move || {
            this.home.check()?;
            let version = this.on_connection(&this.for_pages, |connection| {
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
        read: impl FnOnce() -> Result<T, SqliteFault> + Send + 'static,
    ) -> Result<T, SqliteFault> {
        let reading = async {
            let permit = Arc::clone(threads).acquire_owned().await.map_err(|_| SqliteFault::Closing)?;
            let reading = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by who waits for it: a disk that hangs holds up so many threads and no more.
                let _permit = permit;
                read()
            });
            match reading.await {
                Ok(answer) => answer,
                Err(_) => Err(SqliteFault::Panicked),
            }
        };
        let answer = tokio::time::timeout(self.deadline + GRACE, reading).await;
        answer.unwrap_or(Err(SqliteFault::TimedOut))
    }

    /// A connection that failed is not used again; opening another is cheap.
    fn on_connection<T>(
        &self,
        idle: &Idle,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqliteFault> {
        let mut connection = if let Some(connection) = idle.take() {
            connection
        } else {
            self.home.check()?;
            (self.open)(&self.path)?
        };
        let answer = read(&mut connection)?;
        idle.give(connection);
        Ok(answer)
    }
}
