use async_trait::async_trait;

use super::{Expired, PendingRemoval, Unavailable};
use crate::entities::Account;
use crate::values::{Timestamp, UserId};

/// All that a store holds, to be read alone: what accounts are moved from.
///
/// - MUST NOT change anything in the store.
/// - What another program wrote MUST be read as the store would take it over, each time in the same way.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait AccountSource: Send + Sync {
    /// How many accounts there are, live and in the trash.
    async fn count(&self) -> Result<u64, Unavailable>;

    /// As [`AccountArchive::read`](super::AccountArchive::read).
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable>;

    /// At most `limit` images that are to be removed, now or later, from the one behind `after` on, in an order that stays.
    ///
    /// - One that was returned MUST be as free to become a user's image as before.
    async fn removals(
        &self,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable>;

    /// As [`Accounts::has_had_admin`](super::Accounts::has_had_admin).
    async fn has_had_admin(&self) -> Result<bool, Unavailable>;

    /// As [`Trash::expired`](super::Trash::expired). Those who would only be taken over at `now` are spared from then on.
    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable>;
}
