use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Account, Change};
use crate::values::UserId;

/// All accounts, live and in the trash, as they are: for moving them from one store to another.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait AccountArchive: Send + Sync {
    /// At most `limit` accounts in id order, from the first whose id is larger than `after`; from the very first without.
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable>;

    /// Writes accounts as they are, at `change.at`; one whose id is there already is replaced, so that a batch may be repeated.
    ///
    /// - Who comes into the trash by it has arrived there at `change.at`, whatever its entry says: see
    ///   [`ARRIVAL_GRACE`](super::ARRIVAL_GRACE).
    /// - MUST take any account that [`read`](Self::read) can return, whatever its names are.
    /// - MUST refuse an account whose email or username another account has, and name it.
    /// - The batch MUST be written whole or, each account for itself, not at all.
    /// - MUST, in the same write, leave the image of an account that is replaced, where it is one of ours and not the new account's too, to
    ///   [`ProfileImages`](super::ProfileImages), due at `change.at`.
    /// - [`Sessions::dearest_hash`](super::Sessions::dearest_hash) MUST answer at least [`Account::dearest_hash`] of them from then on.
    async fn write(&self, accounts: &[Account], change: &Change) -> Result<(), ImportError>;
}

/// Why accounts were not written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another account has the email or the username of one of them.
    #[error("another user has the email or username of user {user}")]
    NameTaken {
        /// Whose it would have been.
        user: UserId,
    },
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
