use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Change, Edit, NewUser, User};
use crate::values::{Epoch, SessionId, UserId, Username};

/// The accounts of live users, one at a time. A user in the trash is not seen here, but its email and username stay taken.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates a user, at `change.at`, without sessions, under [`Epoch::FIRST`].
    ///
    /// - MUST refuse an email or username whose [`key`](crate::values::Email::key) a live or trashed user has; where both are
    ///   taken it MUST name the email. Of two equal ones at once exactly one MUST succeed.
    /// - A purged user's names MUST be free again.
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError>;

    /// Like [`create`](Self::create), but only where [`has_had_admin`](Self::has_had_admin) is false.
    ///
    /// - MUST refuse with [`CreateError::AdminExists`] otherwise, before it looks at the names; of two at once exactly one
    ///   MUST succeed.
    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError>;

    /// Whether there has ever been an admin: created, imported, live, in the trash or purged since.
    async fn has_had_admin(&self) -> Result<bool, Unavailable>;

    /// Which of these usernames no live or trashed user has, in the order given.
    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable>;

    /// Reads the caller and whom the request names, in one round trip.
    ///
    /// - `caller` MUST be `None` where that user is not live.
    /// - `named` MUST be `None` where none is named or the named one is not live. Where the caller names themself, it MAY be
    ///   `None` as well: the caller is there.
    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable>;

    /// Changes what `edit` names, sets `updated_at` and `updated_by`, and returns the user as it is then.
    ///
    /// - MUST refuse what another live or trashed user has, as [`create`](Self::create) does; what the user itself has is no
    ///   conflict. MUST refuse a user that is not live.
    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError>;
}

/// Whom a token says the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session, where the token names one.
    pub session: Option<SessionId>,
}

/// The answer to [`Accounts::caller`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerAnswer {
    /// The caller, where live.
    pub caller: Option<User>,
    /// The epoch that the caller's live tokens belong to.
    pub epoch: Epoch,
    /// Whether the session is one of the caller's; true where none is named.
    pub session_lives: bool,
    /// Whom the request names, where live.
    pub named: Option<User>,
}

/// Which of a user's names another user has, live or in the trash. Of both the email is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameClash {
    /// The email.
    Email,
    /// The username.
    Username,
}

impl From<NameClash> for CreateError {
    fn from(clash: NameClash) -> Self {
        match clash {
            NameClash::Email => Self::EmailTaken,
            NameClash::Username => Self::UsernameTaken,
        }
    }
}

impl From<NameClash> for EditError {
    fn from(clash: NameClash) -> Self {
        match clash {
            NameClash::Email => Self::EmailTaken,
            NameClash::Username => Self::UsernameTaken,
        }
    }
}

/// Why a user was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Another user has the email.
    #[error("another user has this email")]
    EmailTaken,
    /// Another user has the username.
    #[error("another user has this username")]
    UsernameTaken,
    /// There has been an admin before.
    #[error("there has been an admin before")]
    AdminExists,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a user was not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// No live user has this id.
    #[error("no such user")]
    NotFound,
    /// Another user has the email.
    #[error("another user has this email")]
    EmailTaken,
    /// Another user has the username.
    #[error("another user has this username")]
    UsernameTaken,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
