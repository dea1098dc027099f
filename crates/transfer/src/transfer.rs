use std::sync::Arc;

use roster_domain::entities::{Change, Request};
use roster_domain::ports::{AccountArchive, AccountSource, Accounts, Clock, Ids, ProfileImages};

use crate::images::ImageMove;

/// How many accounts are read at a time. Of the source twice as many are held: those that are being written, and the next.
pub(crate) const BATCH: usize = 500;

/// From where to where accounts are moved, and images where they are moved too.
pub struct Transfer {
    /// The source, which is only read.
    pub source: Arc<dyn AccountSource>,
    /// The target, which has been opened.
    pub target: Target,
    /// Without it images stay where they are.
    pub images: Option<ImageMove>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What names the run.
    pub ids: Arc<dyn Ids>,
}

impl Transfer {
    /// A change that this run makes now.
    pub(crate) fn change(&self) -> Change {
        let request = Request::of_roster(self.ids.request_id());
        Change { actor: None, at: self.clock.now(), request }
    }
}

/// The ports of the store that accounts are moved to.
#[expect(missing_docs, reason = "each is its port")]
pub struct Target {
    pub accounts: Arc<dyn Accounts>,
    pub archive: Arc<dyn AccountArchive>,
    pub profile_images: Arc<dyn ProfileImages>,
}
