//! A replica set of three whose primary dies again and again, while clients sign up, log in, edit, delete and restore:
//! what was acknowledged stays, nobody is answered anything but a documented answer or 503, and service comes back. In the
//! end a primary is left alone with writes that nobody else has.
//!
//! `ROSTER_FAILOVER_ROUNDS` says how often the primary dies (3 without), `ROSTER_FAILOVER_SEED` what the clients ask.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]
#![expect(clippy::print_stdout, reason = "how long it took is for the person at the terminal")]

#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the crash test needs more of it")]
mod support;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use roster_test_mongo::NoServer;
use roster_test_mongo::process::{Node, ReplicaSet};
use tokio::time::{Instant, timeout};

use harness::{PATIENCE, Setup, TestApp, now};
use support::account::Request;
use support::client::{Client, Habits};
use support::tally::{Kind, Tally};
use support::{all_is_there, all_is_well, setting};

/// The election's time-out of these replica sets, and as much again as a busy machine may need.
const BACK_WITHIN: Duration = Duration::from_secs(2 + 30);

const CLIENTS: usize = 6;
const USERS_OF_EACH: usize = 4;

/// They rest, so that a small machine is left some time for its elections.
const HABITS: Habits = Habits { rest: Duration::from_millis(10), uploads: false };

/// How many answers clients get before the primary dies, and then before it comes back.
const ANSWERS: usize = 100;

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_service_comes_back_when_primaries_die() {
    let rounds = setting("ROSTER_FAILOVER_ROUNDS").unwrap_or(3);
    let seed = setting("ROSTER_FAILOVER_SEED").unwrap_or_else(now);
    println!("ROSTER_FAILOVER_SEED={seed} ROSTER_FAILOVER_ROUNDS={rounds}");

    let set = Arc::new(ReplicaSet::start(3).await.unwrap());
    let app = Setup::new().set("DATABASE_URL", &set.url()).set("DB_NAME", "failover").start().await;
    let tally = Tally::default();
    let mut clients = Vec::new();
    for (number, seed) in (0..CLIENTS).zip(seed..) {
        clients.push(Client::new(&app, &format!("c{number}"), USERS_OF_EACH, seed, HABITS, &tally).await);
    }
    let mut canary = Client::new(&app, "canary", 1, seed, HABITS, &tally).await;
    let first_name = canary.accounts[0].first_name.clone();
    for request in [Request::SignUp { name: first_name.clone() }, Request::LogIn { name: first_name }] {
        assert!(canary.ask(&app, 0, &request).await, "{request:?} before anybody has died");
    }

    let stop = Cell::new(false);
    let killing = async {
        for round in 1..=rounds {
            kill_a_primary(round, &set, &app, &mut canary, &tally).await;
        }
        leave_a_primary_alone(&set, &app, &mut canary, &tally).await;
        stop.set(true);
    };
    join(killing, join_all(clients.iter_mut().map(|client| client.run(&app, &stop)))).await;
    println!("{tally}");

    clients.push(canary);
    // What is found is the database's, not what the process remembers.
    let app = app.restart().await;
    println!("in the end {:?}", all_is_there(&app, &mut clients).await);
    for client in &mut clients {
        all_is_well(&app, client).await;
    }
}

/// One round: the primary dies, service comes back, the dead one comes back.
async fn kill_a_primary(
    round: u64,
    set: &Arc<ReplicaSet>,
    app: &TestApp,
    canary: &mut Client<'_>,
    tally: &Tally,
) {
    tally.more(ANSWERS, Kind::Answer).await;
    let primary = primary_of(set).await;
    on_node(set, primary, Node::kill).await;
    let after = acknowledged_again(app, canary).await;
    println!(
        "round {round}: the primary, node {primary}, died; writes are acknowledged again after {after:.1?}"
    );

    tally.more(ANSWERS, Kind::Answer).await;
    on_node(set, primary, Node::restart).await;
    all_follow(set).await;
}

/// A primary that is alone takes writes until it notices, and nobody else ever learns of them: none may be acknowledged.
/// Then it dies too, and the others go on without it.
async fn leave_a_primary_alone(set: &Arc<ReplicaSet>, app: &TestApp, canary: &mut Client<'_>, tally: &Tally) {
    tally.more(ANSWERS, Kind::Answer).await;
    let primary = primary_of(set).await;
    let others: Vec<usize> = (0..set.nodes.len()).filter(|number| *number != primary).collect();
    for other in &others {
        on_node(set, *other, Node::kill).await;
    }
    let noticed = timeout(PATIENCE, async { while set.primary().await.is_some() {} }).await;
    assert!(noticed.is_ok(), "node {primary} is a primary without a majority");
    on_node(set, primary, Node::kill).await;
    tally.more(CLIENTS, Kind::Apology).await;

    for other in others {
        on_node(set, other, Node::restart).await;
    }
    let after = acknowledged_again(app, canary).await;
    println!("node {primary} was left alone, then died; writes are acknowledged again after {after:.1?}");
    tally.more(ANSWERS, Kind::Answer).await;
    on_node(set, primary, Node::restart).await;
    all_follow(set).await;
    tally.more(ANSWERS, Kind::Answer).await;
}

/// Writes until a write is acknowledged, and tells how long that took.
async fn acknowledged_again(app: &TestApp, canary: &mut Client<'_>) -> Duration {
    let begun = Instant::now();
    let back = timeout(BACK_WITHIN, async { while !canary.rename(app, 0).await {} }).await;
    assert!(back.is_ok(), "no write was acknowledged within {BACK_WITHIN:?}");
    begun.elapsed()
}

/// Waits until one is the primary and all others follow: only then the next death leaves a majority.
async fn all_follow(set: &ReplicaSet) {
    let primary = primary_of(set).await;
    for (number, node) in set.nodes.iter().enumerate().filter(|(number, _)| *number != primary) {
        let follows = timeout(PATIENCE, async { while !node.is_secondary().await {} }).await;
        assert!(follows.is_ok(), "node {number} does not follow node {primary}");
    }
}

async fn primary_of(set: &ReplicaSet) -> usize {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(primary) = set.primary().await {
                break primary.address();
            }
        }
    });
    let address = found.await.expect("a replica set has a primary");
    set.nodes.iter().position(|node| node.address() == address).unwrap()
}

/// Starting and killing wait for a process, and the clients must not wait with them.
async fn on_node(set: &Arc<ReplicaSet>, number: usize, act: fn(&Node) -> Result<(), NoServer>) {
    let set = Arc::clone(set);
    tokio::task::spawn_blocking(move || act(&set.nodes[number])).await.unwrap().unwrap();
}
