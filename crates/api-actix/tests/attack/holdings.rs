//! What a process holds, as the system tells it.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::harness::{TestApp, eventually};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    /// Bytes of memory that are resident.
    memory: u64,
    /// Connections of clients that are open.
    connections: usize,
    files: usize,
    /// Bytes on disk of uploads that are not stored yet.
    spooled: u64,
}

impl Holdings {
    pub(crate) fn of(app: &TestApp, metrics: SocketAddr) -> Self {
        let connections = connections(&[app.address().port(), metrics.port()]);
        Self { memory: app.resident_memory(), connections, files: app.open_files(), spooled: spooled(app) }
    }

    /// The most of each until then.
    pub(crate) async fn most_until(app: &TestApp, metrics: SocketAddr, until: Instant) -> Self {
        let mut most = Self::of(app, metrics);
        while Instant::now() < until {
            sleep(Duration::from_millis(250)).await;
            let now = Self::of(app, metrics);
            most = Self {
                memory: most.memory.max(now.memory),
                connections: most.connections.max(now.connections),
                files: most.files.max(now.files),
                spooled: most.spooled.max(now.spooled),
            };
        }
        most
    }

    /// Waits until no more is held than this.
    pub(crate) async fn come_back(self, app: &TestApp, metrics: SocketAddr) {
        eventually("all is as it was", || {
            let now = Self::of(app, metrics);
            now.connections <= self.connections
                && now.spooled == 0
                && now.memory <= self.memory + super::MORE_MEMORY
                && now.files <= self.files + MORE_FILES
        })
        .await;
        println!("after: {}", Self::of(app, metrics));
        let named = fs::read_dir(app.folder().join("spools")).unwrap().count();
        assert_eq!(named, 0, "files are left in TMPDIR");
    }
}

/// How many more files may be open afterwards: as many as MongoDB's driver keeps connections in its pool.
const MORE_FILES: usize = 100;

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, connections, files, spooled } = self;
        let [memory, spooled] = [memory, spooled].map(|bytes| bytes / 1024);
        write!(f, "{memory} KiB of memory, {connections} connections, {files} files, {spooled} KiB spooled")
    }
}

/// How many connections to these ports are open at the server's end.
fn connections(ports: &[u16]) -> usize {
    const LISTENING: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port = fields[1].rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        // What belongs to no process any more has no inode.
        port.is_some_and(|port| ports.contains(&port)) && fields[3] != LISTENING && fields[9] != "0"
    };
    table.lines().skip(1).filter(is_open).count()
}

/// How much disk open files take that have no name.
fn spooled(app: &TestApp) -> u64 {
    let folder = app.folder().join("spools");
    let open = fs::read_dir(format!("/proc/{}/fd", app.pid().as_raw_nonzero())).unwrap();
    // A file may be closed while it is looked at.
    let spools =
        open.flatten().filter(|file| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(&folder)));
    spools.filter_map(|file| fs::metadata(file.path()).ok()).map(|file| file.blocks() * 512).sum()
}
