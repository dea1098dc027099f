use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use roster_domain::ports::Spool;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::CHUNK;

/// An upload as a request's body, which is read anew for each try.
pub(crate) fn retryable(image: Spool) -> SdkBody {
    SdkBody::retryable(move || SdkBody::from_body_1_x(SpoolBody::new(image.clone())))
}

/// Reads a piece when it is asked for one, on a thread that may wait for the disk.
struct SpoolBody {
    image: Spool,
    position: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl SpoolBody {
    fn new(image: Spool) -> Self {
        Self { image, position: 0, reading: None }
    }

    fn left(&self) -> u64 {
        self.image.length() - self.position
    }
}

impl Body for SpoolBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let size = usize::try_from(self.left()).unwrap_or(usize::MAX).min(CHUNK);
        if size == 0 {
            return Poll::Ready(None);
        }
        let (image, position) = (self.image.clone(), self.position);
        let reading =
            self.reading.get_or_insert_with(|| spawn_blocking(move || read(&image, position, size)));
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(Some(read.map_err(io::Error::other).flatten().map(|piece| {
            self.position += piece.len() as u64;
            Frame::data(piece)
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

fn read(image: &Spool, position: u64, size: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; size];
    image.read_exact_at(&mut piece, position)?;
    Ok(Bytes::from(piece))
}
