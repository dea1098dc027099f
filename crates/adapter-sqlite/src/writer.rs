//! Group commit: one thread takes all the writes that wait, runs each in a savepoint of one transaction, commits once,
//! and only then answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use roster_domain::Chain;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::clock::now;
use crate::fault::{SqliteFault, WriteError};
use crate::home::Home;
use crate::migrate;

/// How many writes share a commit at most.
const MAX_BATCH: usize = 256;

/// How much longer than its deadline a caller waits: a write that began in time is worth an answer.
const GRACE: Duration = Duration::from_millis(500);

/// The thread that writes, and the way to it.
pub(crate) struct Writer {
    queue: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    deadline: Duration,
}

impl Writer {
    /// Starts the thread, which writes while the files are at home. At most `capacity` writes wait, none for longer than `deadline`.
    pub(crate) fn start(
        connection: Connection,
        home: Home,
        capacity: usize,
        deadline: Duration,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = bounded(capacity);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(&connection, &home, &jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), deadline })
    }

    /// Runs `work` on the writer's thread, as one change: what it refuses or fails at has changed nothing. The answer
    /// comes when the change is durable.
    pub(crate) async fn send<T, E, W>(&self, work: W) -> Result<Result<Done<T>, E>, SqliteFault>
    where
        T: Send + 'static,
        E: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let begin_by = now() + self.deadline;
        let task = Box::new(Task { begin_by, work: Some(work), outcome: None, answer });
        let queue = self.queue.as_ref().ok_or(SqliteFault::Closing)?;
        queue.try_send(task).map_err(|refused| match refused {
            TrySendError::Full(_) => SqliteFault::QueueFull,
            TrySendError::Disconnected(_) => SqliteFault::Closing,
        })?;
        match tokio::time::timeout(self.deadline + GRACE, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(SqliteFault::Closing),
            Err(_) => Err(SqliteFault::TimedOut),
        }
    }
}

/// What was done.
pub(crate) struct Done<T> {
    pub(crate) value: T,
    /// Whether anything was to be written: from a disk that is full what changes nothing goes well, too.
    pub(crate) has_written: bool,
}

impl Drop for Writer {
    /// Waits for what is queued, and for the connection to close.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(event = "SQLite writer died", "the thread that writes had panicked");
        }
    }
}

/// A write that waits for its turn.
trait Job: Send {
    /// Whether anybody still waits for it.
    fn is_wanted(&self) -> bool;
    /// Does it, within a savepoint that the caller keeps or rolls back.
    fn run(&mut self, connection: &Connection) -> RunOutcome;
    /// Tells the outcome of [`run`](Self::run), now that it is durable.
    fn answer(self: Box<Self>);
    /// Tells that it has not happened, or perhaps not.
    fn fail(self: Box<Self>, fault: SqliteFault);
}

enum RunOutcome {
    Done,
    Refused,
    Failed(SqliteFault),
}

struct Task<T, E, W> {
    begin_by: Instant,
    work: Option<W>,
    outcome: Option<Result<Done<T>, E>>,
    answer: oneshot::Sender<Result<Result<Done<T>, E>, SqliteFault>>,
}

impl<T, E, W> Job for Task<T, E, W>
where
    T: Send,
    E: Send,
    W: FnOnce(&Connection) -> Result<T, WriteError<E>> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed() && now() < self.begin_by
    }

    fn run(&mut self, connection: &Connection) -> RunOutcome {
        let Some(work) = self.work.take() else { return RunOutcome::Failed(SqliteFault::Closing) };
        let before = connection.total_changes();
        // The savepoint is rolled back where it unwinds, so nobody sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(Ok(value)) => {
                let has_written = connection.total_changes() != before;
                self.outcome = Some(Ok(Done { value, has_written }));
                RunOutcome::Done
            }
            Ok(Err(WriteError::Refused(refusal))) => {
                self.outcome = Some(Err(refusal));
                RunOutcome::Refused
            }
            Ok(Err(WriteError::Failed(error))) => RunOutcome::Failed(error.into()),
            Err(panic) => {
                let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
                tracing::error!(
                    event = "SQLite write panicked",
                    panic = message,
                    "a write panicked and was rolled back"
                );
                RunOutcome::Failed(SqliteFault::Panicked)
            }
        }
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.ok_or(SqliteFault::Closing);
        // Whoever has stopped waiting is told nothing.
        drop(self.answer.send(outcome));
    }

    fn fail(self: Box<Self>, fault: SqliteFault) {
        drop(self.answer.send(Err(fault)));
    }
}

fn serve(connection: &Connection, home: &Home, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let batch = std::iter::once(first).chain(queue.try_iter().take(MAX_BATCH - 1)).collect();
        run_batch(connection, home, batch);
    }
}

fn run_batch(connection: &Connection, home: &Home, batch: Vec<Box<dyn Job>>) {
    let mut finished = Vec::with_capacity(batch.len());
    let mut waiting = batch.into_iter();
    let done = home.check().and_then(|()| run_all(connection, &mut waiting, &mut finished));
    match done {
        Ok(()) => {
            for (job, fault) in finished {
                match fault {
                    None => job.answer(),
                    Some(fault) => job.fail(fault),
                }
            }
        }
        Err(fault) => {
            roll_back(connection);
            for job in finished.into_iter().map(|(job, _)| job).chain(waiting) {
                job.fail(fault.clone());
            }
        }
    }
}

/// Runs and commits what is in `waiting`, and moves each to `finished` with what it failed at. On a fault nothing is
/// committed, as far as anybody knows.
fn run_all(
    connection: &Connection,
    waiting: &mut std::vec::IntoIter<Box<dyn Job>>,
    finished: &mut Vec<(Box<dyn Job>, Option<SqliteFault>)>,
) -> Result<(), SqliteFault> {
    // A job by itself needs no savepoint, and is better off without: what SQLite keeps to roll back to one grows with all
    // that a job writes, and each statement walks through it.
    let alone = waiting.len() == 1;
    execute(connection, "BEGIN IMMEDIATE")?;
    // Another process may have brought the file forward since. Nobody can from here to the end of the transaction.
    migrate::heed(migrate::version(connection)?)?;
    // Asked after the transaction has begun, which may have had to wait for another process.
    for mut job in waiting {
        if !job.is_wanted() {
            finished.push((job, Some(SqliteFault::TooLate)));
            continue;
        }
        if !alone {
            execute(connection, "SAVEPOINT job")?;
        }
        let outcome = job.run(connection);
        let done = matches!(outcome, RunOutcome::Done);
        let fault = if let RunOutcome::Failed(fault) = outcome { Some(fault) } else { None };
        finished.push((job, fault.clone()));
        // A full disk, among others, may end the whole transaction, with all that was done before.
        if let Some(fault) = fault
            && connection.is_autocommit()
        {
            return Err(fault);
        }
        match (alone, done) {
            (true, true) => {}
            (true, false) => return Ok(execute(connection, "ROLLBACK")?),
            (false, true) => execute(connection, "RELEASE job")?,
            (false, false) => {
                execute(connection, "ROLLBACK TO job")?;
                execute(connection, "RELEASE job")?;
            }
        }
    }
    execute(connection, "COMMIT")?;
    mark(connection);
    Ok(())
}

/// Reads once after a commit, for all readers. The first of them marks in the shared memory of the log how far it reads, and
/// that is a file: where the disk hangs, the look-up would hang with it, and soon the whole process, whose memory it locks.
fn mark(connection: &Connection) {
    let read = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema)")
        .and_then(|mut statement| statement.query_row([], |_| Ok(())));
    if let Err(error) = read {
        // Nothing is lost by that: the first reader marks it.
        tracing::debug!(
            event = "SQLite log not marked",
            error = %Chain(&error),
            "the write-ahead log could not be marked"
        );
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn roll_back(connection: &Connection) {
    // Where it has been rolled back already, there is nothing to do.
    if !connection.is_autocommit()
        && let Err(error) = execute(connection, "ROLLBACK")
    {
        tracing::error!(
            event = "SQLite rollback failed",
            error = %Chain(&error),
            "a transaction could not be rolled back"
        );
    }
}

#[cfg(test)]
mod tests;
