use async_trait::async_trait;
use roster_domain::ports::{Asker, HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};

const TODAYS: &str = "plain$";
const OUTDATED: &str = "old$";

/// A hasher that hides nothing and costs nothing, **for tests alone**: its hash is the password itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainHasher;

impl PlainHasher {
    /// A hash that matches that password and is not of today's format.
    #[must_use]
    pub fn outdated(password: &str) -> PasswordHash {
        PasswordHash::new(format!("{OUTDATED}{password}"))
    }
}

#[async_trait]
impl PasswordHasher for PlainHasher {
    async fn hash(&self, password: Password, _: Asker) -> Result<PasswordHash, HashError> {
        Ok(PasswordHash::new(format!("{TODAYS}{}", password.expose())))
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        asker: Asker,
    ) -> Result<Verdict, HashError> {
        let is_of = |format: &str| {
            hash.as_ref().and_then(|hash| hash.expose().strip_prefix(format)) == Some(password.expose())
        };
        Ok(if is_of(TODAYS) {
            Verdict::Match
        } else if is_of(OUTDATED) {
            Verdict::MatchOutdated(self.hash(password, asker).await?)
        } else {
            Verdict::Mismatch
        })
    }
}
