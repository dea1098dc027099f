//! The program `roster`: `roster` alone serves.

mod allocator;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// glibc's keeps what decoded images took, and so takes it again for the next.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    allocator::return_freed_memory_at_once();
    roster_api_actix::commands::run()
}
