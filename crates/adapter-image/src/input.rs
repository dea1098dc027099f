use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use roster_domain::ports::{ProcessError, Spool};

/// How much of a file is held in memory.
const BUFFER: usize = 32 * 1024;

/// A spool from its beginning.
pub(crate) type Input<'a> = BufReader<ByOffset<'a>>;

pub(crate) fn open(image: &Spool) -> Input<'_> {
    BufReader::with_capacity(BUFFER, ByOffset { image, position: 0 })
}

/// A reader of a spool, which has no position of its own.
pub(crate) struct ByOffset<'a> {
    image: &'a Spool,
    position: u64,
}

impl Read for ByOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.image.length().saturating_sub(self.position);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.image.read_at(&mut buffer[..most], self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for ByOffset<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.image.length().checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The most pieces of a file. An image has a few segments; what consists of nothing else is none.
const MAX_PIECES: usize = 2_000;

/// What a decoder is given of a file: the parts that the picture needs, in order, and in their places what it would have been
/// if its writer had kept to the rules.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    File(Range<u64>),
    Other(&'static [u8]),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::File(part) => part.end - part.start,
            Self::Other(bytes) => bytes.len() as u64,
        }
    }

    /// A part of it, which lies within.
    fn part(&self, within: Range<u64>) -> Self {
        match self {
            Self::File(part) => Self::File(part.start + within.start..part.start + within.end),
            Self::Other(bytes) => {
                let at = |place| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
                Self::Other(&bytes[at(within.start)..at(within.end)])
            }
        }
    }
}

impl Pieces {
    /// Adds a part of the file.
    pub(crate) fn keep(&mut self, part: Range<u64>) -> Result<(), ProcessError> {
        match self.0.last_mut() {
            Some(Piece::File(last)) if last.end == part.start => last.end = part.end,
            _ => self.add(Piece::File(part))?,
        }
        Ok(())
    }

    /// Adds what stands in no file.
    pub(crate) fn put(&mut self, bytes: &'static [u8]) -> Result<(), ProcessError> {
        self.add(Piece::Other(bytes))
    }

    fn add(&mut self, piece: Piece) -> Result<(), ProcessError> {
        if self.0.len() == MAX_PIECES {
            return Err(ProcessError::Damaged);
        }
        self.0.push(piece);
        Ok(())
    }

    /// The same without a part of what they yield.
    pub(crate) fn without(&self, left_out: &Range<u64>) -> Result<Self, ProcessError> {
        let (mut rest, mut start) = (Self::default(), 0);
        for piece in &self.0 {
            let length = piece.length();
            let within = |place: u64| place.clamp(start, start + length) - start;
            let (before, behind) = (0..within(left_out.start), within(left_out.end)..length);
            if before.end >= behind.start {
                rest.add(piece.clone())?;
            } else {
                for part in [before, behind].into_iter().filter(|part| !part.is_empty()) {
                    rest.add(piece.part(part))?;
                }
            }
            start += length;
        }
        Ok(rest)
    }

    /// Reads them one after another.
    pub(crate) fn open<'a>(&'a self, image: &'a Spool) -> BufReader<InPieces<'a>> {
        BufReader::with_capacity(BUFFER, InPieces { image, pieces: &self.0, position: 0, read: 0 })
    }
}

/// Reads pieces of a file from their beginning.
pub(crate) struct InPieces<'a> {
    image: &'a Spool,
    /// The current one, and those that follow.
    pieces: &'a [Piece],
    /// Within the current one.
    position: u64,
    /// How many bytes of all of them have been read.
    read: u64,
}

/// How many bytes of the pieces have been taken.
pub(crate) fn taken(reader: &BufReader<InPieces<'_>>) -> u64 {
    reader.get_ref().read - reader.buffer().len() as u64
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some((piece, rest)) = self.pieces.split_first() {
            let read = match piece {
                Piece::File(part) => {
                    let end = part.end.min(self.image.length());
                    let position = (part.start + self.position).min(end);
                    let most = buffer.len().min(usize::try_from(end - position).unwrap_or(usize::MAX));
                    self.image.read_at(&mut buffer[..most], position)?
                }
                Piece::Other(bytes) => {
                    let left = usize::try_from(self.position).ok().and_then(|position| bytes.get(position..));
                    left.unwrap_or_default().read(buffer)?
                }
            };
            if read > 0 || buffer.is_empty() {
                self.position += read as u64;
                self.read += read as u64;
                return Ok(read);
            }
            (self.pieces, self.position) = (rest, 0);
        }
        Ok(0)
    }
}

/// A decoder asks for it and makes no use of it.
impl Seek for InPieces<'_> {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Where in that part of the file the bytes begin that are zero up to its end.
pub(crate) fn zeros_at_end(image: &Spool, part: Range<u64>) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    let mut end = part.end;
    while end > part.start {
        let length = (end - part.start).min(buffer.len() as u64);
        let bytes = &mut buffer[..usize::try_from(length).unwrap_or_default()];
        image.read_exact_at(bytes, end - length)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            return Ok(end - length + last as u64 + 1);
        }
        end -= length;
    }
    Ok(end)
}
