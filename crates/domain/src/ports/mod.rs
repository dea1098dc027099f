//! What the rules need from outside, as object-safe traits.
//!
//! Whatever a method's doc says that an adapter MUST do holds for every adapter, and `roster-domain-testkit` has a test
//! for it. For all methods of the stores it holds besides:
//!
//! - Each method MUST be atomic: a change happens whole or not at all, also when the process dies in the middle; a batch
//!   is atomic for each of its items.
//! - What a method has answered MUST be durable; what it has refused MUST have changed nothing.
//! - A method MUST answer within a few seconds. A store that is down, slow or full is [`Unavailable`]; then the change has
//!   happened whole or not at all, and nobody knows which.

mod accounts;
mod hasher;
mod images;
mod spool;
mod system;
mod tokens;
mod trash;
mod users;

pub use accounts::{AccountArchive, AccountSource, ImportError};
pub use hasher::{Asker, HashError, PasswordHasher, StillWanted, Verdict};
pub use images::{
    ImageChunks, ImageProcessor, ImageRemovals, ImageStore, PendingRemoval, ProcessError, ProcessedImage,
    StoredImage,
};
pub use spool::{NoRoom, Spool, SpoolBudget, SpoolLimits, SpoolShare};
pub use system::{Clock, Ids};
pub use tokens::{AccessClaims, InvalidToken, RefreshClaims, Tokens};
pub use trash::{ARRIVAL_GRACE, Expired, Interrupted, PurgeError, RestoreError, Trash, TrashError, Trashed};
pub use users::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, FailedLogIn, OpenSession, Rehash,
    RemoveImageError, SessionState, SetImageError, UserQuery, Users,
};

#[cfg(any(test, feature = "mocks"))]
pub use self::{
    accounts::{MockAccountArchive, MockAccountSource},
    hasher::MockPasswordHasher,
    images::{MockImageProcessor, MockImageRemovals, MockImageStore},
    system::{MockClock, MockIds},
    tokens::MockTokens,
    trash::MockTrash,
    users::MockUsers,
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
