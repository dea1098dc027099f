//! A store in a fresh file keeps the contract.

use std::sync::Arc;

use roster_adapter_sqlite::{SqliteSource, SqliteStore};
use roster_domain::ports::AccountSource;
use roster_domain_testkit::contract::{Failing, OpenSource, Refuse, Sourced, Stores};
use roster_domain_testkit::{interrupted_contract, source_contract, store_contract};
use rusqlite::Connection;
use tempfile::TempDir;

async fn fresh() -> (Stores, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(&folder.path().join("roster.db")).expect("a store"));
    let stores = Stores::of(&store);
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

/// A store whose every write of one user then fails in the middle of its transaction.
async fn fresh_that_fails() -> (Failing, TempDir) {
    let (stores, folder) = fresh().await;
    let file = folder.path().join("roster.db");
    let refuse: Refuse = Arc::new(move |user| {
        let connection = Connection::open(&file).expect("the file");
        for change in ["UPDATE", "DELETE"] {
            let trigger = format!(
                "CREATE TRIGGER stuck_{change} BEFORE {change} ON users WHEN old.id = x'{user}'
                 BEGIN SELECT RAISE(ABORT, 'stuck'); END"
            );
            connection.execute_batch(&trigger).expect("a trigger");
        }
        Box::pin(std::future::ready(()))
    });
    (Failing { stores, refuse }, folder)
}

interrupted_contract!(fresh_that_fails);
