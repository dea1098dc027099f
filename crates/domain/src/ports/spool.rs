use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use crate::values::{Client, UserId};

/// Reads bytes from a position on into a buffer, and answers how many. Like [`Read::read`](io::Read::read), it may read fewer than fit;
/// 0 means the end.
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
    /// So many bytes, which `read_at` reads: from a position on into a buffer, and answers how many, 0 at the end. It
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
    /// Those of one client, whichever users it uploads for.
    pub each_client: u64,
}

/// Bounds what spools hold: for each user, for each client, and in all, asked in this order. It keeps numbers alone, of those who
/// hold something.
#[derive(Debug)]
pub struct SpoolBudget {
    limits: SpoolLimits,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    by_user: HashMap<UserId, u64>,
    by_client: HashMap<Client, u64>,
}

/// Whose an upload is.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: UserId,
    client: Client,
}

impl SpoolBudget {
    /// A budget within these limits, of which nothing is held.
    #[must_use]
    pub fn new(limits: SpoolLimits) -> Self {
        Self { limits, held: Mutex::default() }
    }

    /// A share for one upload of that user from that client. It holds nothing yet.
    #[must_use]
    pub fn share(self: &Arc<Self>, user: UserId, client: Client) -> SpoolShare {
        SpoolShare { budget: Arc::clone(self), owner: Owner { user, client }, bytes: Mutex::new(0) }
    }

    fn add(&self, Owner { user, client }: Owner, bytes: u64) -> Result<(), NoRoom> {
        let Held { all, by_user, by_client } = &mut *lock(&self.held);
        let within = |held: u64, limit| held.checked_add(bytes).filter(|held| *held <= limit);
        // Whoever holds what it may is told so, however full it is beside that.
        let of_user = within(held_by(by_user, &user), self.limits.each_user).ok_or(NoRoom::ForUser)?;
        let of_client =
            within(held_by(by_client, &client), self.limits.each_client).ok_or(NoRoom::ForClient)?;
        let of_all = within(*all, self.limits.all).ok_or(NoRoom::ForAll)?;
        *all = of_all;
        by_user.insert(user, of_user);
        by_client.insert(client, of_client);
        Ok(())
    }

    fn remove(&self, Owner { user, client }: Owner, bytes: u64) {
        let Held { all, by_user, by_client } = &mut *lock(&self.held);
        *all -= bytes;
        give_back(by_user, &user, bytes);
        give_back(by_client, &client, bytes);
    }
}

fn held_by<K: Hash + Eq>(held: &HashMap<K, u64>, whom: &K) -> u64 {
    held.get(whom).copied().unwrap_or_default()
}

fn give_back<K: Hash + Eq>(held: &mut HashMap<K, u64>, whom: &K, bytes: u64) {
    if let Some(own) = held.get_mut(whom) {
        *own -= bytes;
        if *own == 0 {
            held.remove(whom);
        }
    }
}

/// What one upload holds of a [`SpoolBudget`]. It gives that back when it is dropped.
#[derive(Debug)]
pub struct SpoolShare {
    budget: Arc<SpoolBudget>,
    owner: Owner,
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
    /// The uploads of this client hold what one client's may.
    #[error("the uploads of this client take too much room")]
    ForClient,
}

/// No panic happens while a lock here is held: additions are checked, and what is subtracted was added before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::ClientAddress;

    const ANN: UserId = UserId::from_bytes([1; 12]);
    const BEN: UserId = UserId::from_bytes([2; 12]);

    fn client(last: u8) -> Client {
        ClientAddress::new([192, 0, 2, last].into()).client()
    }

    fn budget(all: u64, each_user: u64) -> Arc<SpoolBudget> {
        Arc::new(SpoolBudget::new(SpoolLimits { all, each_user, each_client: all }))
    }

    #[test]
    fn what_one_user_holds_is_bounded_over_all_of_its_uploads() {
        let budget = budget(100, 20);
        let (first, second) = (budget.share(ANN, client(1)), budget.share(ANN, client(1)));
        first.grow_to(15).unwrap();
        assert_eq!(second.grow_to(6), Err(NoRoom::ForUser));
        second.grow_to(5).unwrap();
        budget.share(BEN, client(1)).grow_to(20).unwrap();
        drop(first);
        second.grow_to(20).unwrap();
    }

    #[test]
    fn what_all_users_hold_is_bounded_and_a_refusal_holds_nothing() {
        let budget = budget(30, 20);
        let (ann, ben) = (budget.share(ANN, client(1)), budget.share(BEN, client(2)));
        ann.grow_to(20).unwrap();
        assert_eq!(ben.grow_to(11), Err(NoRoom::ForAll));
        ben.grow_to(10).unwrap();
        assert_eq!(ben.grow_to(u64::MAX), Err(NoRoom::ForUser));
        drop(ann);
        ben.grow_to(20).unwrap();
    }

    #[test]
    fn what_one_client_holds_is_bounded_over_all_of_its_users() {
        let budget = Arc::new(SpoolBudget::new(SpoolLimits { all: 100, each_user: 30, each_client: 50 }));
        let (ann, ben) = (budget.share(ANN, client(1)), budget.share(BEN, client(1)));
        ann.grow_to(30).unwrap();
        assert_eq!(ben.grow_to(21), Err(NoRoom::ForClient));
        ben.grow_to(20).unwrap();
        budget.share(BEN, client(2)).grow_to(10).unwrap();
        drop(ann);
        ben.grow_to(30).unwrap();
    }

    #[test]
    fn who_holds_what_it_may_is_told_so_also_where_nobody_has_room() {
        let budget = Arc::new(SpoolBudget::new(SpoolLimits { all: 50, each_user: 30, each_client: 40 }));
        let (ann, ben) = (budget.share(ANN, client(1)), budget.share(BEN, client(1)));
        ann.grow_to(30).unwrap();
        ben.grow_to(10).unwrap();
        let elsewhere = budget.share(BEN, client(2));
        elsewhere.grow_to(10).unwrap();
        assert_eq!(ann.grow_to(31), Err(NoRoom::ForUser));
        assert_eq!(ben.grow_to(11), Err(NoRoom::ForClient));
        assert_eq!(elsewhere.grow_to(11), Err(NoRoom::ForAll));
    }

    #[test]
    fn a_share_counts_once_what_it_grows_to_step_by_step() {
        let budget = budget(10, 10);
        let share = budget.share(ANN, client(1));
        for bytes in [3, 2, 10, 10] {
            share.grow_to(bytes).unwrap();
        }
        assert_eq!(lock(&budget.held).all, 10);
    }

    #[test]
    fn nothing_is_kept_of_who_holds_nothing() {
        let budget = budget(10, 10);
        let _empty = budget.share(ANN, client(1));
        budget.share(BEN, client(2)).grow_to(10).unwrap();
        let held = lock(&budget.held);
        assert_eq!((held.all, held.by_user.len(), held.by_client.len()), (0, 0, 0));
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
        let share = budget.share(ANN, client(1));
        share.grow_to(10).unwrap();
        let spool = Spool::new(|_, _| Ok(0), 10).with_share(Some(Arc::new(share)));
        let other = spool.clone();
        drop(spool);
        assert_eq!(budget.share(ANN, client(1)).grow_to(1), Err(NoRoom::ForUser));
        drop(other);
        budget.share(ANN, client(1)).grow_to(10).unwrap();
    }
}
