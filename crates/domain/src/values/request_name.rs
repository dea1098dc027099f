use std::fmt;

/// The most characters of a name.
const MAX: usize = 128;

/// How a client calls its request, so that it finds it again in the log: 1 to 128 visible ASCII characters.
///
/// Nothing is told apart by it, since two requests may have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestName {
    length: u8,
    characters: [u8; MAX],
}

impl RequestName {
    /// Takes a name as a client sends it; `None` where it is none.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut characters = [0; MAX];
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
        characters.get_mut(..name.len())?.copy_from_slice(name);
        name.iter().all(u8::is_ascii_graphic).then_some(Self { length, characters })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.characters[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestName({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("a")]
    #[case("Root=1-67891233-abcdef012345678912345678;Self=1-2")]
    #[case("0f8fad5b-d9cb-469f-a165-70867728950e")]
    #[case(&"~".repeat(128))]
    fn visible_ascii_is_a_name_as_it_stands(#[case] name: &str) {
        assert_eq!(RequestName::parse(name.as_bytes()).unwrap().to_string(), name);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("two words")]
    #[case("tab\t")]
    #[case("a\u{1b}[31m")]
    #[case("é")]
    #[case("del\u{7f}")]
    #[case(&"a".repeat(129))]
    #[case(&"a".repeat(300))]
    fn anything_else_is_none(#[case] name: &str) {
        assert_eq!(RequestName::parse(name.as_bytes()), None);
    }
}
