//! Users who are purged while something goes wrong.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use mongodb::bson::{doc, oid::ObjectId};
use roster_domain::entities::TrashEntry;
use roster_domain::ports::{AccountArchive as _, Trash as _};
use roster_domain_testkit::fixtures::{account, at, change, next_trash_entry_id, reason};

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
    store.write(&accounts).await.unwrap();
    // The server refuses to purge this one.
    let stuck = ObjectId::from_bytes(*accounts[30].user.id.as_bytes());
    let validator = doc! { "$or": [{ "_id": { "$ne": stuck } }, { "roster.tombstone": { "$ne": true } }] };
    database.raw().await.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();

    let purged = store.purge_expired(at(100), 50, &change()).await.unwrap();
    assert!(purged.len() >= 30 && !purged.contains(&accounts[30].user.id), "{purged:?}");
    assert_eq!(trash(&store).await.total, 50 - purged.len() as u64);
    // The oldest is the one that can't be purged.
    store.purge_expired(at(31), 1, &change()).await.unwrap_err();
}
