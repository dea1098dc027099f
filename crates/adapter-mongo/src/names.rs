//! Names as the indexes hold them: unique keys, and the suffixes of usernames that a search looks up.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mongodb::bson::{Document, doc};
use roster_domain::values::{Email, SearchTerm, Username};

/// What is kept of an email besides itself.
pub(crate) fn email_fields(email: &Email) -> Document {
    doc! { "roster.of.email": email.as_str(), "roster.email_key": email.key() }
}

/// What is kept of a username besides itself.
pub(crate) fn username_fields(username: &Username) -> Document {
    doc! {
        "roster.of.username": username.as_str(),
        "roster.username_key": username.key(),
        "roster.suffixes": suffixes(&username.folded()).into_iter().collect::<Vec<_>>(),
    }
}

/// How many code points a folded term has at most: of one code point, folding makes up to three.
const LONGEST_TERM: usize = 3 * SearchTerm::MAX;

/// The ends of a folded username, from the whole of it to its last code point, each as far as a term can reach: the name
/// contains a term where one of them begins with the term.
fn suffixes(folded: &str) -> BTreeSet<&str> {
    let ends = folded.char_indices().map(|(start, _)| &folded[start..]);
    ends.map(|end| match end.char_indices().nth(LONGEST_TERM) {
        Some((length, _)) => &end[..length],
        None => end,
    })
    .collect()
}

/// A regular expression that a text matches where it begins with the literal: whatever could mean something is escaped.
///
/// To the server it is a range of an index, and nothing is left to compare. Only a NUL, which it has to be told by an
/// escape, ends the range before the literal does.
pub(crate) fn beginning_with(literal: &str) -> String {
    let mut pattern = String::with_capacity(1 + 2 * literal.len());
    pattern.push('^');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_end_for_each_of_its_code_points() {
        assert_eq!(suffixes("añ🦀").into_iter().collect::<Vec<_>>(), ["añ🦀", "ñ🦀", "🦀"]);
        assert!(suffixes("").is_empty());
    }

    #[test]
    fn ends_are_as_long_as_the_longest_term_and_bounded_in_number() {
        for widest in ["ΐ", "ﬃ", "ᾷ"] {
            let term = SearchTerm::parse(&widest.repeat(SearchTerm::MAX)).unwrap().unwrap();
            assert!(term.folded().chars().count() <= LONGEST_TERM, "{widest}");
        }
        let pieces: Vec<_> = (0..10_000).map(|number| format!("{number:04}")).collect();
        let folded = Username::from_store(pieces.concat()).folded();
        let ends = suffixes(&folded);
        assert_eq!(ends.iter().map(|end| end.len()).max(), Some(LONGEST_TERM));
        assert!(ends.len() <= Username::SEARCHED);
        // What each request of such a user reads.
        assert!(ends.iter().map(|end| end.len()).sum::<usize>() < 48 * 1024);
    }

    #[test]
    fn nothing_in_a_literal_is_a_pattern() {
        assert_eq!(beginning_with("a.b*[é]\0"), "^a\\.b\\*\\[é\\]\\x00");
    }
}
