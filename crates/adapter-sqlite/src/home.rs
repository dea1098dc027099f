use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fault::SqliteFault;

/// Where the database's files were when it was opened. `SQLite` goes on with files that were deleted or replaced under it, and
/// what it then acknowledged would be gone with them.
#[derive(Debug, Default)]
pub(crate) struct Home {
    /// The file and its log, where they are there, each with its device and number.
    files: Vec<(PathBuf, (u64, u64))>,
}

impl Home {
    /// # Errors
    /// Where the file itself can't be told from others.
    pub(crate) fn of(file: &Path) -> io::Result<Self> {
        let mut files = vec![(file.to_owned(), identity(file)?)];
        let log = log_of(file);
        match identity(&log) {
            Ok(identity) => files.push((log, identity)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { files })
    }

    /// # Errors
    /// [`SqliteFault::Moved`] as long as another file, or none, lies where one of them was; [`SqliteFault::Unseen`] where nobody can tell.
    pub(crate) fn check(&self) -> Result<(), SqliteFault> {
        for (path, known) in &self.files {
            let file = path.clone();
            match identity(path) {
                Ok(found) if found == *known => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SqliteFault::Unseen { file, source: Arc::new(error) });
                }
                Ok(_) | Err(_) => return Err(SqliteFault::Moved { file }),
            }
        }
        Ok(())
    }
}

/// Those of the database's files that others than their owner may read or change.
pub(crate) fn exposed(file: &Path) -> io::Result<Vec<PathBuf>> {
    // As SQLite does, which looks for the log beside the file that a link leads to.
    let file = file.canonicalize()?;
    for folder in file.ancestors().skip(1) {
        // Who may not enter it reaches nothing in it.
        if folder.metadata()?.mode() & 0o011 == 0 {
            return Ok(Vec::new());
        }
    }
    let mut exposed = Vec::new();
    for file in [log_of(&file), file] {
        match file.metadata() {
            Ok(found) if found.mode() & 0o066 != 0 => exposed.push(file),
            Ok(_) => {}
            // The log goes with the last who has the database open.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(exposed)
}

pub(crate) fn log_of(file: &Path) -> PathBuf {
    let mut log = OsString::from(file);
    log.push("-wal");
    log.into()
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_file_has_no_home() {
        let folder = tempfile::tempdir().unwrap();
        for nowhere in [Path::new(""), &folder.path().join("roster.db")] {
            assert_eq!(Home::of(nowhere).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_file_that_can_not_be_looked_for_is_not_said_to_be_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let file = data.join("roster.db");
        std::fs::write(&file, "").unwrap();
        let home = Home::of(&file).unwrap();
        home.check().unwrap();
        std::fs::rename(&data, folder.path().join("elsewhere")).unwrap();
        assert!(matches!(home.check(), Err(SqliteFault::Moved { .. })));
        // In the way of the path, as a folder would be that may not be entered (which does not keep root out).
        std::fs::write(&data, "").unwrap();
        assert!(matches!(home.check(), Err(SqliteFault::Unseen { .. })));
    }
}
