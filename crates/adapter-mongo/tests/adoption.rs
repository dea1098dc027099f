//! The data of the FastAPI service is taken over as it is.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use roster_adapter_mongo::ConnectError;
use roster_domain::entities::TrashEntry;
use roster_domain::ports::{
    ARRIVAL_GRACE, AccountSource as _, Accounts, Caller, Expired, Occupancy, OpenSession, Rehash,
    RestoreError, Sessions, Trash,
};
use roster_domain::values::{Email, Epoch, OriginalImage, Role, Timestamp, TrashEntryId, UserId, Username};
use roster_domain_testkit::fixtures::{START, at, change, change_at, hash, open_session, reason};

use support::Database;
use support::look::{count, total, trash, user_id, users_of};
use support::original::{HASH, SIGNED_UP, deleted_user, id, many_users, trash_entry, user};

#[tokio::test]
async fn a_user_of_the_original_is_read_logs_in_and_is_found() {
    let database = Database::fresh().await;
    let mut admin = user(id(1), "Boss@Example.com", "TheBoss");
    admin.insert("role", "admin");
    admin.insert("updated_by", id(9).to_hex());
    admin.insert("updated_at", mongodb::bson::DateTime::from_millis(SIGNED_UP + 1));
    admin.insert("profile_image", "boss_1234.jpg");
    database.collection("users").await.insert_one(admin).await.unwrap();

    let store = database.connect().await;
    let caller = Caller { user_id: user_id(id(1)), session: None };
    let answer = store.caller(caller, None).await.unwrap();
    let read = answer.caller.unwrap();
    assert_eq!(answer.epoch, Epoch::FIRST);
    assert_eq!((read.email.as_str(), read.username.as_str()), ("Boss@Example.com", "TheBoss"));
    let image = OriginalImage::from_store("boss_1234.jpg".to_owned());
    assert_eq!((read.role, read.profile_image), (Role::Admin, Some(image.into())));
    assert_eq!(read.created_at, Some(Timestamp::from_millis(SIGNED_UP)));
    assert_eq!(read.updated_at, Some(Timestamp::from_millis(SIGNED_UP + 1)));
    assert_eq!(read.updated_by, Some(user_id(id(9))));

    let email = Email::from_store("boss@example.com".to_owned());
    let credentials = store.credentials(&email).await.unwrap().unwrap();
    assert_eq!((credentials.user_id, credentials.password_hash), (user_id(id(1)), hash(HASH)));
    assert!(store.has_had_admin().await.unwrap());
    assert_eq!(total(&store, Some("boss")).await, 1);
    let taken = Username::from_store("theboss".to_owned());
    assert_eq!(store.free_usernames(&[taken]).await.unwrap(), []);
}

#[tokio::test]
async fn the_originals_fields_stay_as_they_were() {
    let database = Database::fresh().await;
    let mut before = vec![user(id(1), "Ann@example.com", "Ann"), deleted_user(id(2), "bob")];
    before[0].insert("profile_image", "ann.jpg");
    before[1].insert("something_else", doc! { "kept": true });
    database.collection("users").await.insert_many(before.clone()).await.unwrap();
    database.connect().await;
    let mut after = users_of(&database).await;
    for user in &mut after {
        assert!(user.remove("roster").is_some());
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_hash_of_the_original_is_replaced_at_a_log_in() {
    let database = Database::fresh().await;
    let mut with_text = user(id(2), "bob@example.com", "bob");
    with_text.insert("password", HASH);
    let ann = user(id(1), "ann@example.com", "ann");
    database.collection("users").await.insert_many([ann, with_text]).await.unwrap();
    let store = database.connect().await;
    for (number, email) in [(1, "ann@example.com"), (2, "bob@example.com")] {
        let rehash = Some(Rehash { old: hash(HASH), new: hash("new") });
        let open = OpenSession { rehash, ..open_session(user_id(id(number))) };
        assert!(store.open(&open, &change()).await.unwrap());
        let email = Email::from_store(email.to_owned());
        assert_eq!(store.credentials(&email).await.unwrap().unwrap().password_hash, hash("new"));
    }
}

#[tokio::test]
async fn an_entry_of_the_originals_trash_is_listed_restored_and_purged() {
    let database = Database::fresh().await;
    let users =
        [deleted_user(id(1), "ann"), deleted_user(id(2), "bob"), user(id(3), "c@example.com", "carol")];
    database.collection("users").await.insert_many(users).await.unwrap();
    let entries = [
        trash_entry(id(10), id(1), 500),
        trash_entry(id(11), id(2), 1_000),
        // Bob was deleted twice; this is the time that counts.
        trash_entry(id(12), id(2), 2_000),
        // Carol came back, and nobody knows this one any more.
        trash_entry(id(13), id(3), 3_000),
        trash_entry(id(14), id(99), 4_000),
    ];
    database.collection("trash").await.insert_many(entries).await.unwrap();

    let store = database.connect().await;
    let entry = |entry: u8, user: u8, deleted_at| TrashEntry {
        id: TrashEntryId::from_bytes(id(entry).bytes()),
        user_id: user_id(id(user)),
        deleted_by: UserId::from_bytes([0xad; 12]),
        deleted_at: Timestamp::from_millis(deleted_at),
        reason: reason("spam"),
    };
    let listed = trash(&store).await.items;
    assert_eq!(listed, [entry(10, 1, 500), entry(12, 2, 2_000)]);

    let restored = store.restore(user_id(id(1)), &change()).await.unwrap();
    assert_eq!(restored.username.as_str(), "ann");
    // What was signed before the deletion stays dead.
    let epoch = store.state(user_id(id(1)), None).await.unwrap().unwrap().epoch;
    assert!(epoch > Epoch::FIRST);
    store.purge(user_id(id(2)), &change()).await.unwrap();
    assert!(matches!(store.restore(user_id(id(2)), &change()).await, Err(RestoreError::NotFound)));
    assert_eq!(users_of(&database).await.len(), 2);
    assert_eq!(count(&database, "trash", doc! { "_id": { "$in": [id(10), id(12)] } }).await, 0);
}

#[tokio::test]
async fn a_user_marked_deleted_without_an_entry_gets_one_of_now() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(deleted_user(id(1), "ann")).await.unwrap();
    let store = database.connect().await;
    let listed = trash(&store).await.items;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].user_id, listed[0].deleted_at), (user_id(id(1)), START));
    // Starting again makes no other.
    assert_eq!(trash(&database.connect().await).await.items, listed);
}

#[tokio::test]
async fn raw_refresh_tokens_are_not_kept() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    let token = doc! { "user_id": id(1).to_hex(), "refresh_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" };
    database.collection("refresh_tokens").await.insert_one(token).await.unwrap();
    let store = database.connect().await;
    assert_eq!(count(&database, "refresh_tokens", doc! {}).await, 0);
    // What a token without session and epoch is checked against.
    let state = store.state(user_id(id(1)), None).await.unwrap().unwrap();
    assert_eq!(state.epoch, Epoch::FIRST);
}

#[tokio::test]
async fn users_that_share_a_name_stop_the_start_with_their_ids_and_nothing_is_changed() {
    let database = Database::fresh().await;
    let before = vec![
        user(id(1), "one@example.com", "ann"),
        user(id(2), "two@example.com", "Ann"),
        user(id(3), "same@example.com", "bob"),
        user(id(4), "same@example.com", "carol"),
        user(id(5), "five@example.com", "dora"),
    ];
    database.collection("users").await.insert_many(before.clone()).await.unwrap();
    let token = doc! { "user_id": id(1).to_hex(), "refresh_token": "raw" };
    database.collection("refresh_tokens").await.insert_one(token).await.unwrap();

    let Err(ConnectError::Conflicts { conflicts, .. }) = database.try_connect().await else {
        panic!("somebody has to decide");
    };
    assert_eq!(conflicts.usernames, [[id(1).to_hex(), id(2).to_hex()]]);
    assert_eq!(conflicts.emails, [[id(3).to_hex(), id(4).to_hex()]]);
    let line = database.try_connect().await.map(|_| ()).unwrap_err().to_string();
    assert!(line.contains(&id(4).to_hex()) && !line.contains('\n') && !line.contains("same@"), "{line}");

    assert_eq!(users_of(&database).await, before);
    let names = database.collection("users").await.list_index_names().await.unwrap();
    assert_eq!(names, ["_id_"]);
    assert_eq!(count(&database, "refresh_tokens", doc! {}).await, 1);

    // Once somebody has decided, it starts.
    let users = database.collection("users").await;
    users.delete_one(doc! { "_id": id(2) }).await.unwrap();
    users.update_one(doc! { "_id": id(4) }, doc! { "$set": { "email": "free@example.com" } }).await.unwrap();
    assert_eq!(total(&database.connect().await, None).await, 4);
}

#[tokio::test]
async fn an_examination_tells_who_is_to_be_taken_over_and_takes_over_nobody() {
    let database = Database::fresh().await;
    assert_eq!(database.examine().await.unwrap(), Occupancy::Nobody);
    assert_eq!(database.raw().await.list_collection_names().await.unwrap(), [""; 0]);
    let users = database.collection("users").await;
    users.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    let before = users_of(&database).await;
    assert_eq!(database.examine().await.unwrap(), Occupancy::Unadopted);
    assert_eq!(users_of(&database).await, before);
    assert_eq!(users.list_index_names().await.unwrap(), ["_id_"]);

    users.insert_one(user(id(2), "ann@example.com", "bob")).await.unwrap();
    let Err(ConnectError::Conflicts { conflicts, .. }) = database.examine().await else {
        panic!("somebody has to decide");
    };
    assert_eq!(conflicts.emails, [[id(1).to_hex(), id(2).to_hex()]]);
    users.delete_one(doc! { "_id": id(2) }).await.unwrap();
    database.connect().await;
    assert_eq!(database.examine().await.unwrap(), Occupancy::Users);
}

#[tokio::test]
async fn a_user_whom_the_server_does_not_take_over_stops_the_start_and_no_retry_is_advised() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    let validator = doc! { "roster": { "$exists": false } };
    let refuse = doc! { "collMod": "users", "validator": validator };
    database.raw().await.run_command(refuse).await.unwrap();
    let error = loop {
        match database.try_connect().await {
            Err(error) if error.is_worth_retrying() => {}
            connected => break connected.map(|_| ()).unwrap_err(),
        }
    };
    assert!(matches!(error, ConnectError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains(&format!("user {} can't be adopted", id(1))), "{error}");
    // Another opening goes on from there.
    let allow = doc! { "collMod": "users", "validator": {} };
    database.raw().await.run_command(allow).await.unwrap();
    assert_eq!(total(&database.connect().await, Some("ann")).await, 1);
}

#[tokio::test]
async fn a_user_who_shares_a_name_with_one_that_is_adopted_stops_the_start_too() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(user(id(1), "ann@example.com", "ann")).await.unwrap();
    database.connect().await;
    database.collection("users").await.insert_one(user(id(2), "two@example.com", "ANN")).await.unwrap();
    let Err(ConnectError::Conflicts { conflicts, .. }) = database.try_connect().await else {
        panic!("somebody has to decide");
    };
    assert_eq!(conflicts.usernames, [[id(1).to_hex(), id(2).to_hex()]]);
}

/// Lets an adoption of so many users begin and kills it. Returns how many it had adopted.
async fn killed_adoption(database: &Database) -> u64 {
    // A runtime that is shut down takes its tasks along wherever they are, as a kill does.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (url, name) = (database.url().to_owned(), database.name().to_owned());
    runtime.spawn(async move { support::connect(&url, &name).await.map(|_| ()) });
    while count(database, "users", doc! { "roster.v": { "$gt": 0 } }).await == 0 {
        tokio::task::yield_now().await;
    }
    runtime.shutdown_background();
    count(database, "users", doc! { "roster.v": { "$gt": 0 } }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_that_was_killed_goes_on_where_it_was() {
    let mut database = Database::fresh().await;
    for attempt in 1.. {
        many_users(&database, 6_000).await;
        database.collection("users").await.insert_one(deleted_user(id(200), "gone")).await.unwrap();
        if killed_adoption(&database).await < 6_001 {
            break;
        }
        // On a busy machine it may have come to its end.
        assert!(attempt < 5, "it was never killed in the middle");
        database = Database::fresh().await;
    }

    let store = database.connect().await;
    assert_eq!(total(&store, None).await, 6_000);
    assert_eq!(total(&store, Some("user59")).await, 111);
    assert_eq!(trash(&store).await.total, 1);
    assert_eq!(count(&database, "users", doc! { "roster.v": Bson::Null }).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_at_once_adopt_each_user_once() {
    let database = Database::fresh().await;
    many_users(&database, 3_000).await;
    let gone: Vec<Document> =
        (100..200).map(|number| deleted_user(id(number), &format!("gone{number}"))).collect();
    database.collection("users").await.insert_many(gone).await.unwrap();
    let (one, other) = tokio::join!(database.connect(), database.connect());
    for store in [&one, &other] {
        assert_eq!(total(store, None).await, 3_000);
        assert_eq!(trash(store).await.total, 100);
    }
    assert_eq!(count(&database, "users", doc! { "roster.epoch": { "$gt": 1 } }).await, 0);
}

#[tokio::test]
async fn who_went_back_and_was_deleted_anew_stays_in_the_trash_from_the_second_deletion_on() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(deleted_user(id(1), "ann")).await.unwrap();
    let entries = database.collection("trash").await;
    entries.insert_one(trash_entry(id(10), id(1), SIGNED_UP)).await.unwrap();
    database.connect().await;

    // The FastAPI service restores her, which removes the entry, and deletes her again, while nobody sweeps.
    entries.delete_one(doc! { "_id": id(10) }).await.unwrap();
    let again = SIGNED_UP + 86_400_000;
    entries.insert_one(trash_entry(id(11), id(1), again)).await.unwrap();

    let store = database.connect().await;
    let listed = trash(&store).await.items;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].deleted_at, Timestamp::from_millis(again));
    assert_eq!(listed[0].id, TrashEntryId::from_bytes(id(11).bytes()));
    let first = Timestamp::from_millis(SIGNED_UP + 1);
    assert_eq!(store.purge_expired(first, 10, &change()).await.unwrap(), []);
}

#[tokio::test]
async fn who_is_taken_over_with_an_old_entry_is_purged_a_day_later_and_no_sooner() {
    let database = Database::fresh().await;
    let users = ["ann", "bob", "carol"].map(|name| deleted_user(id(name.as_bytes()[0]), name));
    let [ann, bob, carol] = users.each_ref().map(|user| user.get_object_id("_id").unwrap());
    database.collection("users").await.insert_many(users[..2].to_vec()).await.unwrap();
    let days_ago = |days: i64| START.as_millis() - days * 86_400_000;
    let entries = [trash_entry(id(10), ann, days_ago(31)), trash_entry(id(11), bob, days_ago(29))];
    database.collection("trash").await.insert_many(entries).await.unwrap();
    let cutoff = Timestamp::from_millis(days_ago(30));
    let day_later = START.plus(ARRIVAL_GRACE);
    let spared = |count| Expired { due: 0, spared: count, spared_until: Some(day_later) };
    let moment = Duration::from_millis(1);

    // What is told before it is taken over.
    let source = support::source(database.url(), database.name()).await.unwrap();
    assert_eq!(source.expired(cutoff, START).await.unwrap(), spared(1));
    let store = database.connect().await;
    // The FastAPI service goes on for a while, and deletes her with an old date.
    database.collection("users").await.insert_one(users[2].clone()).await.unwrap();
    let entry = trash_entry(id(12), carol, days_ago(40));
    database.collection("trash").await.insert_one(entry).await.unwrap();
    store.sweep(Some(Duration::ZERO)).await.unwrap();
    assert_eq!(Trash::expired(&store, cutoff, START).await.unwrap(), spared(2));
    assert_eq!(source.expired(cutoff, START).await.unwrap(), spared(2));
    for now in [START, day_later.minus(moment)] {
        assert_eq!(store.purge_expired(cutoff, 10, &change_at(now)).await.unwrap(), []);
    }
    // Another start is no other arrival.
    let store = database.connect().await;
    let mut purged = store.purge_expired(cutoff, 10, &change_at(day_later)).await.unwrap();
    purged.sort_unstable();
    assert_eq!(purged, [user_id(ann), user_id(carol)]);
    assert_eq!(trash(&store).await.items.len(), 1);
}

#[tokio::test]
async fn a_newer_entry_that_is_taken_up_is_kept_for_a_day_too() {
    let database = Database::fresh().await;
    database.collection("users").await.insert_one(deleted_user(id(1), "ann")).await.unwrap();
    let entries = database.collection("trash").await;
    entries.insert_one(trash_entry(id(10), id(1), SIGNED_UP)).await.unwrap();
    let store = database.connect().await;
    let arrived = doc! { "$set": { "roster.trash.spared_until": mongodb::bson::DateTime::from_millis(1) } };
    database.collection("users").await.update_one(doc! {}, arrived).await.unwrap();
    let due = Expired { due: 1, spared: 0, spared_until: None };
    assert_eq!(Trash::expired(&store, at(1), START).await.unwrap(), due);
    entries.insert_one(trash_entry(id(11), id(1), SIGNED_UP)).await.unwrap();
    let store = database.connect().await;
    assert_eq!(store.purge_expired(at(1), 10, &change()).await.unwrap(), []);
    let later = change_at(START.plus(ARRIVAL_GRACE));
    assert_eq!(store.purge_expired(at(1), 10, &later).await.unwrap(), [user_id(id(1))]);
}
