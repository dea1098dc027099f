//! A file that is only read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use roster_adapter_sqlite::{OpenError, SqliteDatabase, SqliteSource, SqliteStore};
use roster_domain::ports::{AccountSource, Accounts, Database as _, Expired, Occupancy};
use roster_domain::values::Timestamp;
use roster_domain_testkit::fixtures::{START, change, new_user};
use roster_domain_testkit::formats;
use tempfile::TempDir;

/// The files of a folder, with what is in them.
fn files(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = folder.read_dir().expect("a folder").map(|entry| entry.expect("a file"));
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).expect("a file"))).collect()
}

#[tokio::test]
async fn a_file_of_any_name_is_read_and_nothing_is_left_beside_it() {
    for name in ["roster.db", "50% off?.db", "a#b %20.db"] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join(name);
        SqliteStore::open(&file).unwrap().create(&new_user("ann"), &change()).await.unwrap();
        let before = files(folder.path());
        assert_eq!(before.len(), 1, "{:?}", before.keys());
        let source = SqliteSource::open(&file).unwrap().unwrap();
        assert_eq!(source.read(None, 10).await.unwrap().len(), 1);
        assert!(files(folder.path()) == before);
        drop(source);
        assert!(files(folder.path()) == before);
    }
}

#[tokio::test]
async fn a_file_that_is_changed_meanwhile_is_not_read_on() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("roster.db");
    SqliteStore::open(&file).unwrap().create(&new_user("ann"), &change()).await.unwrap();
    let source = SqliteSource::open(&file).unwrap().unwrap();
    assert_eq!(source.count().await.unwrap(), 1);
    let store = SqliteStore::open(&file).unwrap();
    store.create(&new_user("ben"), &change()).await.unwrap();
    let is_told = async || {
        let why = source.count().await.unwrap_err().source.to_string();
        assert!(why.contains("roster.db was changed while it was read"), "{why}");
    };
    // While somebody has it open, and once the log is folded into it.
    is_told().await;
    drop(store);
    is_told().await;
    assert_eq!(SqliteSource::open(&file).unwrap().unwrap().count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_file_that_a_service_has_open_is_read_as_it_is_at_the_moment() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("roster.db");
    let store = SqliteStore::open(&file).unwrap();
    store.create(&new_user("ann"), &change()).await.unwrap();
    let source = SqliteSource::open(&file).unwrap().unwrap();
    store.create(&new_user("ben"), &change()).await.unwrap();
    assert_eq!(source.count().await.unwrap(), 2);
}

#[test]
fn a_file_of_an_older_version_is_refused_and_left_as_it_is() {
    for version in formats::VERSIONS {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("roster.db");
        std::fs::copy(formats::sqlite(version), &file).unwrap();
        let before = files(folder.path());
        let error = SqliteSource::open(&file).err().unwrap();
        assert!(matches!(error, OpenError::Older { .. }), "{error}");
        assert!(error.to_string().contains("start this Roster on it, or on a copy of it, once"), "{error}");
        assert!(files(folder.path()) == before);
    }
}

#[tokio::test]
async fn a_look_leaves_nothing_beside_a_file_of_any_version() {
    for version in formats::VERSIONS {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("roster.db");
        std::fs::copy(formats::sqlite(version), &file).unwrap();
        let before = files(folder.path());
        let database = SqliteDatabase::of(&format!("sqlite://{}", file.display()));
        assert_eq!(database.examine().await.unwrap(), Occupancy::Users);
        assert_ne!(
            database.expired(Timestamp::from_millis(i64::MAX), START).await.unwrap(),
            Expired::default()
        );
        assert!(files(folder.path()) == before);
    }
}

#[tokio::test]
async fn a_look_sees_what_a_service_that_has_the_file_open_has_written() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("roster.db");
    let store = SqliteStore::open(&file).unwrap();
    assert!(!SqliteStore::examine(&file).unwrap());
    store.create(&new_user("ann"), &change()).await.unwrap();
    assert!(SqliteStore::examine(&file).unwrap());
}
