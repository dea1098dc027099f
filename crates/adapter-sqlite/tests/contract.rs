//! A store in a fresh file keeps the contract.

use std::sync::Arc;

use roster_adapter_sqlite::SqliteStore;
use roster_domain_testkit::contract::Stores;
use roster_domain_testkit::store_contract;
use tempfile::TempDir;

async fn fresh() -> (Stores, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(&folder.path().join("roster.db")).expect("a store"));
    let stores =
        Stores { users: store.clone(), trash: store.clone(), removals: store.clone(), archive: store };
    (stores, folder)
}

store_contract!(fresh);
