//! A file that is only read: what accounts are moved from. Neither it nor what lies beside it is changed.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountSource, Expired, PendingRemoval, Unavailable};
use roster_domain::values::{Timestamp, UserId};
use rusqlite::Connection;

use crate::accounts::had_admin;
use crate::migrate::{check, newest};
use crate::open::{self, OpenError, migrate_error, sqlite_error};
use crate::readers::Readers;
use crate::rows::{self, all, saturate};
use crate::unopened::Unopened;
use crate::{DEADLINE, archive, expired};

const COUNT: &str = "SELECT live + trashed FROM summary";

pub(crate) const REMOVALS: &str = "SELECT owner, store, key, due_at FROM image_removals
     WHERE (store, key) > (?1, ?2) ORDER BY store, key LIMIT ?3";

/// A file of this version of Roster's, of which nothing is changed.
pub struct SqliteSource {
    readers: Arc<Readers>,
    /// How the file was found, where no log lies beside it.
    found: Option<Unopened>,
}

impl SqliteSource {
    /// Opens a file that is there to read it; `None` where nobody is in it.
    ///
    /// # Errors
    /// The reason in one line. A file of an older version is refused, as only a start brings it forward.
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        let unseen = |cause| OpenError::File { file: path.to_owned(), cause };
        // As SQLite does, which looks for the log beside the file that a link leads to.
        let path = path.canonicalize().map_err(unseen)?;
        let found = Unopened::of(&path).map_err(unseen)?;
        let open = if found.is_some() { open::reader_alone } else { open::reader };
        let connection = open(&path).map_err(|cause| sqlite_error(&path, cause))?;
        let version = check(&connection).map_err(|error| migrate_error(&path, error))?;
        if version == 0 {
            return Ok(None);
        }
        if version < newest() {
            return Err(OpenError::Older { file: path, found: version });
        }
        if count(&connection).map_err(|cause| sqlite_error(&path, cause))? == 0 {
            return Ok(None);
        }
        let readers = Readers::new(&path, open, DEADLINE).map_err(unseen)?;
        Ok(Some(Self { readers: Arc::new(readers), found }))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let answer = self.readers.page(read).await;
        if let Some(found) = &self.found {
            // Before the answer, whose failure may come of it.
            found.check()?;
        }
        Ok(answer?)
    }
}

fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(COUNT, [], |row| rows::count(row, 0))
}

#[async_trait]
impl AccountSource for SqliteSource {
    async fn count(&self) -> Result<u64, Unavailable> {
        self.read(count).await
    }

    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        self.read(move |connection| archive::accounts(connection, after, limit)).await
    }

    async fn removals(
        &self,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        self.read(move |connection| {
            let (store, key) = after
                .as_ref()
                .map_or(("", ""), |after| (after.image.store.as_str(), after.image.key.as_str()));
            all(connection, REMOVALS, (store, key, saturate(limit)), |row| {
                Ok(PendingRemoval {
                    owner: rows::user_id(row, 0)?,
                    image: rows::image(row, 1)?,
                    due: rows::timestamp(row, 3)?,
                })
            })
        })
        .await
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        self.read(had_admin).await
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        self.read(move |connection| expired::count(connection, cutoff, now)).await
    }
}
