use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::values::{Client, Email, Password, PasswordHash};

/// Password hashing, which takes a good part of a second of a core by design.
///
/// An adapter MUST NOT hash on the caller's thread, MUST bound how many hashes wait, and MUST refuse what would wait longer
/// than its deadline. It SHOULD NOT refuse at once what is too many: clients that ask again at once would then do nothing
/// but ask. A caller that drops the future MUST free its place at once.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password, for `asker`. Two passwords that differ anywhere MUST be told apart by [`verify`](Self::verify).
    async fn hash(&self, password: Password, asker: Asker) -> Result<PasswordHash, HashError>;

    /// Checks a password against a hash, for `asker`. Without a hash, or with one that can't be read, it MUST cost the same time and
    /// answer [`Verdict::Mismatch`].
    ///
    /// That the hash is outdated MUST NOT make the check fail, nor wait again: where there is no time for another, it is
    /// [`Verdict::Match`].
    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        asker: Asker,
    ) -> Result<Verdict, HashError>;
}

/// For whom a password is hashed: hashing is shared fairly between clients, and between the accounts of one client.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Whose request it is; `None` for Roster's own.
    pub client: Option<Client>,
    /// The account that it is about, which may not exist.
    pub account: Email,
    /// Asked again when the turn has come: an adapter MUST NOT hash what isn't wanted any more, and answers
    /// [`HashError::NotWanted`].
    pub still_wanted: StillWanted,
}

/// A question whose answer may change while a password waits to be hashed.
#[derive(Clone)]
pub struct StillWanted(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl StillWanted {
    /// Wanted, whatever happens.
    #[must_use]
    pub const fn always() -> Self {
        Self(None)
    }

    /// Wanted for as long as that holds.
    pub fn as_long_as(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    /// Whether it is wanted now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }
}

impl fmt::Debug for StillWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StillWanted({})", self.holds())
    }
}

/// What [`PasswordHasher::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Another password.
    Mismatch,
    /// The password.
    Match,
    /// The password, but the hash is not of today's format and cost; this one is.
    MatchOutdated(PasswordHash),
}

/// Why nothing was hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already, or the deadline passed.
    #[error("too many passwords wait to be hashed")]
    Overloaded,
    /// When its turn came it wasn't [wanted](Asker::still_wanted) any more.
    #[error("it isn't wanted any more")]
    NotWanted,
    /// The hashing itself failed, which is a bug.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
