//! Users, trash and sessions in an embedded SQLite database: the ports [`Accounts`], [`Directory`], [`Sessions`],
//! [`ProfileImages`], [`Trash`] and [`AccountArchive`] in one file on disk, with nothing to install.
//!
//! - `writer`: one thread with one connection does all writing, many changes to a commit.
//! - `readers`: point look-ups run where they are asked for, pages and searches on threads of their own.
//! - `accounts`, `directory`, `sessions`, `profile_images`, `trash`, `archive`: one port each, and `source`: a file that is only
//!   read. `rank` keeps the rows in the order of their ids.
//!
//! `docs/adr/0002-sqlite.md` says why, and what it was measured to cost.
//!
//! [`Accounts`]: roster_domain::ports::Accounts
//! [`Directory`]: roster_domain::ports::Directory
//! [`Sessions`]: roster_domain::ports::Sessions
//! [`ProfileImages`]: roster_domain::ports::ProfileImages
//! [`Trash`]: roster_domain::ports::Trash
//! [`AccountArchive`]: roster_domain::ports::AccountArchive

mod accounts;
mod archive;
mod clock;
mod database;
mod directory;
mod expired;
mod fault;
mod hash_cost;
mod home;
mod list;
mod migrate;
mod open;
mod profile_images;
mod rank;
mod readers;
mod rows;
mod sessions;
mod source;
mod trash;
mod unopened;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use database::SqliteDatabase;
pub use migrate::Conflicts;
pub use open::OpenError;
pub use source::SqliteSource;

use fault::{SqliteFault, WriteError};
use home::Home;
use readers::Readers;
use roster_domain::ports::{Access, CallOutcome, StoreCalls, StoreObserver, Unavailable};
use rusqlite::Connection;
use writer::Writer;

/// How long a write may wait before it begins, and a page may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How many writes may wait.
const WRITE_QUEUE: usize = 1024;

/// All that Roster keeps of its users, in one SQLite file.
///
/// Dropping it finishes the writes that wait, and then closes the file.
pub struct SqliteStore {
    // Before the writer, so that the connection that may write is the last one to close: it folds the log into the file.
    readers: Arc<Readers>,
    writer: Writer,
    calls: StoreCalls,
}

impl SqliteStore {
    /// Opens a database, and makes it where there is none: a file that only its owner may read, in a folder that only its
    /// owner may enter. A second process may have the same file open.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let connection = open::writer(path)?;
        // Before anything is written, so that no file is taken for this one that took its place since.
        let unseen = |cause| OpenError::File { file: path.to_owned(), cause };
        let home = Home::of(connection.path().unwrap_or_default().as_ref()).map_err(unseen)?;
        let readers = Arc::new(Readers::new(path, open::reader, DEADLINE).map_err(unseen)?);
        readers.open_for_look_ups().map_err(|cause| open::sqlite_error(path, cause))?;
        let writer = Writer::start(connection, home, WRITE_QUEUE, DEADLINE).map_err(OpenError::Thread)?;
        Ok(Self { readers, writer, calls: StoreCalls::of_the_one(fault::STORE) })
    }

    /// The same, whose calls are told to that observer from now on, or to nobody.
    #[must_use]
    pub fn observed_by(self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { calls: self.calls.told_to(observer), ..self }
    }

    /// [`Readers::look_up`], and tells of it.
    fn look_up<T>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Unavailable> {
        let call = self.calls.begin(operation, Access::Read);
        let answer = self.readers.look_up(look);
        call.end(read(&answer));
        Ok(answer?)
    }

    /// [`Readers::page`], and tells of it.
    async fn page<T: Send + 'static>(
        &self,
        operation: &'static str,
        page: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let call = self.calls.begin(operation, Access::Read);
        let answer = self.readers.page(page).await;
        call.end(read(&answer));
        Ok(answer?)
    }

    /// [`Writer::send`], and tells of it.
    async fn write<T, E, W>(&self, operation: &'static str, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Unavailable> + Send + 'static,
        W: FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
    {
        let call = self.calls.begin(operation, Access::Write);
        let answer = self.writer.send(work).await;
        call.end(match &answer {
            Ok(Ok(done)) => CallOutcome::Done(Access::written(done.has_written)),
            Ok(Err(_)) => CallOutcome::Refused,
            Err(fault) => CallOutcome::Failed(fault),
        });
        answer.unwrap_or_else(|fault| Err(E::from(fault.into()))).map(|done| done.value)
    }

    /// Looks whether a database that is there could be opened, and leaves it as it is. Answers whether anybody is in it.
    pub fn examine(path: &Path) -> Result<bool, OpenError> {
        open::examine(path)
    }
}

/// How a call that reads has ended.
fn read<T>(answer: &Result<T, SqliteFault>) -> CallOutcome<'_> {
    match answer {
        Ok(_) => CallOutcome::Done(Access::Read),
        Err(fault) => CallOutcome::Failed(fault),
    }
}

#[cfg(test)]
mod tests;
