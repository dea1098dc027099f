use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use roster_domain::ports::{
    self, Access, AccountSource, Database, Expired, Identity, Occupancy, Store, StoreObserver, Unavailable,
};
use roster_domain::values::Timestamp;

use crate::home::exposed;
use crate::open::{self, OpenError};
use crate::{SqliteSource, SqliteStore, read};

/// A database in a file.
pub struct SqliteDatabase {
    file: PathBuf,
}

impl SqliteDatabase {
    /// What a `sqlite://` URL names: a file's path follows, as it is.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self { file: PathBuf::from(url.strip_prefix("sqlite://").unwrap_or(url)) }
    }

    /// Whether the file is there. One that can't be looked for may be.
    fn is_there(&self) -> Result<bool, OpenError> {
        self.file.try_exists().map_err(|cause| OpenError::File { file: self.file.clone(), cause })
    }
}

#[async_trait]
impl Database for SqliteDatabase {
    async fn open(
        &self,
        observer: Option<Arc<dyn StoreObserver>>,
    ) -> Result<Arc<dyn Store>, ports::OpenError> {
        Ok(Arc::new(SqliteStore::open(&self.file)?.observed_by(observer)))
    }

    async fn examine(&self) -> Result<Occupancy, ports::OpenError> {
        let anybody = self.is_there()? && SqliteStore::examine(&self.file)?;
        Ok(if anybody { Occupancy::Users } else { Occupancy::Nobody })
    }

    async fn source(&self) -> Result<Option<Arc<dyn AccountSource>>, ports::OpenError> {
        if !self.is_there()? {
            return Ok(None);
        }
        Ok(SqliteSource::open(&self.file)?.map(|source| Arc::new(source) as _))
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, ports::OpenError> {
        if !self.is_there()? {
            return Ok(Expired::default());
        }
        Ok(open::expired(&self.file, cutoff, now)?)
    }

    async fn identity(&self) -> Result<Option<Identity>, ports::OpenError> {
        identity(&self.file).map_err(|error| ports::OpenError::Refused(error.into()))
    }

    fn exposed_files(&self) -> Result<Vec<PathBuf>, ports::OpenError> {
        if !self.is_there()? {
            return Ok(Vec::new());
        }
        exposed(&self.file).map_err(|error| ports::OpenError::Refused(error.into()))
    }
}

/// By its number on its device, whatever its path.
fn identity(file: &Path) -> io::Result<Option<Identity>> {
    match file.metadata() {
        Ok(found) => {
            let keepers = [format!("device {}", found.dev())].into();
            Ok(Some(Identity { id: format!("file {}", found.ino()), keepers }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn probe(&self) -> Result<(), Unavailable> {
        // Whether the file is where it was and can be read, on a thread that may wait for the disk.
        let call = self.calls.begin("probe", Access::Read);
        let answer = self.readers.probe().await;
        call.end(read(&answer));
        Ok(answer?)
    }
}

impl From<OpenError> for ports::OpenError {
    fn from(error: OpenError) -> Self {
        Self::Refused(error.into())
    }
}
