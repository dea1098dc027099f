use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::text::{TextError, check_length};

/// A password in the clear, as a client sent it. Wiped from memory when dropped; `Debug` is redacted.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// The most code points of a password.
    pub const MAX: usize = 1024;

    /// Takes 1 to 1,024 code points as they are: spaces and Unicode included, nothing trimmed.
    pub fn parse(text: String) -> Result<Self, TextError> {
        let checked = check_length(&text, 1, Self::MAX);
        let password = Self(SecretString::from(text));
        checked.map(|()| password)
    }

    /// The password itself, to be hashed and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password's hash, as a store keeps it. `Debug` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash, made or rehydrated, in the modular crypt format.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// What a hash of bcrypt costs, plain or in passlib's `$bcrypt-sha256$v=2`.
    #[must_use]
    pub fn bcrypt_cost(&self) -> Option<u32> {
        let (version, rest) = self.0.strip_prefix('$')?.split_once('$')?;
        let parameters = rest.split('$').next()?;
        let cost = if version == "bcrypt-sha256" { parameters.split_once("r=")?.1 } else { parameters };
        cost.parse().ok()
    }

    /// The hash, to be stored or compared and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_as_it_is() {
        let password = Password::parse("  pass wörd\u{0} ".to_owned()).unwrap();
        assert_eq!(password.expose(), "  pass wörd\u{0} ");
    }

    #[test]
    fn a_password_holds_1_to_1024_code_points() {
        assert!(Password::parse("é".repeat(1024)).is_ok());
        assert_eq!(Password::parse("é".repeat(1025)).err(), Some(TextError::TooLong { max: 1024 }));
        assert_eq!(Password::parse(String::new()).err(), Some(TextError::TooShort { min: 1 }));
    }

    #[test]
    fn no_secret_is_shown_by_debug() {
        let password = Password::parse("hunter2".to_owned()).unwrap();
        assert!(!format!("{password:?}").contains("hunter2"));
        assert!(!format!("{:?}", PasswordHash::new("$2b$04$abc".to_owned())).contains("abc"));
    }
}
