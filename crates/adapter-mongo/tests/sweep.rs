//! What others write to the database while Roster runs.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use roster_adapter_mongo::MongoStore;
use roster_domain::ports::{Accounts, Caller, Sessions, Trash};
use roster_domain::values::{Email, Epoch};
use roster_domain_testkit::fixtures::{START, at, change, change_by, trashed};
use tokio::time::timeout;

use support::Database;
use support::look::{total, trash, user_id, users_of};
use support::original::{deleted_user, id, trash_entry, user};

/// Sweeps as Roster itself does: again where it failed, as it may where the machine is busy.
async fn sweep(store: &MongoStore) {
    let swept = async { while store.sweep(Some(Duration::ZERO)).await.is_err() {} };
    timeout(Duration::from_mins(1), swept).await.expect("a sweep that ends well");
}

/// A store that runs while somebody else adds Ann and Bob, with the ids 1 and 2.
async fn beside_ann_and_bob() -> (Database, MongoStore, Collection<Document>) {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let users = database.collection("users").await;
    let both = [user(id(1), "ann@example.com", "ann"), user(id(2), "bob@example.com", "bob")];
    users.insert_many(both).await.expect("Ann and Bob are added");
    (database, store, users)
}

#[tokio::test]
async fn what_others_write_beside_roster_is_found_by_the_sweep() {
    let (database, store, users) = beside_ann_and_bob().await;
    sweep(&store).await;
    assert_eq!(total(&store, Some("ann")).await, 1);

    let renamed = doc! { "$set": { "username": "beatrix", "email": "B@example.com" } };
    users.update_one(doc! { "_id": id(1) }, renamed).await.unwrap();
    users.update_one(doc! { "_id": id(2) }, doc! { "$set": { "is_deleted": true } }).await.unwrap();
    assert_eq!(total(&store, None).await, 1);
    sweep(&store).await;
    assert_eq!((total(&store, Some("ann")).await, total(&store, Some("beatrix")).await), (0, 1));
    let email = Email::from_store("b@example.com".to_owned());
    assert_eq!(store.credentials(&email).await.unwrap().unwrap().user_id, user_id(id(1)));
    assert_eq!(trash(&store).await.total, 1);

    // Bob comes back by hand; his tokens from before stay dead.
    users.update_one(doc! { "_id": id(2) }, doc! { "$set": { "is_deleted": false } }).await.unwrap();
    sweep(&store).await;
    assert_eq!(trash(&store).await.total, 0);
    assert!(store.state(user_id(id(2)), None).await.unwrap().unwrap().epoch > Epoch::FIRST);
    // A second look changes nothing.
    let before = users_of(&database).await;
    sweep(&store).await;
    assert_eq!(users_of(&database).await, before);
}

#[tokio::test]
async fn who_was_removed_by_hand_is_gone_at_once() {
    let (_database, store, users) = beside_ann_and_bob().await;
    sweep(&store).await;
    users.delete_one(doc! { "_id": id(1) }).await.unwrap();
    let caller = Caller { user_id: user_id(id(1)), session: None };
    assert_eq!(store.caller(caller, None).await.unwrap().caller, None);
    assert_eq!((total(&store, None).await, total(&store, Some("ann")).await), (1, 0));
}

#[tokio::test]
async fn a_user_that_was_added_a_moment_ago_is_edited_and_deleted_like_any_other() {
    let (_database, store, _users) = beside_ann_and_bob().await;
    let edit = roster_domain_testkit::fixtures::edit_username("anna");
    let ann = user_id(id(1));
    assert_eq!(store.edit(ann, &edit, &change_by(ann, at(1))).await.unwrap().username.as_str(), "anna");
    store.put(user_id(id(2)), &trashed(), &change_by(ann, at(1))).await.unwrap();
    sweep(&store).await;
    assert_eq!(trash(&store).await.total, 1);
    assert_eq!(total(&store, Some("anna")).await, 1);
}

#[tokio::test]
async fn an_added_user_with_anothers_name_is_left_until_somebody_decides() {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let users = database.collection("users").await;
    users.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    sweep(&store).await;
    users
        .insert_many([user(id(2), "two@example.com", "Ann"), user(id(3), "c@example.com", "carol")])
        .await
        .unwrap();
    sweep(&store).await;
    assert_eq!(total(&store, Some("carol")).await, 1);
    let email = |text: &str| Email::from_store(text.to_owned());
    assert_eq!(store.credentials(&email("two@example.com")).await.unwrap(), None);
    users.update_one(doc! { "_id": id(2) }, doc! { "$set": { "username": "beatrix" } }).await.unwrap();
    sweep(&store).await;
    assert!(store.credentials(&email("two@example.com")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_entry_left_behind_by_a_restore_is_not_taken_up_again() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(deleted_user(id(1), "ann")).await.unwrap();
    let old_trash = database.collection("trash").await;
    old_trash.insert_one(trash_entry(id(10), id(1), 1_000)).await.unwrap();
    let store = database.connect().await;
    store.restore(user_id(id(1)), &change()).await.unwrap();
    // As if the process had died between the restore and this.
    old_trash.insert_one(trash_entry(id(10), id(1), 1_000)).await.unwrap();
    let users = database.collection("users").await;
    users.update_one(doc! { "_id": id(1) }, doc! { "$set": { "is_deleted": true } }).await.unwrap();
    sweep(&store).await;
    let listed = trash(&store).await.items;
    assert_eq!((listed.len(), listed[0].deleted_at), (1, START));
}

#[tokio::test]
async fn an_index_that_was_dropped_is_made_again() {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let users = database.collection("users").await;
    let before = users.list_index_names().await.unwrap();
    users.drop_index("roster_email_key").await.unwrap();
    sweep(&store).await;
    let mut after = users.list_index_names().await.unwrap();
    after.sort();
    let mut before = before;
    before.sort();
    assert_eq!(after, before);
}

#[tokio::test]
async fn there_has_been_an_admin_also_where_somebody_removed_them_by_hand() {
    let database = Database::fresh().await;
    let mut admin = user(id(1), "boss@example.com", "boss");
    admin.insert("role", "admin");
    database.collection("users").await.insert_one(admin).await.unwrap();
    database.connect().await;
    database.collection("users").await.delete_many(doc! {}).await.unwrap();
    assert!(database.connect().await.has_had_admin().await.unwrap());
}

#[tokio::test]
async fn an_index_of_an_earlier_version_is_dropped_at_the_start() {
    let database = Database::fresh().await;
    let users = database.collection("users").await;
    let options = IndexOptions::builder().name("roster_removals".to_owned()).build();
    let old =
        IndexModel::builder().keys(doc! { "_id": 1, "roster.removals.due": 1 }).options(options).build();
    users.create_index(old).await.unwrap();
    database.connect().await;
    let names = users.list_index_names().await.unwrap();
    assert!(names.iter().any(|name| name == "roster_removals_by_store"), "{names:?}");
    assert!(!names.iter().any(|name| name == "roster_removals"), "{names:?}");
}
