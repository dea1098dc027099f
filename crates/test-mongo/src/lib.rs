//! A real MongoDB for tests, wherever they run. It is looked for in this order:
//!
//! 1. `url`: the server at `TEST_DATABASE_URL`;
//! 2. `container`: a container of `ROSTER_TEST_MONGO_IMAGE` (default [`container::DEFAULT_IMAGE`]) where a Docker engine
//!    answers; where that image can't be pulled, one made here of a fetched `mongod`;
//! 3. `mongod`: a plain process of the program in `MONGOD`, of `mongod` on the `PATH`, or of a fetched one.
//!
//! `ROSTER_TEST_MONGO=url|container|mongod` names one; then the lack of it is a failure. What was chosen is printed once.
//!
//! Nothing outlives the test process, however it ends: see [`guardian`]. Each test uses a database of its own.

pub mod container;
mod database;
pub mod fetch;
pub mod guardian;
pub mod process;
pub mod proxy;

use std::env;

use tokio::sync::OnceCell;

pub use database::Database;

/// How the server is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// One server, without transactions.
    Standalone,
    /// A replica set of so many nodes. More than one are plain processes.
    ReplicaSet(usize),
}

impl Topology {
    /// Whether it has more nodes than one.
    const fn is_many(self) -> bool {
        matches!(self, Self::ReplicaSet(nodes) if nodes > 1)
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[error("no MongoDB for the tests: {0}")]
pub struct NoServer(pub String);

impl NoServer {
    /// Turns any error into one, with what was being done.
    pub(crate) fn while_doing<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Self {
        let what = what.to_owned();
        move |error| Self(format!("{what}: {error}"))
    }
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Url,
    Container,
    Mongod,
}

/// The URL of a server of that topology, started at the first call and shared by all tests of the process.
///
/// A server named by `TEST_DATABASE_URL` is taken as it is, whatever its topology.
///
/// # Panics
/// Where there is none: a test without its server has failed.
#[expect(clippy::panic, reason = "a test without its server has failed")]
pub async fn server(topology: Topology) -> &'static str {
    static STANDALONE: OnceCell<String> = OnceCell::const_new();
    static ONE_NODE: OnceCell<String> = OnceCell::const_new();
    static NODES: OnceCell<String> = OnceCell::const_new();
    let cell = match topology {
        Topology::Standalone => &STANDALONE,
        Topology::ReplicaSet(0 | 1) => &ONE_NODE,
        Topology::ReplicaSet(_) => &NODES,
    };
    match cell.get_or_try_init(|| start(topology)).await {
        Ok(url) => url,
        Err(error) => panic!("{error}"),
    }
}

/// The topology that `ROSTER_TEST_MONGO_NODES` asks for: so many nodes of a replica set, a standalone server without.
///
/// # Panics
/// Where it is no number.
#[must_use]
#[expect(clippy::expect_used, reason = "a wrong setting of the tests is a failure")]
pub fn asked_topology() -> Topology {
    setting("ROSTER_TEST_MONGO_NODES").map_or(Topology::Standalone, |nodes| {
        Topology::ReplicaSet(nodes.parse().expect("ROSTER_TEST_MONGO_NODES is a number"))
    })
}

async fn start(topology: Topology) -> Result<String, NoServer> {
    match setting("ROSTER_TEST_MONGO").as_deref() {
        Some("url") => from(Source::Url, topology).await,
        Some("container") => from(Source::Container, topology).await,
        Some("mongod") => from(Source::Mongod, topology).await,
        Some(other) => {
            Err(NoServer(format!("ROSTER_TEST_MONGO={other}: it may be url, container or mongod")))
        }
        None if setting("TEST_DATABASE_URL").is_some() => from(Source::Url, topology).await,
        None if container::engine_answers() && !topology.is_many() => from(Source::Container, topology).await,
        None => from(Source::Mongod, topology).await,
    }
}

async fn from(source: Source, topology: Topology) -> Result<String, NoServer> {
    let (url, told) = match source {
        Source::Url => {
            let url = setting("TEST_DATABASE_URL").ok_or_else(|| {
                NoServer("ROSTER_TEST_MONGO=url, but TEST_DATABASE_URL is not set".to_owned())
            })?;
            (url, "the server at TEST_DATABASE_URL".to_owned())
        }
        Source::Container => container::start(topology).await?,
        Source::Mongod => process::start(topology).await?,
    };
    // The one line that tells; `libtest` shows it with `--nocapture` and on failure.
    tell(&format!("MongoDB for the tests ({topology:?}): {told}"));
    Ok(url)
}

/// A line for whoever runs the tests.
#[expect(clippy::print_stderr, reason = "it is for the person at the terminal")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// An environment variable; empty is not set.
pub(crate) fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
