use roster_domain::entities::Account;
use roster_domain::ports::{
    AccountArchive, Accounts, CreateError, Directory, Sessions, Unavailable, UserQuery,
};
use roster_domain_testkit::fixtures::{account, change, new_user, page};
use rusqlite::Connection;

use super::store;
use crate::SqliteStore;

/// Lets the file grow by so many pages from what it has.
async fn leave_room(store: &SqliteStore, pages: i64) {
    let limit = move |connection: &Connection| -> rusqlite::Result<i64> {
        let used: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        connection.query_row(&format!("PRAGMA max_page_count = {}", used + pages), [], |row| row.get(0))
    };
    let done: Result<i64, Unavailable> = store.write("limit", move |connection| Ok(limit(connection)?)).await;
    done.unwrap();
}

async fn total(store: &SqliteStore) -> u64 {
    store.list(&UserQuery { search: None, page: page(1, 10) }).await.unwrap().total
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_can_not_hold_and_keeps_what_it_has() {
    let (store, _folder) = store();
    store.create(&new_user("ann"), &change()).await.unwrap();
    leave_room(&store, 20).await;
    let mut created = 1;
    let refused = loop {
        // Each takes a page of its own and more.
        let user = roster_domain::entities::NewUser {
            password_hash: roster_domain_testkit::fixtures::hash(&"x".repeat(5000)),
            ..new_user(&format!("user{created}"))
        };
        match store.create(&user, &change()).await {
            Ok(()) => created += 1,
            Err(error) => break (user, error),
        }
        assert!(created < 100, "the disk never fills");
    };
    let (user, error) = refused;
    assert!(matches!(error, CreateError::Unavailable(_)), "{error:?}");
    assert_eq!(total(&store).await, created);
    assert_eq!(store.credentials(&user.email).await.unwrap(), None);

    leave_room(&store, 1000).await;
    store.create(&user, &change()).await.unwrap();
    assert_eq!(total(&store).await, created + 1);
}

#[tokio::test]
async fn a_batch_that_the_disk_can_not_hold_is_not_written_in_part() {
    let (store, _folder) = store();
    let batch: Vec<Account> = (0..500).map(|number| account(&format!("member{number}"))).collect();
    leave_room(&store, 30).await;
    AccountArchive::write(&store, &batch, &change()).await.unwrap_err();
    assert_eq!((total(&store).await, store.read(None, 10).await.unwrap()), (0, vec![]));

    leave_room(&store, 1000).await;
    AccountArchive::write(&store, &batch, &change()).await.unwrap();
    assert_eq!(total(&store).await, 500);
}
