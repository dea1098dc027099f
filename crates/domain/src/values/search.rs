use super::text::{TextError, check_length, fold};

/// What is looked for in usernames: a literal piece of text, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchTerm(String);

impl SearchTerm {
    /// The most code points of a search term.
    pub const MAX: usize = 64;

    /// Takes up to 64 code points, trimmed. An empty one is no search.
    pub fn parse(text: &str) -> Result<Option<Self>, TextError> {
        let text = text.trim();
        check_length(text, 0, Self::MAX)?;
        Ok((!text.is_empty()).then(|| Self(fold(text))))
    }

    /// The text to look for in [`Username::folded`](super::Username::folded). It is no pattern: `%`, `*` and `"` stand
    /// for themselves.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Username;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_piece_of_a_name_finds_it(name in "[a-zA-Zäöüßéσς]{1,20}", start in 0usize..20, length in 1usize..20) {
            let username = Username::parse(&name).unwrap();
            let piece: String = name.chars().skip(start).take(length).collect();
            if let Some(term) = SearchTerm::parse(&piece).unwrap() {
                prop_assert!(username.folded().contains(term.folded()));
            }
        }
    }

    #[test]
    fn an_empty_term_is_no_search() {
        assert_eq!(SearchTerm::parse("  "), Ok(None));
    }

    #[test]
    fn a_term_holds_64_code_points_and_no_more() {
        assert!(SearchTerm::parse(&"é".repeat(64)).is_ok());
        assert_eq!(SearchTerm::parse(&"é".repeat(65)), Err(TextError::TooLong { max: 64 }));
    }
}
