use std::time::Duration;

use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Change, Page, TrashEntry, User};
use crate::values::{PageRequest, Reason, Timestamp, TrashEntryId, UserId};

/// How long who came into the trash from elsewhere is kept there at least, however old the entry is: taken over from the FastAPI
/// service, or written by [`AccountArchive::write`](super::AccountArchive::write). Else a first start would purge what nobody
/// has looked at.
pub const ARRIVAL_GRACE: Duration = Duration::from_hours(24);

/// The trash: users who can come back.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Trash: Send + Sync {
    /// Puts a live user into the trash, by `change.actor` at `change.at`.
    ///
    /// - MUST end the user's sessions and raise its epoch in the same write; its names stay taken.
    /// - MUST tell a user that is in the trash already from one that does not exist. Of two at once exactly one MUST
    ///   succeed.
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError>;

    /// Puts many users into the trash, each as [`put`](Self::put) does, whole or not at all.
    ///
    /// - MUST return, in the order given, those that it put there; no id stands twice in `users`.
    /// - Where the store fails in the middle, MUST say of each user what became of it: [`Interrupted`].
    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted>;

    /// One page of the entries, ordered by their own id, and how many there are, exactly.
    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable>;

    /// Brings a user back as it was, its names, hash, role, times and image included, and returns it.
    ///
    /// - MUST keep the raised epoch: tokens from before the deletion stay dead.
    /// - Of a restore and a [`purge`](Self::purge) at once exactly one MUST succeed.
    async fn restore(&self, user: UserId, change: &Change) -> Result<User, RestoreError>;

    /// Deletes a user in the trash for good: user, entry, sessions. Its names are free at once.
    ///
    /// - MUST, in the same write, leave its image, where it is one of ours, to [`ProfileImages`](super::ProfileImages), due at
    ///   once.
    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError>;

    /// How many users have an entry from before `cutoff`, and which of them [`purge_expired`](Self::purge_expired) would purge at
    /// `now`.
    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable>;

    /// Purges, as [`purge`](Self::purge) does, at most `limit` users whose entry is from before `cutoff`, oldest first, and
    /// returns their ids.
    ///
    /// - MUST spare who has arrived in the trash less than [`ARRIVAL_GRACE`] before `change.at`.
    /// - Of several at once, each user MUST be returned by exactly one.
    /// - Where the store fails in the middle, MUST say of each user what became of it: [`Interrupted`].
    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted>;
}

/// How many in the trash are past the retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Those who may be purged now.
    pub due: u64,
    /// Those who are spared for a while, because they arrived a short time ago: see [`ARRIVAL_GRACE`].
    pub spared: u64,
    /// When the first of these may be purged.
    pub spared_until: Option<Timestamp>,
}

/// A batch that the store's failure ended early. It says of each user what became of it: who is in neither list was not
/// touched.
#[derive(Debug, thiserror::Error)]
#[error("the batch ended early: {} done, {} in doubt", done.len(), in_doubt.len())]
pub struct Interrupted {
    /// Those that were changed before, or beside, the failure.
    pub done: Vec<UserId>,
    /// Those whose write got no answer: it happened, happens yet, or never does.
    pub in_doubt: Vec<UserId>,
    /// The failure.
    #[source]
    pub unavailable: Unavailable,
}

/// What a new trash entry holds besides the [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// The entry's id.
    pub entry: TrashEntryId,
    /// Why.
    pub reason: Reason,
}

/// Why a user was not put into the trash.
#[derive(Debug, thiserror::Error)]
pub enum TrashError {
    /// No user has this id, live or in the trash.
    #[error("no such user")]
    NotFound,
    /// The user is there already.
    #[error("the user is in the trash already")]
    AlreadyThere,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a user was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No user has this id, live or in the trash.
    #[error("no such user")]
    NotFound,
    /// The user is live.
    #[error("the user is not in the trash")]
    NotInTrash,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a user was not purged.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// The user is live, or does not exist.
    #[error("the user is not in the trash")]
    NotInTrash,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
