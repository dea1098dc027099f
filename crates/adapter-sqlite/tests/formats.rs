//! A file of every released version is opened, brought forward, and holds all that it held.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use roster_adapter_sqlite::SqliteStore;
use roster_domain_testkit::contract::Stores;
use roster_domain_testkit::formats::{self, Expected};
use tempfile::TempDir;

/// A copy of a version's file, and what is in it.
fn kept(version: &str) -> (PathBuf, TempDir, Expected) {
    let (folder, original) = (tempfile::tempdir().expect("a folder"), formats::sqlite(version));
    let file = folder.path().join("roster.db");
    fs::copy(&original, &file).expect("a copy");
    (file, folder, Expected::of(&original))
}

fn open(file: &std::path::Path) -> Stores {
    let store = Arc::new(SqliteStore::open(file).expect("a store"));
    Stores::of(&store)
}

#[tokio::test]
async fn a_file_of_every_version_is_opened_and_holds_all_that_it_held() {
    for version in formats::VERSIONS {
        let (file, _folder, expected) = kept(version);
        for _ in 0..2 {
            let stores = open(&file);
            formats::check(&stores, &expected).await;
            formats::check_names(&stores).await;
        }
    }
}
