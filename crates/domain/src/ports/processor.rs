use async_trait::async_trait;

use super::{NoRoom, Spool, Unavailable};
use crate::values::{Checksum, ImageFormat, UserId};

/// Makes a clean image of an uploaded file, which may be anything.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ImageProcessor: Send + Sync {
    /// Decodes the image, of the format that its content shows, and encodes the picture anew in that format.
    ///
    /// - What is made MUST hold the picture alone: upright as the upload's EXIF data has it, in sRGB, its sides at most
    ///   1,024 pixels long and of the same shape, never enlarged, and nothing else of what the file held, before, between
    ///   or behind.
    /// - MUST refuse what is neither JPEG nor PNG, and what lacks a part or does not decode.
    /// - MUST tell what an image takes to decode before it is decoded, and refuse one that takes more memory or time than
    ///   there is for all. Others MUST wait until there is enough.
    /// - MUST work on one image of each owner at a time, and let owners take turns, however many images each has waiting.
    /// - MUST NOT work on the caller's thread, and MUST answer in bounded time.
    /// - What is made MUST hold the upload's share of the room for spools, which MUST have grown where it is the larger one.
    async fn process(&self, owner: UserId, image: Spool) -> Result<ProcessedImage, ProcessError>;
}

/// A clean image.
#[derive(Debug, Clone)]
pub struct ProcessedImage {
    /// The image, apart from the upload.
    pub image: Spool,
    /// Its format, which is the upload's.
    pub format: ImageFormat,
    /// What its content is known by.
    pub checksum: Checksum,
}

/// Why no clean image is made of a file.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Neither JPEG nor PNG.
    #[error("the file is not a JPEG or PNG image")]
    UnknownFormat,
    /// It lacks a part, has no pixels, or does not decode.
    #[error("the image is incomplete or damaged")]
    Damaged,
    /// To decode it would take more memory or time than there is for all.
    #[error("the image has too many pixels: {allowed} are allowed")]
    TooManyPixels {
        /// How many pixels an image that is written in the same way may have.
        allowed: u64,
    },
    /// What is made of it has no room beside the other uploads.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// Others were in the way for too long.
    #[error("too many images wait")]
    Overloaded,
    /// The files could not be read or written.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
