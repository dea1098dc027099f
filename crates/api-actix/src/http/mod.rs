//! The HTTP interface: a route parses, calls one use case and answers.
//!
//! - `routes`: every path and method, in one table.
//! - `endpoints`: one file each, with its part of the `OpenAPI` document.
//! - `client`: which address a request comes from.
//! - `call`: what every endpoint asks of its request; `fields` has what forms are made of, `upload` and `padding` read files.
//! - `answers` and `error`: what the domain says, as clients are told it.
//! - `middleware`: what every response carries, and the access log.
//! - `preflight`: what browsers ask before they call from elsewhere.

mod answers;
mod call;
mod client;
mod endpoints;
mod error;
mod fields;
mod middleware;
mod openapi;
mod padding;
mod page;
mod preflight;
mod redirect;
mod routes;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, Error, web};
use ipnet::IpNet;
use roster_domain::Roster;
use roster_domain::ports::{Ids, SpoolBudget, SpoolLimits};
use roster_domain::values::StoreName;
use roster_fastapi_body::Room;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use self::client::Proxies;
use crate::metrics::Requests;
use crate::outages::Outages;
use crate::readiness::{Probe, Readiness};

pub(crate) use self::middleware::refuse;
pub(crate) use self::openapi::text as document;

/// How many bytes of JSON bodies may be in memory at once, small ones apart: 512 of the largest.
const BODIES: usize = 32 * 1024 * 1024;

/// What all requests share.
pub struct AppState {
    roster: Arc<Roster>,
    ids: Arc<dyn Ids>,
    limits: Limits,
    bodies: Room,
    spools: Arc<SpoolBudget>,
    cors_origins: Vec<String>,
    proxies: Proxies,
    image_addresses: HashMap<StoreName, String>,
    tasks: TaskTracker,
    runtime: Handle,
    outages: Arc<Outages>,
    readiness: Readiness,
    requests: Option<Requests>,
}

impl AppState {
    /// Over those use cases; `ids` names the requests.
    ///
    /// # Panics
    /// Outside a tokio runtime. It has to be the one that outlives the server: what writes runs there, to its end.
    #[must_use]
    pub fn new(roster: Arc<Roster>, ids: Arc<dyn Ids>) -> Self {
        Self {
            roster,
            ids,
            limits: Limits::default(),
            bodies: Room::new(BODIES),
            spools: Arc::new(SpoolBudget::new(Limits::default().spools)),
            cors_origins: Vec::new(),
            proxies: Proxies::default(),
            image_addresses: HashMap::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            outages: Arc::default(),
            readiness: Readiness::default(),
            requests: None,
        }
    }

    /// Lets browsers call from these origins.
    #[must_use]
    pub fn with_cors_origins(mut self, origins: Vec<String>) -> Self {
        self.cors_origins = origins;
        self
    }

    /// Believes what these proxies say of their clients' addresses.
    #[must_use]
    pub fn with_trusted_proxies(mut self, networks: Vec<IpNet>) -> Self {
        self.proxies = Proxies::new(networks);
        self
    }

    /// What stands before an image's key in its public address, for each store whose images have one. Images of other stores
    /// are told by their names.
    #[must_use]
    pub fn with_image_addresses(mut self, addresses: HashMap<StoreName, String>) -> Self {
        self.image_addresses = addresses;
        self
    }

    /// Asks these whether it is ready.
    #[must_use]
    pub(crate) fn with_probes(mut self, probes: Vec<Probe>) -> Self {
        self.readiness = Readiness::new(probes);
        self
    }

    /// Tells of these outages.
    #[must_use]
    pub(crate) fn with_outages(mut self, outages: Arc<Outages>) -> Self {
        self.outages = outages;
        self
    }

    /// Counts requests.
    #[must_use]
    pub(crate) fn with_metrics(mut self) -> Self {
        self.requests = Some(Requests::new());
        self
    }

    /// Other limits than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.spools = Arc::new(SpoolBudget::new(limits.spools));
        self.limits = limits;
        self
    }

    /// From now on it says that it is not ready, and that each answer is the last on its connection.
    pub fn begin_to_stop(&self) {
        self.readiness.stop();
    }

    /// Waits until all that was begun is done. Call it once the server has stopped.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// How much a request may send, and how slowly.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of a JSON body.
    pub body: usize,
    /// How long a JSON body may take to arrive.
    pub body_deadline: Duration,
    /// The most bytes of an image.
    pub image: u64,
    /// The most bytes of images that have been uploaded and are not stored yet, in files.
    pub spools: SpoolLimits,
    /// How far an upload may fall behind its pace.
    pub upload_stall: Duration,
    /// The pace: how many bytes a second an upload has to send. It is no earlier for having been faster before.
    pub upload_rate: u32,
    /// How long an upload may take in all.
    pub upload_deadline: Duration,
}

/// The most bytes of an image that is uploaded.
const LARGEST_IMAGE: u64 = 10 * 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 * 1024,
            body_deadline: Duration::from_secs(30),
            image: LARGEST_IMAGE,
            // Two of the largest for one user.
            spools: SpoolLimits { all: 256 * 1024 * 1024, each_user: 2 * LARGEST_IMAGE },
            upload_stall: Duration::from_secs(30),
            upload_rate: 4096,
            upload_deadline: Duration::from_mins(10),
        }
    }
}

/// The whole application, middleware included: what a server serves.
pub fn app(
    state: &web::Data<AppState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let has_cors = !state.cors_origins.is_empty();
    // The outermost is wrapped last: the id and the access log are of preflights too.
    App::new()
        .app_data(state.clone())
        .configure(routes::configure)
        .wrap(Condition::new(has_cors, cors(&state.cors_origins)))
        .wrap(Condition::new(has_cors, from_fn(preflight::refuse_in_json)))
        .wrap_fn(middleware::observe)
}

fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "DELETE"])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            // What tools that trace requests send with each.
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
            middleware::REQUEST_ID,
        ])
        .expose_headers([header::ETAG, header::RETRY_AFTER, middleware::REQUEST_ID])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
