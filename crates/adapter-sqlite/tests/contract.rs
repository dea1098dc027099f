//! A store in a fresh file keeps the contract.

use std::fs::read_dir;
use std::sync::Arc;

use roster_adapter_sqlite::{SqliteDatabase, SqliteSource, SqliteStore};
use roster_domain::ports::AccountSource;
use roster_domain_testkit::contract::{
    Content, Databases, Failing, MakeNewer, OpenSource, Refuse, Sourced, Stores,
};
use roster_domain_testkit::{database_contract, interrupted_contract, source_contract, store_contract};
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

async fn fresh_databases() -> (Databases, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = data.join("roster.db");
    let database = |name: &str| {
        let file = folder.path().join(name).join("roster.db");
        Arc::new(SqliteDatabase::of(&format!("sqlite://{}", file.display())))
    };
    let content: Content = Arc::new(move || {
        let files = read_dir(&data).into_iter().flatten().map(|file| file.expect("a file"));
        let content = files.map(|file| {
            let name = file.file_name().into_string().expect("a name of ours");
            // The locks of who has it open, and where its log ends: nothing that is kept.
            let is_memory = name.ends_with("-shm");
            (name, if is_memory { Vec::new() } else { std::fs::read(file.path()).expect("a file") })
        });
        Box::pin(std::future::ready(content.collect()))
    });
    let make_newer: MakeNewer = Arc::new(move || {
        let connection = Connection::open(&file).expect("the file");
        connection.execute_batch("PRAGMA user_version = 77").expect("a version");
        Box::pin(std::future::ready(()))
    });
    (Databases { one: database("data"), another: database("another"), content, make_newer }, folder)
}

database_contract!(fresh_databases);

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
