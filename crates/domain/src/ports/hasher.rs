use async_trait::async_trait;

use crate::values::{Client, Email, Password, PasswordHash};

/// Password hashing, which takes a good part of a second of a core by design.
///
/// An adapter MUST NOT hash on the caller's thread, MUST bound how many hashes wait, and MUST refuse what would wait longer
/// than its deadline. It SHOULD NOT refuse at once what is too many: clients that ask again at once would then do nothing
/// but ask. Whoever stops to wait, by dropping the future, MUST free their place at once.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    /// Whose request it is; `None` for Roster's own.
    pub client: Option<Client>,
    /// The account that it is about, which may not exist.
    pub account: Email,
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
    /// The hashing itself failed, which is a bug.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
