use std::fmt;

/// The least bytes of a signing key, which MUST be as long as the hash's output or longer (RFC 7518, 3.2).
pub const SHORTEST_KEY: usize = 32;

/// Why others may guess a signing key. Shows nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It has so many bytes only.
    Short(usize),
    /// It stands in tutorials and examples.
    WellKnown,
    /// It is made of few characters, or of one piece again and again.
    Repetitive,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(bytes) => write!(f, "has {bytes} bytes of the {SHORTEST_KEY} that it needs"),
            Self::WellKnown => f.write_str("is one that everybody knows"),
            Self::Repetitive => f.write_str("repeats itself too much to be random"),
        }
    }
}

/// Looks for what makes a key guessable. Finding nothing proves nothing.
#[must_use]
pub fn weakness(key: &str) -> Option<Weakness> {
    if is_well_known(key) {
        Some(Weakness::WellKnown)
    } else if key.len() < SHORTEST_KEY {
        Some(Weakness::Short(key.len()))
    } else if is_repetitive(key.as_bytes()) {
        Some(Weakness::Repetitive)
    } else {
        None
    }
}

/// Without case, punctuation and digits at the end, which are what people pad such a key with.
fn is_well_known(key: &str) -> bool {
    let folded: String =
        key.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    let unpadded = folded.trim_end_matches(|letter: char| letter.is_ascii_digit());
    WELL_KNOWN.contains(&folded.as_str()) || WELL_KNOWN.iter().any(|known| repeats(unpadded, known))
}

fn repeats(text: &str, piece: &str) -> bool {
    !text.is_empty() && text.len().is_multiple_of(piece.len()) && text.replace(piece, "").is_empty()
}

/// 32 random hex digits have fewer than 8 different ones once in 30 million keys.
fn is_repetitive(key: &[u8]) -> bool {
    const FEWEST_DIFFERENT: usize = 8;
    let different = (0..=u8::MAX).filter(|byte| key.contains(byte)).count();
    let has_period = |period: usize| key[period..] == key[..key.len() - period];
    different < FEWEST_DIFFERENT || (1..=key.len() / 2).any(has_period)
}

/// Folded as [`is_well_known`] folds them.
const WELL_KNOWN: &[&str] = &[
    // The documented key of FastAPI's tutorial, and the defaults of jwt.io's page.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "asecretkeythatisatleast256bitslong",
    "astringsecretatleast256bitslong",
    "your256bitsecret",
    "your384bitsecret",
    "your512bitsecret",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "1234567890abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890123456789012",
    "changeit",
    "changeme",
    "changemeinproduction",
    "changemeplease",
    "changethis",
    "changethissecret",
    "changethissecretkey",
    "changethistoarandomsecretkey",
    "default",
    "defaultsecret",
    "defaultsecretkey",
    "devsecret",
    "devsecretkey",
    "example",
    "examplekey",
    "examplesecret",
    "insecure",
    "jwtsecret",
    "jwtsecretkey",
    "key",
    "mysecret",
    "mysecretkey",
    "mysupersecretkey",
    "password",
    "pleasechangeme",
    "replaceme",
    "roster",
    "rostersecret",
    "rostersecretkey",
    "secret",
    "secretkey",
    "supersecret",
    "supersecretkey",
    "test",
    "testkey",
    "testsecret",
    "testsecretkey",
    "topsecret",
    "verysecret",
    "verysecretkey",
    "yoursecret",
    "yoursecretkey",
    "yoursecretkeyhere",
    "yoursupersecretkey",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("testsecretkey", Weakness::WellKnown)]
    #[case("secret", Weakness::WellKnown)]
    #[case("changeme", Weakness::WellKnown)]
    #[case("Change-Me", Weakness::WellKnown)]
    #[case("test_secret_key_00000000000000000000", Weakness::WellKnown)]
    #[case("testsecretkeytestsecretkeytestsecretkey", Weakness::WellKnown)]
    #[case("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", Weakness::WellKnown)]
    #[case("a-string-secret-at-least-256-bits-long", Weakness::WellKnown)]
    #[case("12345678901234567890123456789012", Weakness::WellKnown)]
    #[case("", Weakness::Short(0))]
    #[case("kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1a", Weakness::Short(31))]
    #[case("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Weakness::Repetitive)]
    #[case("abababababababababababababababababab", Weakness::Repetitive)]
    #[case("0123456789abcdef0123456789abcdef", Weakness::Repetitive)]
    #[case("correct horse battery correct horse battery ", Weakness::Repetitive)]
    #[case("aaaaaaaabbbbbbbbccccccccddddddddeeee", Weakness::Repetitive)]
    fn a_key_that_can_be_guessed_is_told(#[case] key: &str, #[case] expected: Weakness) {
        assert_eq!(weakness(key), Some(expected));
    }

    #[rstest::rstest]
    #[case("kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE")]
    #[case("6f1c0a94e2d85b37a09f4c1e7d3b8265")]
    #[case("a key for the tests of this very crate, long enough")]
    fn a_key_that_may_be_random_has_no_weakness(#[case] key: &str) {
        assert_eq!(weakness(key), None);
    }
}
