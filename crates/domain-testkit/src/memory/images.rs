use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use roster_domain::ports::{ImageStore, Spool, StoredImage, Unavailable};
use roster_domain::values::{ImageKey, OriginalImage, StoreName};

const CHUNK: usize = 64 * 1024;

/// A store of images in memory, which holds them whole. Clones are the same store.
#[derive(Clone)]
pub struct MemoryImages {
    name: StoreName,
    images: Arc<Mutex<HashMap<ImageKey, Bytes>>>,
    originals: Arc<Mutex<HashMap<OriginalImage, Bytes>>>,
}

impl MemoryImages {
    /// An empty store that references call by that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: StoreName::new(name), images: Arc::default(), originals: Arc::default() }
    }

    /// The keys of all images that it holds, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<ImageKey> {
        let mut keys: Vec<ImageKey> = self.lock().keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Puts there what the FastAPI service stored.
    pub fn put_original(&self, image: OriginalImage, bytes: &[u8]) {
        let mut originals = self.originals.lock().unwrap_or_else(PoisonError::into_inner);
        originals.insert(image, Bytes::copy_from_slice(bytes));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageKey, Bytes>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ImageStore for MemoryImages {
    fn name(&self) -> StoreName {
        self.name.clone()
    }

    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable> {
        let bytes = read_whole(&image).map_err(|error| Unavailable::new("memory", error))?;
        self.lock().insert(key.clone(), bytes);
        Ok(())
    }

    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
        Ok(self.lock().get(key).map(opened))
    }

    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
        Ok(self.originals.lock().unwrap_or_else(PoisonError::into_inner).get(image).map(opened))
    }

    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable> {
        self.lock().remove(key);
        Ok(())
    }
}

fn opened(bytes: &Bytes) -> StoredImage {
    StoredImage {
        length: Some(bytes.len() as u64),
        chunks: stream::iter(chunks(bytes).into_iter().map(Ok)).boxed(),
    }
}

pub(crate) fn read_whole(image: &Spool) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(image.length()).unwrap_or(usize::MAX)];
    image.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.into())
}

fn chunks(bytes: &Bytes) -> Vec<Bytes> {
    (0..bytes.len()).step_by(CHUNK).map(|start| bytes.slice(start..bytes.len().min(start + CHUNK))).collect()
}
