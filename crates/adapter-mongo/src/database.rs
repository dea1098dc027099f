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

use crate::sweep::SWEEP_INTERVAL;
use crate::{ConnectError, MongoSource, MongoStore};

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

    /// The same, whose upkeep compares all users so often with what is kept of them, or once after a start.
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

    async fn source(&self) -> Result<Option<MongoSource>, ConnectError> {
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
        Ok(self.source().await?.map(|source| Arc::new(source) as _))
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, OpenError> {
        match self.source().await? {
            Some(source) => {
                source.expired(cutoff, now).await.map_err(|error| OpenError::NotReady(error.into()))
            }
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
        Some(SWEEP_INTERVAL)
    }

    async fn upkeep(&self) -> Result<(), Unavailable> {
        self.sweep_in_turn(self.compare_every).await
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
