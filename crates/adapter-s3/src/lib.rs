//! Profile images in a bucket of S3, or of a service that speaks like it: `{prefix}/{user_id}/{random}.{jpg|png}`.
//!
//! An upload is one `PutObject` of a known length, which S3 stores whole or not at all. It is read from its file piece by
//! piece while it is sent, and again from the beginning where a try has failed. Every call has a deadline, and so has every
//! piece of an image that is being read.

mod connection;
mod fault;
mod original;
mod spool_body;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use roster_domain::ports::{
    Access, CallOutcome, ImageStore, Spool, StoreCalls, StoreObserver, StoredImage, Unavailable,
};
use roster_domain::values::{ImageFormat, ImageKey, OriginalImage, StoreName, UserId};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

pub use crate::connection::{Connection, Credentials};
use crate::fault::{S3Fault, STORE};

/// How much of an image is held in memory.
const CHUNK: usize = 64 * 1024;

/// How long a piece of an image may take to arrive.
const PIECE_DEADLINE: Duration = Duration::from_secs(10);

/// A bucket in which images are kept, or what is below a prefix in one.
#[derive(Debug, Clone)]
pub struct S3Images {
    client: Client,
    bucket: String,
    prefix: String,
    public_url: String,
    name: StoreName,
    calls: StoreCalls,
}

impl S3Images {
    /// That bucket, below that prefix; an empty one is the whole bucket. `public_url` is what stands before the bucket's keys in
    /// public, without a slash at its end. Nothing is asked of the bucket yet.
    #[must_use]
    pub fn new(connection: &Connection, bucket: &str, prefix: &str, public_url: &str) -> Self {
        let place = if prefix.is_empty() { bucket.to_owned() } else { format!("{bucket}/{prefix}") };
        let name = StoreName::new(&format!("s3://{place}"));
        Self {
            client: connection.client().clone(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            public_url: public_url.to_owned(),
            calls: StoreCalls::of(STORE, name.clone()),
            name,
        }
    }

    /// The same, whose calls are told to that observer from now on, or to nobody.
    #[must_use]
    pub fn observed_by(self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { calls: self.calls.told_to(observer), ..self }
    }

    /// Tries whether the bucket can be read with these keys, by an object that nobody has: the answer that it is not there
    /// needs all that an image needs.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        self.call("probe", Access::Read, Box::pin(self.look())).await
    }

    async fn look(&self) -> Result<(), S3Fault> {
        let key = ImageKey::new(UserId::from_bytes([0; 12]), [0; 16], ImageFormat::Jpeg);
        self.get(self.object(&key)).await?.map_or(Ok(()), |_| Err(S3Fault::NotS3))
    }

    /// Tries in full, by one more request than [`probe`](Self::probe), whether the bucket is there: some services answer for
    /// an object in a bucket that is not there as for any object that is not there. Who asks tells of the answer.
    pub async fn examine(&self) -> Result<(), Unavailable> {
        self.look().await.map_err(|fault| self.unavailable(fault))?;
        let listing = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).max_keys(1);
        match listing.send().await {
            Ok(_) => Ok(()),
            // The keys may read objects and not list them, or nothing lists them here. Where they may not list, S3 itself
            // does not tell that an object is not there, so that the probe has failed before.
            Err(error) if error.raw_response().is_some_and(|answer| is_refusal(answer.status().as_u16())) => {
                Ok(())
            }
            Err(error) => Err(self.unavailable(S3Fault::of_sdk("listing", error))),
        }
    }

    fn object(&self, key: &ImageKey) -> String {
        let key = key.as_str();
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    /// Makes a call, and tells of it.
    async fn call<T>(
        &self,
        operation: &'static str,
        access: Access,
        answer: impl Future<Output = Result<T, S3Fault>>,
    ) -> Result<T, Unavailable> {
        tell(&self.calls, operation, access, answer).await.map_err(|fault| self.unavailable(fault))
    }

    async fn read(
        &self,
        operation: &'static str,
        object: String,
    ) -> Result<Option<StoredImage>, Unavailable> {
        let Some(object) = self.call(operation, Access::Read, Box::pin(self.get(object))).await? else {
            return Ok(None);
        };
        let length = object.content_length().and_then(|length| u64::try_from(length).ok());
        Ok(Some(StoredImage {
            length,
            chunks: chunks(self.calls.clone(), self.name.clone(), object.body, length),
        }))
    }

    async fn get(&self, object: String) -> Result<Option<GetObjectOutput>, S3Fault> {
        let request = self.client.get_object().bucket(&self.bucket).key(object);
        match request.send().await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(S3Fault::of_sdk("reading", error)),
        }
    }

    fn unavailable(&self, fault: S3Fault) -> Unavailable {
        fault.in_store(&self.name)
    }
}

#[async_trait]
impl ImageStore for S3Images {
    fn name(&self) -> StoreName {
        self.name.clone()
    }

    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable> {
        let timeouts = connection::timeouts(image.length());
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.object(key))
            .content_type(key.format().media_type())
            .body(ByteStream::new(spool_body::retryable(image)))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts));
        let answer = async { request.send().await.map_err(|error| S3Fault::of_sdk("storing", error)) };
        self.call("put", Access::Write, answer).await.map(drop)
    }

    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
        self.read("open", self.object(key)).await
    }

    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
        match original::key_at(image.as_str(), &self.bucket, &self.public_url) {
            Some(object) => self.read("open_original", object).await,
            None => Ok(None),
        }
    }

    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable> {
        let timeouts = connection::removal_timeouts();
        let request = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(self.object(key))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts));
        let answer = async {
            match request.send().await {
                Ok(_) => Ok(()),
                // S3 itself says nothing of it, but some that speak like it do.
                Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
                Err(error) => Err(S3Fault::of_sdk("removing", error)),
            }
        };
        // Where nothing more can be stored it works.
        self.call("remove", Access::Read, answer).await
    }
}

/// Waits for a call to end, and tells of it.
async fn tell<T>(
    calls: &StoreCalls,
    operation: &'static str,
    access: Access,
    answer: impl Future<Output = Result<T, S3Fault>>,
) -> Result<T, S3Fault> {
    let call = calls.begin(operation, access);
    let answer = answer.await;
    call.end(match &answer {
        Ok(_) => CallOutcome::Done(access),
        Err(fault) => CallOutcome::Failed(fault),
    });
    answer
}

/// Whether an answer says no to the request, and nothing of the bucket.
const fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 405 | 501)
}

/// For how long an object may still be waited for. A piece that arrives earns more, as much as a slow line needs for it; while
/// nobody asks for the next piece, none of it is spent.
struct Waits {
    left: Duration,
}

impl Waits {
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Elapsed> {
        let began = Instant::now();
        let next = timeout(self.left, next).await;
        self.left = self.left.saturating_sub(began.elapsed());
        next
    }

    fn earn(&mut self, bytes: usize) {
        self.left = (self.left + connection::sending(bytes as u64)).min(PIECE_DEADLINE);
    }
}

/// The body of an object, which has so many bytes where its length is known. After a fault there is nothing more.
///
/// Without a length it is the transfer's coding that tells an end from a break.
fn chunks(
    calls: StoreCalls,
    store: StoreName,
    body: ByteStream,
    length: Option<u64>,
) -> BoxStream<'static, Result<Bytes, Unavailable>> {
    let waits = Waits { left: PIECE_DEADLINE };
    stream::try_unfold(
        (body, Bytes::new(), length, waits),
        move |(mut body, mut arrived, missing, mut waits)| {
            let (calls, store, mut missing) = (calls.clone(), store.clone(), missing);
            async move {
                while arrived.is_empty() {
                    let next = async {
                        let next = waits.wait(body.try_next()).await.map_err(|_| S3Fault::Stalled)?;
                        match (next.map_err(S3Fault::Cut)?, missing) {
                            (None, Some(missing @ 1..)) => Err(S3Fault::TooShort { missing }),
                            (next, _) => Ok(next),
                        }
                    };
                    let next = tell(&calls, "read", Access::Read, next).await;
                    let Some(piece) = next.map_err(|fault| fault.in_store(&store))? else { return Ok(None) };
                    waits.earn(piece.len());
                    arrived = piece;
                }
                let piece = arrived.split_to(arrived.len().min(CHUNK));
                missing = missing.map(|missing| missing.saturating_sub(piece.len() as u64));
                Ok(Some((piece, (body, arrived, missing, waits))))
            }
        },
    )
    .boxed()
}
