//! What is counted, read as Prometheus does.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use tokio::time::{sleep, timeout};

use crate::harness::{PATIENCE, Setup, TestApp, jpeg, sign_up_body};

const ANY_PORT: &str = "127.0.0.1:0";

/// What stands there at one moment.
struct Metrics {
    text: String,
}

impl Metrics {
    async fn of(app: &TestApp) -> Self {
        let address = app.logged(|log| {
            let line = log.events().find(|line| line["event"] == "metrics")?;
            Some(line["address"].as_str().unwrap().to_owned())
        });
        let address = address.await.expect("the log tells the address");
        let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Self { text: answer.text().await.unwrap() }
    }

    /// All series of a name: their labels, and the value of each.
    fn series(&self, name: &str) -> Vec<(BTreeMap<&str, &str>, f64)> {
        let of_name = self.text.lines().filter_map(|line| line.strip_prefix(name));
        of_name
            .filter_map(|rest| {
                let (labels, value) = match rest.strip_prefix('{') {
                    Some(rest) => rest.rsplit_once("} ")?,
                    None => ("", rest.strip_prefix(' ')?),
                };
                let labels = labels.split("\",").filter_map(|label| label.split_once("=\""));
                let labels = labels.map(|(name, value)| (name, value.trim_end_matches('"')));
                Some((labels.collect(), value.parse().unwrap()))
            })
            .collect()
    }

    /// The sum of the series that have these labels; none is none.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has_all = |found: &BTreeMap<&str, &str>| {
            labels.iter().all(|(name, value)| found.get(name).is_some_and(|found| found == value))
        };
        self.series(name).iter().filter(|(found, _)| has_all(found)).map(|(_, value)| value).sum()
    }

    #[track_caller]
    fn has(&self, name: &str, labels: &[(&str, &str)], expected: u32) {
        let sum = self.sum(name, labels);
        assert!(
            (sum - f64::from(expected)).abs() < f64::EPSILON,
            "{name} {labels:?} is {sum}, not {expected}: {}",
            self.text
        );
    }
}

#[tokio::test]
async fn requests_hashes_store_calls_and_removals_are_counted_exactly() {
    let app = Setup::new().set("METRICS_ADDRESS", ANY_PORT).start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    for _ in 0..3 {
        app.get(&ann.path()).by(&ann).await.has(200);
    }
    for path in ["/nowhere", "/api/v1/ann@example.org?token=x"] {
        app.get(path).await.has(404);
    }
    app.call(Method::from_bytes(b"MADEUP").unwrap(), "/health").await.has(405);
    app.try_log_in(&ann.email, "wrong").await.has(401);
    app.sign_up_call(&sign_up_body("ann")).await.has(409);
    app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.jpg", &jpeg()).await.has(200);
    app.trash(&root, &[&ann]).await;
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    // It goes at once, or where that takes long a little later.
    let gone = timeout(PATIENCE, async {
        while Metrics::of(&app).await.sum("roster_images_removed_total", &[]) < 1.0 {
            sleep(Duration::from_millis(50)).await;
        }
    });
    gone.await.expect("the image is removed");

    let metrics = Metrics::of(&app).await;
    let requests = |method, route, status, expected| {
        let labels = [("method", method), ("route", route), ("status", status)];
        metrics.has("roster_http_requests_total", &labels, expected);
    };
    requests("GET", "/api/v1/auth/users/{user_id}", "200", 3);
    requests("GET", "unknown", "404", 2);
    requests("other", "/health", "405", 1);
    requests("POST", "/api/v1/auth/login", "200", 2);
    requests("POST", "/api/v1/auth/login", "401", 1);
    requests("POST", "/api/v1/auth/signup", "201", 1);
    requests("POST", "/api/v1/auth/signup", "409", 1);
    metrics.has("roster_http_requests_total", &[], 15);
    metrics.has("roster_http_request_duration_seconds_count", &[("route", "/api/v1/auth/login")], 3);
    metrics.has("roster_http_request_duration_seconds_bucket", &[("le", "+Inf")], 15);
    metrics.has("roster_http_requests_in_flight", &[], 0);
    assert!(metrics.sum("roster_http_connections", &[]) >= 1.0, "{}", metrics.text);
    metrics.has("roster_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);

    // Two sign-ups and a third that was refused, two log-ins and a wrong one.
    metrics.has("roster_hash_run_seconds_count", &[], 6);
    metrics.has("roster_hash_wait_seconds_bucket", &[("le", "+Inf")], 6);
    metrics.has("roster_hash_waiting", &[], 0);
    metrics.has("roster_hash_refused_total", &[], 0);

    let calls = |store, operation, outcome, expected| {
        let labels = [("store", store), ("operation", operation), ("outcome", outcome)];
        metrics.has("roster_store_calls_total", &labels, expected);
    };
    let (database, create) = app.creation();
    calls(database, create, "ok", 2);
    calls(database, create, "refused", 1);
    calls("image folder", "put", "ok", 1);
    calls("image folder", "remove", "ok", 1);
    metrics.has("roster_store_calls_total", &[("outcome", "unavailable")], 0);
    metrics.has("roster_users_purged_total", &[], 1);
    metrics.has("roster_images_removed_total", &[], 1);
    for job in ["trash retention", "image removal"] {
        metrics.has("roster_job_runs_total", &[("job", job), ("outcome", "failed")], 0);
    }

    for secret in [ann.id.as_str(), &ann.access, "ann@", "example.org", "nowhere", "token", "MADEUP"] {
        assert!(!metrics.text.contains(secret), "{secret} in {}", metrics.text);
    }
    app.get("/metrics").await.has(404);
}

#[tokio::test]
async fn what_fails_is_counted_as_that() {
    let setup = Setup::new().set("METRICS_ADDRESS", ANY_PORT);
    // One hash takes several times as long as all may.
    let setup = setup.set("BCRYPT_COST", "16").set("HASH_DEADLINE_SECONDS", "1");
    let app = setup.start().await;
    app.try_log_in("ann@example.org", "x").await.has(503);
    let metrics = Metrics::of(&app).await;
    metrics.has("roster_hash_refused_total", &[], 1);
    metrics.has("roster_http_requests_total", &[("route", "/api/v1/auth/login"), ("status", "503")], 1);
}

#[tokio::test]
async fn a_store_that_is_away_is_counted_as_that() {
    let app = Setup::new().set("METRICS_ADDRESS", ANY_PORT).start().await;
    let ann = app.sign_up("ann").await;
    std::fs::rename(app.folder().join("data/images"), app.folder().join("elsewhere")).unwrap();
    app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.jpg", &jpeg()).await.has(503);
    let labels = [("store", "image folder"), ("operation", "put"), ("outcome", "unavailable")];
    Metrics::of(&app).await.has("roster_store_calls_total", &labels, 1);
}
