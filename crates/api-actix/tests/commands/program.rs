//! The program, run to its end.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it said, where it did what it was told.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Why it failed, in one line.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let lines: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("roster: ")).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].to_owned()
    }
}

/// `roster` with these arguments, in that folder, with these variables and no others.
pub(crate) fn roster(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
    command.args(arguments).current_dir(folder).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    ended(&mut roster(folder, arguments, variables))
}

/// Waits for the end of what is started.
pub(crate) fn ended(command: &mut Command) -> Ended {
    Ended::of(command.output().unwrap())
}

/// Runs it with that on its standard input.
pub(crate) fn run_with_input(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> Ended {
    let mut process = roster(folder, arguments, variables).stdin(Stdio::piped()).spawn().unwrap();
    // It may end without having read it.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    Ended::of(process.wait_with_output().unwrap())
}
