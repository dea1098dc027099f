//! Of several instances one sweeps at a time, and one adopts.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use mongodb::bson::{DateTime, doc};
use roster_domain::ports::Store as _;
use tokio::time::timeout;

use support::Database;
use support::look::total;
use support::original::{id, many_users, user};

/// Lets a lease lapse, or last for long.
async fn set_lease(database: &Database, job: &str, until: i64) {
    let meta = database.collection("roster_meta").await;
    let update = doc! { "$set": { "until": DateTime::from_millis(until) } };
    meta.update_one(doc! { "_id": job }, update).upsert(true).await.expect("the database answers");
}

#[tokio::test]
async fn a_sweep_is_left_to_the_instance_that_has_begun_one() {
    let database = Database::fresh().await;
    let (one, other) = (database.connect().await, database.connect().await);
    one.upkeep().await.unwrap();
    database.collection("users").await.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    other.upkeep().await.unwrap();
    one.upkeep().await.unwrap();
    assert_eq!(total(&one, Some("ann")).await, 0);

    set_lease(&database, "sweep", 0).await;
    other.upkeep().await.unwrap();
    assert_eq!(total(&one, Some("ann")).await, 1);
}

#[tokio::test]
async fn a_sweep_that_fails_is_left_to_nobody() {
    let database = Database::fresh().await;
    let (one, other) = (database.connect().await, database.connect().await);
    let users = database.collection("users").await;
    users.drop_index("roster_email_key").await.unwrap();
    // The index can't be made again as long as they are there.
    let twice = [1, 2].map(|number| doc! { "_id": id(number), "roster": { "email_key": "ann@example.com" } });
    users.insert_many(twice).await.unwrap();
    for store in [&one, &one, &other] {
        assert!(store.upkeep().await.is_err());
    }
    users.delete_many(doc! {}).await.unwrap();
    other.upkeep().await.unwrap();
    let indexes = users.list_index_names().await.unwrap();
    assert!(indexes.iter().any(|name| name == "roster_email_key"), "{indexes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_while_another_adopts_waits_for_it_or_for_the_lapse_of_its_lease() {
    let database = Database::fresh().await;
    many_users(&database, 10).await;
    set_lease(&database, "adoption", i64::from(i32::MAX) * 1_000).await;
    let connecting = database.connect();
    tokio::pin!(connecting);
    timeout(std::time::Duration::from_secs(2), &mut connecting).await.map(drop).expect_err("it waits");
    let adopted = doc! { "roster.v": { "$exists": true } };
    assert_eq!(support::look::count(&database, "users", adopted.clone()).await, 0);

    set_lease(&database, "adoption", 0).await;
    connecting.await;
    assert_eq!(support::look::count(&database, "users", adopted).await, 10);
    // It was given back.
    many_more(&database).await;
    // A lapse would take ten.
    timeout(std::time::Duration::from_secs(8), database.connect()).await.expect("nobody is waited for");
}

async fn many_more(database: &Database) {
    database
        .collection("users")
        .await
        .insert_one(user(id(1), "ann@example.com", "ann"))
        .await
        .expect("a user");
}
