//! Stores that misbehave under a running program: every answer is a documented one or 503, and comes in time; what was
//! acknowledged stays; and once the cause has gone, so has the outage, without anybody's help.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;

mod disk;
mod images;
mod mongodb;
mod sqlite;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use harness::{Answer, Call, PATIENCE, TestApp};

/// In how much time every request is answered, whatever has happened to a store.
const BOUND: Duration = Duration::from_secs(12);

/// Waits for an answer, which must come in time.
async fn in_time(call: Call) -> Answer {
    let asked = Instant::now();
    let answer = call.await;
    assert!(asked.elapsed() < BOUND, "{answer:?} came after {:?}", asked.elapsed());
    answer
}

/// People who sign up while something is wrong.
#[derive(Default)]
struct SignUps {
    bodies: Vec<Value>,
    acknowledged: usize,
    refused: usize,
}

impl SignUps {
    /// Lets so many more sign up at once. Each is told yes, or 503; how many were told 503.
    async fn more(&mut self, app: &TestApp, number: usize) -> usize {
        let first = self.bodies.len();
        let body =
            |n| json!({"email": format!("p{n}@example.org"), "username": format!("p{n}"), "password": "x"});
        self.bodies.extend((first..first + number).map(body));
        let calls = self.bodies[first..].iter().map(|body| in_time(app.sign_up_call(body)));
        let mut refused = 0;
        for answer in join_all(calls).await {
            match answer.status {
                201 => self.acknowledged += 1,
                503 => refused += 1,
                _ => panic!("{answer:?}"),
            }
        }
        self.refused += refused;
        refused
    }

    /// Lets people sign up until one is acknowledged.
    async fn come_back(&mut self, app: &TestApp) {
        let back = timeout(PATIENCE, async { while self.more(app, 1).await > 0 {} }).await;
        assert!(back.is_ok(), "the cause has gone, and nobody can sign up");
    }

    /// Who was told yes is there; who was told 503 is there whole, or can sign up now.
    async fn are_kept(&self, app: &TestApp) {
        let mut missing = 0;
        for body in &self.bodies {
            let log_in = app.try_log_in(body["email"].as_str().unwrap(), "x").await;
            if log_in.status == 401 {
                missing += 1;
                app.sign_up_call(body).await.has(201);
            } else {
                log_in.has(200);
            }
        }
        assert!(missing <= self.refused, "{missing} are missing, and {} were told 503", self.refused);
        nothing_panicked(app);
    }
}

/// The lines that tell of this.
fn told(app: &TestApp, event: &str) -> Vec<Value> {
    app.log().events().filter(|line| line["event"] == event).collect()
}

/// Each outage was told once: the next begins after the one before is over.
fn was_told_once(app: &TestApp) {
    let (begun, over) = (told(app, "outage begins"), told(app, "outage over"));
    assert!(!begun.is_empty() && begun.len() <= over.len() + 1, "{begun:#?} {over:#?}");
}

fn nothing_panicked(app: &TestApp) {
    let panics: Vec<String> = app.log().lines.iter().filter(|line| line.contains("panic")).cloned().collect();
    assert!(panics.is_empty(), "{panics:#?}");
}
