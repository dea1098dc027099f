use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{NoRoom, Spool, Unavailable};
use crate::entities::Change;
use crate::values::{Checksum, ImageFormat, ImageKey, ImageRef, OriginalImage, StoreName, Timestamp, UserId};

/// Where images lie. It joins no transaction: see [`ImageRemovals`] for what keeps it and the users together.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// What references to this store call it.
    fn name(&self) -> StoreName;

    /// Stores a finished image under a new key.
    ///
    /// - MUST store it whole or not at all; what it has answered MUST be durable.
    /// - MUST NOT hold more than 64 KiB of it in memory.
    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable>;

    /// Opens an image to be read from its beginning; `None` where there is none.
    ///
    /// - An image that breaks off MUST end in a fault. Whether its content is what was stored is for the caller to say.
    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable>;

    /// Opens an image that the FastAPI service stored, by what it kept of it; `None` where this store does not hold it.
    ///
    /// A folder takes the bare name of a file that lies in it. A bucket takes the address of an object in it, percent-encoded
    /// or not: `https://{bucket}.s3.amazonaws.com/{key}`, `https://{bucket}.s3.{region}.amazonaws.com/{key}`,
    /// `https://s3.{region}.amazonaws.com/{bucket}/{key}`, and one that begins with the bucket's own public address.
    ///
    /// - MUST answer `None` for any other text, whatever it is, also where the network is away.
    /// - MUST NOT reach anything outside its folder or bucket, nor follow a link, nor ask any other address.
    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable>;

    /// Removes an image; one that is not there is removed already.
    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable>;
}

/// An image that is being read.
pub struct StoredImage {
    /// How many bytes it has; `None` where the store does not say so before it has sent them all.
    pub length: Option<u64>,
    /// Its bytes, in order.
    pub chunks: ImageChunks,
}

/// An image's bytes, in order, in pieces of at most 64 KiB.
pub type ImageChunks = BoxStream<'static, Result<Bytes, Unavailable>>;

/// The images that are to be removed from their stores: the duties that a change of a user leaves behind, kept with the
/// users so that the change and its duty are one write.
///
/// An image is in it from before it is stored until it is a user's ([`reserve`](Self::reserve), then
/// [`Users::set_image`](super::Users::set_image)), and again once it is no longer a user's. So an image that is in no user
/// and not in here does not exist, whenever a process dies.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ImageRemovals: Send + Sync {
    /// Promises to remove an image at `due`, unless it has become its owner's by then.
    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable>;

    /// At most `limit` removals from that store that are due at `now`, from the one behind `after` on, in an order that stays.
    ///
    /// - A removal that was returned MUST NOT become a user's image any more.
    /// - It MUST be returned again, to anybody who asks, until it is [`done`](Self::done).
    /// - MUST NOT cost in proportion to the number of users, nor of removals from other stores.
    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable>;

    /// The stores that images are to be removed from, now or later, each once. It may look at all removals.
    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable>;

    /// Forgets a removal that was carried out; one that is not there is forgotten already.
    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable>;
}

/// An image that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRemoval {
    /// Whose it was.
    pub owner: UserId,
    /// Which it is.
    pub image: ImageRef,
    /// When it was to be removed.
    pub due: Timestamp,
}

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
    /// The image, in a file of its own.
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
