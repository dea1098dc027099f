//! The metrics of this process, as Prometheus reads them. Until [`record`] is called nothing is recorded.
//!
//! [`requests`](crate::requests) has what the HTTP interface counts, and [`Outages`](crate::Outages) what is asked of the stores. Jobs,
//! connections and the hashing count for themselves, through the `metrics` crate.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often [`Metrics::run_upkeep`] is to be called.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// The upper ends of the buckets of all times, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// What is recorded. All clones are of the one record of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// All of it, in the format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.render()
    }

    /// Puts times into their buckets, which wait in memory where nobody reads the text.
    pub fn run_upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Records from now on. What counts has to be made after this.
#[must_use]
pub fn record() -> Metrics {
    static KEPT: OnceLock<PrometheusHandle> = OnceLock::new();
    Metrics(KEPT.get_or_init(install).clone())
}

#[expect(clippy::expect_used, reason = "there are buckets, and nobody else installs a recorder")]
fn install() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("some buckets").build_recorder();
    let kept = recorder.handle();
    metrics::set_global_recorder(recorder).expect("the first recorder");
    describe();
    gauge!("roster_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    kept
}

fn describe() {
    describe_gauge!("roster_build_info", "Always 1; its label is the version of the program.");
    describe_counter!("roster_http_requests_total", "Requests that were answered.");
    describe_histogram!(
        "roster_http_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to the head of its answer."
    );
    describe_gauge!("roster_http_requests_in_flight", "Requests that wait for their answer.");
    describe_gauge!("roster_http_connections", "Connections that are open.");
    describe_counter!(
        "roster_http_connections_displaced_total",
        "Connections that were closed since others needed their places."
    );
    describe_gauge!("roster_hash_waiting", "Passwords that wait to be hashed.");
    describe_histogram!(
        "roster_hash_wait_seconds",
        Unit::Seconds,
        "How long a password waited to be hashed."
    );
    describe_histogram!("roster_hash_run_seconds", Unit::Seconds, "How long a password was hashed.");
    describe_counter!(
        "roster_hash_refused_total",
        "Passwords that were not hashed: too many, or for too long."
    );
    describe_counter!("roster_rate_limited_total", "Requests beyond a rate limit: 429.");
    describe_counter!("roster_store_calls_total", "What was asked of the stores.");
    describe_histogram!(
        "roster_store_call_duration_seconds",
        Unit::Seconds,
        "How long a store took to answer."
    );
    describe_counter!("roster_job_runs_total", "Runs of what is done beside the requests.");
    describe_counter!("roster_users_purged_total", "Users deleted for good.");
    describe_counter!("roster_images_removed_total", "Images removed from their stores.");
}
