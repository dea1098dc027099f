use std::time::Duration;

use crate::ports::{HashError, NoRoom, ProcessError, Unavailable};
use crate::values::{StoreName, UserId, Username};

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
    /// What a store answers for an image is not that image. Clients are told to try again: it may be a proxy that answers.
    #[error("the image of user {owner} in {} is not what was stored: {damage}", store.as_str())]
    ImageDamaged {
        /// Whose it is.
        owner: UserId,
        /// The store that answered.
        store: StoreName,
        /// What is wrong with it.
        damage: Damage,
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
    /// Too many of these from this client or user, or for this account.
    #[error("too many requests")]
    RateLimited {
        /// Which limit: the setting's name, `UPLOADS_PER_USER` or `UPLOADS_PER_CLIENT`.
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

/// What is wrong with an image that a store answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It has another length.
    #[error("it has {found} bytes and not {stored}")]
    Length {
        /// How many bytes were stored.
        stored: u64,
        /// How many there are.
        found: u64,
    },
    /// It goes on behind its end.
    #[error("it has more than {stored} bytes")]
    TooLong {
        /// How many bytes were stored.
        stored: u64,
    },
    /// It has the same length and other bytes.
    #[error("its bytes have another SHA-256")]
    Content,
    /// It does not begin as an image does.
    #[error("it does not begin as such an image")]
    NoImage,
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            // Whoever makes work unwanted knows why, and says that.
            HashError::Overloaded | HashError::NotWanted => Self::Overloaded,
            HashError::Failed(source) => Self::Internal(source),
        }
    }
}

/// The limit of what one user may spool at once, which no setting changes.
const UPLOADS_PER_USER: &str = "UPLOADS_PER_USER";

/// The limit of what one client may spool at once, for all of its users.
const UPLOADS_PER_CLIENT: &str = "UPLOADS_PER_CLIENT";

/// After how long one whose uploads take too much room may try again: about as long as one takes.
const ROOM_AFTER: Duration = Duration::from_secs(5);

impl From<NoRoom> for Error {
    fn from(error: NoRoom) -> Self {
        match error {
            NoRoom::ForAll => Self::Overloaded,
            NoRoom::ForUser => Self::RateLimited { limit: UPLOADS_PER_USER, retry_after: ROOM_AFTER },
            NoRoom::ForClient => Self::RateLimited { limit: UPLOADS_PER_CLIENT, retry_after: ROOM_AFTER },
        }
    }
}

impl From<ProcessError> for Error {
    fn from(error: ProcessError) -> Self {
        match error {
            ProcessError::UnknownFormat => Self::UnknownImageFormat,
            ProcessError::Damaged => Self::DamagedImage,
            ProcessError::TooManyPixels { allowed } => Self::TooManyPixels { allowed },
            ProcessError::NoRoom(error) => error.into(),
            ProcessError::Overloaded => Self::Overloaded,
            ProcessError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
