//! Makes a clean image of an uploaded one: decoded and encoded anew, upright, small, and nothing beside the pixels.
//!
//! Users take turns: one picture of each at a time. Before a file is decoded, what that takes is told from its dimensions and
//! how it is written. So much of a budget it waits for. All of it happens on a few threads of its own, which give way to
//! those that answer requests.

mod input;
mod jpeg;
mod picture;
mod png;
mod threads;
mod turns;
mod unavailable;

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roster_domain::ports::{ImageProcessor, ProcessError, ProcessedImage, Spool};
use roster_domain::values::{Checksum, ImageFormat, RunningChecksum, UserId};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use threads::Threads;
use turns::Turns;
use unavailable::unavailable;

/// The most pixels of an image, whatever the budget: beyond them it is time that it takes. No camera's image of a size
/// that can be uploaded has so many.
const MAX_PIXELS: u64 = 64_000_000;

/// What an image takes beside its pixels: buffers, tables and stacks.
const FIXED: u64 = 1 << 20;

/// The unit in which the budget is given out, in bytes.
const UNIT: u64 = 1 << 10;

/// What a processor may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes all images that are being decoded may take together.
    pub memory: u64,
    /// How long an image may wait for its turn and for its part of that.
    pub patience: Duration,
}

impl Default for Limits {
    /// 96 MiB and one minute.
    fn default() -> Self {
        Self { memory: 96 << 20, patience: Duration::from_mins(1) }
    }
}

/// Decodes images and encodes them anew.
#[derive(Debug, Clone)]
pub struct Processor {
    limits: Limits,
    /// The budget, in units. Who asked first is served first, also where others need less.
    memory: Arc<Semaphore>,
    threads: Threads,
    /// As many as there are threads.
    turns: Turns,
}

impl Processor {
    /// Starts a processor within these limits, on as many threads as the machine has processors. An error is the system's,
    /// which gives no threads.
    pub fn start(limits: Limits) -> io::Result<Self> {
        let memory = usize::try_from(limits.memory / UNIT).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let threads = Threads::start()?;
        let turns = Turns::new(threads.number());
        Ok(Self { limits, memory: Arc::new(Semaphore::new(memory)), threads, turns })
    }
}

#[async_trait]
impl ImageProcessor for Processor {
    async fn process(&self, owner: UserId, image: Spool) -> Result<ProcessedImage, ProcessError> {
        let (budget, looked_at) = (self.limits.memory, image.clone());
        let deadline = Instant::now() + self.limits.patience;
        let turn =
            timeout_at(deadline, self.turns.take(owner)).await.map_err(|_| ProcessError::Overloaded)?;
        let turn = turn.ok_or_else(|| unavailable("the turns have ended"))?;
        let (turn, (outline, need)) = self.threads.run(turn, move || look(&looked_at, budget)).await?;
        let units = u32::try_from(need.div_ceil(UNIT)).map_err(unavailable)?;
        let memory = timeout_at(deadline, Arc::clone(&self.memory).acquire_many_owned(units)).await;
        let memory = memory.map_err(|_| ProcessError::Overloaded)?.map_err(unavailable)?;
        // What has begun is not given up: its end is in sight, and its memory is free only then.
        let made = self.threads.run(turn, move || {
            let _memory = memory;
            let format = outline.format();
            let made = outline.decode(&image)?.finish(format)?;
            let checksum = checksum(&made).map_err(unavailable)?;
            // It takes the place of the upload, which goes.
            if let Some(share) = image.share() {
                share.grow_to(made.length())?;
            }
            Ok(ProcessedImage { image: made.with_share(image.share().cloned()), format, checksum })
        });
        Ok(made.await?.1)
    }
}

/// What can be said of an image without decoding it.
enum Outline {
    Jpeg(jpeg::Outline),
    Png(png::Outline),
}

/// Looks at an image that is not decoded yet. Tells what it is, and how many bytes that will take.
fn look(image: &Spool, budget: u64) -> Result<(Outline, u64), ProcessError> {
    let mut reader = input::open(image);
    let mut start = Vec::new();
    reader.by_ref().take(png::SIGNATURE.len() as u64).read_to_end(&mut start).map_err(unavailable)?;
    let outline = if start == png::SIGNATURE {
        Outline::Png(png::outline(image)?)
    } else if start.starts_with(&jpeg::SIGNATURE) {
        // The signature's last byte is the first of a marker.
        reader.seek(SeekFrom::Start(jpeg::SIGNATURE.len() as u64 - 1)).map_err(unavailable)?;
        Outline::Jpeg(jpeg::walk(image, &mut reader)?)
    } else {
        return Err(ProcessError::UnknownFormat);
    };
    let (width, height) = outline.dimensions();
    if !outline.fits(width, height, budget) {
        return Err(ProcessError::TooManyPixels { allowed: outline.allowed(budget) });
    }
    if matches!(&outline, Outline::Jpeg(jpeg) if jpeg.is_too_much_work()) {
        return Err(ProcessError::Damaged);
    }
    let need = outline.need(width, height);
    Ok((outline, need))
}

impl Outline {
    const fn format(&self) -> ImageFormat {
        match self {
            Self::Jpeg(_) => ImageFormat::Jpeg,
            Self::Png(_) => ImageFormat::Png,
        }
    }

    const fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::Jpeg(jpeg) => (jpeg.width, jpeg.height),
            Self::Png(png) => (png.width, png.height),
        }
    }

    /// How many bytes it would take at most if it had these dimensions.
    fn need(&self, width: u32, height: u32) -> u64 {
        FIXED
            + match self {
                Self::Jpeg(jpeg) => jpeg.need(width, height),
                Self::Png(png) => png.need(width, height),
            }
    }

    fn fits(&self, width: u32, height: u32, budget: u64) -> bool {
        u64::from(width) * u64::from(height) <= MAX_PIXELS && self.need(width, height) <= budget
    }

    /// How many pixels an image of its shape may have that is written as it is.
    fn allowed(&self, budget: u64) -> u64 {
        const WHOLE: u64 = 1 << 32;
        let (width, height) = self.dimensions();
        let part_of =
            |length: u32, part: u64| u32::try_from(u64::from(length) * part / WHOLE).unwrap_or(length);
        let (mut fits, mut too_large) = (0, WHOLE);
        while too_large - fits > 1 {
            let part = fits.midpoint(too_large);
            if self.fits(part_of(width, part), part_of(height, part), budget) {
                fits = part;
            } else {
                too_large = part;
            }
        }
        u64::from(part_of(width, fits)) * u64::from(part_of(height, fits))
    }

    fn decode(&self, image: &Spool) -> Result<picture::Decoded, ProcessError> {
        match self {
            Self::Jpeg(jpeg) => jpeg.decode(image),
            Self::Png(png) => png.decode(image),
        }
    }
}

/// The checksum of what was made, read piece by piece.
fn checksum(image: &Spool) -> io::Result<Checksum> {
    let (mut sum, mut reader) = (RunningChecksum::default(), input::open(image));
    loop {
        let piece = reader.fill_buf()?;
        let count = piece.len();
        if count == 0 {
            return Ok(sum.finish());
        }
        sum.add(piece);
        reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;

    use super::*;

    const PNG: &[u8] = include_bytes!("../tests/fixtures/rgb.png");

    const ANN: UserId = UserId::from_bytes([1; 12]);

    fn upload() -> Spool {
        roster_domain_testkit::fixtures::spool(PNG)
    }

    #[tokio::test]
    async fn what_waits_longer_than_the_patience_for_memory_is_refused() {
        let processor =
            Processor::start(Limits { patience: Duration::from_millis(20), ..Limits::default() }).unwrap();
        let _taken = processor.memory.acquire_many(80 << 10).await.unwrap();
        processor.process(ANN, upload()).await.unwrap();
        let _taken = processor.memory.acquire_many(6 << 10).await.unwrap();
        assert!(matches!(processor.process(ANN, upload()).await, Err(ProcessError::Overloaded)));
    }

    #[tokio::test]
    async fn what_waits_is_served_once_there_is_memory_and_gives_it_back() {
        let processor = Processor::start(Limits::default()).unwrap();
        let all = processor.memory.available_permits();
        let taken = processor.memory.acquire_many(u32::try_from(all).unwrap()).await.unwrap();
        let mut waiting = pin!(processor.process(ANN, upload()));
        tokio::select! { biased; _ = &mut waiting => panic!("not waited"), () = ready(()) => {} }
        drop(taken);
        waiting.await.unwrap();
        assert_eq!(processor.memory.available_permits(), all);
    }
}
