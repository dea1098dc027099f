//! Upkeep costs in proportion to what others have changed, not to the number of users.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use roster_adapter_mongo::MongoStore;
use roster_domain::ports::Trash as _;
use roster_domain_testkit::fixtures::{at, change_by, trashed};
use roster_test_mongo::process::ReplicaSet;

use support::look::{total, trash, user_id};
use support::original::{id, user};

const USERS: u32 = 5_000;

/// What a server's own work may read meanwhile.
const OF_ITS_OWN: i64 = 500;

const NAME: &str = "upkeep";

struct World {
    /// It alone asks the server, so that what the server has read tells what it asked.
    _set: ReplicaSet,
    store: MongoStore,
    database: mongodb::Database,
}

/// A server of its own with so many users, all of whom were compared.
async fn world() -> World {
    let set = ReplicaSet::start(1).await.expect("a server");
    let store = support::connect_patiently(&set.url(), NAME).await;
    let database = mongodb::Client::with_uri_str(set.url()).await.expect("a client").database(NAME);
    let users: Vec<Document> = (0..USERS)
        .map(|number| {
            let mut bytes = [0x68; 12];
            bytes[8..].copy_from_slice(&number.to_be_bytes());
            let name = format!("user{number}");
            user(mongodb::bson::oid::ObjectId::from_bytes(bytes), &format!("{name}@example.com"), &name)
        })
        .collect();
    database.collection::<Document>("users").insert_many(users).await.expect("users are written");
    let world = World { _set: set, store, database };
    world.store.sweep(None).await.expect("a sweep");
    world
}

impl World {
    /// How many keys and documents the server has read for anybody.
    async fn read(&self) -> i64 {
        let status = self.database.run_command(doc! { "serverStatus": 1 }).await.expect("a status");
        let of = |field| {
            let executor = status.get_document("metrics").and_then(|all| all.get_document("queryExecutor"));
            match executor.expect("they are told").get(field) {
                Some(Bson::Int64(number)) => *number,
                Some(Bson::Int32(number)) => i64::from(*number),
                _ => panic!("{field} is told"),
            }
        };
        of("scanned") + of("scannedObjects")
    }

    async fn change(&self, number: u8, set: Document) {
        let users = self.database.collection::<Document>("users");
        let changed = users.update_one(doc! { "_id": id(number) }, doc! { "$set": set }).await;
        assert_eq!(changed.expect("the database answers").matched_count, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_was_changed_nothing_is_read() {
    let world = world().await;
    // Some are in the trash, as they should.
    for number in 0..100_u32 {
        let mut bytes = [0x68; 12];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        let user = roster_domain::values::UserId::from_bytes(bytes);
        world.store.put(user, &trashed(), &change_by(user, at(1))).await.expect("a deletion");
    }
    let before = world.read().await;
    for _ in 0..10 {
        world.store.sweep(Some(Duration::from_hours(1))).await.expect("a sweep");
        world.store.sweep(None).await.expect("a sweep");
    }
    let read = world.read().await - before;
    // The first of them compared all, by the key and whole, and looked for the end of each step.
    let compared = i64::from(USERS) * 3;
    assert!(read < compared + OF_ITS_OWN, "{read}");
    let before = world.read().await;
    for _ in 0..10 {
        world.store.sweep(Some(Duration::from_hours(1))).await.expect("a sweep");
    }
    let read = world.read().await - before;
    assert!(read < OF_ITS_OWN, "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_added_deleted_or_restored_is_found_without_reading_the_others() {
    let world = world().await;
    let before = world.read().await;
    let users = world.database.collection::<Document>("users");
    users.insert_one(user(id(1), "ann@example.com", "ann")).await.expect("Ann is added");
    world.store.sweep(None).await.expect("a sweep");
    assert_eq!(total(&world.store, Some("ann")).await, 1);
    world.change(1, doc! { "is_deleted": true }).await;
    world.store.sweep(None).await.expect("a sweep");
    assert_eq!(trash(&world.store).await.items[0].user_id, user_id(id(1)));
    world.change(1, doc! { "is_deleted": false }).await;
    world.store.sweep(None).await.expect("a sweep");
    assert_eq!(trash(&world.store).await.total, 0);
    let read = world.read().await - before;
    assert!(read < OF_ITS_OWN, "{read}");

    // A new name leaves no trace.
    world.change(1, doc! { "username": "beatrix" }).await;
    world.store.sweep(None).await.expect("a sweep");
    assert_eq!(total(&world.store, Some("beatrix")).await, 0);
    world.store.sweep(Some(Duration::from_hours(1))).await.expect("a sweep");
    assert_eq!(total(&world.store, Some("beatrix")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_ends_of_a_long_name_than_are_searched_go_with_the_comparison() {
    let world = world().await;
    let users = world.database.collection::<Document>("users");
    users.insert_one(user(id(1), "ann@example.com", &"ann".repeat(1_000))).await.expect("Ann is added");
    world.store.sweep(None).await.expect("a sweep");
    let ends: Vec<String> = (0..3_000).map(|number| number.to_string()).collect();
    world.change(1, doc! { "roster.suffixes": ends }).await;
    world.store.sweep(Some(Duration::from_hours(1))).await.expect("a sweep");
    let found = users.find_one(doc! { "_id": id(1) }).await.expect("an answer").expect("Ann");
    let kept = found.get_document("roster").and_then(|roster| roster.get_array("suffixes"));
    assert!(kept.expect("ends").len() <= 256);
}
