//! Hashing threads. Each computes up to three passwords at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{io, thread};

use roster_bcrypt_lanes::{Cost, Key, Lane, TOGETHER, advance};
use tokio::time::Instant;

use crate::queue::{PlacedJob, Queue};

/// How many passwords a thread hashes at once. On the processors that were measured, two take 1.05 times as long as one and
/// three 1.33 times, see adr/0009; a fourth gains nothing.
pub(crate) const LANES: usize = TOGETHER;

/// After how many rounds a thread looks for more to hash, and whether somebody has gone. That is a millisecond of a fast
/// core. Each cost is a multiple of it, so whatever is done is answered at once.
const ROUNDS: u32 = Cost::MIN.rounds();

/// A bcrypt to be computed.
pub(crate) struct Raw {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; 16],
    pub(crate) key: Key,
}

impl Raw {
    /// One that is computed for the time that it takes.
    pub(crate) fn of_nobody(cost: Cost) -> Self {
        Self { cost, salt: [0; 16], key: Key::of_password(&[]) }
    }
}

/// How a work goes on.
pub(crate) enum Step<T> {
    /// With what bcrypt makes of this.
    Hash(Raw),
    /// Not at all: this is the answer.
    Done(T),
}

/// What needs one bcrypt after the other until there is an answer.
pub(crate) trait Work: Send + 'static {
    /// What comes of it.
    type Answer: Send + 'static;

    /// Begins, on the thread that hashes. Nobody waits for the answer any more after `end`.
    fn begin(&mut self, end: Instant) -> Step<Self::Answer>;

    /// Goes on with what the last step asked for.
    fn go_on(&mut self, hash: [u8; 24]) -> Step<Self::Answer>;
}

/// A work whose answer somebody may wait for. Dropping it gives it up.
pub(crate) trait Job: Send {
    /// Begins, unless nobody waits for it. What is to be hashed first; `None` if it is over.
    fn begin(&mut self) -> Option<Raw>;

    /// What is to be hashed next; `None` if it is over.
    fn go_on(&mut self, hash: [u8; 24]) -> Option<Raw>;

    /// Whether anybody still waits.
    fn is_wanted(&self) -> bool;
}

/// Jobs that wait for a thread.
pub(crate) type Jobs = Queue<Box<dyn Job>>;

/// Starts the threads. They end when the queue is closed, and what they are at is done.
pub(crate) fn start(threads: usize, queue: &Arc<Jobs>) -> io::Result<()> {
    for number in 0..threads {
        let mut thread = Thread {
            queue: Arc::clone(queue),
            lanes: Box::new([const { Lane::idle() }; LANES]),
            taken: [const { None }; LANES],
        };
        thread::Builder::new().name(format!("hash-{number}")).spawn(move || while thread.turn() {})?;
    }
    Ok(())
}

/// What a thread is at.
struct Thread {
    queue: Arc<Jobs>,
    lanes: Box<[Lane; LANES]>,
    /// What each lane is at.
    taken: [Option<PlacedJob<Box<dyn Job>>>; LANES],
}

impl Thread {
    /// Fills the lanes that are free, and hashes for a moment. Waits where there is nothing to do; whether there may be more.
    fn turn(&mut self) -> bool {
        if self.taken.iter().all(Option::is_none) {
            let Some(taken) = self.queue.next() else { return false };
            self.step(0, taken, |job| job.begin());
        }
        for lane in 0..LANES {
            while self.taken[lane].is_none()
                && let Some(taken) = self.queue.next_waiting()
            {
                self.step(lane, taken, |job| job.begin());
            }
        }
        advance(self.lanes.as_mut_slice(), ROUNDS);
        for lane in 0..LANES {
            if let Some(hash) = self.lanes[lane].finish() {
                if let Some(taken) = self.taken[lane].take() {
                    self.step(lane, taken, |job| job.go_on(hash));
                }
            } else if self.taken[lane].take_if(|taken| !taken.job.is_wanted()).is_some() {
                self.lanes[lane].clear();
            }
        }
        true
    }

    /// Leaves the lane to the job if it has something to hash. Whoever waits for a job that panics learns of it, as its
    /// answer is dropped.
    fn step(
        &mut self,
        lane: usize,
        mut taken: PlacedJob<Box<dyn Job>>,
        next: impl FnOnce(&mut Box<dyn Job>) -> Option<Raw>,
    ) {
        if let Ok(Some(Raw { cost, salt, key })) = catch_unwind(AssertUnwindSafe(|| next(&mut taken.job))) {
            self.lanes[lane].begin(cost, &salt, &key);
            self.taken[lane] = Some(taken);
        }
    }
}
