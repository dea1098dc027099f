//! Collects the pieces of a body, within a bound on all bodies together.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// How many bytes of a body need no room: more than nearly all bodies have. So large ones can't keep small ones out.
const SMALL: usize = 4 * 1024;

/// How long a large body may take where room is scarce, and how often that is looked at.
const GRACE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Room for the bodies that are being read, in bytes.
///
/// A body of more than 4 KiB takes room for all of its announced length at once, so that none holds some of it and waits for
/// more; one without an announced length takes as much as is allowed. Where less than an eighth is left, bodies that have taken
/// more than 5 s lose theirs.
#[derive(Debug)]
pub struct Room {
    bytes: Arc<Semaphore>,
    scarce: usize,
}

/// A body, which holds its room.
#[derive(Debug)]
pub struct Collected {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Collected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body was not collected.
#[derive(Debug, PartialEq, Eq)]
pub enum CollectError<E> {
    /// It is larger than allowed.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Others take all the room.
    NoRoom,
    /// It broke off.
    Broken(E),
}

impl Room {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { bytes: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))), scarce: bytes / 8 }
    }

    /// Collects a body of at most `limit` bytes, whose length may have been announced, in that time.
    pub async fn collect<B: AsRef<[u8]>, E>(
        &self,
        body: impl Stream<Item = Result<B, E>>,
        announced: Option<u64>,
        limit: usize,
        deadline: Duration,
    ) -> Result<Collected, CollectError<E>> {
        let length = match announced.map(usize::try_from) {
            None => limit,
            Some(Ok(length)) if length <= limit => length,
            Some(_) => return Err(CollectError::TooLarge),
        };
        timeout(deadline, self.read(body, length)).await.map_err(|_| CollectError::TooSlow)?
    }

    async fn read<B: AsRef<[u8]>, E>(
        &self,
        body: impl Stream<Item = Result<B, E>>,
        length: usize,
    ) -> Result<Collected, CollectError<E>> {
        let (mut body, started) = (pin!(body), Instant::now());
        let (mut bytes, mut room) = (Vec::new(), None);
        loop {
            let next = match &room {
                None => Ok(body.next().await),
                Some(_) => timeout(LOOK_EVERY, body.next()).await,
            };
            if room.is_some() && self.is_scarce() && started.elapsed() > GRACE {
                return Err(CollectError::TooSlow);
            }
            let Ok(next) = next else { continue };
            let Some(chunk) = next else { return Ok(Collected { bytes, _room: room }) };
            let chunk = chunk.map_err(CollectError::Broken)?;
            let chunk = chunk.as_ref();
            let so_far = bytes.len() + chunk.len();
            if so_far > length {
                return Err(CollectError::TooLarge);
            }
            if so_far > SMALL && room.is_none() {
                room = Some(self.take(length).ok_or(CollectError::NoRoom)?);
                bytes.reserve_exact(length - bytes.len());
            }
            bytes.extend_from_slice(chunk);
        }
    }

    fn take(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let length = u32::try_from(length).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(length).ok()
    }

    fn is_scarce(&self) -> bool {
        self.bytes.available_permits() < self.scarce
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use futures_util::stream;

    const LIMIT: usize = 64 * 1024;
    const DEADLINE: Duration = Duration::from_secs(30);

    type Chunk = Result<Vec<u8>, Infallible>;

    /// A body of so many bytes, in pieces.
    fn body(length: usize) -> impl Stream<Item = Chunk> {
        let pieces = (0..length).step_by(1000).map(move |at| Ok(vec![b' '; (length - at).min(1000)]));
        stream::iter(pieces)
    }

    /// The same, which stops one byte before its end.
    fn stopping(length: usize) -> impl Stream<Item = Chunk> {
        body(length - 1).chain(stream::pending())
    }

    async fn collect(
        room: &Room,
        body: impl Stream<Item = Chunk>,
        announced: Option<usize>,
    ) -> Result<usize, CollectError<Infallible>> {
        let collected = room.collect(body, announced.map(|length| length as u64), LIMIT, DEADLINE).await;
        collected.map(|body| body.len())
    }

    #[tokio::test]
    async fn a_body_is_collected_up_to_the_limit_announced_or_not() {
        let room = Room::new(LIMIT);
        for length in [0, 1, SMALL, SMALL + 1, LIMIT] {
            assert_eq!(collect(&room, body(length), None).await, Ok(length));
            assert_eq!(collect(&room, body(length), Some(length)).await, Ok(length));
        }
        assert_eq!(collect(&room, body(LIMIT + 1), None).await, Err(CollectError::TooLarge));
        let unread = stream::once(async { panic!("it was read") });
        assert_eq!(collect(&room, unread, Some(LIMIT + 1)).await, Err(CollectError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_holds_its_room_until_it_is_dropped() {
        let room = Room::new(LIMIT);
        let first = room.collect(body(LIMIT), None, LIMIT, DEADLINE).await.unwrap();
        assert_eq!(collect(&room, body(SMALL + 1), Some(SMALL + 1)).await, Err(CollectError::NoRoom));
        assert_eq!(collect(&room, body(SMALL), None).await, Ok(SMALL), "a small one needs none");
        drop(first);
        assert_eq!(collect(&room, body(SMALL + 1), Some(SMALL + 1)).await, Ok(SMALL + 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up_at_the_deadline_and_gives_its_room_back() {
        let room = Room::new(10 * LIMIT);
        let started = Instant::now();
        assert_eq!(collect(&room, stopping(LIMIT), Some(LIMIT)).await, Err(CollectError::TooSlow));
        assert_eq!(started.elapsed(), DEADLINE);
        assert_eq!(room.bytes.available_permits(), 10 * LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn where_room_is_scarce_a_large_body_has_to_be_quick_and_a_small_one_has_not() {
        let room = Room::new(LIMIT);
        let (large, small) = tokio::join!(
            async { (collect(&room, stopping(LIMIT), Some(LIMIT)).await, Instant::now()) },
            async { (collect(&room, stopping(SMALL), Some(SMALL)).await, Instant::now()) },
        );
        assert_eq!((large.0, small.0), (Err(CollectError::TooSlow), Err(CollectError::TooSlow)));
        let apart = small.1 - large.1;
        assert!(apart + GRACE + 2 * LOOK_EVERY >= DEADLINE, "{apart:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_does_not_buy_more_time_where_room_is_scarce() {
        let room = Room::new(LIMIT);
        let dribble = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Some((Ok(vec![b' ']), ()))
        });
        let started = Instant::now();
        let slow = body(LIMIT / 2).chain(dribble);
        assert_eq!(collect(&room, slow, Some(LIMIT)).await, Err(CollectError::TooSlow));
        assert!(started.elapsed() <= GRACE + LOOK_EVERY);
    }
}
