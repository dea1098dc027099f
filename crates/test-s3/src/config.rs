use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
    /// Where its buckets are. The folder has to be there.
    pub folder: PathBuf,
    /// What stands before all its paths: empty, or with a slash at its beginning and none at its end.
    pub path: String,
    /// The bucket that it has.
    pub bucket: String,
    /// The id of the only key that it knows.
    pub access_key_id: String,
    /// That key's secret.
    pub secret_access_key: String,
}

impl Config {
    /// On a free port of this machine, with a bucket `images` in that folder, and keys that any test may know.
    #[must_use]
    pub fn local(folder: &Path) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            folder: folder.to_owned(),
            path: String::new(),
            bucket: "images".to_owned(),
            access_key_id: "roster-test".to_owned(),
            secret_access_key: "a secret of the tests".to_owned(),
        }
    }
}
