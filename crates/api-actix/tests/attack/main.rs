//! An hour of attack in a minute. All that strangers were found to do harm with goes on at once, on one instance, while honest
//! clients sign up, log in, edit and upload. None of their requests fails, each is answered in time, and afterwards the
//! service holds as much memory, disk and as many connections as before.
//!
//! How long a request takes of itself, its hash included, another instance tells that nobody attacks: it is asked the same, on
//! the same machine, at the same time.
//!
//! `ROSTER_ATTACK_SECONDS` says for how long on each store (40 without), `ROSTER_ATTACK_ONLY` names one kind of attack,
//! and `ROSTER_TEST_BINARY` another build of the binary.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]
#![expect(clippy::print_stdout, reason = "the figures are for the person at the terminal")]

mod attackers;
#[path = "../overload/bodies.rs"]
mod bodies;
#[path = "../overload/client.rs"]
#[expect(dead_code, reason = "the test of overload needs more of it")]
mod client;
#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;
mod holdings;
mod honest;
#[path = "../overload/slow.rs"]
mod slow;
mod target;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use roster_test_mongo::{Database, asked_topology};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Mutex;
use tokio::time::Instant;

use attackers::Answers;
use client::on_own_thread;
use harness::{Setup, TestApp};
use holdings::Holdings;
use honest::{Honest, Times, percentile};
use target::Target;

/// How long a client waits for an answer before the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much longer than on an instance that nobody attacks requests may take, but for one of a hundred. A debug build needs
/// some ten times as long to read what it is sent, on processors that it shares with those who send it.
const MOST_WAITED: Duration = Duration::from_secs(1);
const MOST_WAITED_IN_DEBUG: Duration = Duration::from_secs(10);

/// How much more memory may be resident afterwards than before: the tables of who asked how often (12 MB), caches and pools
/// of the stores' drivers, and what the allocator keeps.
const MORE_MEMORY: u64 = 64 * 1024 * 1024;

/// The test takes both processors, so the stores have their turns.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_strangers_send_hurts_anybody_else_on_sqlite() {
    let _turn = TURN.lock().await;
    attack([Setup::new(), Setup::new()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_strangers_send_hurts_anybody_else_on_mongodb() {
    let _turn = TURN.lock().await;
    let databases = [Database::fresh(asked_topology()).await, Database::fresh(asked_topology()).await];
    let on = |database: &Database| {
        Setup::new().set("DATABASE_URL", database.url()).set("DB_NAME", database.name())
    };
    attack(databases.each_ref().map(on)).await;
}

fn duration() -> Duration {
    let seconds = std::env::var("ROSTER_ATTACK_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(40))
}

/// Whether the service was built as the test was, for debugging. It is attacked less hard then.
fn is_debug() -> bool {
    cfg!(debug_assertions) && std::env::var_os("ROSTER_TEST_BINARY").is_none()
}

/// The service as it is shipped, but with few places for connections, so that strangers can take them all.
async fn start(setup: Setup) -> TestApp {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let folder = tempfile::Builder::new().prefix("roster-attack-").tempdir().unwrap();
    let spools = folder.path().join("spools");
    std::fs::create_dir(&spools).unwrap();
    let setup = ["BCRYPT_COST", "RATE_LIMITS", "ADMIN_SIGNUP"].into_iter().fold(setup, Setup::unset);
    let setup = setup.set("METRICS_ADDRESS", "127.0.0.1:0").set("TMPDIR", spools.to_str().unwrap());
    // A debug build shares two processors with those who attack it, and would have too little of them left for dear hashes.
    let setup = if is_debug() { setup.set("BCRYPT_COST", "11") } else { setup };
    setup.by(&["/bin/sh", "-c", r#"ulimit -n 4096; exec "$@""#, "sh"]).start_in(folder).await
}

async fn attack([attacked, calm]: [Setup; 2]) {
    let (app, calm) = (Arc::new(start(attacked).await), Arc::new(start(calm).await));
    let metrics = app.logged(|log| {
        let line = log.events().find(|line| line["event"] == "metrics")?;
        line["address"].as_str()?.parse().ok()
    });
    let metrics: SocketAddr = metrics.await.expect("the log tells the address");
    let (honest, others) = (vec![Honest::new(9), Honest::new(10)], vec![Honest::new(11)]);
    // Everything has been asked for once before it is looked at what that takes.
    let (honest, _) = work(&app, honest, Instant::now()).await;
    let (others, _) = work(&calm, others, Instant::now()).await;
    let until = Instant::now() + duration();
    let target = Arc::new(Target::new(&app, metrics, honest[0].users[0].clone(), until).await);
    let (before, hashes) = (Holdings::of(&app, metrics), target.hashes().await);

    let watching = Holdings::most_until(&app, metrics, until);
    let (attackers, most, (honest, times), (_, calm_times)) = tokio::join!(
        attackers::all(&target),
        watching,
        work(&app, honest, until),
        work(&calm, others, until)
    );
    let own = (target.hashes().await - hashes).mean();

    println!("before: {before}\nat most: {most}\nhonest: {times}\nhonest, nobody attacks: {calm_times}");
    println!("a hash took {own:.1?}\n{attackers}");
    let most_waited = if is_debug() { MOST_WAITED_IN_DEBUG } else { MOST_WAITED };
    for (kind, times, calm) in [
        ("log-ins and sign-ups", times.hashed, calm_times.hashed),
        ("other requests", times.plain, calm_times.plain),
    ] {
        let [attacked, calm] = [times, calm].map(|times| percentile(&times, 99));
        assert!(
            attacked <= calm + most_waited,
            "p99 of {kind}: {attacked:?}, and {calm:?} without an attack"
        );
    }
    assert_they_attacked(&attackers);
    before.come_back(&app, metrics).await;
    honest::images_are_theirs(&app, &honest);
}

/// Lets clients work until then, and close their connections. Tells how long their requests took.
async fn work(app: &Arc<TestApp>, mut clients: Vec<Honest>, until: Instant) -> (Vec<Honest>, Times) {
    let app = Arc::clone(app);
    on_own_thread(move || async move {
        join_all(clients.iter_mut().map(|client| client.work(&app, until))).await;
        let mut times = Times::default();
        for client in &mut clients {
            times.join(client.leave());
        }
        (clients, times)
    })
    .await
}

/// Each attack got as far as it can.
fn assert_they_attacked(answers: &Answers) {
    for (attack, status) in [
        ("log-ins, right", 200),
        ("log-ins, wrong", 401),
        ("log-ins, wrong", 429),
        ("log-ins, from one address after another", 401),
        ("sign-ups", 201),
        ("sign-ups", 429),
        ("bodies", 422),
        ("uploads, slow", 429),
        ("uploads, big", 400),
        ("pictures", 413),
        ("idle", 200),
        ("metrics", 200),
        ("tokens", 401),
        ("framing", 400),
    ] {
        assert!(answers.count(attack, status) != Some(0), "{attack} had no answer of {status}: {answers}");
    }
}
