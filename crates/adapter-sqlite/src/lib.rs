//! Users, trash and sessions in an embedded SQLite database: the ports [`Users`], [`Trash`], [`ImageRemovals`] and
//! [`AccountArchive`] in one file on disk, with nothing to install.
//!
//! - `writer`: one thread with one connection does all writing, many changes to a commit.
//! - `readers`: point look-ups run where they are asked for, pages and searches on threads of their own.
//! - `users`, `trash`, `removals`, `archive`: one port each, and `source`: a file that is only read. `rank` keeps the rows in the order of their ids.
//!
//! `docs/adr/0002-sqlite.md` says why, and what it was measured to cost.
//!
//! [`Users`]: roster_domain::ports::Users
//! [`Trash`]: roster_domain::ports::Trash
//! [`ImageRemovals`]: roster_domain::ports::ImageRemovals
//! [`AccountArchive`]: roster_domain::ports::AccountArchive

mod archive;
mod clock;
mod expired;
mod fault;
mod home;
mod list;
mod migrate;
mod open;
mod rank;
mod readers;
mod removals;
mod rows;
mod source;
mod trash;
mod users;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use migrate::Conflicts;
pub use open::OpenError;
pub use source::SqliteSource;

use home::Home;
use readers::Readers;
use roster_domain::ports::{Expired, Unavailable};
use roster_domain::values::Timestamp;
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
        let writer = Writer::start(connection, home, WRITE_QUEUE, DEADLINE).map_err(OpenError::Thread)?;
        Ok(Self { readers, writer })
    }

    /// Tries whether the file is where it was and can be read, and whether this program may write to it: none may that is older
    /// than the file. It waits for the disk on a thread of its own, and writes nothing.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        self.readers.probe().await
    }

    /// Looks whether a database that is there could be opened, and leaves it as it is. Answers whether anybody is in it.
    pub fn examine(path: &Path) -> Result<bool, OpenError> {
        open::examine(path)
    }

    /// Counts in a database that is there and could be opened, as [`Trash::expired`](roster_domain::ports::Trash::expired)
    /// does, and leaves it as it is.
    pub fn expired_in(path: &Path, cutoff: Timestamp, now: Timestamp) -> Result<Expired, OpenError> {
        open::expired(path, cutoff, now)
    }

    /// Those files of a database that is there which others than their owner may read or change.
    pub fn exposed(path: &Path) -> std::io::Result<Vec<PathBuf>> {
        home::exposed(path)
    }
}

#[cfg(test)]
mod tests;
