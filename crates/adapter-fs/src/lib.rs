//! Profile images in a folder: `{folder}/{user_id}/{random}.{jpg|png}`.
//!
//! An image is written to `{folder}/.tmp`, synced, and renamed to its place, so that it is there whole or not at all. All
//! work is done on blocking threads, of which a bounded number wait for a disk that hangs.
//!
//! Several processes may share a folder. It is reached through open directories alone, and no symbolic link in it is
//! followed, so that nothing outside it is read, written or removed. Where the folder itself is gone, nothing is done until
//! one with a `.tmp` lies at its path again: any other may be the mount point of a volume that is away.
//!
//! Files in the folder itself are the FastAPI service's: they are read where a user has them, and never touched otherwise.

mod folder;
mod temp;
mod worker;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use roster_domain::ports::{Access, ImageStore, Spool, StoreObserver, StoredImage, Unavailable};
use roster_domain::values::{ImageKey, OriginalImage, StoreName, UserId};

use crate::folder::{Folder, chunk_size, is_bare_name};
use crate::worker::Worker;

/// A folder in which images are kept.
#[derive(Debug, Clone)]
pub struct FolderImages {
    folder: Arc<RwLock<Arc<Folder>>>,
    worker: Worker,
}

/// Why a folder can't keep images: it can't be made, read, written or locked.
#[derive(Debug, thiserror::Error)]
#[error("images cannot be kept in {}", folder.display())]
pub struct OpenError {
    /// The folder.
    pub folder: PathBuf,
    /// What it was.
    #[source]
    pub source: io::Error,
}

impl FolderImages {
    /// Opens a folder, makes it where it is missing, tries that it can be written to, and removes what was left half-written
    /// by processes that are gone.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let opened =
            Folder::open(folder).map_err(|source| OpenError { folder: folder.to_owned(), source })?;
        Ok(Self { folder: Arc::new(RwLock::new(Arc::new(opened))), worker: Worker::default() })
    }

    /// The same, whose calls are told to that observer from now on, or to nobody.
    #[must_use]
    pub fn observed_by(self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { worker: self.worker.observed_by(observer), ..self }
    }
}

impl FolderImages {
    /// Whether any user's image lies in a folder, which need not be there. It changes nothing.
    ///
    /// # Errors
    /// What the system says of a folder that can't be read.
    pub fn has_images(folder: &Path) -> io::Result<bool> {
        let owners = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            owners => owners?,
        };
        for owner in owners {
            let owner = owner?;
            let is_id = owner.file_name().to_str().is_some_and(|name| name.parse::<UserId>().is_ok());
            if is_id && owner.file_type()?.is_dir() && fs::read_dir(owner.path())?.next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tries whether the folder is there, and is the one that was. It writes nothing.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        self.run("probe", Access::Read, |_, _| Ok(())).await
    }

    /// Runs what waits for the disk, in the folder that lies at the path now.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        access: Access,
        work: impl FnOnce(&Folder, &AtomicBool) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let shared = Arc::clone(&self.folder);
        self.worker
            .run(operation, access, move |abandoned| {
                let mut folder = Arc::clone(&shared.read().unwrap_or_else(PoisonError::into_inner));
                if let Some(other) = folder.put_back()? {
                    folder = Arc::new(other);
                    *shared.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&folder);
                }
                work(&folder, abandoned)
            })
            .await
    }

    fn stored(&self, (file, length): (File, u64)) -> StoredImage {
        StoredImage { length: Some(length), chunks: chunks(self.worker.clone(), file, length) }
    }
}

#[async_trait]
impl ImageStore for FolderImages {
    fn name(&self) -> StoreName {
        StoreName::new("file")
    }

    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable> {
        let key = key.clone();
        self.run("put", Access::Write, move |folder, abandoned| folder.put(&key, &image, abandoned)).await
    }

    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
        let key = key.clone();
        let opened = self.run("open", Access::Read, move |folder, _| folder.open_image(&key)).await?;
        Ok(opened.map(|opened| self.stored(opened)))
    }

    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
        if !is_bare_name(image.as_str()) {
            return Ok(None);
        }
        let image = image.clone();
        let opened = self
            .run("open_original", Access::Read, move |folder, _| folder.open_original(image.as_str()))
            .await?;
        Ok(opened.map(|opened| self.stored(opened)))
    }

    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable> {
        let key = key.clone();
        // From a full disk it works.
        self.run("remove", Access::Read, move |folder, _| folder.remove(&key)).await
    }
}

/// A file's first `length` bytes. Each piece is read when it is asked for; after a fault there is none.
fn chunks(worker: Worker, file: File, length: u64) -> BoxStream<'static, Result<Bytes, Unavailable>> {
    let file = Arc::new(file);
    stream::try_unfold(0, move |position| {
        let (worker, file) = (worker.clone(), Arc::clone(&file));
        async move {
            let size = chunk_size(length - position);
            if size == 0 {
                return Ok(None);
            }
            let chunk = worker
                .run("read", Access::Read, move |_| {
                    let mut chunk = vec![0; size];
                    file.read_exact_at(&mut chunk, position)?;
                    Ok(Bytes::from(chunk))
                })
                .await?;
            Ok(Some((chunk, position + size as u64)))
        }
    })
    .boxed()
}
