use std::time::Duration;

use crate::ports::{HashError, ProcessError, Unavailable};
use crate::values::{UserId, Username};

/// Why a use case refused, in the words of the domain. What a client is told of it is the business of the HTTP layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is missing, invalid or dead, or its user is gone.
    #[error("the caller is not authenticated")]
    NotAuthenticated,
    /// The caller has no right to do this.
    #[error("the caller may not do this")]
    Forbidden,
    /// Unknown email, wrong password or trashed user: nobody is told which.
    #[error("incorrect email or password")]
    BadCredentials,
    /// The refresh token is invalid or dead.
    #[error("not a valid refresh token")]
    BadRefreshToken,
    /// No live user has this id; for a restore, no user at all.
    #[error("no such user")]
    UserNotFound,
    /// Another user has the email.
    #[error("another user has this email")]
    EmailTaken,
    /// Another user has the username. At sign-up, these are free.
    #[error("another user has this username")]
    UsernameTaken {
        /// Free usernames like the one that was asked for; empty at an edit.
        suggestions: Vec<Username>,
    },
    /// The user is in the trash already.
    #[error("the user is in the trash already")]
    AlreadyInTrash,
    /// The user is not in the trash.
    #[error("the user is not in the trash")]
    NotInTrash,
    /// The user has no profile image.
    #[error("the user has no profile image")]
    NoImage,
    /// The user has an image, but it does not lie where it should. Clients are told that there is none.
    #[error("the image of user {owner} is missing in its store")]
    ImageMissing {
        /// Whose it is.
        owner: UserId,
    },
    /// The uploaded file is neither JPEG nor PNG.
    #[error("the file is not a JPEG or PNG image")]
    UnknownImageFormat,
    /// The uploaded image lacks a part, has no pixels, or does not decode.
    #[error("the image is incomplete or damaged")]
    DamagedImage,
    /// To decode the uploaded image would take more memory or time than there is for all.
    #[error("the image has too many pixels: {allowed} are allowed")]
    TooManyPixels {
        /// How many pixels an image that is written in the same way may have.
        allowed: u64,
    },
    /// No such store of images is configured.
    #[error("the image store is not configured")]
    NoImageStore,
    /// Too much is waiting: later, perhaps.
    #[error("too many requests wait")]
    Overloaded,
    /// Too many of these from this client or for this account.
    #[error("too many requests")]
    RateLimited {
        /// The setting that says how many are allowed.
        limit: &'static str,
        /// When the next one is let in.
        retry_after: Duration,
    },
    /// A store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A bug.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded => Self::Overloaded,
            // Whoever makes it so knows why, and says that.
            HashError::NotWanted => Self::Overloaded,
            HashError::Failed(source) => Self::Internal(source),
        }
    }
}

impl From<ProcessError> for Error {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::UnknownFormat => Self::UnknownImageFormat,
            ProcessError::Damaged => Self::DamagedImage,
            ProcessError::TooManyPixels { allowed } => Self::TooManyPixels { allowed },
            ProcessError::Overloaded => Self::Overloaded,
            ProcessError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
