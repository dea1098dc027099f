//! Where a body ends.

use actix_http::RequestHead;
use actix_http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use bytes::{Bytes, BytesMut};

/// How long the line of a chunk's size may be, its extensions included.
const MOST_SIZE_LINE: usize = 256;

/// How many bytes all trailers may have together.
const MOST_TRAILERS: usize = 8 * 1024;

/// What is left of a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes; none where all has been read.
    Length(u64),
    /// Chunks, this next.
    Chunked(Chunk),
}

/// Where a chunked body is at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    /// As many bytes more of trailers as may come.
    Trailers(usize),
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Data(Bytes),
    End,
    /// It has not arrived yet.
    Missing,
}

/// It can't be told where the body ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unframed;

impl Body {
    /// The body of a request whose head the codec took: it has one length, or is chunked, or has none.
    pub(crate) fn of(head: &RequestHead) -> Result<Self, Unframed> {
        let headers = head.headers();
        if headers.contains_key(TRANSFER_ENCODING) {
            return Ok(Self::Chunked(Chunk::Size));
        }
        let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(Self::Length(0)) };
        let digits = length.as_bytes().trim_ascii();
        // `+5` is a number to the standard library, and none to HTTP.
        let digits =
            str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|text| text.parse().ok()).map(Self::Length).ok_or(Unframed)
    }

    /// Whether all of it has been read.
    pub(crate) fn has_ended(&self) -> bool {
        *self == Self::Length(0)
    }

    /// Takes what comes next from what has arrived.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Part, Unframed> {
        loop {
            match self {
                Self::Length(0) => return Ok(Part::End),
                Self::Length(left) => return Ok(take(buffer, left)),
                Self::Chunked(chunk) => match chunk {
                    Chunk::Size => {
                        let Some(line) = line(buffer, MOST_SIZE_LINE)? else { return Ok(Part::Missing) };
                        *chunk = match size(&line)? {
                            0 => Chunk::Trailers(MOST_TRAILERS),
                            size => Chunk::Data(size),
                        };
                    }
                    Chunk::Data(0) => *chunk = Chunk::DataEnd,
                    Chunk::Data(left) => return Ok(take(buffer, left)),
                    Chunk::DataEnd => {
                        let Some(line) = line(buffer, 0)? else { return Ok(Part::Missing) };
                        debug_assert!(line.is_empty(), "no longer than it may be");
                        *chunk = Chunk::Size;
                    }
                    Chunk::Trailers(most) => {
                        let Some(line) = line(buffer, *most)? else { return Ok(Part::Missing) };
                        // Nobody here reads trailers.
                        *most -= line.len();
                        if line.is_empty() {
                            *self = Self::Length(0);
                        }
                    }
                },
            }
        }
    }
}

fn take(buffer: &mut BytesMut, left: &mut u64) -> Part {
    if buffer.is_empty() {
        return Part::Missing;
    }
    let length = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
    *left -= length as u64;
    Part::Data(buffer.split_to(length).freeze())
}

/// The next line, without its end, once all of it is there.
fn line(buffer: &mut BytesMut, most: usize) -> Result<Option<BytesMut>, Unframed> {
    let looked_at = buffer.len().min(most + 2);
    let Some(end) = buffer[..looked_at].iter().position(|byte| *byte == b'\n') else {
        return if looked_at == most + 2 { Err(Unframed) } else { Ok(None) };
    };
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    if line.last() != Some(&b'\r') {
        return Err(Unframed);
    }
    line.truncate(end - 1);
    // Others may take it for an end.
    if line.contains(&b'\r') { Err(Unframed) } else { Ok(Some(line)) }
}

/// A chunk's size, without its extensions.
fn size(line: &[u8]) -> Result<u64, Unframed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let digits = str::from_utf8(digits).map_err(|_| Unframed)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Unframed);
    }
    u64::from_str_radix(digits, 16).map_err(|_| Unframed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is read of a chunked body that arrives in these pieces, and what is left behind it.
    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), Unframed> {
        let (mut body, mut buffer, mut data) = (Body::Chunked(Chunk::Size), BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Part::Data(bytes) = body.next(&mut buffer)? {
                data.extend_from_slice(&bytes);
            }
        }
        Ok((data, body.has_ended(), buffer.to_vec()))
    }

    #[test]
    fn chunks_are_one_body_and_what_follows_is_left() {
        let text = b"3\r\nabc\r\n0a ;x=\"y\"\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\nGET";
        assert_eq!(read(&[text]), Ok((b"abc0123456789".to_vec(), true, b"GET".to_vec())));
    }

    #[rstest::rstest]
    #[case("\r\n")]
    #[case("x\r\n")]
    #[case("+1\r\na\r\n")]
    #[case("0x1\r\na\r\n")]
    #[case(" 1\r\na\r\n")]
    #[case("-1\r\n")]
    #[case("1\na\r\n")]
    #[case("1\r\na\n")]
    #[case("1\r\nab\r\n")]
    #[case("1;\rx\r\na\r\n")]
    #[case("10000000000000000\r\n")]
    #[case("0\r\nTrailer: x\n\r\n")]
    #[case("0\r\n\n")]
    fn what_two_might_frame_differently_is_refused(#[case] text: &str) {
        assert_eq!(read(&[text.as_bytes()]), Err(Unframed), "{text:?}");
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        assert_eq!(read(&[format!("1;{}", "x".repeat(MOST_SIZE_LINE)).as_bytes()]), Err(Unframed));
        assert_eq!(read(&[format!("0\r\n{}", "A: x\r\n".repeat(MOST_TRAILERS)).as_bytes()]), Err(Unframed));
    }

    proptest! {
        #[test]
        fn however_a_body_is_cut_it_is_the_same(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\nnext");
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = text.as_slice();
            let mut at = 0;
            for cut in cuts {
                let (piece, others) = rest.split_at(cut - at);
                pieces.push(piece);
                (rest, at) = (others, cut);
            }
            pieces.push(rest);
            prop_assert_eq!(read(&pieces), Ok((chunks.concat(), true, b"next".to_vec())));
        }
    }
}
