use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// How often all tokens of a user were ended. A token made under an earlier epoch is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(u32);

impl Epoch {
    /// The epoch of a new user, and of tokens that name none.
    pub const FIRST: Self = Self(0);

    /// From its number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A token's own id (RFC 7519, `jti`): 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId(pub [u8; 16]);

/// A signed access token. `Debug` is redacted.
#[derive(Debug, Clone)]
pub struct AccessToken(SecretString);

/// A signed refresh token. `Debug` is redacted.
#[derive(Debug, Clone)]
pub struct RefreshToken(SecretString);

macro_rules! secret_text {
    ($name:ident) => {
        impl $name {
            /// A token's text, made or received.
            #[must_use]
            pub fn new(text: String) -> Self {
                Self(SecretString::from(text))
            }

            /// The token, for its holder and for nothing else.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }
    };
}

secret_text!(AccessToken);
secret_text!(RefreshToken);

/// The SHA-256 of a refresh token: what stores keep of it. `Debug` is redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenFingerprint([u8; 32]);

impl TokenFingerprint {
    /// From the digest's bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFingerprint([REDACTED])")
    }
}
