use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roster_domain::ports::{AccessClaims, InvalidToken, RefreshClaims, Tokens, Validity};
use roster_domain::values::{AccessToken, RefreshToken, Timestamp, TokenFingerprint, TokenId};

/// Tokens without cryptography, **for tests alone**: a token is valid where this value, or a clone of it, has issued it.
#[derive(Clone)]
pub struct PlainTokens {
    key: String,
    issued: Arc<Mutex<HashMap<String, Issued>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Refresh,
}

#[derive(Clone, Copy)]
struct Issued {
    kind: Kind,
    claims: AccessClaims,
    expires: Timestamp,
}

impl PlainTokens {
    /// Tokens that bear that key in the clear.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), issued: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue(&self, kind: Kind, claims: AccessClaims, id: TokenId, validity: Validity) -> String {
        let name = match kind {
            Kind::Access => "access",
            Kind::Refresh => "refresh",
        };
        let (key, id, Validity { issued, expires }) = (&self.key, u128::from_be_bytes(id.0), validity);
        let text = format!("{key}.{name}.{}.{id:x}.{}", claims.user_id, issued.as_millis());
        self.lock().insert(text.clone(), Issued { kind, claims, expires });
        text
    }

    fn read(&self, kind: Kind, text: &str, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        let issued = self.lock().get(text).copied();
        issued
            .filter(|issued| issued.kind == kind && now < issued.expires)
            .map(|issued| issued.claims)
            .ok_or(InvalidToken)
    }
}

impl Tokens for PlainTokens {
    fn issue_access(&self, claims: &AccessClaims, id: TokenId, validity: Validity) -> AccessToken {
        AccessToken::new(self.issue(Kind::Access, *claims, id, validity))
    }

    fn issue_refresh(&self, claims: &RefreshClaims, id: TokenId, validity: Validity) -> RefreshToken {
        RefreshToken::new(self.issue(Kind::Refresh, *claims, id, validity))
    }

    fn read_access(&self, token: &AccessToken, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        self.read(Kind::Access, token.expose(), now)
    }

    fn read_refresh(&self, token: &RefreshToken, now: Timestamp) -> Result<RefreshClaims, InvalidToken> {
        self.read(Kind::Refresh, token.expose(), now)
    }

    /// No SHA-256, but as long as one, and told apart as well as tests need.
    fn fingerprint(&self, token: &RefreshToken) -> TokenFingerprint {
        let mut bytes = [0; 32];
        for (part, eight) in bytes.chunks_exact_mut(8).enumerate() {
            let mut hasher = DefaultHasher::new();
            (part, token.expose()).hash(&mut hasher);
            eight.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        TokenFingerprint::from_bytes(bytes)
    }
}
