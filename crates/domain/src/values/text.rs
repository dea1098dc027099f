//! What texts from clients have in common.

use icu_casemap::CaseMapper;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::UnicodeNormalization;

/// Why a text was refused. Lengths are in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Shorter than `min`.
    #[error("should have at least {min} character{}", if *min == 1 { "" } else { "s" })]
    TooShort {
        /// The fewest code points allowed.
        min: usize,
    },
    /// Longer than `max`.
    #[error("should have at most {max} characters")]
    TooLong {
        /// The most code points allowed.
        max: usize,
    },
    /// A control character stands in it.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// A character stands in it that can't be seen.
    #[error("must not contain characters that can't be seen, such as U+{:04X}", u32::from(*found))]
    Unseen {
        /// The first of them.
        found: char,
    },
}

/// Checks a length in code points without counting a long text to its end.
pub(crate) fn check_length(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    let counted = text.chars().take(max.saturating_add(1)).count();
    if counted > max {
        Err(TextError::TooLong { max })
    } else if counted < min {
        Err(TextError::TooShort { min })
    } else {
        Ok(())
    }
}

/// Trimmed, NFC, lower case: the form in which names are stored.
pub(crate) fn normalise(text: &str) -> String {
    lower_case(text.trim())
}

/// NFC, lower case.
///
/// Lower-casing can undo NFC, which is why it is done again after; it brings no capitals back, so that is the end of it.
pub(crate) fn lower_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    composed.to_lowercase().nfc().collect()
}

/// The form in which texts are compared without regard to case: NFC, Unicode's simple case folding (`C` and `S` of
/// `CaseFolding.txt`), in which `ΝΊΚΟΣ` is `νίκος` and `STRAẞE` is `straße`, but not `strasse`.
///
/// What is folded is in lower case already, for the sake of `İ`, which has no simple folding: it is stored in lower case, and
/// what an earlier system stored as it came is compared as that.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mapper = CaseMapper::new();
    lower_case(text).chars().map(|c| mapper.simple_fold(c)).nfc().collect()
}

/// The first character of a text that nobody can see, or tell for sure: a control, format, private or unassigned one, a space,
/// a filler, and a mark that would combine with what stands in front of the text.
///
/// `also` says which of them are allowed all the same.
pub(crate) fn first_unseen(text: &str, also: impl Fn(char) -> bool) -> Option<char> {
    text.char_indices().find(|(at, c)| !is_seen(*at, *c) && !also(*c)).map(|(_, c)| c)
}

/// Whether a character that stands there in a text can be seen.
pub(crate) fn is_seen(at: usize, c: char) -> bool {
    is_visible(c) || (at > 0 && GeneralCategoryGroup::Mark.contains(category(c)) && !is_blank(c))
}

/// Letters, numbers, punctuation and symbols, but for those that show nothing.
pub(crate) fn is_visible(c: char) -> bool {
    const GROUPS: [GeneralCategoryGroup; 4] = [
        GeneralCategoryGroup::Letter,
        GeneralCategoryGroup::Number,
        GeneralCategoryGroup::Punctuation,
        GeneralCategoryGroup::Symbol,
    ];
    GROUPS.iter().any(|group| group.contains(category(c))) && !is_blank(c)
}

/// What shows nothing, although its category would have it seen.
fn is_blank(c: char) -> bool {
    // An empty pattern of Braille, a filler of Khitan, a note without a head: Unicode has no property for these.
    const BLANK: [char; 3] = ['\u{2800}', '\u{16FE4}', '\u{1D159}'];
    BLANK.contains(&c) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any text at all, rich in what is hard: letters whose other case is longer or shorter, marks that join and reorder.
    fn hard_text() -> impl Strategy<Value = String> {
        let hard = prop::sample::select(
            "aIiJKΣσςΑαΙιßẞﬁǰΐŉİıǅᾼᾳᾴΩÅΌʼnẖϓ\u{300}\u{301}\u{307}\u{308}\u{30c}\u{313}\u{323}\u{328}\u{331}\u{342}\u{345} \u{2000}\u{a0}"
                .chars()
                .collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![3 => hard, 1 => any::<char>()], 0..24)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn normalising_twice_is_normalising_once(text in hard_text()) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }

        #[test]
        fn folding_twice_is_folding_once(text in hard_text()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn texts_that_are_canonically_equivalent_have_one_normal_form(text in hard_text()) {
            let taken_apart: String = text.nfd().collect();
            prop_assert_eq!(normalise(&taken_apart), normalise(&text));
            prop_assert_eq!(fold(&taken_apart), fold(&text));
        }
    }

    #[test]
    fn every_single_letter_is_normalised_and_folded_once_for_all() {
        // Beyond these planes nothing has a case or is made of parts.
        for c in '\0'..='\u{2ffff}' {
            let text = c.to_string();
            let (normal, folded) = (normalise(&text), fold(&text));
            assert_eq!(normalise(&normal), normal, "{c:?}");
            assert_eq!(fold(&folded), folded, "{c:?}");
        }
    }

    #[test]
    fn every_single_letter_is_folded_as_unicode_folds_it_simply() {
        let mapper = CaseMapper::new();
        for c in '\0'..='\u{2ffff}' {
            let text = c.to_string();
            let composed: String = text.nfc().collect();
            let simply: String = composed.chars().map(|c| mapper.simple_fold(c)).nfc().collect();
            // The one letter whose lower case is two, and whose own folding is Turkish.
            if c != 'İ' {
                assert_eq!(fold(&text), simply, "{c:?}");
            }
        }
    }

    #[rstest::rstest]
    #[case("νίκος.π", "ΝΊΚΟΣ.Π", true)]
    #[case("straße", "STRAẞE", true)]
    #[case("straße", "strasse", false)]
    #[case("ſam", "SAM", true)]
    #[case("µ", "Μ", true)]
    #[case("ﬁ", "fi", false)]
    #[case("İ", "i\u{307}", true)]
    #[case("İ", "i", false)]
    #[case("ı", "I", false)]
    #[case("ꭰ", "Ꭰ", true)]
    fn texts_are_compared_by_simple_case_folding(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(fold(one) == fold(other), same);
    }

    #[test]
    fn what_can_not_be_seen_is_found() {
        for c in "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{200b}\u{200d}\u{200e}\u{202e}\u{2060}\u{2066}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{16fe4}\u{1d159}\u{1d173}\u{e0001}\u{e0100}\u{e000}\u{378}\u{a0}\u{2028}\0".chars() {
            assert_eq!(first_unseen(&format!("a{c}b"), |_| false), Some(c), "{c:?}");
        }
        assert_eq!(first_unseen("\u{301}a", |_| false), Some('\u{301}'));
        for text in ["amélie", "ame\u{301}lie", "日本語", "नमस्ते", "🦀", "a_b.c-1", "ᾳ", "אבג"]
        {
            assert_eq!(first_unseen(text, |_| false), None, "{text}");
        }
        assert_eq!(first_unseen("two words", |c| c == ' '), None);
    }

    #[test]
    fn a_length_is_counted_in_code_points_and_both_limits_are_allowed() {
        assert_eq!(check_length("éé", 2, 2), Ok(()));
        assert_eq!(check_length("é", 2, 2), Err(TextError::TooShort { min: 2 }));
        assert_eq!(check_length("ééé", 2, 2), Err(TextError::TooLong { max: 2 }));
    }
}
