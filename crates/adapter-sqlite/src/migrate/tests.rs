use std::path::{Path, PathBuf};

use roster_domain::ports::AccountArchive;
use roster_domain::values::ProfileImage;
use tempfile::TempDir;

use super::*;
use crate::{OpenError, SqliteStore, open};

fn file() -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (folder.path().join("roster.db"), folder)
}

fn schema(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_database_is_migrated_once() {
    let (file, _folder) = file();
    let mut connection = open::writer(&file).unwrap();
    let before = schema(&connection);
    assert!(before.iter().any(|name| name == "users"));
    assert!(matches!(migrate(&mut connection), Ok(())));
    assert_eq!(schema(&connection), before);
    assert!(matches!(check(&connection), Ok(4)));
}

/// Brings a new file to an older version, as an older Roster left it.
fn at_version(file: &Path, version: usize) -> Connection {
    let mut connection = Connection::open(file).unwrap();
    for (done, step) in MIGRATIONS[..version].iter().enumerate() {
        let transaction = connection.transaction().unwrap();
        apply(&transaction, step, version_after(done + 1)).unwrap();
        transaction.commit().unwrap();
    }
    connection
}

#[tokio::test]
async fn a_database_of_an_older_roster_is_brought_forward_with_its_users() {
    let (file, _folder) = file();
    let connection = at_version(&file, 1);
    connection
        .execute_batch(
            "INSERT INTO users (rank, id, email, email_key, username, username_key, username_folded, role, password_hash,
                                image_store, image_key)
             VALUES (1, x'670000000000000000000001', 'a@b.cd', 'a@b.cd', 'ann', 'ann', 'ann', 'regular', 'hash',
                     'file', '670000000000000000000001/00000000000000000000000000000000.png');",
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&file).unwrap();
    let accounts = store.read(None, 10).await.unwrap();
    assert_eq!(accounts.len(), 1);
    let image = accounts[0].user.profile_image.as_ref().and_then(ProfileImage::stored).unwrap();
    assert_eq!(image.store.as_str(), "file");
}

#[test]
fn a_database_of_a_newer_roster_is_refused_and_left_as_it_is() {
    let (file, _folder) = file();
    let connection = open::writer(&file).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    let before = schema(&connection);
    let error = SqliteStore::open(&file).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 7, known: 3, .. }), "{error:?}");
    assert!(
        error.to_string().contains("schema version 7 of a newer Roster; this one knows up to 4"),
        "{error}"
    );
    assert_eq!(schema(&connection), before);
}

#[test]
fn a_database_of_something_else_is_refused_and_left_as_it_is() {
    let (file, _folder) = file();
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE recipes (name TEXT); PRAGMA application_id = -5;").unwrap();
    let error = SqliteStore::open(&file).err().unwrap();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
    assert_eq!(schema(&connection), ["recipes"]);
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
}

#[test]
fn a_step_that_fails_leaves_the_version_before() {
    let (file, _folder) = file();
    let mut connection = open::writer(&file).unwrap();
    let transaction = connection.transaction().unwrap();
    apply(&transaction, "CREATE TABLE more (name TEXT); CREATE TABLE users (name TEXT);", 5).unwrap_err();
    drop(transaction);
    assert!(matches!(check(&connection), Ok(4)));
    assert!(!schema(&connection).iter().any(|name| name == "more"));
}
