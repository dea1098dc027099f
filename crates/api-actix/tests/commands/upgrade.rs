//! The program is killed in the middle of bringing a store of an earlier version forward, and started again.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use roster_domain::entities::Account;
use roster_domain::ports::AccountSource as _;
use roster_domain_testkit::formats;
use roster_test_mongo::{Database, asked_topology};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Setup};
use crate::program::roster;
use crate::stores::{everybody, mongodb, mongodb_source, sqlite};

/// Enough for an upgrade to be met in its middle.
const MANY: usize = 20_000;

/// How often that is tried: on a busy machine it may be over before it is looked at.
const ATTEMPTS: usize = 10;

/// Nobody is purged by the way, however old the entry is.
const RETENTION: (&str, &str) = ("TRASH_RETENTION_DAYS", "36500");

/// The service, in its start. It ends with this value.
struct Starting(Child);

impl Starting {
    fn new(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let all =
            [&[("PORT", "0"), ("SECRET_KEY", "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE"), RETENTION], variables];
        Self(roster(folder, &["serve"], &all.concat()).spawn().unwrap())
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // It may have been killed already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a document of an earlier version looks like, so many times.
fn many_older() -> Vec<Document> {
    let user = |number: usize| {
        let (email, username) = (format!("many{number}@example.com"), format!("many{number}"));
        doc! {
            "_id": ObjectId::new(), "email": &email, "username": &username, "password": "$2b$04$", "role": "regular",
            "is_deleted": false,
            "roster": {
                "v": 1, "epoch": 3_i64, "sessions": [], "removals": [], "of": { "email": &email, "username": &username },
                "email_key": &email, "username_key": &username, "suffixes": [&username],
            },
        }
    };
    (0..MANY).map(user).collect()
}

#[tokio::test]
async fn an_upgrade_of_a_mongodb_that_is_killed_in_its_middle_goes_on_at_the_next_start() {
    let (folder, database) = (TempDir::new().unwrap(), Database::fresh(asked_topology()).await);
    database.restore(&formats::mongodb("0.1")).await;
    let users = database.raw().await.collection::<Document>("users");
    users.insert_many(many_older()).await.unwrap();
    let older = doc! { "roster.v": 1, "roster.tombstone": { "$ne": true } };
    let left = async || users.count_documents(older.clone()).await.unwrap();
    let (before, all) = (mongodb_source(&database).await.read(None, 100_000).await.unwrap(), left().await);
    assert!(all > MANY as u64 && before.len() > MANY);

    let variables = [("DATABASE_URL", database.url()), ("DB_NAME", database.name())];
    let mut attempts = 0..ATTEMPTS;
    loop {
        assert!(attempts.next().is_some(), "it was never killed in the middle");
        let mut starting = Starting::new(folder.path(), &variables);
        let begun = async {
            while left().await == all {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, begun).await.expect("it begins");
        starting.kill();
        if left().await > 0 {
            break;
        }
        let back = doc! { "$set": { "roster.v": 1 } };
        users.update_many(doc! { "roster.tombstone": { "$ne": true } }, back).await.unwrap();
    }
    assert!(left().await < all);

    let setup = Setup::new().on_sqlite().set(RETENTION.0, RETENTION.1);
    let app = setup.set("DATABASE_URL", database.url()).set("DB_NAME", database.name()).start().await;
    assert_eq!(left().await, 0);
    drop(app);
    assert!(everybody(&mongodb(&database).await).await == before);
}

/// A file of version 0.1 with many more users.
fn many_older_in(file: &Path) {
    std::fs::copy(formats::sqlite("0.1"), file).unwrap();
    let database = rusqlite::Connection::open(file).unwrap();
    let insert = format!(
        "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted LIMIT {MANY})
         INSERT INTO users (rank, id, email, email_key, username, username_key, username_folded, role, password_hash, epoch)
         SELECT (SELECT max(rank) FROM users) + n * 1000, CAST(printf('many%08d', n) AS BLOB), 'many' || n || '@b.cd',
                'many' || n || '@b.cd', 'many' || n, 'many' || n, 'many' || n, 'regular', 'hash', 3
         FROM counted;"
    );
    database.execute_batch(&insert).unwrap();
}

/// By a connection that only reads: another would bring the file in order as a start does.
fn version(file: &Path) -> u32 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(file, flags).unwrap();
    database.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn an_upgrade_of_a_sqlite_file_that_is_killed_in_its_middle_goes_on_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let original = folder.path().join("original.db");
    many_older_in(&original);
    let (first, newest, before): (u32, u32, Vec<Account>) = {
        std::fs::copy(&original, folder.path().join("control.db")).unwrap();
        let before = everybody(&sqlite(folder.path(), "control.db")).await;
        (version(&original), version(&folder.path().join("control.db")), before)
    };
    assert!(before.len() > MANY && first < newest);
    let (file, log) = (folder.path().join("roster.db"), folder.path().join("roster.db-wal"));
    let has_begun = || log.metadata().is_ok_and(|found| found.len() > 0);
    // While a step is under way, and between two of them.
    for steps in [0, 1] {
        let mut attempts = 0..ATTEMPTS;
        loop {
            assert!(attempts.next().is_some(), "it was never killed in the middle");
            for left in ["", "-wal", "-shm"] {
                // They need not be there.
                let _ = std::fs::remove_file(folder.path().join(format!("roster.db{left}")));
            }
            std::fs::copy(&original, &file).unwrap();
            let mut starting = Starting::new(folder.path(), &[("DATABASE_URL", "sqlite://roster.db")]);
            let begun = async {
                while !(has_begun() && (steps == 0 || version(&file) > first)) {
                    sleep(Duration::from_micros(100)).await;
                }
            };
            timeout(PATIENCE, begun).await.expect("it begins");
            starting.kill();
            if version(&file) < newest {
                break;
            }
        }
        let app = Setup::new().on_sqlite().set(RETENTION.0, RETENTION.1);
        let app = app.set("DATABASE_URL", &format!("sqlite://{}", file.display())).start().await;
        drop(app);
        assert_eq!(version(&file), newest);
        assert!(everybody(&sqlite(folder.path(), "roster.db")).await == before);
        let database = rusqlite::Connection::open(&file).unwrap();
        let whole: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
    }
}
