use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, Failure, print};

/// Prints a script that completes arguments in that shell.
pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "roster", &mut script);
    print(&script)
}
