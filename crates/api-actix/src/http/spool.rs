//! Writes what is uploaded to a temporary file without a name, with 32 KiB of it in memory at most, off the async threads.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use roster_domain::Error;
use roster_domain::ports::{Access, CallOutcome, Spool, SpoolShare, StoreCalls, Unavailable};
use tokio::task::spawn_blocking;

use super::state::TEMPORARY;

/// How many bytes are written to the file at once.
const BATCH: usize = 32 * 1024;

/// A file that is being written. Its room is there before its bytes are.
pub(super) struct SpoolFile<'a> {
    folder: &'a StoreCalls,
    file: Arc<File>,
    /// What is not written yet.
    batch: Vec<u8>,
    length: u64,
    share: SpoolShare,
}

impl<'a> SpoolFile<'a> {
    pub(super) async fn make(folder: &'a StoreCalls, share: SpoolShare) -> Result<Self, Error> {
        let file = Arc::new(blocking(folder, "make", Access::Read, tempfile::tempfile).await?);
        Ok(Self { folder, file, batch: Vec::with_capacity(BATCH), length: 0, share })
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) async fn append(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.length += chunk.len() as u64;
        self.share.grow_to(self.length)?;
        for piece in chunk.chunks(BATCH) {
            if self.batch.len() + piece.len() > BATCH {
                self.write().await?;
            }
            self.batch.extend_from_slice(piece);
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<Spool, Error> {
        self.write().await?;
        let Self { file, length, share, .. } = self;
        let spool = Spool::new(move |buffer, position| file.read_at(buffer, position), length);
        Ok(spool.with_share(Some(Arc::new(share))))
    }

    async fn write(&mut self) -> Result<(), Error> {
        let (file, mut batch) = (Arc::clone(&self.file), std::mem::take(&mut self.batch));
        self.batch = blocking(self.folder, "write", Access::written(!batch.is_empty()), move || {
            (&*file).write_all(&batch)?;
            batch.clear();
            Ok(batch)
        })
        .await?;
        Ok(())
    }
}

/// Runs what waits for the disk on a thread that may wait. A full one makes files, and does not write to them.
async fn blocking<T: Send + 'static>(
    folder: &StoreCalls,
    operation: &'static str,
    access: Access,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let call = folder.begin(operation, access);
    let done = spawn_blocking(work).await.map_err(|panic| Error::Internal(panic.into()))?;
    call.end(match &done {
        Ok(_) => CallOutcome::Done(access),
        Err(error) => CallOutcome::Failed(error),
    });
    Ok(done.map_err(|error| Unavailable::new(TEMPORARY, error))?)
}
