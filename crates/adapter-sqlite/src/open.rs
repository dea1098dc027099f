use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roster_domain::ports::Expired;
use roster_domain::values::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::clock::now;
use crate::expired;
use crate::migrate::{Conflicts, MigrateError, migrate};
use crate::rows::exists;
use crate::unopened::Unopened;

/// Why a database was not opened. `Display` is the whole reason, one line for whoever runs Roster.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder could not be made.
    #[error("can't make the folder {}: {cause}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file could not be opened or made.
    #[error("can't open {}: {cause}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is not a database of Roster's; give another path, or move the file away", file.display())]
    NotOurs {
        /// Which.
        file: PathBuf,
    },
    /// A newer Roster has made or changed it.
    #[error(
        "{} has the schema version {found} of a newer Roster; this one knows up to {known}: use the newer one",
        file.display()
    )]
    Newer {
        /// Which.
        file: PathBuf,
        /// Its schema's version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// An older Roster has left it, and it is only to be read.
    #[error(
        "{} has the schema version {found} of an older Roster, and it is only read: start this Roster on it, or on a copy of it, \
         once",
        file.display()
    )]
    Older {
        /// Which.
        file: PathBuf,
        /// Its schema's version.
        found: u32,
    },
    /// Users have names that are one in this version: somebody has to decide, and nothing was changed.
    #[error(
        "users in {} share names, and nothing was changed: {conflicts}; with the Roster from before, give all but one of each \
         another name, or delete them for good; then start this one again",
        file.display()
    )]
    Conflicts {
        /// Which file.
        file: PathBuf,
        /// Who shares what.
        conflicts: Conflicts,
    },
    /// The file system does not do what a write-ahead log needs.
    #[error("{} lies on a file system without shared memory (a network share?); use a local disk", file.display())]
    NoWriteAheadLog {
        /// Which.
        file: PathBuf,
    },
    /// `SQLite` refused.
    #[error("can't use the database {}: {cause}", file.display())]
    Sqlite {
        /// Which.
        file: PathBuf,
        /// What it says.
        cause: rusqlite::Error,
    },
    /// No thread could be started.
    #[error("can't start the thread that writes: {0}")]
    Thread(std::io::Error),
}

/// How long one process waits for another that writes.
const BUSY_WRITER: Duration = Duration::from_secs(5);
/// Readers hardly ever wait: only while another process recovers the log.
const BUSY_READER: Duration = Duration::from_secs(1);

/// Opens the connection that writes. Makes folder, file and tables where there are none.
pub(crate) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let fault = |cause| sqlite_error(path, cause);
    // By a connection that only reads: one that may write folds the log into the file when it closes.
    if is_written(path)
        && let Err(error @ OpenError::Newer { .. }) = look(path, |connection| {
            crate::migrate::check(connection).map_err(|error| migrate_error(path, error))
        })
    {
        return Err(error);
    }
    make_file(path)?;
    let mut connection =
        Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE)).map_err(fault)?;
    connection.busy_timeout(BUSY_WRITER).map_err(fault)?;
    // Before anything is changed, so that a file that is not ours stays as it is.
    crate::migrate::check(&connection).map_err(|error| migrate_error(path, error))?;
    if !use_write_ahead_log(&connection).map_err(fault)? {
        return Err(OpenError::NoWriteAheadLog { file: path.to_owned() });
    }
    // FULL: the log is synced at each commit, so that what was answered survives a power cut.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
             PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection).map_err(|error| migrate_error(path, error))?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    prepared(Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?)
}

fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_READER)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024;")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Opens a connection that only reads a file beside which there is no log, and makes none: [`reader`] would, and leave it. Nobody
/// else may write to the file meanwhile.
pub(crate) fn reader_alone(path: &Path) -> rusqlite::Result<Connection> {
    let mut url = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' => url.extend(b"%25"),
            b'?' => url.extend(b"%3F"),
            b'#' => url.extend(b"%23"),
            byte => url.push(*byte),
        }
    }
    url.extend(b"?immutable=1");
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    prepared(Connection::open_with_flags(OsStr::from_bytes(&url), flags(access))?)
}

/// Looks once into a file that is there, and leaves nothing beside it. Who opens it meanwhile makes a log, and it is looked at again.
fn look<T>(path: &Path, look: impl Fn(&Connection) -> Result<T, OpenError>) -> Result<T, OpenError> {
    let unseen = |cause| OpenError::File { file: path.to_owned(), cause };
    let look = |connection: rusqlite::Result<Connection>| {
        look(&connection.map_err(|cause| sqlite_error(path, cause))?)
    };
    // As SQLite does, which looks for the log beside the file that a link leads to.
    let file = path.canonicalize().map_err(unseen)?;
    if let Some(found) = Unopened::of(&file).map_err(unseen)? {
        let seen = look(reader_alone(&file));
        if found.check().is_ok() {
            return seen;
        }
    }
    look(reader(&file))
}

/// A connection is never used by two threads at once, so it needs no lock of its own.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Looks whether [`writer`] could open a file that is there, and changes nothing. Answers whether anybody is in it.
pub(crate) fn examine(path: &Path) -> Result<bool, OpenError> {
    let unwritable = |cause| OpenError::File { file: path.to_owned(), cause };
    OpenOptions::new().read(true).write(true).open(path).map_err(unwritable)?;
    look(path, |connection| {
        // In a new file there are no tables.
        if crate::migrate::examine(connection).map_err(|error| migrate_error(path, error))? == 0 {
            return Ok(false);
        }
        exists(connection, "SELECT 1 FROM users", []).map_err(|cause| sqlite_error(path, cause))
    })
}

/// Counts who is past the retention in a file of any version.
pub(crate) fn expired(path: &Path, cutoff: Timestamp, now: Timestamp) -> Result<Expired, OpenError> {
    look(path, |connection| {
        let version = crate::migrate::check(connection).map_err(|error| migrate_error(path, error))?;
        if version == 0 {
            return Ok(Expired::default());
        }
        expired::count_at(connection, version, cutoff, now).map_err(|cause| sqlite_error(path, cause))
    })
}

fn is_written(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.len() > 0)
}

fn make_file(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|cause| OpenError::Folder { folder: folder.to_owned(), cause })?;
    }
    // SQLite gives its other files the mode of this one.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|cause| OpenError::File { file: path.to_owned(), cause })
}

/// Answers whether the log is in use. Two processes that switch to it at once don't wait for one another of themselves.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<bool> {
    let end = now() + BUSY_WRITER;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && now() < end => {
                std::thread::sleep(Duration::from_millis(10));
            }
            mode => return mode.map(|mode| mode.eq_ignore_ascii_case("wal")),
        }
    }
}

pub(crate) fn sqlite_error(path: &Path, cause: rusqlite::Error) -> OpenError {
    let file = path.to_owned();
    if cause.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        OpenError::NotOurs { file }
    } else {
        OpenError::Sqlite { file, cause }
    }
}

pub(crate) fn migrate_error(path: &Path, error: MigrateError) -> OpenError {
    let file = path.to_owned();
    match error {
        MigrateError::NotOurs => OpenError::NotOurs { file },
        MigrateError::Newer { found, known } => OpenError::Newer { file, found, known },
        MigrateError::Conflicts(conflicts) => OpenError::Conflicts { file, conflicts },
        MigrateError::Sqlite(cause) => sqlite_error(path, cause),
    }
}
