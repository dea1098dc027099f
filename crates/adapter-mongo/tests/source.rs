//! A database that is only read, whoever wrote it: it has what a start would make of it, and stays as it is.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use mongodb::bson::{Bson, doc};
use roster_adapter_mongo::{ConnectError, MongoDatabase, MongoSource};
use roster_domain::entities::Account;
use roster_domain::ports::{
    AccountArchive as _, AccountSource, Accounts as _, Database as _, Identity, OpenError, ProfileImages as _,
};
use roster_domain::values::{Timestamp, TrashEntryId};
use roster_domain_testkit::fixtures::{START, at, change, image_of, new_admin};
use roster_domain_testkit::formats::{self, Expected};
use roster_test_mongo::{Topology, asked_topology};
use tokio::time::timeout;

use support::Database;
use support::look::{count, user_id};
use support::original::{deleted_user, id, trash_entry, user};

async fn source(database: &Database) -> MongoSource {
    support::source(database.url(), database.name()).await.expect("somebody is in it")
}

/// What tells a database from others, asked again as long as the server is not ready, as Roster does.
async fn identity(url: &str, name: &str) -> Option<Identity> {
    let (clock, ids) = support::clock_and_ids();
    let database = MongoDatabase::of(url.to_owned().into(), name, clock, ids);
    let asked = async {
        loop {
            match database.identity().await {
                Err(OpenError::NotReady(_)) => {}
                asked => break asked.expect("a database"),
            }
        }
    };
    timeout(Duration::from_mins(1), asked).await.expect("a server that answers")
}

/// All that a source has, by each of its methods.
async fn read_all(source: &MongoSource) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    loop {
        let batch =
            source.read(accounts.last().map(|last| last.user.id), 3).await.expect("the database answers");
        if batch.is_empty() {
            break;
        }
        accounts.extend(batch);
    }
    assert_eq!(source.count().await.expect("the database answers"), accounts.len() as u64);
    source.removals(None, 100).await.expect("the database answers");
    source.has_had_admin().await.expect("the database answers");
    source.expired(START, START).await.expect("the database answers");
    accounts
}

/// Without what an adoption makes anew each time: the id of an entry that nobody kept.
fn but_new_ids(mut accounts: Vec<Account>) -> Vec<Account> {
    let entries = accounts.iter_mut().filter_map(|account| account.trash.as_mut());
    for entry in entries.filter(|entry| entry.reason.as_str().ends_with("no trash entry was kept.")) {
        entry.id = TrashEntryId::from_bytes([0; 12]);
    }
    accounts
}

#[tokio::test]
async fn a_database_of_the_fastapi_service_is_read_as_it_would_be_taken_over_and_stays_as_it_is() {
    let database = Database::fresh().await;
    database.restore(&formats::fastapi()).await;
    let before = database.content().await;
    let source = source(&database).await;
    let read = read_all(&source).await;
    assert_eq!(read, read_all(&source).await, "the same at each reading");
    assert_eq!(database.content().await, before);
    assert!(before.keys().all(|name| !name.starts_with("roster")), "{:?}", before.keys());

    let store = database.connect().await;
    let adopted = store.read(None, 100).await.unwrap();
    assert_ne!(read, adopted, "of somebody no entry was kept");
    assert_eq!(but_new_ids(read), but_new_ids(adopted));
}

#[tokio::test]
async fn a_database_of_ours_of_every_version_is_read_as_it_is_and_stays_so() {
    for version in formats::VERSIONS {
        let (database, folder) = (Database::fresh().await, formats::mongodb(version));
        database.restore(&folder).await;
        let before = database.content().await;
        let (source, expected) = (source(&database).await, Expected::of(&folder));
        assert_eq!(read_all(&source).await, expected.accounts);
        assert_eq!(source.removals(None, 100).await.unwrap().len(), expected.removals.len());
        assert_eq!(database.content().await, before);
    }
}

#[tokio::test]
async fn a_database_that_both_write_to_is_read_as_a_start_would_leave_it() {
    let database = Database::fresh().await;
    let users = [user(id(1), "a@b.cd", "ann"), deleted_user(id(2), "bob"), deleted_user(id(3), "carol")];
    database.collection("users").await.insert_many(users).await.unwrap();
    let old = [trash_entry(id(10), id(2), 500), trash_entry(id(11), id(3), 600)];
    database.collection("trash").await.insert_many(old).await.unwrap();
    let store = database.connect().await;
    let admin = new_admin("boss");
    store.create(&admin, &change()).await.unwrap();
    let image = image_of(admin.id);
    store.reserve(admin.id, &image, at(5), &change()).await.unwrap();
    drop(store);
    // Meanwhile it deletes one, restores another, and deletes a third once more, and signs one up.
    let by_hand = database.collection("users").await;
    for (number, is_deleted) in [(1, true), (2, false)] {
        let set = doc! { "$set": { "is_deleted": is_deleted } };
        by_hand.update_one(doc! { "_id": id(number) }, set).await.unwrap();
    }
    by_hand.insert_one(user(id(4), "d@b.cd", "dave")).await.unwrap();
    let new = [trash_entry(id(20), id(1), 700), trash_entry(id(21), id(3), 800)];
    database.collection("trash").await.insert_many(new).await.unwrap();

    let before = database.content().await;
    let source = source(&database).await;
    let read = read_all(&source).await;
    assert_eq!(database.content().await, before);
    let store = database.connect().await;
    store.sweep(Some(Duration::ZERO)).await.unwrap();
    assert_eq!(read, store.read(None, 100).await.unwrap());
    let deleted_at = |number: u8| {
        let entry = read.iter().find(|account| account.user.id == user_id(id(number))).unwrap();
        entry.trash.as_ref().map(|entry| entry.deleted_at)
    };
    let times = [1, 2, 3, 4].map(|number| deleted_at(number).map(Timestamp::as_millis));
    assert_eq!(times, [Some(700), None, Some(800), None]);
}

#[tokio::test]
async fn what_can_not_be_taken_over_is_told_as_at_a_start_and_nothing_is_changed() {
    let database = Database::fresh().await;
    let users = [user(id(1), "one@example.com", "ann"), user(id(2), "two@example.com", "Ann")];
    database.collection("users").await.insert_many(users).await.unwrap();
    let refused = async |database: &Database| {
        let (clock, ids) = support::clock_and_ids();
        MongoSource::open(database.url(), database.name(), clock, ids).await.map(|_| ()).unwrap_err()
    };
    let before = database.content().await;
    let ConnectError::Conflicts { conflicts, .. } = refused(&database).await else { panic!("a conflict") };
    assert_eq!(conflicts.usernames, [[id(1).to_hex(), id(2).to_hex()]]);
    assert_eq!(database.content().await, before);

    let newer = doc! { "_id": "format", "version": 77 };
    database.collection("roster_meta").await.insert_one(newer).await.unwrap();
    let before = database.content().await;
    assert!(matches!(refused(&database).await, ConnectError::Newer { found: 77, .. }));
    assert_eq!(database.content().await, before);
}

#[tokio::test]
async fn a_database_is_itself_by_another_url_and_not_its_copy() {
    let (database, copy) = (Database::fresh().await, Database::fresh().await);
    for database in [&database, &copy] {
        database.restore(&formats::mongodb("0.1")).await;
    }
    let before = database.content().await;
    let one = identity(database.url(), database.name()).await.unwrap();
    let other_url = database.url().replace("127.0.0.1", "localhost");
    assert!(one.is(&identity(&other_url, database.name()).await.unwrap()));
    assert!(!one.is(&identity(copy.url(), copy.name()).await.unwrap()));
    let elsewhere = match asked_topology() {
        Topology::Standalone => Topology::ReplicaSet(1),
        Topology::ReplicaSet(_) => Topology::Standalone,
    };
    let elsewhere = Database::fresh_on(elsewhere).await;
    assert_eq!(identity(elsewhere.url(), elsewhere.name()).await, None);
    assert_eq!(database.content().await, before);
    assert_eq!(count(&elsewhere, "users", doc! { "_id": { "$ne": Bson::Null } }).await, 0);
}
