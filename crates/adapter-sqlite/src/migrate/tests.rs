use std::path::{Path, PathBuf};

use roster_domain::ports::{AccountArchive, Accounts, CreateError, Store as _};
use roster_domain::values::{ProfileImage, UserId};
use roster_domain_testkit::fixtures::{change, new_user};
use tempfile::TempDir;

use super::*;
use crate::{OpenError, SqliteStore, open};

#[expect(clippy::cast_possible_truncation, reason = "they are few")]
const NEWEST: u32 = MIGRATIONS.len() as u32;

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
    assert!(matches!(check(&connection), Ok(NEWEST)));
}

/// Brings a new file to an older version, as an older Roster left it.
fn at_version(file: &Path, version: usize) -> Connection {
    let mut connection = Connection::open(file).unwrap();
    for (done, step) in MIGRATIONS[..version].iter().enumerate() {
        let transaction = connection.transaction().unwrap();
        assert!(apply(&transaction, *step, version_after(done + 1)).is_ok());
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
    connection.pragma_update(None, "user_version", 77).unwrap();
    let before = schema(&connection);
    let error = SqliteStore::open(&file).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 77, known: NEWEST, .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("schema version 77 of a newer Roster; this one knows up to {NEWEST}")),
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
    let step = Step::Sql("CREATE TABLE more (name TEXT); CREATE TABLE users (name TEXT);");
    assert!(apply(&transaction, step, 99).is_err());
    drop(transaction);
    assert!(matches!(check(&connection), Ok(NEWEST)));
    assert!(!schema(&connection).iter().any(|name| name == "more"));
}

/// The file of version 0.1 that is kept.
fn of_0_1() -> (PathBuf, TempDir) {
    let (path, folder) = file();
    std::fs::copy(roster_domain_testkit::formats::sqlite("0.1"), &path).unwrap();
    (path, folder)
}

fn content(connection: &Connection) -> Vec<[String; 3]> {
    let mut statement =
        connection.prepare("SELECT email_key, username_key, username_folded FROM users ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn an_upgrade_that_ends_in_its_middle_has_changed_nothing_and_is_made_anew() {
    let (file, _folder) = of_0_1();
    let mut connection = Connection::open(&file).unwrap();
    let before = content(&connection);
    let transaction = connection.transaction().unwrap();
    assert!(apply(&transaction, Step::Keys, 4).is_ok());
    assert_ne!(content(&transaction), before);
    // As a kill does.
    drop(transaction);
    assert_eq!(content(&connection), before);
    assert!(matches!(check(&connection), Ok(3)));
    drop(connection);
    assert_ne!(content(&open::writer(&file).unwrap()), before);
}

#[test]
fn names_that_are_one_by_now_stop_the_upgrade_and_nothing_is_changed() {
    let (file, folder) = of_0_1();
    let connection = Connection::open(&file).unwrap();
    let id = |email: &str| {
        let sql = "SELECT id FROM users WHERE email = ?1";
        UserId::from_bytes(connection.query_row(sql, [email], |row| row.get(0)).unwrap())
    };
    // As 0.1 kept what it took for other names: the one with a sigma of another form, the other with a plain s.
    let rename =
        "UPDATE users SET email = ?2, email_key = ?2, username = ?3, username_key = ?3 WHERE email = ?1";
    for (who, email, name) in
        [("ann@example.com", "νίκοσ.π@example.gr", "ann"), ("carol@example.com", "carol@example.com", "sam")]
    {
        connection.execute(rename, [who, email, name]).unwrap();
    }
    let (mut emails, mut names) = (
        [id("νίκοσ.π@example.gr"), id("νίκος.π@example.gr")],
        [id("carol@example.com"), id("ſam@example.com")],
    );
    emails.sort_unstable();
    names.sort_unstable();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let before = content(&connection);
    drop(connection);
    for _ in 0..2 {
        for error in [SqliteStore::open(&file).err(), SqliteStore::examine(&file).err()] {
            let OpenError::Conflicts { conflicts, .. } = error.unwrap() else {
                panic!("somebody has to decide")
            };
            assert_eq!(conflicts.emails, [emails]);
            assert_eq!(conflicts.usernames, [names]);
        }
    }
    let connection = Connection::open(&file).unwrap();
    assert_eq!(content(&connection), before);
    assert!(matches!(check(&connection), Ok(3)));
    // Once somebody has decided, it is opened.
    connection.execute(rename, ["νίκοσ.π@example.gr", "other@example.com", "ann"]).unwrap();
    connection.execute(rename, ["carol@example.com", "carol@example.com", "caroline"]).unwrap();
    drop(connection);
    SqliteStore::open(&file).unwrap();
    drop(folder);
}

#[tokio::test]
async fn a_newer_roster_that_comes_while_this_one_runs_is_told_and_left_in_peace() {
    let (file, _folder) = file();
    let store = SqliteStore::open(&file).unwrap();
    store.create(&new_user("ann"), &change()).await.unwrap();
    let newer = Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", NEWEST + 1).unwrap();
    let Err(CreateError::Unavailable(error)) = store.create(&new_user("ben"), &change()).await else {
        panic!("nothing is written any more")
    };
    let why = format!("a newer Roster has brought the file to schema version {}: stop this one", NEWEST + 1);
    assert_eq!(error.source.to_string(), why);
    assert_eq!(store.probe().await.unwrap_err().source.to_string(), why);
    assert_eq!(store.read(None, 10).await.unwrap().len(), 1, "it is still read");
    let left: i64 = newer.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);

    // The file was put back from a backup of before.
    newer.pragma_update(None, "user_version", NEWEST).unwrap();
    store.probe().await.unwrap();
    store.create(&new_user("ben"), &change()).await.unwrap();
}
