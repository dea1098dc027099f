use std::sync::Arc;
use std::time::Duration;

use roster_adapter_mongo::MongoDatabase;
use roster_adapter_sqlite::SqliteDatabase;
use roster_domain::ports::{Database, OpenError};
use roster_settings::DatabaseUrl;
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep};

use super::error::CompositionError;
use super::system::System;

/// How long a server may take to be there at the start, and how long to wait between two tries.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Makes of a URL the database that it names. Nothing is opened by that.
type Make = fn(&DatabaseUrl, &System) -> Arc<dyn Database>;

/// Every store, by the scheme of its URL.
const DATABASES: &[(&str, Make)] = &[("sqlite", sqlite), ("mongodb", mongodb), ("mongodb+srv", mongodb)];

fn sqlite(url: &DatabaseUrl, _: &System) -> Arc<dyn Database> {
    Arc::new(SqliteDatabase::of(url.url().expose_secret()))
}

fn mongodb(url: &DatabaseUrl, System { clock, ids }: &System) -> Arc<dyn Database> {
    let database = MongoDatabase::of(url.url().clone(), url.name(), Arc::clone(clock), Arc::clone(ids));
    Arc::new(database.compared_every(url.compare_every()))
}

/// The database that the URL names.
pub(crate) fn database(url: &DatabaseUrl, system: &System) -> Result<Arc<dyn Database>, CompositionError> {
    let scheme = url.scheme();
    let known = DATABASES.iter().find(|(known, _)| *known == scheme);
    let (_, make) = known.ok_or_else(|| CompositionError::Scheme(scheme.to_owned()))?;
    Ok(make(url, system))
}

/// Tries again for a while, as long as that may help: a server may still be starting itself.
pub(crate) async fn patiently<T>(
    attempt: impl AsyncFn() -> Result<T, OpenError>,
) -> Result<T, CompositionError> {
    let end = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        match attempt().await {
            Err(error @ OpenError::NotReady(_)) if Instant::now() < end => {
                if !told {
                    let seconds = PATIENCE.as_secs();
                    tracing::warn!(event = "store not ready", %error, "trying for {seconds} seconds");
                }
                told = true;
                sleep(RETRY_EVERY).await;
            }
            outcome => return outcome.map_err(CompositionError::Database),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_that_the_settings_allow_has_its_store() {
        let stores: Vec<_> = DATABASES.iter().map(|(scheme, _)| *scheme).collect();
        assert_eq!(DatabaseUrl::schemes().collect::<Vec<_>>(), stores);
    }
}
