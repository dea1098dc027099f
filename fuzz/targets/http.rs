//! Whole requests, to every endpoint: paths, queries, headers and JSON bodies. No answer is a 500, and each is one of ours.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roster_fuzz::{call, written};

fuzz_target!(|bytes: &[u8]| {
    if let Some(request) = written(bytes) {
        call(request);
    }
});
