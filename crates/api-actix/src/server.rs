//! The server: listens, serves, and stops in good order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::web;
use roster_domain::Roster;
use roster_domain::ports::{Ids, Store};
use roster_http_server::{Config, Patience, StopSignals, places, raise_file_limit, serve};
use roster_jobs::Jobs;
use roster_settings::{Host, Settings};
use roster_telemetry::{announce, logging};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::composition::{Composition, compose};
use crate::http::{self, AppState, Limits};
use crate::listen::listen;
use crate::metrics_port::{self, MetricsPort};

pub use crate::composition::CompositionError;

/// How long a connection may wait for its client. For its next request longer than most proxies wait, so that they close it
/// first.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    next: Duration::from_secs(75),
    answer: Duration::from_secs(85),
    end: Duration::from_secs(5),
    look_every: Duration::from_secs(1),
};

/// How long requests may take to end once nobody listens any more, and how long all that they began, their time included. It
/// is what container engines grant before they kill, where the stop is not delayed.
const REQUESTS_END_WITHIN: Duration = Duration::from_secs(8);
const ALL_ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not to be had.
    #[error("can't listen on HOST {host}, PORT {port}")]
    Listen {
        /// `HOST`.
        host: Host,
        /// `PORT`.
        port: u16,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The address for metrics is not to be had.
    #[error("can't listen on METRICS_ADDRESS {address}")]
    Metrics {
        /// `METRICS_ADDRESS`.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Something that the settings name could not be opened.
    #[error(transparent)]
    Composition(#[from] CompositionError),
}

/// Roster, ready to serve: its address is bound and its stores are open.
pub struct Application {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    state: web::Data<AppState>,
    roster: Arc<Roster>,
    ids: Arc<dyn Ids>,
    store: Arc<dyn Store>,
    metrics: Option<MetricsPort>,
    stop_delay: Duration,
}

impl Application {
    /// Binds and opens all that the settings name, and logs what is open to whom.
    pub async fn build(settings: &Settings) -> Result<Self, StartError> {
        let unbound =
            |source| StartError::Listen { host: settings.host.clone(), port: settings.port, source };
        let listeners = listen(&settings.host, settings.port).await.map_err(unbound)?;
        let addresses =
            listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>().map_err(unbound)?;
        // Before anything is made that counts.
        let unbound = |address| move |source| StartError::Metrics { address, source };
        let metrics = settings.metrics.map(|address| MetricsPort::open(address).map_err(unbound(address)));
        let metrics = metrics.transpose()?;
        let Composition {
            roster,
            ids,
            secret_key_file,
            store,
            image_addresses,
            bucket_check,
            probes,
            outages,
        } = compose(settings).await?;
        announce(settings, secret_key_file.as_deref());
        tokio::spawn(bucket_check);
        let state = AppState::new(Arc::clone(&roster), Arc::clone(&ids))
            .with_limits(Limits::default().with_spools(settings.upload_spool))
            .with_cors_origins(settings.cors_origins.clone())
            .with_trusted_proxies(settings.trusted_proxies.clone())
            .with_image_addresses(image_addresses)
            .with_probes(probes)
            .with_outages(outages);
        let state = if metrics.is_some() { state.with_metrics() } else { state };
        let stop_delay = settings.stop_delay;
        let state = web::Data::new(state);
        Ok(Self { listeners, addresses, state, roster, ids, store, metrics, stop_delay })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until SIGTERM, SIGINT or SIGHUP. Requests that have begun are answered; a second signal ends the process at once.
    pub async fn run(self) -> io::Result<()> {
        let mut signals = StopSignals::new()?;
        let stop = async move {
            let name = signals.next().await;
            tracing::info!(event = "stopping", signal = name, "{name}: finishing what has begun");
            spawn(async move {
                let name = signals.next().await;
                tracing::warn!(event = "stopped", signal = name, "{name} again: stopped at once");
                logging::finish();
                std::process::exit(1);
            });
        };
        self.run_until(stop).await
    }

    /// Serves until `stop`. Requests that have begun are answered.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let Self { listeners, addresses, state, roster, ids, store, metrics, stop_delay } = self;
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let config = Config {
            name: "api",
            workers,
            // Images, spools and the database have the rest of the files.
            places: places(raise_file_limit()),
            patience: PATIENCE,
            stops_within: REQUESTS_END_WITHIN,
            meters: metrics_port::connections(),
        };
        let (shared, also_shared) = (state.clone(), state.clone());
        let app = move || http::app(&shared);
        let refuse = move |malformed, peer| http::refuse(&also_shared, malformed, peer);
        let server = serve(config, listeners, app, refuse)?;
        let handle = server.handle();
        let mut server = spawn(server);
        let jobs = Jobs::start(&roster, &ids, store);
        if let Some(metrics) = metrics {
            metrics.serve()?;
        }
        for address in addresses {
            tracing::info!(event = "listening", %address, "listening on http://{address}");
        }
        let ended = tokio::select! {
            ended = &mut server => Some(ended),
            () = async {
                stop.await;
                // Whoever sends requests here is told first, and given time to see it.
                state.begin_to_stop();
                sleep(stop_delay).await;
            } => None,
        };

        let deadline = Instant::now() + ALL_ENDS_WITHIN;
        let ended = if let Some(ended) = ended {
            ended
        } else {
            handle.stop(true).await;
            server.await
        };
        let rest = async {
            state.finish().await;
            jobs.stop().await;
            drop_elsewhere((state, roster)).await;
        };
        if timeout_at(deadline, rest).await.is_err() {
            tracing::warn!(event = "stopped", "some of what had begun did not end in time");
        } else {
            tracing::info!(event = "stopped", "stopped");
        }
        ended.map_err(io::Error::other)?
    }
}

/// Drops it on a thread of its own: a store that closes waits for its disk, which may hang.
async fn drop_elsewhere<T: Send + 'static>(value: T) {
    let (dropped, is_dropped) = oneshot::channel::<()>();
    let dropping = thread::Builder::new().spawn(move || {
        drop(value);
        drop(dropped);
    });
    // Without a thread it is dropped by now, together with what should have run there.
    if dropping.is_ok() {
        // It ends with an error, as nothing is ever sent.
        let _ = is_dropped.await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::sync::mpsc;

    use super::*;

    #[actix_web::test]
    async fn what_takes_long_to_drop_holds_up_nobody_but_who_waits_for_it() {
        struct Stuck(mpsc::Receiver<()>);
        impl Drop for Stuck {
            fn drop(&mut self) {
                self.0.recv().unwrap();
            }
        }
        let (go_on, may_go_on) = mpsc::channel();
        let mut dropping = pin!(drop_elsewhere(Stuck(may_go_on)));
        tokio::select! {
            biased;
            () = &mut dropping => panic!("it is not dropped yet"),
            () = ready(()) => {}
        }
        go_on.send(()).unwrap();
        dropping.await;
    }
}
