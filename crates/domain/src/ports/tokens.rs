use std::time::Duration;

use crate::values::{
    AccessToken, Epoch, RefreshToken, SessionId, Timestamp, TokenFingerprint, TokenId, UserId,
};

/// Signs tokens and reads them back. It checks the token alone; whether its user and session live is the store's to say, and how
/// long a token is valid is the caller's.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Tokens: Send + Sync {
    /// Signs an access token. It keeps its times as whole seconds, rounded down.
    fn issue_access(&self, claims: &AccessClaims, id: TokenId, validity: Validity) -> AccessToken;

    /// Signs a refresh token, as [`issue_access`](Self::issue_access) does.
    fn issue_refresh(&self, claims: &RefreshClaims, id: TokenId, validity: Validity) -> RefreshToken;

    /// Reads an access token.
    ///
    /// - MUST refuse one that is malformed, signed with another key or algorithm, has expired at `now` (without leeway), is not
    ///   valid yet, is of another kind, names no user, or whose header names a key.
    /// - MUST take one without session or epoch, as an earlier system signed them: its epoch is the first.
    fn read_access(&self, token: &AccessToken, now: Timestamp) -> Result<AccessClaims, InvalidToken>;

    /// Reads a refresh token; refuses as [`read_access`](Self::read_access) does.
    fn read_refresh(&self, token: &RefreshToken, now: Timestamp) -> Result<RefreshClaims, InvalidToken>;

    /// What a store keeps of a refresh token: its SHA-256.
    fn fingerprint(&self, token: &RefreshToken) -> TokenFingerprint;
}

/// When a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it is issued.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

impl Validity {
    /// From `issued` on for that long.
    #[must_use]
    pub fn starting(issued: Timestamp, lifetime: Duration) -> Self {
        Self { issued, expires: issued.plus(lifetime) }
    }
}

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// Whose it is.
    pub user_id: UserId,
    /// The log-in that it comes from; `None` in tokens of an earlier system.
    pub session: Option<SessionId>,
    /// The epoch under which it was made.
    pub epoch: Epoch,
}

/// What a refresh token says: the same as the access tokens that are made from it.
pub type RefreshClaims = AccessClaims;

/// A token that is not valid, for whatever reason: none is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid token")]
pub struct InvalidToken;
