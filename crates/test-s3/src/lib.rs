//! A real S3 server for tests: it speaks the protocol, checks signatures and keeps objects in a folder; and it can be killed,
//! started again and slowed down.
//!
//! It runs in the test's own process, on a thread and a port of its own, and ends with its value. Like S3 itself, and unlike
//! the library that it is made of, it refuses an object for a bucket that is not there.

mod answer;
mod config;
mod mode;
mod path;
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use s3s::service::S3Service;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::mode::Modes;
use crate::path::Below;
use crate::server::{Port, Running};

pub use crate::config::Config;
pub use crate::mode::{Canned, Mode};

/// A server of a test's own, with an empty bucket.
///
/// # Panics
/// Its methods do, where it can't do what it is asked: a test without its server has failed.
pub struct TestS3 {
    config: Config,
    modes: Modes,
    running: Option<Running>,
    // After the server: fields are dropped in order.
    port: Port,
    _folder: TempDir,
}

#[expect(clippy::expect_used, reason = "a test without its server has failed")]
#[expect(clippy::missing_panics_doc, reason = "said once, of the type")]
impl TestS3 {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self::start_below("")
    }

    /// Starts one that is reached below a path, such as `/storage/v1`, and nowhere else. The path is a part of what is signed.
    #[must_use]
    pub fn start_below(path: &str) -> Self {
        let folder =
            tempfile::Builder::new().prefix("roster-test-s3-").tempdir().expect("a temporary folder");
        let mut config = Config { path: path.to_owned(), ..Config::local(folder.path()) };
        let modes = Modes::default();
        let port = Port::reserve(config.address).expect("a free port");
        config.address = port.address().expect("the port's number");
        let running = Running::start(&port, &config, &modes).expect("a server that starts");
        Self { config, modes, running: Some(running), port, _folder: folder }
    }

    /// Where it is: what `AWS_ENDPOINT_URL_S3` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.config.address, self.config.path)
    }

    /// Its bucket and its keys.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Kills it: whatever it is doing ends in the middle, and nobody answers at its port any more.
    pub fn kill(&mut self) {
        self.running.take().expect("it is running").kill();
    }

    /// Starts it again, on its port and its objects.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "it is running");
        let running = Running::start(&self.port, &self.config, &self.modes).expect("a server that starts");
        self.running = Some(running);
    }

    /// How it answers from now on, also on connections that are open and requests that hang.
    pub fn set_mode(&self, mode: Mode) {
        self.modes.set(mode);
    }

    /// Waits until a request hangs by this server's [mode](Mode).
    pub async fn hangs(&self) {
        self.modes.hangs().await;
    }

    /// What the bucket holds, by their keys.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let bucket = self.bucket();
        let mut found = BTreeMap::new();
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            // One that is not there (yet, or any more) holds nothing.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(content) = fs::read(&path) {
                    let key = path.strip_prefix(&bucket).expect("a path in the bucket");
                    found.insert(key.to_str().expect("a key").to_owned(), content);
                }
            }
        }
        found
    }

    /// Puts other content in the place of an object's, past the server.
    pub fn overwrite(&self, key: &str, content: &[u8]) {
        let path = self.bucket().join(key);
        assert!(path.is_file(), "no object {key}");
        fs::write(path, content).expect("an object that is written");
    }

    /// Removes the bucket with all that it holds.
    pub fn remove_bucket(&self) {
        fs::remove_dir_all(self.bucket()).expect("a bucket that is removed");
    }

    /// Makes another bucket, whose objects [`objects`](Self::objects) does not list.
    pub fn make_bucket(&self, name: &str) {
        fs::create_dir(self.config.folder.join(name)).expect("a new bucket");
    }

    fn bucket(&self) -> PathBuf {
        self.config.folder.join(&self.config.bucket)
    }
}

/// A server that listens, for a program of its own.
pub struct Server {
    listener: TcpListener,
    service: S3Service,
    below: Below,
}

impl Server {
    /// Makes the bucket where it is missing, and listens.
    ///
    /// # Errors
    /// Where the folder is not there or the address is not free.
    pub fn bind(config: &Config) -> io::Result<Self> {
        let service = server::service(config)?;
        let listener = Port::reserve(config.address)?.listen()?;
        Ok(Self { listener, service, below: server::below(config) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for as long as this is awaited.
    pub async fn serve(self) {
        server::serve(self.listener, self.service, self.below, Modes::default()).await;
    }
}
