//! What the rules need from outside, as object-safe traits.
//!
//! Whatever a method's doc says that an adapter MUST do holds for every adapter, and `roster-domain-testkit` has a test
//! for it. For all methods of the stores it holds besides:
//!
//! - Each method MUST be atomic: a change happens whole or not at all, also when the process dies in the middle; a batch
//!   is atomic for each of its items.
//! - What a method has answered MUST be durable; what it has refused MUST have changed nothing.
//! - A method that changes a user takes the [`Change`](crate::entities::Change): who does it, when, and in which request. What
//!   it writes as the present is `change.at`. Of the request, SQLite and MongoDB keep the id with an entry in the trash and with an
//!   image that is to be removed. MongoDB keeps it with a new user too, to know its own write again. That of all other changes is
//!   for an event log to keep; no adapter does yet.
//! - A method MUST answer within a few seconds. A store that is down, slow or full is [`Unavailable`]; then the change has
//!   happened whole or not at all, and nobody knows which.

mod accounts;
mod archive;
mod calls;
mod database;
mod directory;
mod hasher;
mod images;
mod processor;
mod profile_images;
mod sessions;
mod source;
mod spool;
mod system;
mod tokens;
mod trash;

pub use accounts::{Accounts, Caller, CallerAnswer, CreateError, EditError, NameClash};
pub use archive::{AccountArchive, ImportError};
pub use calls::{Access, CallOutcome, OpenCall, StoreCall, StoreCalls, StoreObserver};
pub use database::{Database, Identity, Occupancy, OpenError, Store};
pub use directory::{Directory, UserQuery};
pub use hasher::{Asker, HashError, PasswordHasher, StillWanted, Verdict};
pub use images::{ImageChunks, ImageStore, StoredImage};
pub use processor::{ImageProcessor, ProcessError, ProcessedImage};
pub use profile_images::{PendingRemoval, ProfileImages, RemoveImageError, SetImageError};
pub use sessions::{Credentials, FailedLogIn, OpenSession, Rehash, SessionState, Sessions};
pub use source::AccountSource;
pub use spool::{NoRoom, Spool, SpoolBudget, SpoolLimits, SpoolShare};
pub use system::{Clock, Ids};
pub use tokens::{AccessClaims, InvalidToken, RefreshClaims, Tokens, Validity};
pub use trash::{ARRIVAL_GRACE, Expired, Interrupted, PurgeError, RestoreError, Trash, TrashError, Trashed};

#[cfg(any(test, feature = "mocks"))]
pub use self::{
    accounts::MockAccounts,
    archive::MockAccountArchive,
    directory::MockDirectory,
    hasher::MockPasswordHasher,
    images::MockImageStore,
    processor::MockImageProcessor,
    profile_images::MockProfileImages,
    sessions::MockSessions,
    source::MockAccountSource,
    system::{MockClock, MockIds},
    tokens::MockTokens,
    trash::MockTrash,
};

/// A store that did not do what it was asked: down, slow, full, or broken. The source is for the log alone.
#[derive(Debug, thiserror::Error)]
#[error("{kind} is unavailable")]
pub struct Unavailable {
    /// Which kind of store: the field `cause` of the log.
    pub kind: &'static str,
    /// What it was.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Unavailable {
    /// A store of that kind, for that reason.
    pub fn new(kind: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }
}
