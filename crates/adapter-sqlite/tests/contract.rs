//! A store in a fresh file keeps the contract.

use std::sync::Arc;

use roster_adapter_sqlite::{SqliteSource, SqliteStore};
use roster_domain::ports::AccountSource;
use roster_domain_testkit::contract::{OpenSource, Sourced, Stores};
use roster_domain_testkit::{source_contract, store_contract};
use tempfile::TempDir;

async fn fresh() -> (Stores, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(&folder.path().join("roster.db")).expect("a store"));
    let stores =
        Stores { users: store.clone(), trash: store.clone(), removals: store.clone(), archive: store };
    (stores, folder)
}

store_contract!(fresh);

async fn fresh_source() -> (Sourced, TempDir) {
    let (stores, folder) = fresh().await;
    let file = folder.path().join("roster.db");
    let open: OpenSource = Arc::new(move || {
        let source = SqliteSource::open(&file).expect("a source");
        Box::pin(async move { source.map(|source| Arc::new(source) as Arc<dyn AccountSource>) })
    });
    (Sourced { stores, open }, folder)
}

source_contract!(fresh_source);
