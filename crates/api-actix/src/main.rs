//! The program `roster`: `roster` alone serves.

use std::ffi::OsStr;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use roster_api_actix::serve;

/// glibc's keeps what decoded images took, and so takes it again for the next.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str = "usage: roster [--help | --version]; its settings are in docs/configuration.md";

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what a command says to its caller")]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next().as_deref().map(OsStr::as_encoded_bytes), arguments.next()) {
        (None, _) => match serve() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("roster: {failure}");
                return ExitCode::from(failure.exit_code());
            }
        },
        (Some(b"--help" | b"-h"), None) => println!("{USAGE}"),
        (Some(b"--version" | b"-V"), None) => println!("roster {}", env!("CARGO_PKG_VERSION")),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
