//! How many connections a process has places for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files this process would like to have open.
const OPEN_FILES: u64 = 65_536;

/// How many connections may be open at most: each takes some kilobytes as well.
const MOST_PLACES: usize = 16_384;

/// How many connections may be open: half of the files that may be, at most 16,384, and all the rest has the other half. It asks the
/// system for more files first.
#[must_use]
pub fn places() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    let mut files = limit.current.unwrap_or(OPEN_FILES);
    let more = Rlimit { current: Some(wanted), maximum: limit.maximum };
    if files < wanted && setrlimit(Resource::Nofile, more).is_ok() {
        files = wanted;
    }
    usize::try_from(files / 2).unwrap_or(MOST_PLACES).clamp(1, MOST_PLACES)
}
