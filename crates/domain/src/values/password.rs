use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::text::{TextError, check_length};

/// A password in the clear: composed (NFC; RFC 8265, 4.2), so that it is the same whatever device it was typed on. Wiped from
/// memory when dropped; `Debug` is redacted.
#[derive(Debug, Clone)]
pub struct Password {
    composed: SecretString,
    /// What the client sent, where that is other bytes.
    sent: Option<SecretString>,
}

impl Password {
    /// The most code points of a password.
    pub const MAX: usize = 1024;

    /// Composes the text and takes 1 to 1,024 code points of it: spaces and Unicode included, nothing trimmed.
    pub fn parse(text: String) -> Result<Self, TextError> {
        let text = SecretString::from(text);
        // Before it is composed, so that a megabyte is not composed to be refused: one code point is made of four at most.
        check_length(text.expose_secret(), 1, 4 * Self::MAX).map_err(|error| match error {
            TextError::TooLong { .. } => TextError::TooLong { max: Self::MAX },
            other => other,
        })?;
        let password = match composed(text.expose_secret()) {
            None => Self { composed: text, sent: None },
            Some(composed) => Self { composed, sent: Some(text) },
        };
        check_length(password.expose(), 1, Self::MAX)?;
        Ok(password)
    }

    /// The password itself, to be hashed and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.composed.expose_secret()
    }

    /// What the client sent, where that is other bytes: a hash may have been made of them before passwords were composed.
    #[must_use]
    pub fn as_sent(&self) -> Option<Self> {
        self.sent.clone().map(|sent| Self { composed: sent, sent: None })
    }
}

/// The text in NFC; `None` where it is that already.
fn composed(text: &str) -> Option<SecretString> {
    if is_nfc(text) {
        return None;
    }
    // Room for all that it may become, so that it never moves and leaves a copy behind.
    let mut composed = String::with_capacity(3 * text.len());
    composed.extend(text.nfc());
    Some(SecretString::from(composed))
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
        assert!(password.as_sent().is_none());
    }

    #[test]
    fn a_password_is_composed_and_known_as_it_was_sent() {
        let password = Password::parse("pa\u{308}ss".to_owned()).unwrap();
        assert_eq!(password.expose(), "päss");
        assert_eq!(password.as_sent().unwrap().expose(), "pa\u{308}ss");
    }

    #[test]
    fn a_password_holds_1_to_1024_code_points() {
        assert!(Password::parse("é".repeat(1024)).is_ok());
        assert!(Password::parse("e\u{301}".repeat(1024)).is_ok(), "counted once it is composed");
        assert!(Password::parse("ᾂ".nfd().collect::<String>().repeat(1024)).is_ok());
        assert_eq!(Password::parse("e\u{301}".repeat(1025)).err(), Some(TextError::TooLong { max: 1024 }));
        // One that NFC takes apart.
        assert_eq!(Password::parse("\u{958}".repeat(513)).err(), Some(TextError::TooLong { max: 1024 }));
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
