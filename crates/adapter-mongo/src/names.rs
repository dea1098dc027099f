//! Names as the indexes hold them: keys that are unique, and the pieces of usernames that searches go by.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use mongodb::bson::{Bson, Document, doc};
use roster_domain::values::{Email, Username};

/// How many code points a piece of a username has.
const PIECE: usize = 3;

/// What is kept of an email besides itself.
pub(crate) fn email_fields(email: &Email) -> Document {
    doc! { "roster.of.email": email.as_str(), "roster.email_key": email.key() }
}

/// What is kept of a username besides itself.
pub(crate) fn username_fields(username: &Username) -> Document {
    let folded = username.folded();
    let trigrams: Vec<Bson> = trigrams(&folded).into_iter().map(Bson::from).collect();
    doc! {
        "roster.of.username": username.as_str(),
        "roster.username_key": username.key(),
        "roster.folded": folded,
        "roster.trigrams": trigrams,
    }
}

/// All pieces of three code points of a folded text, each once.
pub(crate) fn trigrams(folded: &str) -> BTreeSet<&str> {
    let starts: Vec<usize> = folded.char_indices().map(|(at, _)| at).chain([folded.len()]).collect();
    starts.windows(PIECE + 1).map(|window| &folded[window[0]..window[PIECE]]).collect()
}

/// Whether a folded term is more than one piece, so that a name which has its pieces need not have the term.
pub(crate) fn is_longer_than_a_piece(folded: &str) -> bool {
    folded.chars().nth(PIECE).is_some()
}

/// A regular expression that a text matches where it contains the literal: whatever could mean something is escaped.
pub(crate) fn literal_pattern(literal: &str) -> String {
    let mut pattern = String::with_capacity(2 * literal.len());
    for c in literal.chars() {
        if c.is_ascii_control() {
            // A pattern can't hold a NUL as it is. Writing to a `String` can't fail.
            _ = write!(pattern, "\\x{:02x}", u32::from(c));
        } else {
            if c.is_ascii() && !c.is_ascii_alphanumeric() {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    pattern
}

/// How often pieces occur in a sample of the usernames: which piece of a term leads to the fewest users.
///
/// It decides how fast a search is, and nothing of what it finds.
#[derive(Debug, Default)]
pub(crate) struct Rarity(Mutex<HashMap<String, u32>>);

impl Rarity {
    pub(crate) fn learn<'a>(&self, sample: impl Iterator<Item = &'a str>) {
        let mut counts = HashMap::new();
        for trigram in sample {
            match counts.get_mut(trigram) {
                Some(count) => *count += 1,
                None => drop(counts.insert(trigram.to_owned(), 1)),
            }
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// The rarest piece of a folded term; `None` where it is too short to have one.
    pub(crate) fn rarest<'a>(&self, folded: &'a str) -> Option<&'a str> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trigrams(folded).into_iter().min_by_key(|trigram| counts.get(*trigram).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_into_pieces_of_three_code_points_each_once() {
        assert_eq!(trigrams("añnaañn").into_iter().collect::<Vec<_>>(), ["aañ", "añn", "naa", "ñna"]);
        assert!(trigrams("añ").is_empty());
        assert_eq!(trigrams("🦀cr").len(), 1);
    }

    #[test]
    fn only_a_term_of_four_code_points_is_longer_than_a_piece() {
        assert!(!is_longer_than_a_piece("🦀ña"));
        assert!(is_longer_than_a_piece("🦀ñaa"));
    }

    #[test]
    fn nothing_in_a_literal_is_a_pattern() {
        assert_eq!(literal_pattern("a.b*[é]\0"), "a\\.b\\*\\[é\\]\\x00");
    }

    #[test]
    fn the_piece_that_the_sample_has_seen_least_leads() {
        let rarity = Rarity::default();
        rarity.learn(["use", "use", "ser", "er1", "use", "ser"].into_iter());
        assert_eq!(rarity.rarest("user1"), Some("er1"));
        assert_eq!(rarity.rarest("us"), None);
    }
}
