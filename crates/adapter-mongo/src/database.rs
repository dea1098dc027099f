use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::{
    AccountSource, Clock, Database, Expired, Identity, Ids, Occupancy, OpenError, Store, StoreObserver,
    Unavailable,
};
use roster_domain::values::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::{ConnectError, MongoSource, MongoStore};

/// How often the upkeep is to run, so that users whom others added, deleted or restored are found within a minute.
const SWEEP_EVERY: Duration = Duration::from_secs(45);

/// For how long the other instances leave the sweep to the one that has begun one. It is less than the interval, so that a
/// single instance always has its turn, whatever the clocks' jitter.
const TURN: Duration = Duration::from_secs(35);

/// A database on a server or a replica set.
pub struct MongoDatabase {
    url: SecretString,
    name: String,
    compare_every: Option<Duration>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl MongoDatabase {
    /// The database of that name on what a `mongodb://` or `mongodb+srv://` URL names.
    #[must_use]
    pub fn of(url: SecretString, name: &str, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { url, name: name.to_owned(), compare_every: None, clock, ids }
    }

    /// The same, whose upkeep compares all users with what is kept of them this often; without an interval, only once after each start.
    #[must_use]
    pub fn compared_every(self, compare_every: Option<Duration>) -> Self {
        Self { compare_every, ..self }
    }

    fn url(&self) -> &str {
        self.url.expose_secret()
    }

    fn clock_and_ids(&self) -> (Arc<dyn Clock>, Arc<dyn Ids>) {
        (Arc::clone(&self.clock), Arc::clone(&self.ids))
    }

    async fn open_source(&self) -> Result<Option<MongoSource>, ConnectError> {
        let (clock, ids) = self.clock_and_ids();
        MongoSource::open(self.url(), &self.name, clock, ids).await
    }
}

#[async_trait]
impl Database for MongoDatabase {
    async fn open(&self, observer: Option<Arc<dyn StoreObserver>>) -> Result<Arc<dyn Store>, OpenError> {
        let (clock, ids) = self.clock_and_ids();
        let store = MongoStore::connect(self.url(), &self.name, clock, ids).await?;
        Ok(Arc::new(MongoStore { compare_every: self.compare_every, ..store }.observed_by(observer)))
    }

    async fn examine(&self) -> Result<Occupancy, OpenError> {
        let (clock, ids) = self.clock_and_ids();
        Ok(MongoStore::examine(self.url(), &self.name, clock, ids).await?)
    }

    async fn source(&self) -> Result<Option<Arc<dyn AccountSource>>, OpenError> {
        Ok(self.open_source().await?.map(|source| Arc::new(source) as _))
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, OpenError> {
        match self.open_source().await? {
            Some(source) => Ok(source.count_expired(cutoff, now).await?),
            None => Ok(Expired::default()),
        }
    }

    async fn identity(&self) -> Result<Option<Identity>, OpenError> {
        let (clock, ids) = self.clock_and_ids();
        Ok(MongoStore::identity_of(self.url(), &self.name, clock, ids).await?)
    }

    fn exposed_files(&self) -> Result<Vec<PathBuf>, OpenError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn probe(&self) -> Result<(), Unavailable> {
        // In a replica set its primary answers.
        Ok(self.heed_format().await?)
    }

    fn upkeep_every(&self) -> Option<Duration> {
        Some(SWEEP_EVERY)
    }

    async fn upkeep(&self) -> Result<(), Unavailable> {
        // By every instance, and before the turn is written.
        self.heed_format().await?;
        let Some(turn) = self.take("sweep", TURN).await? else {
            return Ok(());
        };
        let swept = self.sweep(self.compare_every).await;
        if swept.is_err() {
            // For another instance, and for the next try: it would find the turn taken, and all would seem well.
            self.give_back(turn).await;
        }
        swept
    }
}

impl From<ConnectError> for OpenError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Url { .. } => Self::Url(error.into()),
            error if error.is_worth_retrying() => Self::NotReady(error.into()),
            error => Self::Refused(error.into()),
        }
    }
}
