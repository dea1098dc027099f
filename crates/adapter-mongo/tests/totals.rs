//! Beyond ten thousand users a count is kept for a while, and what this instance writes shows in it at once.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use roster_adapter_mongo::MongoStore;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Accounts, Directory, Trash, UserQuery};
use roster_domain_testkit::fixtures::{account, at, change, change_by, new_user, page, trashed};
use tokio::task::JoinSet;

/// More than one step of a count.
const USERS: u64 = 21_000;

async fn total(store: &MongoStore) -> u64 {
    let query = UserQuery { search: None, page: page(1, 1) };
    Directory::list(store, &query).await.expect("users are listed").total
}

async fn filled(database: &support::Database) -> Vec<Account> {
    let store = database.connect().await;
    let accounts: Vec<Account> = (0..USERS).map(|number| account(&format!("user{number}"))).collect();
    store.write(&accounts, &change()).await.expect("accounts are written");
    accounts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_instance_writes_shows_at_once() {
    let database = support::Database::fresh().await;
    let accounts = filled(&database).await;
    let store = database.connect().await;
    assert_eq!(total(&store).await, USERS);
    let ann = new_user("ann");
    store.create(&ann, &change()).await.unwrap();
    assert_eq!(total(&store).await, USERS + 1);
    store.create(&new_user("ann"), &change()).await.unwrap_err();
    assert_eq!(total(&store).await, USERS + 1);
    store.put(accounts[7].user.id, &trashed(), &change_by(ann.id, at(1))).await.unwrap();
    store.put(accounts[7].user.id, &trashed(), &change_by(ann.id, at(1))).await.unwrap_err();
    assert_eq!(total(&store).await, USERS);
    store.restore(accounts[7].user.id, &change()).await.unwrap();
    assert_eq!(total(&store).await, USERS + 1);
    store.write(&[account("bob")], &change()).await.unwrap();
    assert_eq!(total(&store).await, USERS + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_instance_writes_while_it_counts_is_counted_once() {
    let database = support::Database::fresh().await;
    let accounts = filled(&database).await;
    let mut expected = USERS;
    for round in 0..8 {
        // One that has not counted yet.
        let store = database.connect().await;
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            let creating = store.clone();
            tasks.spawn(async move {
                creating.create(&new_user(&format!("new{round}of{number}")), &change()).await.unwrap();
            });
            let (deleting, user) = (store.clone(), accounts[round * 1_000 + number].user.id);
            tasks.spawn(async move {
                if number % 4 == 0 {
                    deleting.put(user, &trashed(), &change_by(user, at(1))).await.unwrap();
                }
            });
            let counting = store.clone();
            tasks.spawn(async move {
                total(&counting).await;
            });
        }
        tasks.join_all().await;
        expected += 20 - 5;
        assert_eq!(total(&store).await, expected, "in round {round}");
    }
}
