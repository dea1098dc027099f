use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Change, Edit, LogIns, NewUser, Page, Session, User};
use crate::values::{
    Email, Epoch, OwnImage, PageRequest, PasswordHash, SearchTerm, SessionId, TokenFingerprint, UserId,
    Username,
};

/// Live users and their sessions. A user in the trash is not seen here, but its email and username stay taken.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Users: Send + Sync {
    /// Creates a user, at `change.at`, without sessions, under [`Epoch::FIRST`].
    ///
    /// - MUST refuse an email or username whose [`key`](Email::key) a live or trashed user has; where both are taken it
    ///   MUST name the email. Of two equal ones at once exactly one MUST succeed.
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

    /// What a log-in is checked against, of the live user with this email's key.
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable>;

    /// Starts a session, and replaces the password's hash where asked to.
    ///
    /// - MUST answer `false` and change nothing where the user is not live any more or its epoch is not `open.epoch`.
    /// - MUST end the oldest sessions beyond [`MAX_SESSIONS`](crate::entities::MAX_SESSIONS), also when many start at once.
    /// - MUST leave the hash alone where it is not `rehash.old` any more; the session starts all the same.
    /// - MUST end the row of failed log-ins and put the client of `change.request` first among those that logged in, in the
    ///   same write, as [`LogIns::succeeded`] does.
    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable>;

    /// Counts a failed log-in of a live user, as [`LogIns::failed`] does, at `change.at`. Of many at once each MUST be counted.
    ///
    /// - MUST change nothing where the user is not live.
    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable>;

    /// Told that hashes of that cost are made from now on, answers what the dearest hash of the store may cost.
    ///
    /// - MUST answer the largest that it was ever told, or more, also by an import.
    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable>;

    /// What a refresh is checked against: the live user's epoch, and of the session, where one is named and has not ended,
    /// what is kept of its refresh token.
    async fn session(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable>;

    /// Reads the caller and whom the request names, in one round trip.
    ///
    /// - `caller` MUST be `None` where that user is not live.
    /// - `named` MUST be `None` where none is named or the named one is not live. Where the caller names themself, it MAY be
    ///   `None` as well: the caller is there.
    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable>;

    /// One page of the live users, ordered by id, and how many there are.
    ///
    /// - With a term, MUST list exactly those whose [`folded`](Username::folded) username contains it, as literal text. Of a
    ///   name that an earlier system let in, that is the first [`SEARCHED`](Username::SEARCHED) code points: what lies behind
    ///   need not be kept, and MAY be found.
    /// - `total` MUST be exact, and MUST tell of what this adapter has written before.
    /// - The first page, page and total MUST NOT cost in proportion to the number of users; nor, with a term of three code
    ///   points or more, to anything but the number of matches.
    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable>;

    /// Changes what `edit` names, sets `updated_at` and `updated_by`, and returns the user as it is then.
    ///
    /// - MUST refuse what another live or trashed user has, as [`create`](Self::create) does; what the user itself has is no
    ///   conflict. MUST refuse a user that is not live.
    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError>;

    /// Makes `image` the user's profile image. [`ImageRemovals::reserve`](super::ImageRemovals::reserve) comes first.
    ///
    /// - MUST, in the same write, drop the reservation, and leave the image before, where there is one of ours, to
    ///   [`ImageRemovals`](super::ImageRemovals), due at once.
    /// - MUST keep its checksum with it.
    /// - MUST refuse where the reservation is gone, or is already being removed, or the user is not live.
    async fn set_image(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError>;

    /// Takes the user's profile image away.
    ///
    /// - MUST, in the same write, leave the image, where it is one of ours, to [`ImageRemovals`](super::ImageRemovals), due at
    ///   once.
    /// - MUST tell a live user that has none from one who is not live. Of two at once exactly one MUST succeed.
    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError>;
}

/// What a log-in is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose they are.
    pub user_id: UserId,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// The epoch that new tokens will belong to.
    pub epoch: Epoch,
    /// The log-ins before.
    pub log_ins: LogIns,
}

/// A log-in that failed, of a user that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedLogIn {
    /// Whose account it was.
    pub user_id: UserId,
    /// Whether the client isn't one of those that logged in last.
    pub by_stranger: bool,
}

/// A session to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Whose.
    pub user_id: UserId,
    /// The epoch that its tokens belong to.
    pub epoch: Epoch,
    /// The session.
    pub session: Session,
    /// The hash to put in the place of an outdated one.
    pub rehash: Option<Rehash>,
}

/// A hash for the same password, in today's format and cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehash {
    /// The hash that the password was checked against.
    pub old: PasswordHash,
    /// The one to put in its place.
    pub new: PasswordHash,
}

/// What a refresh is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionState {
    /// The epoch that live tokens belong to.
    pub epoch: Epoch,
    /// What is kept of the named session's refresh token; `None` where none is named or it has ended.
    pub refresh_token: Option<TokenFingerprint>,
}

/// Whom a token says the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session, where the token names one.
    pub session: Option<SessionId>,
}

/// The answer to [`Users::caller`].
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

/// Which users to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuery {
    /// Those whose username contains this; all without.
    pub search: Option<SearchTerm>,
    /// Which page of them.
    pub page: PageRequest,
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

/// Why an image was not taken away.
#[derive(Debug, thiserror::Error)]
pub enum RemoveImageError {
    /// No live user has this id.
    #[error("no such user")]
    NotFound,
    /// The user has no image.
    #[error("the user has no image")]
    NoImage,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why an image did not become the user's.
#[derive(Debug, thiserror::Error)]
pub enum SetImageError {
    /// No live user has this id.
    #[error("no such user")]
    NotFound,
    /// The reservation ran out: the image may be gone.
    #[error("the reservation of the image ran out")]
    ReservationLost,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
