//! What can only be tested from inside: the plans of queries, a disk that is full, deadlines of pages, what is told of calls,
//! which requests are kept.

mod calls;
mod deadline;
mod full_disk;
mod plans;
mod requests;

use tempfile::TempDir;

use crate::SqliteStore;

fn store() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("roster.db")).unwrap();
    (store, folder)
}

/// A test that kills the process can't tell: what the operating system holds survives that, but no power cut.
#[test]
fn a_commit_waits_for_the_disk() {
    const FULL: i64 = 2;
    let folder = tempfile::tempdir().unwrap();
    let writer = crate::open::writer(&folder.path().join("roster.db")).unwrap();
    let synchronous: i64 = writer.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    let journal: String = writer.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!((synchronous, journal.as_str()), (FULL, "wal"));
}
