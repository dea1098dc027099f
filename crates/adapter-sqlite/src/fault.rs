use std::path::PathBuf;
use std::sync::Arc;

use roster_domain::ports::Unavailable;

/// What the log calls this store.
pub(crate) const STORE: &str = "SQLite";

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SqliteFault {
    #[error("too many writes wait")]
    QueueFull,
    #[error("it waited too long for its turn")]
    TooLate,
    #[error("it took too long")]
    TimedOut,
    #[error("it panicked")]
    Panicked,
    #[error("the database is closing")]
    Closing,
    #[error("{} was deleted or replaced; put it back", file.display())]
    Moved { file: PathBuf },
    #[error("a newer Roster has brought the file to schema version {found}: stop this one")]
    Newer { found: i64 },
    #[error("{} was changed while it was read; stop what writes to it", file.display())]
    Changed { file: PathBuf },
    #[error("{} can't be looked for", file.display())]
    Unseen { file: PathBuf, source: Arc<std::io::Error> },
    #[error("SQLite refused")]
    Sqlite(#[source] Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for SqliteFault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<SqliteFault> for Unavailable {
    fn from(fault: SqliteFault) -> Self {
        Self::new(STORE, fault)
    }
}

/// What ends a write: the domain's refusal, or a failure of the database.
#[derive(Debug)]
pub(crate) enum WriteError<E> {
    Refused(E),
    Failed(rusqlite::Error),
}

impl<E> From<rusqlite::Error> for WriteError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}
