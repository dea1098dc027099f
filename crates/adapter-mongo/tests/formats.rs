//! A database of every released version is opened, brought forward, and holds all that it held.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use roster_adapter_mongo::{ConnectError, MongoStore};
use roster_domain::entities::Account;
use roster_domain::ports::{
    AccountArchive as _, Accounts as _, CreateError, ProfileImages as _, Store as _, Trash as _, TrashError,
};
use roster_domain_testkit::contract::Stores;
use roster_domain_testkit::fixtures::{START, at, change, image_of, new_user, trashed};
use roster_domain_testkit::formats::{self, Expected};

use support::Database;
use support::look::count;

/// A version's database, and what is in it.
async fn kept(version: &str) -> (Database, Expected) {
    let (database, folder) = (Database::fresh().await, formats::mongodb(version));
    database.restore(&folder).await;
    (database, Expected::of(&folder))
}

fn stores(store: MongoStore) -> Stores {
    let store = Arc::new(store);
    Stores::of(&store)
}

#[tokio::test]
async fn a_database_of_every_version_is_opened_and_holds_all_that_it_held() {
    for version in formats::VERSIONS {
        let (database, expected) = kept(version).await;
        for _ in 0..2 {
            let stores = stores(database.connect().await);
            formats::check(&stores, &expected).await;
            formats::check_names(&stores).await;
        }
    }
}

/// What tells in each document that it was brought forward.
fn older() -> Document {
    doc! { "roster.v": { "$in": [Bson::Null, 1] }, "roster.tombstone": { "$ne": true } }
}

#[tokio::test]
async fn two_that_start_at_once_bring_a_database_forward_together() {
    let (database, expected) = kept("0.1").await;
    let (one, other) = tokio::join!(database.connect(), database.connect());
    for store in [one, other] {
        formats::check(&stores(store), &expected).await;
    }
    assert_eq!(count(&database, "users", older()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_was_killed_goes_on_where_it_was() {
    let (database, expected) = kept("0.1").await;
    let all = count(&database, "users", older()).await;
    // As many as were brought forward before a kill, from none to all.
    for done in [0, 1, all / 2, all] {
        let users = database.collection("users").await;
        users.update_many(doc! { "roster.v": 2 }, doc! { "$set": { "roster.v": 1 } }).await.unwrap();
        database.collection("roster_meta").await.delete_many(doc! {}).await.unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let (url, name) = (database.url().to_owned(), database.name().to_owned());
        runtime.spawn(async move { support::connect(&url, &name).await.map(|_| ()) });
        while count(&database, "users", older()).await > all - done {
            tokio::task::yield_now().await;
        }
        // It takes its tasks along wherever they are, as a kill does.
        runtime.shutdown_background();
        let stores = stores(database.connect().await);
        formats::check(&stores, &expected).await;
        formats::check_names(&stores).await;
    }
}

#[tokio::test]
async fn names_that_are_one_by_now_stop_the_upgrade_and_nothing_is_changed() {
    let (database, expected) = kept("0.1").await;
    let users = database.collection("users").await;
    // As 0.1 kept what it took for another name: with a sigma of another form.
    let name = "νίκοσ.π@example.gr";
    let rename = doc! { "$set": { "email": name, "roster.email_key": name, "roster.of.email": name } };
    users.update_one(doc! { "email": "ann@example.com" }, rename).await.unwrap();
    let before = database.content().await;
    for error in
        [database.try_connect().await.map(|_| ()).unwrap_err(), database.examine().await.unwrap_err()]
    {
        let ConnectError::Conflicts { conflicts, .. } = error else {
            panic!("somebody has to decide: {error}")
        };
        let id = |email: &str| {
            let of = |account: &&Account| account.user.email.as_str() == email;
            expected.accounts.iter().find(of).unwrap().user.id.to_string()
        };
        let mut shared = vec![id("ann@example.com"), id("νίκος.π@example.gr")];
        shared.sort_unstable();
        assert_eq!(conflicts.emails, [shared]);
    }
    let mut after = database.content().await;
    // Who upgrades is agreed on by a lease.
    let leases = |content: &mut BTreeMap<String, Vec<Document>>| {
        let meta = content.get_mut("roster_meta").expect("leases");
        meta.retain(|found| found.get_str("_id").is_ok_and(|id| id != "adoption"));
    };
    let mut before = before;
    leases(&mut before);
    leases(&mut after);
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_database_of_a_newer_roster_is_refused_and_left_as_it_is() {
    for version in [Bson::Int32(77), Bson::Int64(77), Bson::Double(77.0)] {
        let (database, _) = kept("0.1").await;
        let format = doc! { "_id": "format", "version": version };
        database.collection("roster_meta").await.insert_one(format).await.unwrap();
        let before = database.content().await;
        for error in
            [database.try_connect().await.map(|_| ()).unwrap_err(), database.examine().await.unwrap_err()]
        {
            let text = error.to_string();
            assert!(text.contains("has the format 77 of a newer Roster; this one knows up to 2"), "{text}");
            assert!(!error.is_worth_retrying());
        }
        assert_eq!(database.content().await, before);
    }
}

#[tokio::test]
async fn a_newer_roster_that_comes_while_this_one_runs_is_told_and_left_in_peace() {
    let (database, _) = kept("0.1").await;
    let store = database.connect().await;
    let set = doc! { "$set": { "version": 77 } };
    database.collection("roster_meta").await.update_one(doc! { "_id": "format" }, set).await.unwrap();
    database
        .collection("users")
        .await
        .update_many(doc! {}, doc! { "$set": { "roster.v": 3 } })
        .await
        .unwrap();
    let before = database.content().await;
    // Whoever notices first, and from then on every write.
    for noticed in [store.sweep(Some(Duration::ZERO)).await, store.upkeep().await, store.probe().await] {
        let error = noticed.unwrap_err().source.to_string();
        assert_eq!(error, "a newer Roster has brought the database to format 77: stop this one");
    }
    let accounts = store.read(None, 1_000).await;
    let user = new_user("nobody");
    assert!(matches!(store.create(&user, &change()).await, Err(CreateError::Unavailable(_))));
    let ann = accounts.unwrap()[0].user.id;
    assert!(matches!(store.put(ann, &trashed(), &change()).await, Err(TrashError::Unavailable(_))));
    assert!(store.reserve(ann, &image_of(ann), START, &change()).await.is_err());
    assert!(store.purge_expired(at(100_000_000), 10, &change()).await.is_err());
    assert_eq!(database.content().await, before);

    // The database was put back from a backup of before.
    let set = doc! { "$set": { "version": 2 } };
    database.collection("roster_meta").await.update_one(doc! { "_id": "format" }, set).await.unwrap();
    store.probe().await.unwrap();
    store.create(&user, &change()).await.unwrap();
}
