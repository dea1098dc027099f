use async_trait::async_trait;
use roster_domain::ports::{ImageProcessor, ProcessError, ProcessedImage, Spool, Unavailable};
use roster_domain::values::{Checksum, ImageFormat, UserId};

use crate::memory::read_whole;

/// A processor that takes every file for a clean image of one format, without a look, **for tests alone**.
#[derive(Debug, Clone, Copy)]
pub struct AcceptingProcessor(pub ImageFormat);

#[async_trait]
impl ImageProcessor for AcceptingProcessor {
    async fn process(&self, _owner: UserId, image: Spool) -> Result<ProcessedImage, ProcessError> {
        let content = read_whole(&image).map_err(|error| Unavailable::new("memory", error))?;
        Ok(ProcessedImage { image, format: self.0, checksum: Checksum::of(&content) })
    }
}
