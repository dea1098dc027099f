//! An empty store for a run, and the settings that select it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use mongodb::Client;
use roster_adapter_mongo::MongoStore;
use roster_adapter_sqlite::SqliteStore;
use roster_domain::ports::AccountArchive;
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::START;
use roster_test_mongo::fetch;
use roster_test_mongo::guardian::Guardian;
use tempfile::TempDir;

use crate::outcome::Outcome;

/// Which store is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The embedded one.
    Sqlite,
    /// A MongoDB.
    Mongodb,
}

/// A MongoDB: one that was named, or one that lives as long as this value.
pub(crate) struct Mongo {
    pub(crate) url: String,
    _server: Option<(Guardian, TempDir)>,
}

impl Mongo {
    pub(crate) fn at(url: String) -> Self {
        Self { url, _server: None }
    }

    /// A server of its own with the settings that it has by itself, in a temporary folder.
    pub(crate) fn start() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("roster-bench-mongo-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port().to_string();
        let path = folder.path().display().to_string();
        let arguments = ["--bind_ip", "127.0.0.1", "--port", &port, "--dbpath", &path];
        let server =
            Guardian::of_program(&fetch::mongod()?, arguments, folder.path(), "Waiting for connections")?;
        Ok(Self { url: format!("mongodb://127.0.0.1:{port}/"), _server: Some((server, folder)) })
    }
}

/// One store, empty at first.
pub(crate) enum Store<'a> {
    Sqlite(&'a Path),
    Mongo { url: &'a str, database: String },
}

impl Store<'_> {
    /// The settings of a server on this store.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Sqlite(folder) => {
                vec![("DATABASE_URL", format!("sqlite://{}", folder.join("roster.db").display()))]
            }
            Self::Mongo { url, database } => {
                vec![("DATABASE_URL", (*url).to_owned()), ("DB_NAME", database.clone())]
            }
        }
    }

    /// The port through which it is filled.
    pub(crate) async fn archive(&self) -> Outcome<Box<dyn AccountArchive>> {
        Ok(match self {
            Self::Sqlite(folder) => Box::new(SqliteStore::open(&folder.join("roster.db"))?),
            Self::Mongo { url, database } => {
                // Neither is asked for anything by an import.
                let (clock, ids) = (ManualClock::new(START), CountingIds::new());
                Box::new(MongoStore::connect(url, database, Arc::new(clock), Arc::new(ids)).await?)
            }
        })
    }

    /// Removes what does not lie in the run's folder.
    pub(crate) async fn remove(&self) -> Outcome {
        if let Self::Mongo { url, database } = self {
            Client::with_uri_str(url).await?.database(database).drop().await?;
        }
        Ok(())
    }
}
