//! Whether it is there, and whether requests are to be sent to it.

use std::time::Duration;

use roster_test_s3::{Mode, TestS3};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, PATIENCE, Setup, TestApp, detail};

async fn ready(app: &TestApp) -> Answer {
    let answer = app.get("/health/ready").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    match answer.status {
        200 => answer.is(200, json!({"status": "ready"})),
        _ => answer.is(503, detail("Service Unavailable")),
    }
}

/// Asks until the answer is that; each answer holds for a second.
async fn becomes(app: &TestApp, status: u16) {
    let asked = timeout(PATIENCE, async {
        while ready(app).await.status != status {
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(asked.await.is_ok(), "/health/ready is not {status}: {:#?}", app.log().lines);
    // Neither of these asks a store.
    app.get("/health").await.is(200, json!({"status": "I am healthy"}));
    app.get("/health/live").await.is(200, json!({"status": "live"}));
}

/// The lines that tell of an outage. There is one for each: the next begins when the one before is over.
fn told(app: &TestApp) -> Vec<Value> {
    let lines = |event| app.log().events().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let begun = lines("outage begins");
    assert!(begun.len() <= lines("outage over").len() + 1, "{begun:#?}");
    begun
}

#[tokio::test]
async fn while_a_store_is_away_it_is_not_ready_and_the_log_alone_tells_which_and_once() {
    let app = TestApp::start().await;
    becomes(&app, 200).await;
    let (place, elsewhere) = (app.folder().join("data/images"), app.folder().join("elsewhere"));
    for _ in 0..2 {
        std::fs::rename(&place, &elsewhere).unwrap();
        becomes(&app, 503).await;
        std::fs::rename(&elsewhere, &place).unwrap();
        becomes(&app, 200).await;
    }
    let begun = &told(&app)[0];
    assert_eq!((&begun["cause"], &begun["level"]), (&json!("image folder"), &json!("ERROR")));
    assert!(begun["error"].as_str().unwrap().contains("No such file"), "{begun}");
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_makes_it_not_ready_in_time() {
    let mut s3 = TestS3::start();
    let setup = Setup::new()
        .set("AWS_ENDPOINT_URL_S3", &s3.url())
        .set("AWS_ACCESS_KEY_ID", &s3.config().access_key_id)
        .set("AWS_SECRET_ACCESS_KEY", &s3.config().secret_access_key)
        .set("S3_BUCKET", &s3.config().bucket);
    let app = setup.start().await;
    becomes(&app, 200).await;
    s3.set_mode(Mode::Hanging);
    becomes(&app, 503).await;
    s3.set_mode(Mode::Well);
    becomes(&app, 200).await;
    s3.kill();
    becomes(&app, 503).await;
    s3.restart();
    becomes(&app, 200).await;
    assert_eq!(told(&app)[0]["cause"], "image store");
}

#[tokio::test]
async fn who_is_told_to_stop_says_so_before_it_stops_to_listen_and_serves_meanwhile() {
    let mut app = Setup::new().set("STOP_DELAY_SECONDS", "300").start().await;
    becomes(&app, 200).await;
    app.signal(Signal::TERM);
    becomes(&app, 503).await;
    let ann = app.sign_up("ann").await;
    let answer = app.get(&ann.path()).by(&ann).await.has(200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(told(&app).is_empty(), "that is no outage");

    app.signal(Signal::TERM);
    assert_eq!(app.ended().await.code(), Some(1), "a second signal ends it at once");
}

#[tokio::test]
async fn after_its_delay_it_stops_by_itself() {
    let mut app = Setup::new().set("STOP_DELAY_SECONDS", "1").start().await;
    app.signal(Signal::TERM);
    assert_eq!(app.ended().await.code(), Some(0));
}
