//! What the tests of this adapter share: a database of a test's own.

pub(crate) mod look;
pub(crate) mod original;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mongodb::Collection;
use mongodb::bson::Document;
use roster_adapter_mongo::{ConnectError, MongoSource, MongoStore};
use roster_domain::ports::Occupancy;
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::START;
use roster_test_mongo::{Topology, asked_topology};
use tokio::time::timeout;

/// A database of a test's own, which goes with it.
pub(crate) struct Database(roster_test_mongo::Database);

impl Database {
    /// A database with nothing in it.
    pub(crate) async fn fresh() -> Self {
        Self::fresh_on(asked_topology()).await
    }

    /// A database with nothing in it, on a server of that topology.
    pub(crate) async fn fresh_on(topology: Topology) -> Self {
        Self(roster_test_mongo::Database::fresh(topology).await)
    }

    /// Puts into it what a folder holds.
    pub(crate) async fn restore(&self, folder: &Path) {
        self.0.restore(folder).await;
    }

    /// All that is in it, for comparing.
    pub(crate) async fn content(&self) -> BTreeMap<String, Vec<Document>> {
        self.0.content().await
    }

    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }

    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    /// A store on it.
    pub(crate) async fn try_connect(&self) -> Result<MongoStore, ConnectError> {
        connect(self.url(), self.name()).await
    }

    /// What a look at it tells, tried as often as a store.
    pub(crate) async fn examine(&self) -> Result<Occupancy, ConnectError> {
        let examined = async {
            loop {
                let (clock, ids) = clock_and_ids();
                match MongoStore::examine(self.url(), self.name(), clock, ids).await {
                    Err(error) if error.is_worth_retrying() => {}
                    examined => break examined,
                }
            }
        };
        timeout(Duration::from_mins(1), examined).await.expect("a server that answers")
    }

    /// A store on it.
    pub(crate) async fn connect(&self) -> MongoStore {
        connect_patiently(self.url(), self.name()).await
    }

    /// The database as the original and the shell see it.
    pub(crate) async fn raw(&self) -> mongodb::Database {
        self.0.raw().await
    }

    /// A collection as the original and the shell see it.
    pub(crate) async fn collection(&self, name: &str) -> Collection<Document> {
        self.raw().await.collection(name)
    }
}

/// A store on the database of that name, tried as often as Roster itself would: where the machine is busy, the server may not
/// answer in the two seconds that it has.
pub(crate) async fn connect_patiently(url: &str, name: &str) -> MongoStore {
    let connected = async {
        loop {
            match connect(url, name).await {
                Err(error) if error.is_worth_retrying() => {}
                connected => break connected.expect("a store"),
            }
        }
    };
    timeout(Duration::from_mins(1), connected).await.expect("a server that answers")
}

/// The database of that name as a source, tried as often as Roster itself would; `None` where nobody is in it.
pub(crate) async fn source(url: &str, name: &str) -> Option<MongoSource> {
    let opened = async {
        loop {
            let (clock, ids) = clock_and_ids();
            match MongoSource::open(url, name, clock, ids).await {
                Err(error) if error.is_worth_retrying() => {}
                opened => break opened.expect("a source"),
            }
        }
    };
    timeout(Duration::from_mins(1), opened).await.expect("a server that answers")
}

/// A clock that stands at the start, and ids.
pub(crate) fn clock_and_ids() -> (Arc<ManualClock>, Arc<CountingIds>) {
    (Arc::new(ManualClock::new(START)), Arc::new(CountingIds::new()))
}

/// A store on the database of that name.
pub(crate) async fn connect(url: &str, name: &str) -> Result<MongoStore, ConnectError> {
    let (clock, ids) = clock_and_ids();
    MongoStore::connect(url, name, clock, ids).await
}
