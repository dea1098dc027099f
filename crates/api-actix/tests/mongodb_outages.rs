//! A MongoDB that is slow, hangs, takes no writes, has no primary, or is gone: 503 in time, told in the log once, and all is
//! well again by itself once it is back.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

#[path = "api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::{join, join_all};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use roster_test_mongo::process::ReplicaSet;
use roster_test_mongo::proxy::{Mode, Proxy};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use harness::{PATIENCE, Setup, TestApp, User};

/// How long an answer may take: a use case asks the store twice at most, 5 seconds each.
const ANSWERED_WITHIN: Duration = Duration::from_secs(12);

/// A Roster on a replica set of one, with a user.
async fn start() -> (ReplicaSet, TestApp, User) {
    let set = ReplicaSet::start(1).await.unwrap();
    let (app, ann) = start_on(&set.url()).await;
    (set, app, ann)
}

async fn start_on(url: &str) -> (TestApp, User) {
    let setup = Setup::new().set("LOG_LEVEL", "trace");
    let app = setup.set("DATABASE_URL", url).set("DB_NAME", "outages").start().await;
    let ann = app.sign_up("ann").await;
    (app, ann)
}

/// The same, with a network between the two that can be made to fail.
async fn start_behind_a_proxy() -> (ReplicaSet, Proxy, TestApp, User) {
    let set = ReplicaSet::start(1).await.unwrap();
    let proxy = Proxy::before(set.nodes[0].address()).unwrap();
    let (app, ann) = start_on(&proxy.url()).await;
    (set, proxy, app, ann)
}

async fn read(app: &TestApp, user: &User) -> u16 {
    timeout(ANSWERED_WITHIN, app.get(&user.path()).by(user)).await.unwrap().status
}

async fn write(app: &TestApp, user: &User, username: &str) -> u16 {
    let edit = app.put(&user.path()).by(user).json(&json!({ "username": username }));
    timeout(ANSWERED_WITHIN, edit).await.unwrap().status
}

/// Waits until reads and writes work again.
async fn recovers(app: &TestApp, user: &User, username: &str) {
    let recovered = async {
        while read(app, user).await != 200 || write(app, user, username).await != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, recovered).await.unwrap();
    app.sign_up(&format!("{username}s-friend")).await;
}

/// The lines that tell of this.
fn told(app: &TestApp, event: &str) -> Vec<Value> {
    app.log().events().filter(|line| line["event"] == event).collect()
}

/// What goes to the server, and comes back from it in pieces, is nobody's to read.
fn no_secret_was_told(app: &TestApp, user: &User) {
    for line in &app.log().lines {
        for secret in [&user.email, &user.password, &user.access, &user.refresh] {
            assert!(!line.contains(secret.as_str()), "{secret:?} in {line}");
        }
    }
}

/// It was told once, in a line that can be read, and nothing panicked.
fn was_told_once(app: &TestApp) {
    let begun = told(app, "outage begins");
    assert_eq!(begun.len(), 1, "{begun:#?}");
    let error = begun[0]["error"].as_str().unwrap();
    assert!(
        begun[0]["level"] == "ERROR" && begun[0]["cause"] == "MongoDB" && error.len() < 300,
        "{begun:#?}"
    );
    // The rest is for those who look closely.
    assert!(told(app, "request failed").iter().all(|line| line["level"] == "DEBUG"));
    assert!(!app.log().lines.iter().any(|line| line.contains("panicked")), "{:#?}", app.log().lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_comes_back() {
    let (set, app, ann) = start().await;
    set.nodes[0].kill().unwrap();
    let refused = async || (read(&app, &ann).await, write(&app, &ann, "anna").await);
    for _ in 0..3 {
        assert_eq!(refused().await, (503, 503));
        assert_eq!(app.get("/health/ready").await.status, 503);
    }
    was_told_once(&app);

    set.nodes[0].restart().unwrap();
    recovers(&app, &ann, "annabel").await;
    assert_eq!(app.get(&ann.path()).by(&ann).await.json()["username"], "annabel");
    let ready = async {
        while app.get("/health/ready").await.status != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
    // Once no request has failed for a while.
    let over = async {
        while told(&app, "outage over").is_empty() {
            assert_eq!(read(&app, &ann).await, 200);
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, over).await.unwrap();
    assert_eq!(told(&app, "outage over")[0]["cause"], "MongoDB");
    no_secret_was_told(&app, &ann);
    was_told_once(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_and_goes_on() {
    let (set, app, ann) = start().await;
    set.nodes[0].pause().unwrap();
    let asked = Instant::now();
    // Many at once: none waits for another's turn.
    let reads = join_all((0..50).map(|_| read(&app, &ann)));
    let (reads, writes) = join(reads, join_all((0..50).map(|_| write(&app, &ann, "anna")))).await;
    assert!(reads.iter().chain(&writes).all(|status| *status == 503), "{reads:?} {writes:?}");
    assert!(asked.elapsed() < ANSWERED_WITHIN, "{:?}", asked.elapsed());
    assert_eq!(app.get("/health").await.status, 200);
    let asked = Instant::now();
    let probes = join_all((0..50).map(|_| async { app.get("/health/ready").await.status })).await;
    assert!(probes.iter().all(|status| *status == 503), "{probes:?}");
    assert!(asked.elapsed() < ANSWERED_WITHIN, "{:?}", asked.elapsed());
    was_told_once(&app);

    set.nodes[0].resume().unwrap();
    recovers(&app, &ann, "annabel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_for_a_while() {
    let (set, app, ann) = start().await;
    set.nodes[0].lock_writes().await.unwrap();
    assert_eq!(write(&app, &ann, "anna").await, 503);
    assert_eq!(read(&app, &ann).await, 200, "reads go on");
    was_told_once(&app);

    set.nodes[0].unlock_writes().await.unwrap();
    recovers(&app, &ann, "annabel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_set_without_a_primary() {
    let (set, app, ann) = start().await;
    set.nodes[0].step_down(8).await.unwrap();
    assert_eq!((read(&app, &ann).await, write(&app, &ann, "anna").await), (503, 503));
    was_told_once(&app);
    // It elects itself when the time is over.
    recovers(&app, &ann, "annabel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_slow_is_waited_for_and_one_that_is_too_slow_is_not() {
    /// How late each answer of the server is: one that is waited for, and one that is not. A use case waits five seconds for each.
    const LATE: Duration = Duration::from_secs(1);
    const TOO_LATE: Duration = Duration::from_secs(10);
    let (_set, proxy, app, ann) = start_behind_a_proxy().await;
    proxy.set(Mode::Slow(LATE));
    let asked = Instant::now();
    assert_eq!(join(read(&app, &ann), write(&app, &ann, "anna")).await, (200, 200));
    assert!(asked.elapsed() >= LATE * 2, "an edit asks twice: {:?}", asked.elapsed());
    assert_eq!(told(&app, "outage begins"), [Value::Null; 0]);

    proxy.set(Mode::Slow(TOO_LATE));
    for _ in 0..2 {
        let all = join(
            join_all((0..20).map(|_| read(&app, &ann))),
            join_all((0..20).map(|_| write(&app, &ann, "annika"))),
        );
        let (reads, writes) = all.await;
        assert!(reads.iter().chain(&writes).all(|status| *status == 503), "{reads:?} {writes:?}");
    }
    was_told_once(&app);

    proxy.set(Mode::Forwarding);
    recovers(&app, &ann, "annabel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_loses_what_is_sent_or_cuts_answers_in_their_middle() {
    let (_set, proxy, app, ann) = start_behind_a_proxy().await;
    for (mode, username) in [(Mode::Silent, "anna"), (Mode::Cutting, "annabel"), (Mode::Closing, "anneke")] {
        proxy.set(mode);
        for _ in 0..3 {
            let answers = join(read(&app, &ann), write(&app, &ann, "annika")).await;
            assert_eq!(answers, (503, 503), "{mode:?}");
        }
        proxy.set(Mode::Forwarding);
        recovers(&app, &ann, username).await;
        assert_eq!(app.get(&ann.path()).by(&ann).await.json()["username"], username);
    }
    no_secret_was_told(&app, &ann);
    // The next begins after the one before is over.
    let (begun, over) = (told(&app, "outage begins"), told(&app, "outage over"));
    assert!(!begun.is_empty() && begun.len() <= over.len() + 1, "{begun:#?} {over:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_deletion_that_fails_half_way_is_told_user_by_user() {
    let (set, app, _ann) = start().await;
    let root = app.admin().await;
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(app.sign_up(&format!("user{number}")).await.id);
    }
    // The server refuses to delete this one.
    let stuck = ObjectId::parse_str(&ids[20]).unwrap();
    let validator = doc! { "$or": [{ "_id": { "$ne": stuck } }, { "is_deleted": false }] };
    let database = mongodb::Client::with_uri_str(set.url()).await.unwrap().database("outages");
    database.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();

    let body = json!({ "ids": ids, "reason": "spam" });
    app.post("/api/v1/trash/bulk-delete").by(&root).json(&body).await.has(503);
    let in_trash: BTreeSet<String> = {
        let filter = doc! { "is_deleted": true };
        let users = database.collection::<Document>("users").find(filter).await.unwrap();
        let users: Vec<Document> = users.try_collect().await.unwrap();
        users.iter().map(|user| user.get_object_id("_id").unwrap().to_hex()).collect()
    };
    assert!(in_trash.len() >= 20, "{in_trash:?}");
    let all_told = || {
        let lines = told(&app, "user deleted");
        let by_root =
            lines.iter().filter(|line| line["by"] == root.id.as_str() && line["request"].is_string());
        by_root.filter_map(|line| line["user"].as_str().map(str::to_owned)).collect::<BTreeSet<_>>()
            == in_trash
    };
    harness::eventually("each of them is told", all_told).await;
    assert_eq!(told(&app, "user perhaps deleted")[0]["user"], ids[20].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_deletion_that_fails_is_told() {
    let (set, app, ann) = start().await;
    let root = app.admin().await;
    let stuck = ObjectId::parse_str(&ann.id).unwrap();
    let validator = doc! { "_id": { "$ne": stuck } };
    let database = mongodb::Client::with_uri_str(set.url()).await.unwrap().database("outages");
    database.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();
    app.delete(&ann.delete_path()).by(&root).await.has(503);
    let is_told = |event: &str| {
        let lines = told(&app, event);
        let of_ann = |line: &&Value| line["user"] == ann.id.as_str() && line["by"] == root.id.as_str();
        lines.iter().filter(of_ann).count() == 1
    };
    harness::eventually("it is told", || is_told("user perhaps deleted")).await;
    assert!(!is_told("user deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_roster_that_comes_meanwhile_ends_all_writing_and_reads_go_on() {
    let (set, app, ann) = start().await;
    let database = mongodb::Client::with_uri_str(set.url()).await.unwrap().database("outages");
    let meta = database.collection::<Document>("roster_meta");
    let bring_to = async |version: i32| {
        let set = doc! { "$set": { "version": version } };
        assert_eq!(meta.update_one(doc! { "_id": "format" }, set).await.unwrap().matched_count, 1);
    };
    app.get("/health/ready").await.has(200);
    bring_to(77).await;
    let ready = async |status: u16| {
        while app.get("/health/ready").await.status != status {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, ready(503)).await.unwrap();
    let state = async || {
        let users = database.collection::<Document>("users").find(doc! {}).await.unwrap();
        let users: Vec<Document> = users.try_collect().await.unwrap();
        let meta: Vec<Document> = meta.find(doc! {}).await.unwrap().try_collect().await.unwrap();
        (users, meta)
    };
    let before = state().await;
    let log_in = json!({ "email": ann.email, "password": ann.password });
    app.post("/api/v1/auth/login").json(&log_in).await.has(503);
    assert_eq!((read(&app, &ann).await, write(&app, &ann, "anna").await), (200, 503));
    assert!(state().await == before);
    let lines = told(&app, "newer format");
    assert!(lines.len() == 1 && lines[0]["level"] == "ERROR" && lines[0]["version"] == 77, "{lines:#?}");
    was_told_once(&app);

    // From a backup of before.
    bring_to(2).await;
    timeout(PATIENCE, ready(200)).await.unwrap();
    assert_eq!(write(&app, &ann, "anna").await, 200);
}
