use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::{Spool, Unavailable};
use crate::values::{ImageKey, OriginalImage, StoreName};

/// Where images lie. It joins no transaction: see [`ProfileImages`](super::ProfileImages) for what keeps
/// it and the users together.
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
