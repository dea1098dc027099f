use std::fmt;

use sha2::{Digest, Sha256};

/// What the content of an image is known by: how many bytes it has, and their SHA-256 (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum {
    /// How many bytes there are.
    pub length: u64,
    /// Their hash.
    pub sha256: [u8; 32],
}

impl Checksum {
    /// Of content that is at hand as a whole.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let mut sum = RunningChecksum::default();
        sum.add(content);
        sum.finish()
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({} bytes, ", self.length)?;
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The checksum of content that arrives in pieces.
#[derive(Clone, Default)]
pub struct RunningChecksum {
    length: u64,
    hash: Sha256,
}

impl RunningChecksum {
    /// Adds the next piece.
    pub fn add(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.hash.update(piece);
    }

    /// How many bytes there were so far.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The checksum of all pieces.
    #[must_use]
    pub fn finish(self) -> Checksum {
        Checksum { length: self.length, sha256: self.hash.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_length_and_sha_256_however_the_content_arrives() {
        let whole = Checksum::of(b"abc");
        // The example of FIPS 180.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(format!("{whole:?}"), format!("Checksum(3 bytes, {text})"));
        let mut pieces = RunningChecksum::default();
        for piece in ["", "a", "bc"] {
            pieces.add(piece.as_bytes());
        }
        assert_eq!(pieces.finish(), whole);
    }
}
