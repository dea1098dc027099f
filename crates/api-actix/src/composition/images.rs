use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use roster_adapter_fs::FolderImages;
use roster_adapter_s3::{Connection, Credentials, S3Images};
use roster_domain::Chain;
use roster_domain::ports::{ImageStore, StoreObserver, Unavailable};
use roster_domain::values::StoreName;
use roster_settings::{Bucket, Images, S3Keys, S3Settings};
use roster_telemetry::Probe;

use super::error::CompositionError;

/// Whom the stores tell of their calls, if anybody.
pub(super) type Observer = Option<Arc<dyn StoreObserver>>;

/// Opens the place for images that `IMAGES_URL` would name alone.
pub(crate) async fn open_images(images: &Images) -> Result<Arc<dyn ImageStore>, CompositionError> {
    Ok(ImageStores::open(images, None).await?.default)
}

/// Tries that images can be kept in a folder that is there.
pub(crate) fn examine_folder(folder: &Path) -> Result<(), CompositionError> {
    FolderImages::open(folder).map(drop).map_err(CompositionError::Images)
}

/// Tries a bucket.
pub(crate) async fn examine_bucket(s3: &S3Settings, bucket: &Bucket) -> Result<(), Unavailable> {
    OpenBucket::new(&connect_to_s3(s3).await, s3, bucket, None).store.examine().await
}

/// Where images are stored.
pub(super) struct ImageStores {
    pub(super) default: Arc<dyn ImageStore>,
    pub(super) s3: Option<Arc<dyn ImageStore>>,
    folder: Option<FolderImages>,
    buckets: Vec<OpenBucket>,
}

/// A bucket that is used, and what stands before an image's key in its address there.
struct OpenBucket {
    store: Arc<S3Images>,
    address: String,
}

impl ImageStores {
    pub(super) async fn open(images: &Images, observer: Observer) -> Result<Self, CompositionError> {
        match images {
            Images::Folder { folder, s3 } => {
                let folder = FolderImages::open(folder)
                    .map_err(CompositionError::Images)?
                    .observed_by(observer.clone());
                let (default, folder) = (Arc::new(folder.clone()), Some(folder));
                let Some(s3) = s3 else { return Ok(Self { default, s3: None, folder, buckets: Vec::new() }) };
                let uploads = OpenBucket::new(&connect_to_s3(s3).await, s3, &s3.uploads, observer);
                Ok(Self { default, s3: Some(uploads.store()), folder, buckets: vec![uploads] })
            }
            Images::S3 { bucket, s3 } => {
                let connection = connect_to_s3(s3).await;
                let default = OpenBucket::new(&connection, s3, bucket, observer.clone());
                if *bucket == s3.uploads {
                    let store = default.store();
                    let buckets = vec![default];
                    return Ok(Self { default: Arc::clone(&store), s3: Some(store), folder: None, buckets });
                }
                let uploads = OpenBucket::new(&connection, s3, &s3.uploads, observer);
                let (default_store, s3) = (default.store(), Some(uploads.store()));
                Ok(Self { default: default_store, s3, folder: None, buckets: vec![default, uploads] })
            }
        }
    }

    /// What stands before an image's key in its public address, for the stores whose images have one.
    pub(super) fn addresses(&self) -> HashMap<StoreName, String> {
        self.buckets.iter().map(|bucket| (bucket.store.name(), bucket.address.clone())).collect()
    }

    pub(super) fn probes(&self) -> Vec<Probe> {
        let folder = self
            .folder
            .clone()
            .map(|folder| Probe::new(Arc::new(folder), |folder| async move { folder.probe().await }));
        let buckets = self.buckets.iter().map(|OpenBucket { store, .. }| {
            Probe::new(Arc::clone(store), |store| async move { store.probe().await })
        });
        folder.into_iter().chain(buckets).collect()
    }

    /// Tells in the log which buckets are out of reach. Accounts work without them, so that they keep nobody from starting.
    pub(super) async fn check_buckets(self) {
        join_all(self.buckets.iter().map(|OpenBucket { store, .. }| async {
            let name = store.name();
            let name = name.as_str();
            match store.examine().await {
                Ok(()) => tracing::info!(event = "image store answers", store = name, "{name} answers"),
                Err(error) => {
                    let error = Chain(&error);
                    let event = "image store out of order";
                    tracing::warn!(event, store = name, %error, "{name} is out of order: its images are 503");
                }
            }
        }))
        .await;
    }
}

impl OpenBucket {
    fn new(connection: &Connection, s3: &S3Settings, bucket: &Bucket, observer: Observer) -> Self {
        let public_url = s3.public_url(bucket);
        let store = S3Images::new(connection, &bucket.name, &bucket.prefix, &public_url);
        let store = Arc::new(store.observed_by(observer));
        Self { store, address: s3.address(bucket) }
    }

    fn store(&self) -> Arc<dyn ImageStore> {
        Arc::clone(&self.store) as _
    }
}

async fn connect_to_s3(s3: &S3Settings) -> Connection {
    let keys = s3.keys.clone().map(|S3Keys { id, secret, session_token }| Credentials {
        access_key_id: id,
        secret_access_key: secret,
        session_token,
    });
    Connection::new(s3.region.clone(), s3.endpoint.clone(), keys).await
}
