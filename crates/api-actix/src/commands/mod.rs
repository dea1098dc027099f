//! The commands of the program, one file each. Without a command it serves.
//!
//! A command that did what it was told ends with 0. Wrong usage and settings that cannot be right are 2, as at the start of
//! the service; anything else that went wrong is 1. What a command has to say goes to standard output, why it failed to
//! standard error.

mod admin;
mod check;
mod completions;
mod failure;
mod health;
mod man;
mod migrate;
mod openapi;
mod purge;
mod runtime;
mod serve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use roster_settings::LogSettings;
use roster_telemetry::logging;

use self::runtime::runtime;

pub use self::failure::Failure;
pub use self::serve::serve;

/// Keeps the users of an application: sign-up, log-in, roles, search, profile images, and a trash.
#[derive(Debug, Parser)]
#[command(name = "roster", version, after_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const HELP: &str = "\
Settings are environment variables, or lines of a file .env in the working folder:
docs/configuration.md. Exit codes: 0 it is done, 1 it failed, 2 wrong usage or a wrong setting.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until it is told to stop; this is what `roster` alone does
    Serve,
    /// Ask the running service at HOST and PORT whether it answers, for five seconds at most
    Health,
    /// Make admins
    #[command(subcommand)]
    Admin(Admin),
    /// Look at the settings and at what they name, and say what is wrong; nothing is changed
    ///
    /// One line each. Exit code 0: all is well; 1: something does not work; 2: a setting cannot be right.
    Check,
    /// Delete at once what the service deletes in time: old trash, and images that nobody has
    ///
    /// It may run beside the service.
    Purge,
    /// Move all accounts from one database to another, trash and sessions included, and images too
    #[command(after_help = migrate::HELP)]
    Migrate(migrate::Arguments),
    /// Print the document of the API, as it is served at /openapi.json
    Openapi,
    /// Print what completes the arguments of this program in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of this program or of a command, for `man -l -`
    Man {
        /// The command, such as `migrate` or `admin create`
        command: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Make an admin, whatever ADMIN_SIGNUP says; it may run beside the service
    ///
    /// The password is asked for, or read from standard input where that is no terminal: its first line.
    #[expect(clippy::doc_markdown, reason = "it is shown as it stands")]
    Create(admin::Form),
}

/// Does what the arguments of this process say, and tells how it ended.
#[must_use]
#[expect(clippy::print_stderr, reason = "it is what a command says to its caller")]
pub fn run() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended = match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(),
        Command::Health => health::run(),
        Command::Admin(Admin::Create(form)) => admin::create(form),
        Command::Check => check::run(),
        Command::Purge => purge::run(),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Openapi => openapi::run(),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { command } => man::run(&command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("roster: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Does what waits for stores, on a runtime of its own. Meanwhile it logs to standard error.
fn waiting(log: LogSettings, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    logging::start_beside_output(log);
    let runtime = runtime();
    let ended = runtime.block_on(work);
    // Not dropped, which would wait for threads that a hung disk may hold.
    runtime.shutdown_background();
    ended
}

/// Writes to standard output, which may be closed or full.
fn print(text: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(text).and_then(|()| output.flush()).map_err(Failure::Output)
}

/// Writes one line to standard output.
fn say(line: &str) -> Result<(), Failure> {
    print(format!("{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
