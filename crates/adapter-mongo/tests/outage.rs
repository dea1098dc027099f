//! A MongoDB that goes away is told in bounded time, and the store recovers by itself once it is back.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::time::Duration;

use roster_adapter_mongo::MongoStore;
use roster_domain::ports::{Accounts, CreateError, Sessions};
use roster_domain::values::Email;
use roster_domain_testkit::fixtures::{change, new_user};
use roster_test_mongo::proxy::{Mode, Proxy};
use tokio::time::timeout;

/// A store that reaches its database through a proxy.
async fn behind_a_proxy() -> (support::Database, Proxy, MongoStore) {
    let database = support::Database::fresh_on(roster_test_mongo::Topology::Standalone).await;
    let rest = database.url().split_once("://").expect("a URL").1;
    let host = rest.split(['/', '?', ',']).next().expect("a host").to_owned();
    let proxy = Proxy::before(host).expect("a proxy");
    let store = support::connect_patiently(&proxy.url(), database.name()).await;
    (database, proxy, store)
}

async fn recovers(store: &MongoStore) {
    let recovered = async {
        while store.credentials(&Email::from_store("ann@example.com".to_owned())).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_mins(1), recovered).await.expect("the store recovers");
}

async fn is_told_and_recovers(mode: Mode) {
    let (_database, proxy, store) = behind_a_proxy().await;
    let ann = new_user("ann");
    store.create(&ann, &change()).await.expect("a user is created");

    proxy.set(mode);
    for _ in 0..3 {
        let read = store.credentials(&ann.email);
        timeout(Duration::from_secs(6), read)
            .await
            .expect("a read ends in time")
            .expect_err("the server is away");
        let write = store.create(&new_user("bob"), &change()).await;
        assert!(matches!(write, Err(CreateError::Unavailable(_))), "{write:?}");
    }
    proxy.set(Mode::Forwarding);
    recovers(&store).await;
    let found = store.credentials(&ann.email).await.expect("an answer").expect("credentials");
    assert_eq!(found.user_id, ann.id);
    store.create(&new_user("carol"), &change()).await.expect("a user is created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_its_connections() {
    is_told_and_recovers(Mode::Closing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_packets() {
    is_told_and_recovers(Mode::Silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_gone_leaves_the_operation_to_its_end() {
    let (_database, _proxy, store) = behind_a_proxy().await;
    for round in 0..50 {
        let user = new_user(&format!("ann{round}"));
        // Dropped at once, and somewhere in the middle.
        _ = timeout(Duration::from_micros(round * 100), store.create(&user, &change())).await;
    }
    // All fifty may still be under way, and on a busy machine longer than one more waits.
    recovers(&store).await;
    let bob = new_user("bob");
    let created = async {
        loop {
            match store.create(&bob, &change()).await {
                Err(CreateError::Unavailable(_)) => {}
                // Of a try that was not waited for.
                Ok(()) | Err(CreateError::EmailTaken) => break,
                refused => panic!("{refused:?}"),
            }
        }
    };
    timeout(Duration::from_mins(1), created).await.expect("a user is created");
    assert!(store.credentials(&bob.email).await.unwrap().is_some());
}
