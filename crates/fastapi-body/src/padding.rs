//! Removes the padding after the boundaries of a multipart form.
//!
//! Blanks may follow a boundary on its line (RFC 2046, 5.1.1), which parsers of forms do not know.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future};

/// The same form without the padding; the same bytes where that type is none of a form.
pub fn without_padding<E, S: Stream<Item = Result<Bytes, E>>>(
    content_type: Option<&str>,
    body: S,
) -> impl Stream<Item = Result<Bytes, E>> + use<E, S> {
    let boundary = content_type.and_then(|value| value.parse::<mime::Mime>().ok());
    let boundary =
        boundary.and_then(|form| form.get_param(mime::BOUNDARY).map(|name| name.as_str().to_owned()));
    let mut padding = boundary.map(|boundary| Padding::new(&boundary));
    body.filter_map(move |chunk| {
        let chunk = match (chunk, &mut padding) {
            (Ok(chunk), Some(padding)) => Ok(padding.remove(chunk)),
            (other, _) => other,
        };
        // The end of a stream is no empty chunk.
        future::ready(Some(chunk).filter(|chunk| !matches!(chunk, Ok(bytes) if bytes.is_empty())))
    })
}

/// Where in a form its bytes are, across their chunks.
struct Padding {
    /// A line's end and the boundary.
    delimiter: Vec<u8>,
    /// How many bytes of the delimiter have been there.
    matched: usize,
    /// What has been there behind the delimiter.
    behind: Behind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// The first of the two dashes that end the last boundary's line.
    Dash,
    Dashes,
    /// Blanks, which are not passed on.
    Blanks,
}

impl Padding {
    fn new(boundary: &str) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        // A form may begin with a boundary.
        Self { delimiter, matched: 2, behind: Behind::Nothing }
    }

    fn remove(&mut self, chunk: Bytes) -> Bytes {
        // Of a chunk of content there is mostly nothing to look at but that no line ends in it.
        if self.matched == 0 && !chunk.contains(&b'\r') {
            return chunk;
        }
        let mut kept = Vec::with_capacity(chunk.len() + 1);
        for &byte in &chunk {
            self.step(byte, &mut kept);
        }
        kept.into()
    }

    fn step(&mut self, byte: u8, kept: &mut Vec<u8>) {
        if self.matched == self.delimiter.len() {
            match (self.behind, byte) {
                (Behind::Nothing | Behind::Dashes | Behind::Blanks, b' ' | b'\t') => {
                    self.behind = Behind::Blanks;
                    return;
                }
                (Behind::Nothing, b'-') => self.behind = Behind::Dash,
                (Behind::Dash, b'-') => self.behind = Behind::Dashes,
                (Behind::Blanks, other) if other != b'\r' => {
                    // It was no padding, and must not become a boundary's line for want of it.
                    kept.push(b' ');
                    self.matched = 0;
                }
                _ => self.matched = 0,
            }
        }
        if self.matched < self.delimiter.len() {
            // A line's end is the one place in a delimiter where it can begin anew.
            if byte != self.delimiter[self.matched] {
                self.matched = 0;
            }
            if byte == self.delimiter[self.matched] {
                self.matched += 1;
            }
            self.behind = Behind::Nothing;
        }
        kept.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(body: &[u8], chunk: usize) -> String {
        let mut padding = Padding::new("limit");
        let pieces = body.chunks(chunk).flat_map(|piece| padding.remove(Bytes::copy_from_slice(piece)));
        String::from_utf8(pieces.collect()).unwrap()
    }

    #[rstest::rstest]
    #[case("--limit \t\r\na: b\r\n\r\nx\r\n--limit-- \r\n", "--limit\r\na: b\r\n\r\nx\r\n--limit--\r\n")]
    #[case("preamble\r\n--limit \r\n", "preamble\r\n--limit\r\n")]
    #[case("\r\r\n--limit  \r\n--limit \r\n", "\r\r\n--limit\r\n--limit\r\n")]
    #[case("--limit--\t", "--limit--")]
    fn blanks_behind_a_boundary_go_in_whatever_chunks_they_come(#[case] body: &str, #[case] expected: &str) {
        for chunk in 1..=body.len() {
            assert_eq!(removed(body.as_bytes(), chunk), expected, "{chunk} bytes at once");
        }
    }

    #[rstest::rstest]
    fn all_other_bytes_stay(
        #[values(
            "--limit\r\n\r\n a \r\n --limit \r\n--limi t \r\n-- limit \r\nx--limit \r\n--limits \r\n--limit--\r\n",
            "x\r\n--limit- \r\n",
            " \t\r\n \r\n"
        )]
        body: &str,
    ) {
        for chunk in 1..=body.len() {
            assert_eq!(removed(body.as_bytes(), chunk), body, "{chunk} bytes at once");
        }
    }

    #[test]
    fn what_is_no_boundary_does_not_become_one() {
        for chunk in 1..=20 {
            assert_eq!(removed(b"x\r\n--limit  --\r\n", chunk), "x\r\n--limit --\r\n");
        }
    }
}
