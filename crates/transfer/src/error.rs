use std::io;

use roster_domain::ports::{ImportError, Unavailable};
use roster_domain::values::UserId;

/// Why a transfer stopped.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The target holds somebody who is not in the source. Nothing was changed.
    #[error("the target holds users who are not in the source, such as {0}")]
    Stranger(UserId),
    /// The target refuses a user, whose email or username another user there has.
    #[error("another user has the email or username of user {0}")]
    NameTaken(UserId),
    /// Somebody is in the target alone, who was not at the beginning. Another run refuses that target.
    #[error("user {0} is in the target and not in the source")]
    InTargetAlone(UserId),
    /// Somebody is not the same in both. Another run writes anew what differs.
    #[error("user {0} is not the same in both")]
    Unequal(UserId),
    /// Somebody's image is not the same in both.
    #[error("the image of user {0} is not the same in both")]
    UnequalImage(UserId),
    /// A store did not answer. Nobody knows here whether that passes by itself.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The progress could not be told.
    #[error("can't tell the progress")]
    Progress(#[source] io::Error),
}

impl From<ImportError> for TransferError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Unavailable(error) => Self::Unavailable(error),
            ImportError::NameTaken { user } => Self::NameTaken(user),
        }
    }
}
