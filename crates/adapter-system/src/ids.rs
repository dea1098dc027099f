use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, RngExt};
use roster_domain::ports::{Clock, Ids};
use roster_domain::values::{RequestId, SessionId, TokenId, TrashEntryId, UserId};

/// Ids from a cryptographic generator that the system seeds.
///
/// Users and trash entries get an `ObjectId` each, as MongoDB's drivers make them: four bytes of seconds, five that are
/// random for each process, and a three-byte counter from a random start.
pub struct RandomIds {
    clock: Arc<dyn Clock>,
    process: [u8; 5],
    /// Seconds and counter of the last `ObjectId`, as one number.
    last: AtomicU64,
}

const COUNTER_BITS: u32 = 24;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;

impl RandomIds {
    /// Ids of this process, by that clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let counter = u64::from(u32::from_be_bytes(random_bytes())) & COUNTER_MASK;
        Self { clock, process: random_bytes(), last: AtomicU64::new(counter) }
    }

    /// Larger than the one before, whatever the clock does: a counter that is full takes its next second early.
    fn object_id(&self) -> [u8; 12] {
        let seconds = u64::from(u32::try_from(self.clock.now().as_seconds().max(0)).unwrap_or(u32::MAX));
        let next = |last: u64| (last + 1).max(seconds << COUNTER_BITS | (last + 1) & COUNTER_MASK);
        let number = next(self.last.update(Ordering::Relaxed, Ordering::Relaxed, next)).to_be_bytes();
        let mut id = [0; 12];
        id[..4].copy_from_slice(&number[1..5]);
        id[4..9].copy_from_slice(&self.process);
        id[9..].copy_from_slice(&number[5..]);
        id
    }
}

impl Ids for RandomIds {
    fn user_id(&self) -> UserId {
        UserId::from_bytes(self.object_id())
    }

    fn trash_entry_id(&self) -> TrashEntryId {
        TrashEntryId::from_bytes(self.object_id())
    }

    fn session_id(&self) -> SessionId {
        SessionId::from_bytes(random_bytes())
    }

    fn token_id(&self) -> TokenId {
        TokenId(random_bytes())
    }

    fn request_id(&self) -> RequestId {
        RequestId::from_bytes(random_bytes())
    }

    fn image_name(&self) -> [u8; 16] {
        random_bytes()
    }

    fn letters(&self, count: usize) -> String {
        let mut random = generator();
        (0..count).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
    }
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    generator().fill_bytes(&mut bytes);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "this is the `Ids` port's adapter")]
fn generator() -> impl Rng {
    rand::rng()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::AtomicI64;
    use std::time::Duration;

    use async_trait::async_trait;
    use roster_domain::values::Timestamp;

    use super::*;

    /// A clock that is set by hand, in seconds.
    struct HandClock(AtomicI64);

    #[async_trait]
    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed) * 1000)
        }

        async fn sleep(&self, time: Duration) {
            tokio::time::sleep(time).await;
        }
    }

    fn ids_at(seconds: i64) -> (Arc<HandClock>, RandomIds) {
        let clock = Arc::new(HandClock(AtomicI64::new(seconds)));
        let ids = RandomIds::new(Arc::clone(&clock) as Arc<dyn Clock>);
        (clock, ids)
    }

    #[test]
    fn an_id_begins_with_its_second() {
        let (_, ids) = ids_at(0x67a9_940e);
        assert!(ids.user_id().to_string().starts_with("67a9940e"));
        assert!(ids.trash_entry_id().to_string().starts_with("67a9940e"));
    }

    #[test]
    fn ids_grow_though_the_clock_steps_back() {
        let (clock, ids) = ids_at(1000);
        let mut last = ids.user_id();
        for seconds in [1000, 1001, 500, 0, -5, 1001, 2000, i64::from(u32::MAX)] {
            clock.0.store(seconds, Ordering::Relaxed);
            let id = ids.user_id();
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }

    #[test]
    fn ids_grow_though_the_counter_is_full() {
        let (_, ids) = ids_at(1000);
        ids.last.store((1000 << COUNTER_BITS) + COUNTER_MASK - 1, Ordering::Relaxed);
        let (before, after) = (ids.user_id(), ids.user_id());
        assert!(after > before, "{after} after {before}");
        assert_eq!(before.as_bytes()[9..], [0xff; 3]);
        assert_eq!(before.as_bytes()[4..9], after.as_bytes()[4..9], "the process's part stays");
    }

    #[test]
    fn threads_get_ids_of_their_own_that_grow() {
        let ids = RandomIds::new(Arc::new(crate::SystemClock));
        let all: Vec<UserId> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).map(|_| ids.user_id()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| {
                    let own = thread.join().unwrap();
                    assert!(own.is_sorted());
                    own
                })
                .collect()
        });
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4000);
    }

    #[test]
    fn two_processes_tell_their_ids_apart() {
        let (_, one) = ids_at(1000);
        let (_, other) = ids_at(1000);
        assert_ne!(one.user_id().as_bytes()[4..9], other.user_id().as_bytes()[4..9]);
    }

    #[test]
    fn what_must_not_be_guessed_differs_each_time() {
        let (_, ids) = ids_at(1000);
        assert_ne!(ids.session_id(), ids.session_id());
        assert_ne!(ids.token_id(), ids.token_id());
        assert_ne!(ids.request_id(), ids.request_id());
        assert_ne!(ids.image_name(), ids.image_name());
    }

    #[test]
    fn letters_are_as_many_as_asked_for_and_every_one_occurs() {
        let (_, ids) = ids_at(1000);
        assert_eq!(ids.letters(2).len(), 2);
        let different: HashSet<char> = ids.letters(10_000).chars().collect();
        assert_eq!(different, ('a'..='z').collect());
    }
}
