//! What the rules need from outside, as object-safe traits.
//!
//! Whatever a method's doc says that an adapter MUST do holds for every adapter, and `roster-domain-testkit` has a test
//! for it. For all methods of the stores it holds besides:
//!
//! - Each method MUST be atomic: a change happens whole or not at all, also when the process dies in the middle; a batch
//!   is atomic for each of its items.
//! - What a method has answered MUST be durable; what it has refused MUST have changed nothing.
//! - A method that changes a user takes the [`Change`](crate::entities::Change): who does it, when, and in which request. What
//!   it writes as the present is `change.at`. The request is kept where an adapter's format has a place for it: with a deletion,
//!   and with an image that is to be removed.
//! - A method MUST answer within a few seconds. A store that is down, slow or full is [`Unavailable`]; then the change has
//!   happened whole or not at all, and nobody knows which.

mod accounts;
mod archive;
mod calls;
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

pub use accounts::{Accounts, Caller, CallerAnswer, CreateError, EditError};
pub use archive::{AccountArchive, ImportError};
pub use calls::{Access, CallOutcome, OpenCall, StoreCall, StoreCalls, StoreObserver};
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
#[error("{store} is unavailable")]
pub struct Unavailable {
    /// Which store.
    pub store: &'static str,
    /// What it was.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Unavailable {
    /// That store, for that reason.
    pub fn new(store: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { store, source: source.into() }
    }
}
