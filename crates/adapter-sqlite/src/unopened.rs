use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fault::SqliteFault;
use crate::home::log_of;

/// A file that nobody has open, as SQLite makes a log for whoever opens it. So it is read without one, which shows nothing of
/// what somebody then writes: whether somebody has is looked at after each reading.
#[derive(Clone)]
pub(crate) struct Unopened {
    file: PathBuf,
    /// What a write changes: when it was, the length, and which file it is.
    state: [i64; 5],
}

impl Unopened {
    /// The file, where no log lies beside it.
    pub(crate) fn of(file: &Path) -> io::Result<Option<Self>> {
        if log_of(file).try_exists()? {
            return Ok(None);
        }
        Ok(Some(Self { file: file.to_owned(), state: Self::state(file)? }))
    }

    fn state(file: &Path) -> io::Result<[i64; 5]> {
        let found = file.metadata()?;
        let [device, number, length] = [found.dev(), found.ino(), found.size()].map(u64::cast_signed);
        Ok([device, number, length, found.mtime(), found.mtime_nsec()])
    }

    /// # Errors
    /// Where somebody has opened or changed it since, or nobody can tell.
    pub(crate) fn check(&self) -> Result<(), SqliteFault> {
        let unseen = |source| SqliteFault::Unseen { file: self.file.clone(), source: Arc::new(source) };
        let is_opened = log_of(&self.file).try_exists().map_err(unseen)?;
        if is_opened || Self::state(&self.file).map_err(unseen)? != self.state {
            return Err(SqliteFault::Changed { file: self.file.clone() });
        }
        Ok(())
    }
}
