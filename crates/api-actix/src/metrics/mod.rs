//! Metrics for Prometheus, on a port of their own. Without `METRICS_ADDRESS` nothing is recorded.
//!
//! `requests` is what the HTTP interface counts, and `crate::outages` what is asked of the stores.
//!
//! Jobs, connections and the hashing count for themselves, through the `metrics` crate. What stands in a label is always one
//! of a few: a route's pattern and never a path, a name of ours and never a client's.

mod requests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::time::Duration;

use actix_http::Response;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::rt::spawn;
use actix_web::{App, HttpResponse, web};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use roster_http_server::{Config, Malformed, Meters, Patience, serve};
use tokio::time::sleep;

pub(crate) use requests::{InFlight, Requests, answered, limited};

/// The upper ends of the buckets of all times, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// How often times are put into their buckets where nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

/// How many may read at once.
const MOST_READERS: usize = 32;

/// How long a connection may wait for its reader, who may come once a minute.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    next: Duration::from_secs(75),
    answer: Duration::from_secs(30),
    end: Duration::from_secs(5),
    look_every: Duration::from_secs(1),
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The metrics of this process, ready to be served.
pub(crate) struct Metrics {
    listener: TcpListener,
    kept: PrometheusHandle,
}

impl Metrics {
    /// Listens there, and keeps metrics from now on. What counts has to be made after this.
    pub(crate) fn start(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)?, kept: recorder() })
    }

    /// Serves them until the process ends.
    pub(crate) fn serve(self) -> io::Result<()> {
        let Self { listener, kept } = self;
        let address = listener.local_addr()?;
        let shared = kept.clone();
        let config = Config {
            name: "metrics",
            workers: 1,
            places: MOST_READERS,
            patience: PATIENCE,
            stops_within: Duration::ZERO,
            meters: Meters::default(),
        };
        let app = move || {
            let shared = web::Data::new(shared.clone());
            App::new().app_data(shared).route("/metrics", web::get().to(read))
        };
        let server = serve(config, vec![listener], app, refuse)?;
        spawn(server);
        spawn(async move {
            loop {
                sleep(UPKEEP).await;
                kept.run_upkeep();
            }
        });
        if address.ip().is_loopback() {
            tracing::info!(event = "metrics", %address, "metrics at http://{address}/metrics");
        } else {
            tracing::warn!(
                event = "metrics",
                %address,
                "other machines can read metrics at http://{address}/metrics"
            );
        }
        Ok(())
    }
}

fn refuse(malformed: Malformed, _: SocketAddr) -> Response<BoxBody> {
    Response::new(match malformed {
        Malformed::Syntax => StatusCode::BAD_REQUEST,
        Malformed::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Malformed::HeadTooSlow => StatusCode::REQUEST_TIMEOUT,
    })
}

/// What counts the connections of the API.
pub(crate) fn connections() -> Meters {
    Meters {
        open: gauge!("roster_http_connections"),
        displaced: counter!("roster_http_connections_displaced_total"),
    }
}

async fn read(kept: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, TEXT)).body(kept.render())
}

/// The one recorder of this process.
fn recorder() -> PrometheusHandle {
    static KEPT: OnceLock<PrometheusHandle> = OnceLock::new();
    KEPT.get_or_init(install).clone()
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
