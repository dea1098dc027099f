use std::sync::Arc;

use roster_adapter_system::{RandomIds, SystemClock};
use roster_domain::ports::{Clock, Ids};

/// The system's clock, and ids from its generator.
pub(crate) struct System {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
}

impl System {
    pub(crate) fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = Arc::new(RandomIds::new(Arc::clone(&clock)));
        Self { clock, ids }
    }
}
