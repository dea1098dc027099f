use std::fmt;

use super::text::{TextError, check_length, first_unseen, fold, normalise};

/// A user's name, unique among live and trashed users by its [`key`](Username::key).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// The most code points of a username.
    pub const MAX: usize = 64;

    /// How many code points of a folded username are searched. One that [`parse`](Self::parse) takes is shorter; an earlier
    /// system let in any length.
    pub const SEARCHED: usize = 256;

    /// Takes 1 to 64 code points that can be seen, and spaces between them; trims, composes (NFC) and lower-cases them.
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
        match first_unseen(&name, |c| c == ' ') {
            Some(found) => Err(TextError::Unseen { found }),
            None => Ok(Self(name)),
        }
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

    /// What a store's unique index holds: the name by simple case folding, also one that an earlier system kept as it came.
    #[must_use]
    pub fn key(&self) -> String {
        fold(self.0.trim())
    }

    /// What [`SearchTerm`](super::SearchTerm)s are looked for in: the first [`SEARCHED`](Self::SEARCHED) code points of the
    /// folded name.
    #[must_use]
    pub fn folded(&self) -> String {
        let mut folded = fold(&self.0);
        if let Some((end, _)) = folded.char_indices().nth(Self::SEARCHED) {
            folded.truncate(end);
        }
        folded
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
                let as_key = Username::from_store(once.key());
                prop_assert_eq!(once.key(), as_key.key());
            }
        }

        #[test]
        fn a_name_that_is_taken_is_searched_whole(text in "\\PC{1,64}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(name.folded(), name.key());
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

    #[test]
    fn a_name_that_an_earlier_system_let_in_is_searched_up_to_a_bound() {
        let long = Username::from_store("É".repeat(5_000));
        assert_eq!(long.folded(), "é".repeat(Username::SEARCHED));
    }

    #[rstest::rstest]
    #[case("", TextError::TooShort { min: 1 })]
    #[case(" \t ", TextError::TooShort { min: 1 })]
    #[case("a\u{7}b", TextError::ControlCharacter)]
    #[case("a\0b", TextError::ControlCharacter)]
    #[case("gra\u{200b}ce", TextError::Unseen { found: '\u{200b}' })]
    #[case("a\u{202e}b", TextError::Unseen { found: '\u{202e}' })]
    #[case("\u{3164}", TextError::Unseen { found: '\u{3164}' })]
    #[case("so\u{ad}ft", TextError::Unseen { found: '\u{ad}' })]
    #[case("\u{2800}", TextError::Unseen { found: '\u{2800}' })]
    #[case("a\u{a0}b", TextError::Unseen { found: '\u{a0}' })]
    fn what_no_name_may_be_is_refused(#[case] text: &str, #[case] why: TextError) {
        assert_eq!(Username::parse(text), Err(why));
    }

    #[test]
    fn names_that_differ_in_case_alone_have_one_key() {
        let key = |text: &str| Username::parse(text).unwrap().key();
        assert_eq!(key("νίκος.π"), key("ΝΊΚΟΣ.Π"));
        assert_eq!(key("straße"), key("STRAẞE"));
        assert_ne!(key("straße"), key("strasse"));
        assert_eq!(Username::from_store("İSTANBUL".to_owned()).key(), key("İstanbul"));
    }

    #[test]
    fn a_name_may_have_spaces_between_its_letters() {
        assert_eq!(Username::parse("two  words").map(|name| name.0), Ok("two  words".to_owned()));
    }

    #[test]
    fn a_name_holds_64_code_points_and_no_more() {
        assert!(Username::parse(&"ß".repeat(64)).is_ok());
        assert_eq!(Username::parse(&"ß".repeat(65)), Err(TextError::TooLong { max: 64 }));
    }
}
