//! How the allocator is to behave.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The setting, in mimalloc's own words.
const NAME: &str = "MIMALLOC_PURGE_DELAY";

/// Has the allocator give memory back to the system at once where it is freed.
///
/// Else it does so a while later, and only when something else is freed then: a decoded image's memory is still there while
/// the next one takes its own, and both would exceed `IMAGE_MEMORY_MB`. mimalloc reads its options from the environment
/// before `main`, so the process begins anew with that set: it stays the same process, with the same arguments. Whoever has
/// set it is not overruled.
pub(crate) fn give_memory_back_at_once() {
    if env::var_os(NAME).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It comes back only where it has failed. Then images take more memory than they should, and all is well otherwise.
    let _ = command.args(arguments).env(NAME, "0").exec();
}
