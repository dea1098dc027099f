use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use crate::values::UserId;

/// Reads bytes from a position on into a buffer, and answers how many: fewer than there is room for where it likes, none behind the
/// last one.
type ReadAt = dyn Fn(&mut [u8], u64) -> io::Result<usize> + Send + Sync;

/// A finished upload, wherever whoever made it put it: in a file without a name, say. It goes with its last handle, also when the
/// process dies.
///
/// Handles share no position, and any number may read at once.
#[derive(Clone)]
pub struct Spool {
    read_at: Arc<ReadAt>,
    length: u64,
    share: Option<Arc<SpoolShare>>,
}

impl Spool {
    /// So many bytes, which `read_at` reads: from a position on into a buffer, and answers how many, none behind the last one. It
    /// counts for nobody.
    #[must_use]
    pub fn new(
        read_at: impl Fn(&mut [u8], u64) -> io::Result<usize> + Send + Sync + 'static,
        length: u64,
    ) -> Self {
        Self { read_at: Arc::new(read_at), length, share: None }
    }

    /// The same, which holds that share until its last handle is gone.
    #[must_use]
    pub fn with_share(self, share: Option<Arc<SpoolShare>>) -> Self {
        Self { share, ..self }
    }

    /// Reads from `position` on, a buffer full at most. Answers how many bytes it has read: none at the end, else perhaps fewer than
    /// there are. It may wait for a disk.
    ///
    /// # Errors
    /// What the system says of the file.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        (self.read_at)(buffer, position)
    }

    /// Fills the buffer from `position` on. It may wait for a disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where there are not so many bytes, and what the system says of the file.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many bytes it holds.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The share that it holds. What is made of an upload takes its place in there.
    #[must_use]
    pub const fn share(&self) -> Option<&Arc<SpoolShare>> {
        self.share.as_ref()
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool")
            .field("length", &self.length)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

/// How many bytes spools may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// All of them together.
    pub all: u64,
    /// Those of one user.
    pub each_user: u64,
}

/// Bounds what spools hold, in all and for each user. It keeps numbers alone, of those users who hold something.
#[derive(Debug)]
pub struct SpoolBudget {
    limits: SpoolLimits,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    by_user: HashMap<UserId, u64>,
}

impl SpoolBudget {
    /// A budget within these limits, of which nothing is held.
    #[must_use]
    pub fn new(limits: SpoolLimits) -> Self {
        Self { limits, held: Mutex::default() }
    }

    /// A share for one upload of that user. It holds nothing yet.
    #[must_use]
    pub fn share(self: &Arc<Self>, owner: UserId) -> SpoolShare {
        SpoolShare { budget: Arc::clone(self), owner, bytes: Mutex::new(0) }
    }

    fn add(&self, owner: UserId, bytes: u64) -> Result<(), NoRoom> {
        let held = &mut *lock(&self.held);
        let own = held.by_user.get(&owner).copied().unwrap_or_default();
        let within = |held: u64, limit| held.checked_add(bytes).filter(|held| *held <= limit);
        let own = within(own, self.limits.each_user).ok_or(NoRoom::ForUser)?;
        held.all = within(held.all, self.limits.all).ok_or(NoRoom::ForAll)?;
        held.by_user.insert(owner, own);
        Ok(())
    }

    fn remove(&self, owner: UserId, bytes: u64) {
        let held = &mut *lock(&self.held);
        held.all -= bytes;
        if let Some(own) = held.by_user.get_mut(&owner) {
            *own -= bytes;
            if *own == 0 {
                held.by_user.remove(&owner);
            }
        }
    }
}

/// What one upload holds of a [`SpoolBudget`]. It gives that back when it is dropped.
#[derive(Debug)]
pub struct SpoolShare {
    budget: Arc<SpoolBudget>,
    owner: UserId,
    bytes: Mutex<u64>,
}

impl SpoolShare {
    /// Makes it hold at least so many bytes. Where there is no room for them, it stays as it was.
    pub fn grow_to(&self, bytes: u64) -> Result<(), NoRoom> {
        let mut held = lock(&self.bytes);
        let more = bytes.saturating_sub(*held);
        if more > 0 {
            self.budget.add(self.owner, more)?;
            *held += more;
        }
        Ok(())
    }
}

impl Drop for SpoolShare {
    fn drop(&mut self) {
        let bytes = *lock(&self.bytes);
        if bytes > 0 {
            self.budget.remove(self.owner, bytes);
        }
    }
}

/// Why a [`SpoolShare`] can't grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The uploads of all users hold what they may.
    #[error("the uploads of all users take too much room")]
    ForAll,
    /// The uploads of this user hold what one user's may.
    #[error("the uploads of this user take too much room")]
    ForUser,
}

/// No panic happens while a lock here is held: additions are checked, and what is subtracted was added before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::from_bytes([1; 12]);
    const BEN: UserId = UserId::from_bytes([2; 12]);

    fn budget(all: u64, each_user: u64) -> Arc<SpoolBudget> {
        Arc::new(SpoolBudget::new(SpoolLimits { all, each_user }))
    }

    #[test]
    fn what_one_user_holds_is_bounded_over_all_of_its_uploads() {
        let budget = budget(100, 20);
        let (first, second) = (budget.share(ANN), budget.share(ANN));
        first.grow_to(15).unwrap();
        assert_eq!(second.grow_to(6), Err(NoRoom::ForUser));
        second.grow_to(5).unwrap();
        budget.share(BEN).grow_to(20).unwrap();
        drop(first);
        second.grow_to(20).unwrap();
    }

    #[test]
    fn what_all_users_hold_is_bounded_and_a_refusal_holds_nothing() {
        let budget = budget(30, 20);
        let (ann, ben) = (budget.share(ANN), budget.share(BEN));
        ann.grow_to(20).unwrap();
        assert_eq!(ben.grow_to(11), Err(NoRoom::ForAll));
        ben.grow_to(10).unwrap();
        assert_eq!(ben.grow_to(u64::MAX), Err(NoRoom::ForUser));
        drop(ann);
        ben.grow_to(20).unwrap();
    }

    #[test]
    fn a_share_counts_once_what_it_grows_to_step_by_step() {
        let budget = budget(10, 10);
        let share = budget.share(ANN);
        for bytes in [3, 2, 10, 10] {
            share.grow_to(bytes).unwrap();
        }
        assert_eq!(lock(&budget.held).all, 10);
    }

    #[test]
    fn nothing_is_kept_of_who_holds_nothing() {
        let budget = budget(10, 10);
        let _empty = budget.share(ANN);
        budget.share(BEN).grow_to(10).unwrap();
        let held = lock(&budget.held);
        assert_eq!((held.all, held.by_user.len()), (0, 0));
    }

    /// Bytes that are read one by one, each at the second try.
    fn in_drops(bytes: &'static [u8]) -> Spool {
        let interrupted = Mutex::new(false);
        let read_at = move |buffer: &mut [u8], position: u64| {
            let interrupted = &mut *lock(&interrupted);
            *interrupted = !*interrupted;
            if *interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let rest = usize::try_from(position).ok().and_then(|position| bytes.get(position..));
            Ok(rest.and_then(<[u8]>::first).map_or(0, |byte| {
                buffer[0] = *byte;
                1
            }))
        };
        Spool::new(read_at, bytes.len() as u64)
    }

    #[test]
    fn a_buffer_is_filled_however_few_bytes_are_read_at_once() {
        let (spool, mut buffer) = (in_drops(b"an image"), [0; 5]);
        spool.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"image");
        spool.read_exact_at(&mut [], 100).unwrap();
        let beyond = spool.read_exact_at(&mut buffer, 4).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_spool_holds_its_share_until_its_last_handle_is_gone() {
        let budget = budget(10, 10);
        let share = budget.share(ANN);
        share.grow_to(10).unwrap();
        let spool = Spool::new(|_, _| Ok(0), 10).with_share(Some(Arc::new(share)));
        let other = spool.clone();
        drop(spool);
        assert_eq!(budget.share(ANN).grow_to(1), Err(NoRoom::ForUser));
        drop(other);
        budget.share(ANN).grow_to(10).unwrap();
    }
}
