//! How the allocator behaves.

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc 2, in milliseconds. The binding names no options that mimalloc calls advanced.
const PURGE_DELAY: c_int = 15;

/// Has mimalloc return freed memory to the system at once, unless the environment has `MIMALLOC_PURGE_DELAY`.
///
/// By default it waits 10 ms, or 100 for large blocks, and until something else is freed. A decoded image's memory would still be there while the next
/// one takes its own, and both would exceed `IMAGE_MEMORY_MB`.
#[expect(unsafe_code, reason = "no safe binding sets an option, and the environment is read before `main`")]
pub(crate) fn return_freed_memory_at_once() {
    // SAFETY: the call writes one integer of mimalloc's table of options, whose bounds it checks. No other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, c_long::from(0)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "no safe binding reads an option")]
    fn freed_memory_is_returned_without_a_delay() {
        // SAFETY: the call reads one integer of mimalloc's table of options, whose bounds it checks.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // That it is 10 by default tells that the number above is still that option's.
        assert_eq!(delay(), 10);
        return_freed_memory_at_once();
        assert_eq!(delay(), 0);
    }
}
