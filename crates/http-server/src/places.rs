//! How many connections a process has places for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files this process would like to have open.
const OPEN_FILES: u64 = 65_536;

/// How many connections may be open at most: each takes some kilobytes as well.
const MOST_PLACES: usize = 16_384;

/// Has the system let this process open more files, 65,536 where it may, and answers how many it may open now.
#[must_use]
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    let files = limit.current.unwrap_or(OPEN_FILES);
    let more = Rlimit { current: Some(wanted), maximum: limit.maximum };
    if files < wanted && setrlimit(Resource::Nofile, more).is_ok() { wanted } else { files }
}

/// How many connections a process may have open that may open so many files: half as many, at most 16,384.
#[must_use]
pub fn places(files: u64) -> usize {
    usize::try_from(files / 2).unwrap_or(MOST_PLACES).clamp(1, MOST_PLACES)
}
