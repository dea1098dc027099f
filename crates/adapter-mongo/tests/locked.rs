//! Writes that hang, as under `fsyncLock`, hold up no list, no search and no look-up.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use roster_adapter_mongo::MongoStore;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Accounts, Caller, Directory, Trash, UserQuery};
use roster_domain_testkit::fixtures::{
    account, at, change, change_by, edit_username, new_user, page, search_term, trashed,
};
use roster_test_mongo::process::ReplicaSet;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// More than are counted anew for each list.
const USERS: u64 = 12_000;

/// More than there are connections.
const HANGING: usize = 60;

/// How long reads go on meanwhile: a count that was kept is made anew, and then that one.
const LOCKED: Duration = Duration::from_secs(12);

/// A read that waits for a write takes five seconds or for ever.
const SOON: Duration = Duration::from_secs(4);

async fn total(store: &MongoStore, search: Option<&str>) -> u64 {
    let query = UserQuery { search: search.map(search_term), page: page(1, 10) };
    let list = timeout(SOON, Directory::list(store, &query)).await.expect("a list waits for no write");
    list.expect("users are listed").total
}

async fn reads_go_on(store: &MongoStore, accounts: &[Account], expected: u64) {
    let user = accounts[0].user.id;
    assert_eq!(total(store, None).await, expected);
    assert_eq!(total(store, Some("user1199")).await, 11);
    let caller = store.caller(Caller { user_id: user, session: None }, None);
    let answer = timeout(SOON, caller).await.expect("a look-up waits for no write").expect("a caller");
    assert_eq!(answer.caller.expect("who is live").id, user);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_more_writes_hang_than_there_are_connections() {
    let set = ReplicaSet::start(1).await.expect("a server");
    let store = support::connect_patiently(&set.url(), "locked").await;
    let accounts: Vec<Account> = (0..USERS).map(|number| account(&format!("user{number}"))).collect();
    store.write(&accounts, &change()).await.expect("accounts are written");
    assert_eq!(total(&store, None).await, USERS);

    set.nodes[0].lock_writes().await.expect("writes are locked");
    let mut hanging = JoinSet::new();
    for (number, account) in accounts.iter().take(HANGING).enumerate() {
        let (store, user) = (store.clone(), account.user.id);
        hanging.spawn(async move {
            match number % 3 {
                0 => store.create(&new_user(&format!("new{number}")), &change()).await.is_err(),
                1 => store.put(user, &trashed(), &change_by(user, at(1))).await.is_err(),
                _ => store.edit(user, &edit_username(&format!("e{number}")), &change()).await.is_err(),
            }
        });
    }
    let since = Instant::now();
    while since.elapsed() < LOCKED {
        // Many at once, none of which takes another's turn.
        let mut reads = JoinSet::new();
        for _ in 0..50 {
            let (store, accounts) = (store.clone(), accounts[..1].to_vec());
            reads.spawn(async move { reads_go_on(&store, &accounts, USERS).await });
        }
        while let Some(read) = reads.join_next().await {
            read.expect("it went well");
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert!(hanging.join_all().await.iter().all(|refused| *refused), "nothing was written");

    set.nodes[0].unlock_writes().await.expect("writes go on");
    // What hung happens now, or never; the count that was kept up tells the same as a new one.
    let settled = async {
        loop {
            let bob = new_user("bob");
            if store.create(&bob, &change()).await.is_ok() {
                store.put(bob.id, &trashed(), &change_by(bob.id, at(1))).await.expect("Bob is deleted");
                break;
            }
        }
        let anew = support::connect_patiently(&set.url(), "locked").await;
        while total(&anew, None).await != total(&store, None).await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_mins(1), settled).await.expect("the counts agree");
}
