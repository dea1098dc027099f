//! Where Prometheus reads the metrics: a port of their own, at `METRICS_ADDRESS`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::Response;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::rt::spawn;
use actix_web::{App, HttpResponse, web};
use metrics::{counter, gauge};
use roster_http_server::{Config, Malformed, Meters, Patience, serve};
use roster_telemetry::prometheus::{MEDIA_TYPE, Metrics, UPKEEP, record};
use tokio::time::sleep;

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

/// The port, and what is read there.
pub(crate) struct MetricsPort {
    listener: TcpListener,
    metrics: Metrics,
}

impl MetricsPort {
    /// Listens there, and records from now on. What counts has to be made after this.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address)?, metrics: record() })
    }

    /// Serves until the process ends.
    pub(crate) fn serve(self) -> io::Result<()> {
        let Self { listener, metrics } = self;
        let address = listener.local_addr()?;
        let shared = metrics.clone();
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
        spawn(serve(config, vec![listener], app, refuse)?);
        spawn(async move {
            loop {
                sleep(UPKEEP).await;
                metrics.run_upkeep();
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

/// What counts the connections of the API.
pub(crate) fn connections() -> Meters {
    Meters {
        open: gauge!("roster_http_connections"),
        displaced: counter!("roster_http_connections_displaced_total"),
    }
}

async fn read(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, MEDIA_TYPE)).body(metrics.text())
}

fn refuse(malformed: Malformed, _: SocketAddr) -> Response<BoxBody> {
    Response::new(match malformed {
        Malformed::Syntax => StatusCode::BAD_REQUEST,
        Malformed::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Malformed::HeadTooSlow => StatusCode::REQUEST_TIMEOUT,
    })
}
