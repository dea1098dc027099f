use std::error::Error;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A line for whoever waits for the table.
#[expect(clippy::print_stderr, reason = "it is for the person at the terminal")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}
