use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory of which all together may hold so much. Nobody waits for it: who finds none does without.
#[derive(Debug)]
pub(crate) struct Room(AtomicU64);

/// A part of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bytes)))
    }

    /// So many bytes of it; `None` where there are no longer so many.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Option<Share> {
        let left = |free: u64| free.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).ok()?;
        Some(Share { room: Arc::clone(self), bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_until_it_is_taken_and_again_once_it_is_given_back() {
        let room = Room::new(10);
        let share = room.take(7);
        assert!(share.is_some() && room.take(4).is_none());
        let rest = room.take(3);
        assert!(rest.is_some() && room.take(1).is_none() && room.take(0).is_some());
        drop(share);
        assert!(room.take(8).is_none() && room.take(7).is_some());
    }
}
