use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use roster_domain::Roster;
use roster_domain::ports::{Ids, SpoolBudget, StoreCalls};
use roster_domain::values::StoreName;
use roster_fastapi_body::Room;
use roster_telemetry::requests::Requests;
use roster_telemetry::{Outages, Probe, Readiness};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::client::Proxies;
use super::limits::Limits;

/// What the log calls where uploads are written to.
pub(super) const TEMPORARY: &str = "the folder for temporary files";

/// How many bytes of JSON bodies may be in memory at once, small ones apart: 512 of the largest.
const BODIES: usize = 32 * 1024 * 1024;

/// What all requests share.
pub struct AppState {
    pub(super) roster: Arc<Roster>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) limits: Limits,
    pub(super) bodies: Room,
    pub(super) spools: Arc<SpoolBudget>,
    pub(super) cors_origins: Vec<String>,
    pub(super) proxies: Proxies,
    pub(super) image_addresses: HashMap<StoreName, String>,
    pub(super) tasks: TaskTracker,
    pub(super) runtime: Handle,
    pub(super) outages: Arc<Outages>,
    /// Of the folder that uploads are written to.
    pub(super) temporary: StoreCalls,
    pub(super) readiness: Readiness,
    pub(super) requests: Option<Requests>,
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
            temporary: StoreCalls::of_the_one(TEMPORARY),
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
        self.temporary = self.temporary.told_to(Some(Arc::clone(&outages) as _));
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
