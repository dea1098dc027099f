//! More log-ins than can be hashed.
//!
//! On a busy machine hashing may take very long: what must succeed has all the time that a client waits.

use futures_util::future::{Either, join_all, select};
use serde_json::json;

use crate::harness::{Setup, TestApp};

/// Hashes that take a while, and nearly no queue before them.
fn narrow() -> Setup {
    slow().set("HASH_QUEUE", "1")
}

/// Hashes that take a while, and no hurry.
fn slow() -> Setup {
    Setup::new().set("BCRYPT_COST", "11").set("HASH_DEADLINE_SECONDS", "100")
}

/// How many hashes can be made at the same time, at most.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// More than can be hashed while the others wait for a place in the queue, a second. Each takes a core some 60 ms at least.
fn more_than_wait() -> usize {
    40 * cores()
}

async fn burst(app: &TestApp, count: usize) -> Vec<u16> {
    // An unknown email costs a hash as well.
    let body = json!({"email": "nobody@example.org", "password": "x"});
    let calls = (0..count).map(|_| app.post("/api/v1/auth/login").json(&body).into_future());
    join_all(calls).await.iter().map(|answer| answer.status).collect()
}

#[tokio::test]
async fn beyond_its_queue_it_answers_503_and_does_the_rest() {
    let app = narrow().start().await;
    let statuses = burst(&app, more_than_wait()).await;
    assert!(statuses.contains(&503) && statuses.contains(&401), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 503)), "{statuses:?}");
    assert_eq!(burst(&app, 1).await, [401], "and later it is as before");
}

#[tokio::test]
async fn a_sign_up_beyond_the_queue_is_503_and_creates_nobody() {
    let app = narrow().start().await;
    let root = app.admin().await;
    let bodies: Vec<_> = (0..more_than_wait())
        .map(|n| json!({"email": format!("a{n}@example.org"), "username": format!("a{n}"), "password": "x"}))
        .collect();
    let answers = join_all(bodies.iter().map(|body| app.sign_up_call(body).into_future())).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    assert_eq!(created + refused, bodies.len());
    assert!(refused > 0);
    assert_eq!(app.get("/api/v1/auth/users").by(&root).await.has(200).json()["total"], created + 1);
}

#[tokio::test]
async fn what_waits_past_the_deadline_is_503() {
    let app = slow().set("HASH_DEADLINE_SECONDS", "1").set("HASH_QUEUE", "10000").start().await;
    let statuses = burst(&app, more_than_wait()).await;
    assert!(statuses.contains(&503), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 401 | 503)), "{statuses:?}");
}

#[tokio::test]
async fn nothing_else_slows_down_meanwhile() {
    let app = slow().start().await;
    let root = app.admin().await;
    let burst = std::pin::pin!(burst(&app, 16 * cores()));
    let others = std::pin::pin!(async {
        for _ in 0..10 {
            app.get("/health").await.has(200);
            app.get(&root.path()).by(&root).await.has(200);
        }
    });
    match select(burst, others).await {
        Either::Left((statuses, _)) => {
            panic!("20 small requests take longer than {} log-ins", statuses.len())
        }
        Either::Right(((), burst)) => assert_eq!(burst.await, vec![401; 16 * cores()]),
    }
}
