//! Batches that fail in the middle say what became of each user.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use mongodb::bson::{doc, oid::ObjectId};
use roster_domain::entities::TrashEntry;
use roster_domain::ports::{ARRIVAL_GRACE, AccountArchive as _, Interrupted, Trash as _};
use roster_domain_testkit::fixtures::{
    START, account, at, change, change_at, change_by, next_trash_entry_id, reason,
};

use support::Database;
use support::look::trash;

#[tokio::test]
async fn those_who_were_purged_before_the_store_failed_are_told() {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let accounts: Vec<_> = (0..50_u64)
        .map(|number| {
            let mut account = account(&format!("user{number}"));
            account.trash = Some(TrashEntry {
                id: next_trash_entry_id(),
                user_id: account.user.id,
                deleted_by: account.user.id,
                deleted_at: at(number),
                reason: reason("spam"),
            });
            account
        })
        .collect();
    store.write(&accounts, &change()).await.unwrap();
    // The server refuses to purge this one.
    let stuck = ObjectId::from_bytes(*accounts[30].user.id.as_bytes());
    let validator = doc! { "$or": [{ "_id": { "$ne": stuck } }, { "roster.tombstone": { "$ne": true } }] };
    database.raw().await.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();

    let later = change_at(START.plus(ARRIVAL_GRACE));
    let Interrupted { done, in_doubt, .. } =
        store.purge_expired(at(100), 50, &later).await.expect_err("one can't be purged");
    assert!(done.len() >= 31, "{done:?}");
    assert_eq!(in_doubt, [accounts[30].user.id]);
    assert_eq!(trash(&store).await.total, 50 - done.len() as u64);
    // The oldest is the one that can't be purged.
    let interrupted = store.purge_expired(at(31), 1, &later).await.unwrap_err();
    assert_eq!((interrupted.done, interrupted.in_doubt), (Vec::new(), in_doubt));
}

#[tokio::test]
async fn those_who_were_put_into_the_trash_before_the_store_failed_are_told() {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let accounts: Vec<_> = (0..50).map(|number| account(&format!("user{number}"))).collect();
    store.write(&accounts, &change()).await.unwrap();
    let stuck = ObjectId::from_bytes(*accounts[20].user.id.as_bytes());
    let validator = doc! { "$or": [{ "_id": { "$ne": stuck } }, { "is_deleted": false }] };
    database.raw().await.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();

    let batch: Vec<_> = accounts.iter().map(|account| (account.user.id, next_trash_entry_id())).collect();
    let by = change_by(accounts[0].user.id, at(1));
    let Interrupted { done, in_doubt, .. } =
        store.put_many(&batch, &reason("spam"), &by).await.expect_err("one can't be deleted");
    assert_eq!(in_doubt, [accounts[20].user.id]);
    // In the order given, and those whose writes went on beside the failure, too.
    let first: Vec<_> =
        batch.iter().map(|(user, _)| *user).filter(|user| *user != accounts[20].user.id).collect();
    assert!(done.len() >= 20 && done == first[..done.len()], "{done:?}");
    assert_eq!(trash(&store).await.total, done.len() as u64);
}
