//! [`Database`](roster_domain::ports::Database) and [`Store`](roster_domain::ports::Store).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roster_domain::entities::Account;
use roster_domain::ports::{Database, Expired, Identity, Occupancy, OpenError, Store, Unavailable};
use roster_domain::values::UserId;

use super::Databases;
use crate::fixtures::{account, at, change, new_user, trashed};

/// Asks again as long as the store is not ready, as Roster does.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    loop {
        match ask().await {
            Err(OpenError::NotReady(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            answer => return answer,
        }
    }
}

async fn open(database: &Arc<dyn Database>) -> Arc<dyn Store> {
    patiently(async || database.open(None).await).await.unwrap()
}

async fn identity(database: &Arc<dyn Database>) -> Option<Identity> {
    patiently(async || database.identity().await).await.unwrap()
}

/// Ann, and Bob in the trash since `at(0)`, in a database that nobody has open.
async fn occupy(database: &Arc<dyn Database>) -> [UserId; 2] {
    let store = open(database).await;
    let users = [new_user("ann"), new_user("bob")];
    for user in &users {
        store.create(user, &change()).await.unwrap();
    }
    let users = users.map(|user| user.id);
    store.put(users[1], &trashed(), &change()).await.unwrap();
    users
}

/// What is in it, by whatever it is kept in.
async fn content(databases: &Databases) -> BTreeMap<String, Vec<u8>> {
    (databases.content)().await
}

pub async fn a_database_that_is_not_there_is_not_made_by_a_look(databases: Databases) {
    let database = &databases.one;
    assert_eq!(patiently(async || database.examine().await).await.unwrap(), Occupancy::Nobody);
    assert!(patiently(async || database.source().await).await.unwrap().is_none());
    let expired = patiently(async || database.expired(at(1), at(1)).await).await.unwrap();
    assert_eq!(expired, Expired::default());
    assert_eq!(identity(database).await, None);
    assert!(database.exposed_files().unwrap().is_empty());
    assert_eq!(content(&databases).await, BTreeMap::new());
}

pub async fn a_database_that_nobody_is_in_yet_has_no_source(databases: Databases) {
    let database = &databases.one;
    drop(open(database).await);
    assert_eq!(patiently(async || database.examine().await).await.unwrap(), Occupancy::Nobody);
    assert!(patiently(async || database.source().await).await.unwrap().is_none());
}

pub async fn who_is_in_a_database_is_told_and_read_and_nothing_is_changed(databases: Databases) {
    let database = &databases.one;
    let users = occupy(database).await;
    let before = content(&databases).await;
    assert_eq!(patiently(async || database.examine().await).await.unwrap(), Occupancy::Users);
    let source = patiently(async || database.source().await).await.unwrap().expect("somebody is in it");
    let read: Vec<UserId> =
        source.read(None, 10).await.unwrap().into_iter().map(|account: Account| account.user.id).collect();
    assert_eq!(read, users);
    drop(source);
    let expired = patiently(async || database.expired(at(1), at(1)).await).await.unwrap();
    assert_eq!(expired, Expired { due: 1, ..Expired::default() });
    assert!(identity(database).await.is_some());
    assert!(database.exposed_files().unwrap().is_empty());
    assert_eq!(content(&databases).await, before);
}

pub async fn what_was_written_is_there_at_the_next_opening(databases: Databases) {
    let users = occupy(&databases.one).await;
    let store = open(&databases.one).await;
    let read = store.read(None, 10).await.unwrap();
    assert_eq!(read.into_iter().map(|account| account.user.id).collect::<Vec<_>>(), users);
    assert!(open(&databases.another).await.read(None, 10).await.unwrap().is_empty());
}

pub async fn who_opens_a_database_at_once_shares_it(databases: Databases) {
    let database = &databases.one;
    let (one, other) = tokio::join!(open(database), open(database));
    one.create(&new_user("ann"), &change()).await.unwrap();
    assert_eq!(other.read(None, 10).await.unwrap().len(), 1);
}

pub async fn a_database_is_told_from_another(databases: Databases) {
    let Databases { one, another, .. } = &databases;
    for database in [one, another] {
        drop(open(database).await);
    }
    let before = identity(one).await.expect("it is there");
    occupy(one).await;
    let after = identity(one).await.expect("it is there");
    assert!(before.is(&after), "{before:?} {after:?}");
    let another = identity(another).await.expect("it is there");
    assert!(!after.is(&another) && !another.is(&after), "{after:?} {another:?}");
}

pub async fn a_probe_writes_nothing(databases: Databases) {
    occupy(&databases.one).await;
    let store = open(&databases.one).await;
    let before = content(&databases).await;
    for _ in 0..3 {
        store.probe().await.unwrap();
    }
    assert_eq!(content(&databases).await, before);
}

pub async fn an_upkeep_may_run_any_number_of_times_at_once(databases: Databases) {
    occupy(&databases.one).await;
    let stores = [open(&databases.one).await, open(&databases.one).await];
    let before = stores[0].read(None, 10).await.unwrap();
    let upkeep = || async {
        let all: (Result<_, Unavailable>, Result<_, Unavailable>, Result<_, Unavailable>) =
            tokio::join!(stores[0].upkeep(), stores[0].upkeep(), stores[1].upkeep());
        all.0.and(all.1).and(all.2)
    };
    for _ in 0..3 {
        upkeep().await.unwrap();
    }
    assert_eq!(stores[1].read(None, 10).await.unwrap(), before);
    stores[1].write(&[account("carol")], &change()).await.unwrap();
}

pub async fn what_a_newer_version_has_written_is_refused_and_left_as_it_is(databases: Databases) {
    let database = &databases.one;
    occupy(database).await;
    (databases.make_newer)().await;
    let before = content(&databases).await;
    let refused = [
        patiently(async || database.open(None).await).await.map(drop),
        patiently(async || database.examine().await).await.map(drop),
        patiently(async || database.source().await).await.map(drop),
        patiently(async || database.expired(at(1), at(1)).await).await.map(drop),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(OpenError::Refused(_))), "{answer:?}");
    }
    assert_eq!(content(&databases).await, before);
}

pub async fn a_store_that_a_newer_version_has_written_since_fails_its_probe(databases: Databases) {
    let store = open(&databases.one).await;
    (databases.make_newer)().await;
    let before = content(&databases).await;
    store.probe().await.unwrap_err();
    assert_eq!(content(&databases).await, before);
}
