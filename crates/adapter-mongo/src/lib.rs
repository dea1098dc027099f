//! Users, trash and sessions in a MongoDB, one document a user.
//!
//! A change is the update of one document, so it needs no transaction and is whole on a standalone server too: a trash
//! entry, the sessions, and the images to remove stand inside their user (`docs/adr/0006-mongodb.md`). The fields of the
//! FastAPI service that kept the same collection before keep their names and meaning; all of ours stands in the
//! subdocument `roster`.

mod accounts;
mod admins;
mod adoption;
mod archive;
mod connect;
mod database;
mod directory;
mod document;
mod format;
mod identity;
mod indexes;
mod lease;
mod list;
mod names;
mod profile_images;
mod server;
mod sessions;
mod source;
mod statements;
mod sweep;
mod told;
mod totals;
mod trash;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use roster_domain::ports::{Clock, Ids, StoreObserver};

pub use adoption::Conflicts;
pub use connect::ConnectError;
pub use database::MongoDatabase;
pub use source::MongoSource;

/// The store: [`Accounts`](roster_domain::ports::Accounts), [`Directory`](roster_domain::ports::Directory),
/// [`Sessions`](roster_domain::ports::Sessions), [`ProfileImages`](roster_domain::ports::ProfileImages),
/// [`Trash`](roster_domain::ports::Trash) and [`AccountArchive`](roster_domain::ports::AccountArchive) on one database.
///
/// What opens it is a [`MongoDatabase`].
#[derive(Clone)]
pub struct MongoStore {
    server: server::Server,
    totals: Arc<totals::Totals>,
    /// Set once it is known that there has been an admin, which stays true.
    had_admin: Arc<AtomicBool>,
    /// Set once this process has compared all users with what is kept of them.
    has_compared: Arc<AtomicBool>,
    /// How often all users are compared so, if more than once.
    compare_every: Option<Duration>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl MongoStore {
    /// The same, whose calls are told to that observer from now on, or to nobody.
    #[must_use]
    pub fn observed_by(mut self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        self.server.tell_to(observer);
        self
    }
}
