//! Fetches a `mongod` that runs on Debian 12, unless that was done before, and prints where it is: for scripts.

use std::process::ExitCode;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what a command says to its caller")]
fn main() -> ExitCode {
    match roster_test_mongo::fetch::fetched() {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
