use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use roster_domain::ports::Spool;

/// How much of a file is held in memory.
const BUFFER: usize = 32 * 1024;

/// A spool from its beginning.
pub(crate) type Input<'a> = BufReader<ByOffset<'a>>;

pub(crate) fn open(image: &Spool) -> Input<'_> {
    BufReader::with_capacity(BUFFER, ByOffset { image, position: 0 })
}

/// Reads by offsets: the file's own position belongs to everybody.
pub(crate) struct ByOffset<'a> {
    image: &'a Spool,
    position: u64,
}

impl Read for ByOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.image.length().saturating_sub(self.position);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.image.file().read_at(&mut buffer[..most], self.position)?;
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
