//! What texts from clients have in common.

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization;

/// Why a text was refused. Lengths are in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Shorter than `min`.
    #[error("should have at least {min} characters")]
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

/// Trimmed, NFC, lower case: the form in which names are stored and compared for uniqueness.
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

/// The form in which texts are compared without regard to case: NFC, Unicode default case folding.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    CaseMapper::new().fold_string(&composed).nfc().collect()
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
    fn a_length_is_counted_in_code_points_and_both_limits_are_allowed() {
        assert_eq!(check_length("éé", 2, 2), Ok(()));
        assert_eq!(check_length("é", 2, 2), Err(TextError::TooShort { min: 2 }));
        assert_eq!(check_length("ééé", 2, 2), Err(TextError::TooLong { max: 2 }));
    }
}
