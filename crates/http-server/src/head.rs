//! Finds the end of a request's head, and refuses heads that a proxy might frame differently.

use actix_http::error::ParseError;

/// How many bytes a head may have: request line, headers and the empty line.
const MOST_BYTES: usize = 16 * 1024;

/// Why a request never reached the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It is no HTTP, or nobody can tell where it ends: 400.
    Syntax,
    /// Its head has too many bytes or headers: 431.
    HeadTooLarge,
    /// Its head did not arrive in time: 408.
    HeadTooSlow,
}

impl From<ParseError> for Malformed {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::TooLarge => Self::HeadTooLarge,
            _ => Self::Syntax,
        }
    }
}

/// Looks for the end of a head while it arrives. No byte is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the line begins that has not ended yet.
    line: usize,
    /// Up to where it has been looked at.
    seen: usize,
}

impl Scan {
    /// How long the head is, once all of it is there. `bytes` is all that has arrived of it, and perhaps more.
    ///
    /// A line ends with CRLF. A recipient may take LF alone for an end (RFC 9112, 2.2), and what one takes for an end and
    /// another does not is how requests are smuggled, so it is refused.
    ///
    /// Offers to speak another protocol are overwritten with spaces: the server speaks none (RFC 9110, 7.8), but its parser
    /// would take what follows for that protocol, or close the connection.
    pub(crate) fn advance(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Malformed> {
        if bytes.first().is_some_and(|byte| !is_method_byte(*byte)) {
            return Err(Malformed::Syntax);
        }
        while let Some(offset) = bytes[self.seen..].iter().position(|byte| *byte == b'\n') {
            let end = self.seen + offset;
            if end >= MOST_BYTES {
                return Err(Malformed::HeadTooLarge);
            }
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(Malformed::Syntax)?;
            let (start, length) = (self.line, line.len());
            (self.line, self.seen) = (end + 1, end + 1);
            if length == 0 {
                return Ok(Some(end + 1));
            }
            if start > 0 {
                ignore_upgrade(&mut bytes[start..start + length]);
            }
        }
        self.seen = bytes.len();
        if bytes.len() >= MOST_BYTES { Err(Malformed::HeadTooLarge) } else { Ok(None) }
    }
}

/// Whether a request may begin with that byte. What begins otherwise, such as TLS, may have no line that ends.
fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Overwrites what this header says of other protocols.
fn ignore_upgrade(line: &mut [u8]) {
    if !matches!(line[0], b'C' | b'c' | b'U' | b'u') {
        return;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
    let (name, value) = line.split_at_mut(colon);
    let value = &mut value[1..];
    if name.eq_ignore_ascii_case(b"upgrade") {
        value.fill(b' ');
    } else if name.eq_ignore_ascii_case(b"connection") {
        for option in value.split_mut(|byte| *byte == b',') {
            if option.trim_ascii().eq_ignore_ascii_case(b"upgrade") {
                option.fill(b' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Option<usize>, Malformed> {
        Scan::default().advance(&mut text.as_bytes().to_vec())
    }

    #[test]
    fn a_head_ends_with_its_empty_line_however_it_arrives() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        for first in 1..text.len() {
            let mut scan = Scan::default();
            let mut bytes = text[..first].to_vec();
            let mut found = scan.advance(&mut bytes).unwrap();
            if found.is_none() {
                bytes = text.to_vec();
                found = scan.advance(&mut bytes).unwrap();
            }
            assert_eq!(found, Some(text.len() - 3), "after {first}");
        }
    }

    #[rstest::rstest]
    #[case("GET / HTTP/1.1\nHost: a\r\n\r\n")]
    #[case("GET / HTTP/1.1\r\nHost: a\n\r\n")]
    #[case("GET / HTTP/1.1\r\nHost: a\r\n\n")]
    #[case("\n")]
    #[case("\u{16}\u{3}\u{1}")]
    #[case(" GET / HTTP/1.1\r\n\r\n")]
    fn a_line_that_ends_otherwise_and_what_begins_no_request_are_refused(#[case] text: &str) {
        assert_eq!(scan(text), Err(Malformed::Syntax), "{text:?}");
    }

    #[test]
    fn a_head_is_bounded_whether_it_ends_or_not() {
        let head = |length: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(length - 23));
        assert_eq!(scan(&head(MOST_BYTES)), Ok(Some(MOST_BYTES)));
        assert_eq!(scan(&head(MOST_BYTES + 1)), Err(Malformed::HeadTooLarge));
        assert_eq!(scan(&"x".repeat(MOST_BYTES - 1)), Ok(None));
        assert_eq!(scan(&"x".repeat(MOST_BYTES)), Err(Malformed::HeadTooLarge));
    }

    #[rstest::rstest]
    #[case("Connection: Upgrade, HTTP2-Settings", "Connection:        , HTTP2-Settings")]
    #[case("cOnnection:upgrade", "cOnnection:       ")]
    #[case("Connection: close, upgrade", "Connection: close,        ")]
    #[case("Connection: upgraded", "Connection: upgraded")]
    #[case("Upgrade: h2c", "Upgrade:    ")]
    #[case("UPGRADE:websocket", "UPGRADE:         ")]
    #[case("Upgrade-Insecure-Requests: 1", "Upgrade-Insecure-Requests: 1")]
    #[case("Cookie: upgrade", "Cookie: upgrade")]
    fn offers_of_other_protocols_are_blanked_and_nothing_else(#[case] line: &str, #[case] expected: &str) {
        let mut bytes = format!("GET / HTTP/1.1\r\n{line}\r\n\r\n").into_bytes();
        let length = bytes.len();
        assert_eq!(Scan::default().advance(&mut bytes), Ok(Some(length)));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.split("\r\n").nth(1).unwrap().trim_end(), expected.trim_end());
    }
}
