//! Raw bcrypt of several passwords at once in one thread, in the time of little more than one.
//!
//! Each step of bcrypt waits for a table look-up of the step before, so a single hash leaves most of a core idle. This crate
//! takes the steps of up to [`TOGETHER`] independent hashes in turn, and the core fills the gaps of one with the others. Two
//! hashes take about a twentieth more time than one, three about a third more; `cargo run --release --example lanes`
//! measures it.
//!
//! A hash lives in a [`Lane`]. Lanes are independent: each has its own cost, salt and key, and a lane that is done can begin
//! another hash while the others go on.
//!
//! ```
//! use roster_bcrypt_lanes::{Cost, Key, Lane, advance};
//!
//! let cost = Cost::new(5).expect("a cost from 4 to 31");
//! let mut lanes = [Lane::idle(), Lane::idle()];
//! lanes[0].begin(cost, &[1; 16], &Key::of_password(b"correct horse"));
//! lanes[1].begin(cost, &[2; 16], &Key::of_password(b"battery staple"));
//! while lanes.iter().any(|lane| lane.rounds_left() > 0) {
//!     // Between two calls there is time to look for more work.
//!     advance(&mut lanes, 16);
//! }
//! let hashes = lanes.map(|mut lane| lane.finish().expect("no round is left"));
//! assert_ne!(hashes[0], hashes[1]);
//! ```
//!
//! Where all is known from the start, [`bcrypt`] does the same in one call.
//!
//! # What it is not
//!
//! The crate neither reads nor writes `$2b$` texts, chooses no salt, and compares nothing. It gives all 24 bytes that bcrypt
//! computes; a `$2b$` text holds the first 23.
//!
//! # Secrets
//!
//! A [`Key`] and a [`Lane`] are overwritten with zeros when they are dropped, a lane also when its hash is taken. Moving one
//! may leave a copy behind, so a lane that lives long belongs in a box. As in every bcrypt, which table entries are read
//! depends on the password. There is no unsafe code, and nothing is allocated.

#![forbid(unsafe_code)]

mod blowfish;

use std::fmt;

use blowfish::{Blowfish, WORDS_OF_P};
use zeroize::Zeroize;

/// How many lanes [`advance`] takes steps of in turn. With a fourth the registers of x86-64 do not suffice: it gained nothing
/// on the processors that were measured.
pub const TOGETHER: usize = 3;

/// How many bytes of a key bcrypt reads.
pub const KEY_BYTES: usize = 72;

/// The logarithm of how many rounds a hash takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

impl Cost {
    /// The lowest cost.
    pub const MIN: Self = Self(4);
    /// The highest cost, which takes weeks.
    pub const MAX: Self = Self(31);

    /// A cost from 4 to 31.
    #[must_use]
    pub const fn new(cost: u32) -> Option<Self> {
        if Self::MIN.0 <= cost && cost <= Self::MAX.0 { Some(Self(cost)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// How many rounds a hash of this cost takes.
    #[must_use]
    pub const fn rounds(self) -> u32 {
        1 << self.0
    }
}

/// What is hashed.
#[derive(Clone)]
pub struct Key([u32; WORDS_OF_P]);

impl Key {
    /// The key of a password in the versions `2b` and `2y`: with a NUL at its end, and cut after [`KEY_BYTES`].
    #[must_use]
    pub fn of_password(password: &[u8]) -> Self {
        Self::of(password.iter().chain(&[0]).take(KEY_BYTES))
    }

    /// These bytes as they are. There must be at least one, and at most [`KEY_BYTES`].
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        (1..=KEY_BYTES).contains(&bytes.len()).then(|| Self::of(bytes.iter()))
    }

    /// Bcrypt reads the bytes over and over.
    fn of<'a>(bytes: impl Iterator<Item = &'a u8> + Clone) -> Self {
        let mut key = Self([0; WORDS_OF_P]);
        let mut bytes = bytes.cycle();
        for word in &mut key.0 {
            for byte in bytes.by_ref().take(4) {
                *word = *word << 8 | u32::from(*byte);
            }
        }
        key
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").finish_non_exhaustive()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A place for one hash at a time, of four kilobytes.
pub struct Lane {
    state: Blowfish,
    rounds_left: u32,
    is_idle: bool,
}

impl Lane {
    /// A lane without a hash.
    #[must_use]
    pub const fn idle() -> Self {
        Self { state: Blowfish::ZERO, rounds_left: 0, is_idle: true }
    }

    /// Begins a hash. One that was under way is given up.
    pub fn begin(&mut self, cost: Cost, salt: &[u8; 16], key: &Key) {
        self.state.begin(&key.0, &Key::of(salt.iter()).0);
        self.rounds_left = cost.rounds();
        self.is_idle = false;
    }

    /// How many rounds the hash still takes. An idle lane has none left.
    #[must_use]
    pub const fn rounds_left(&self) -> u32 {
        self.rounds_left
    }

    /// Whether there is no hash to go on with or to take.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Takes the hash. The lane is idle then. `None` where rounds are left, or where the lane is idle already.
    pub fn finish(&mut self) -> Option<[u8; 24]> {
        if self.is_idle || self.rounds_left > 0 {
            return None;
        }
        let hash = self.state.hash();
        self.clear();
        Some(hash)
    }

    /// Gives up the hash, if there is one, and leaves nothing of it.
    pub fn clear(&mut self) {
        self.state.zeroize();
        self.rounds_left = 0;
        self.is_idle = true;
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self::idle()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("rounds_left", &self.rounds_left).finish_non_exhaustive()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Takes so many rounds in each lane, or as many as it has left, up to [`TOGETHER`] lanes at once.
pub fn advance(lanes: &mut [Lane], rounds: u32) {
    for group in lanes.chunks_mut(TOGETHER) {
        let mut to_take = rounds;
        while to_take > 0 {
            let mut open = group.iter_mut().filter(|lane| lane.rounds_left > 0);
            to_take -= match [open.next(), open.next(), open.next()] {
                [Some(a), Some(b), Some(c)] => interleave([a, b, c], to_take),
                [Some(a), Some(b), None] => interleave([a, b], to_take),
                [Some(a), None, None] => interleave([a], to_take),
                _ => break,
            };
        }
    }
}

/// Takes at most so many rounds in all of these lanes, until one is done, and tells how many that were.
fn interleave<const N: usize>(mut lanes: [&mut Lane; N], rounds: u32) -> u32 {
    let rounds = lanes.iter().map(|lane| lane.rounds_left).fold(rounds, u32::min);
    for lane in &mut lanes {
        lane.rounds_left -= rounds;
    }
    let mut states = lanes.map(|lane| &mut lane.state);
    for _ in 0..rounds {
        blowfish::round(&mut states);
    }
    rounds
}

/// Hashes all of these at once: each with its cost, its salt and its key.
///
/// ```
/// use roster_bcrypt_lanes::{Cost, Key, bcrypt};
///
/// let key = Key::of_password(b"correct horse");
/// let [cheap, dear] = bcrypt([(Cost::MIN, &[7; 16], &key), (Cost::new(6).unwrap(), &[7; 16], &key)]);
/// assert_ne!(cheap, dear);
/// ```
///
/// # Panics
/// Never.
#[must_use]
pub fn bcrypt<const N: usize>(inputs: [(Cost, &[u8; 16], &Key); N]) -> [[u8; 24]; N] {
    let mut lanes = [const { Lane::idle() }; N];
    for (lane, (cost, salt, key)) in lanes.iter_mut().zip(inputs) {
        lane.begin(cost, salt, key);
    }
    advance(&mut lanes, u32::MAX);
    lanes.each_mut().map(|lane| lane.finish().expect("all rounds are taken"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_in_a_lane_whose_hash_was_taken_or_given_up() {
        let mut lanes = [Lane::idle()];
        for rounds in [0, 3, u32::MAX] {
            lanes[0].begin(Cost::MIN, &[1; 16], &Key::of_password(b"secret"));
            advance(&mut lanes, rounds);
            assert!(!lanes[0].state.is_zero());
            if lanes[0].finish().is_none() {
                lanes[0].clear();
            }
            assert!(lanes[0].state.is_zero());
        }
    }
}
