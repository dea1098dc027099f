use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Change, LogIns, Session};
use crate::values::{Email, Epoch, PasswordHash, SessionId, TokenFingerprint, UserId};

/// The sessions of live users, and the credentials that a log-in needs to start one.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Sessions: Send + Sync {
    /// What a log-in is checked against, of the live user with this email's key.
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable>;

    /// Starts a session, at `change.at`, and replaces the password's hash where asked to.
    ///
    /// - MUST answer `false` and change nothing where the user is not live any more or its epoch is not `open.epoch`.
    /// - MUST end the oldest sessions beyond [`MAX_SESSIONS`](crate::entities::MAX_SESSIONS), also when many start at once.
    /// - MUST leave the hash alone where it is not `rehash.old` any more; the session starts all the same.
    /// - MUST end the row of failed log-ins and put the client of `change.request` first among those that logged in, in the
    ///   same write, as [`LogIns::succeeded`] does.
    async fn open(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable>;

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
    async fn state(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable>;
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
    /// The session's id.
    pub session: SessionId,
    /// What is kept of its refresh token.
    pub refresh_token: TokenFingerprint,
    /// The hash to put in the place of an outdated one.
    pub rehash: Option<Rehash>,
}

impl OpenSession {
    /// The session as it is kept, once `change` has started it.
    #[must_use]
    pub const fn started_by(&self, change: &Change) -> Session {
        Session { id: self.session, refresh_token: self.refresh_token, started_at: change.at }
    }
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
