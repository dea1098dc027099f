use std::fmt;

use super::text::{TextError, check_length, fold, normalise};

/// A user's name, unique among live and trashed users by its [`key`](Username::key).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// The most code points of a username.
    pub const MAX: usize = 64;

    /// Takes 1 to 64 code points without control characters; trims, composes (NFC) and lower-cases them.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        // Before normalising, so that a megabyte is not normalised to be refused; NFC and lower case change the number
        // of code points threefold at most, so the true length is checked again after.
        check_length(text.trim(), 1, 4 * Self::MAX).map_err(|error| match error {
            TextError::TooLong { .. } => TextError::TooLong { max: Self::MAX },
            other => other,
        })?;
        let name = normalise(text);
        check_length(&name, 1, Self::MAX)?;
        if name.chars().any(char::is_control) {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(name))
    }

    /// Rehydrates a stored username, whatever it is.
    #[must_use]
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The name as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a store's unique index holds: names that an earlier system kept in mixed case are taken in lower case too.
    #[must_use]
    pub fn key(&self) -> String {
        normalise(&self.0)
    }

    /// What [`SearchTerm`](super::SearchTerm)s are looked for in.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Username({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn normalising_is_idempotent(text in "\\PC{0,80}") {
            if let Ok(once) = Username::parse(&text) {
                let twice = Username::parse(once.as_str());
                prop_assert_eq!(Ok(once.clone()), twice);
                prop_assert_eq!(once.key(), once.as_str());
            }
        }

        #[test]
        fn folding_is_idempotent(text in "\\PC{0,80}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
        }
    }

    #[test]
    fn a_name_is_trimmed_composed_and_lower_cased() {
        assert_eq!(Username::parse("  Ame\u{301}LIE ").map(|name| name.0), Ok("amélie".to_owned()));
    }

    #[rstest::rstest]
    #[case("", TextError::TooShort { min: 1 })]
    #[case(" \t ", TextError::TooShort { min: 1 })]
    #[case("a\u{7}b", TextError::ControlCharacter)]
    #[case("a\0b", TextError::ControlCharacter)]
    fn what_no_name_may_be_is_refused(#[case] text: &str, #[case] why: TextError) {
        assert_eq!(Username::parse(text), Err(why));
    }

    #[test]
    fn a_name_holds_64_code_points_and_no_more() {
        assert!(Username::parse(&"ß".repeat(64)).is_ok());
        assert_eq!(Username::parse(&"ß".repeat(65)), Err(TextError::TooLong { max: 64 }));
    }
}
