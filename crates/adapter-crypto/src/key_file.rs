//! A file with the key that signs tokens, for whoever sets none: generated once, and kept beside the data.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use roster_domain::values::{SHORTEST_KEY, weakness};
use secrecy::SecretString;

/// The file's name, in the database's folder.
const FILE: &str = "secret_key";

/// More than any key has.
const LONGEST_FILE: u64 = 4096;

/// Why the kept key is not used. It never says what the key is.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It could not be made.
    #[error("can't keep a signing key in {}; set SECRET_KEY, or make it writable", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It could not be read.
    #[error("can't read the signing key in {}; set SECRET_KEY, or make it readable", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Other users of the machine can read it.
    #[error(
        "others may read the signing key in {path} (mode {mode:03o}): `chmod 600 {path}`, or remove it for a new one, \
         which ends all tokens",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key that we made.
    #[error("the signing key in {} {why}: remove it for a new one, which ends all tokens", path.display())]
    Weak {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The key that is kept in the folder, which has to exist; a new one where there is none.
///
/// Processes that start at the same time get the same key.
pub fn load_or_make(folder: &Path) -> Result<(SecretString, PathBuf), KeyFileError> {
    let path = folder.join(FILE);
    if let Some(key) = load(&path)? {
        return Ok((key, path));
    }
    make(folder, &path).map_err(|source| KeyFileError::Make { path: path.clone(), source })?;
    let key = load(&path)?.ok_or_else(|| {
        let source = io::Error::from(io::ErrorKind::NotFound);
        KeyFileError::Read { path: path.clone(), source }
    })?;
    Ok((key, path))
}

/// Looks for the key that is kept in the folder, and makes none. Answers whether there is one, and which file it is.
pub fn examine(folder: &Path) -> Result<(bool, PathBuf), KeyFileError> {
    let path = folder.join(FILE);
    Ok((load(&path)?.is_some(), path))
}

/// The file in which a key is kept in the folder, where there is one: whatever it holds.
#[must_use]
pub fn remains(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(FILE);
    path.exists().then_some(path)
}

fn load(path: &Path) -> Result<Option<SecretString>, KeyFileError> {
    let unreadable = |source| KeyFileError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(LONGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    let key = text.trim_end_matches(['\r', '\n']);
    if let Some(weakness) = weakness(key) {
        return Err(KeyFileError::Weak { path: path.to_owned(), why: weakness.to_string() });
    }
    Ok(Some(SecretString::from(key)))
}

/// Writes a whole file under another name, and gives it its own only where nobody was first.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    let mut key = String::with_capacity(2 * SHORTEST_KEY + 1);
    let mut bytes = [0; SHORTEST_KEY];
    let unseeded = |_| io::Error::other("the system gives no random bytes");
    SystemRandom::new().fill(&mut bytes).map_err(unseeded)?;
    for byte in bytes {
        write!(key, "{byte:02x}").map_err(io::Error::other)?;
    }
    key.push('\n');
    // Its mode is 0600 from the beginning.
    let mut file = tempfile::Builder::new().prefix(".secret_key.").tempfile_in(folder)?;
    file.write_all(key.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(folder)?.sync_all(),
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(lost) => Err(lost.error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::sync::Barrier;

    use secrecy::ExposeSecret;

    use super::*;

    const KEY: &str = "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE";

    fn keep(folder: &Path, content: &[u8], mode: u32) -> PathBuf {
        let path = folder.join(FILE);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_new_key_is_long_random_and_kept_for_its_owner_alone() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (key, path) = load_or_make(one.path()).unwrap();
        assert_eq!(key.expose_secret().len(), 64);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(key.expose_secret(), load_or_make(other.path()).unwrap().0.expose_secret());
        assert_eq!(fs::read_dir(one.path()).unwrap().count(), 1, "nothing else is left in the folder");
    }

    #[test]
    fn a_kept_key_is_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = load_or_make(folder.path()).unwrap();
        let (second, _) = load_or_make(folder.path()).unwrap();
        assert_eq!(first.expose_secret(), second.expose_secret());
    }

    #[test]
    fn a_key_that_an_operator_put_there_is_used() {
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), format!("{KEY}\n").as_bytes(), 0o400);
        assert_eq!(load_or_make(folder.path()).unwrap().0.expose_secret(), KEY);
    }

    #[test]
    fn of_many_that_start_at_once_all_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let start = Barrier::new(8);
        let keys: HashSet<String> = std::thread::scope(|scope| {
            let starters: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        load_or_make(folder.path()).unwrap().0.expose_secret().to_owned()
                    })
                })
                .collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the losers leave nothing behind");
    }

    #[rstest::rstest]
    #[case(0o644)]
    #[case(0o640)]
    #[case(0o602)]
    fn a_key_that_others_may_read_is_refused(#[case] mode: u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = keep(folder.path(), KEY.as_bytes(), mode);
        let error = load_or_make(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode:o}")), "{error}");
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
    }

    #[rstest::rstest]
    #[case(b"")]
    #[case(b"testsecretkey")]
    #[case(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    fn a_kept_key_that_can_be_guessed_is_refused_and_not_shown(#[case] key: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = keep(folder.path(), key, 0o600);
        let error = load_or_make(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(key.is_empty() || !error.contains(str::from_utf8(key).unwrap()), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(matches!(load_or_make(&missing), Err(KeyFileError::Make { .. })));
    }
}
