//! A running program that listens: `roster`, or the bare handler it is compared with.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::http::{Connection, Request};
use crate::outcome::Outcome;

/// Kills the process `$1` and removes the folder `$2` when its input ends, which it does when this process does.
const WATCHDOG: &str = r#"trap "" INT TERM HUP; read -r _; kill -9 "$1"; rm -rf -- "$2""#;

/// A program, and what it is told.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// A program that answers. It ends with this value, and with this process, however that ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// From its start to its first answer to `/health`.
    pub(crate) ready_after: Duration,
    process: Running,
    _watchdog: Running,
}

impl Server {
    /// Starts a program with these variables and no others, in a folder that is removed where this process is killed.
    pub(crate) async fn start(
        program: &Program,
        folder: &Path,
        variables: &[(&str, String)],
    ) -> Outcome<Self> {
        let start = Instant::now();
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).current_dir(folder).env_clear().envs(variables.iter().cloned());
        let mut process = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().ok_or("its output is piped")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on http://")?;
            let end = rest.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(rest.len());
            rest[..end].parse().ok()
        });
        let address =
            address.ok_or_else(|| format!("{} ended before it listened", program.path.display()))?;
        Connection::open(address).await?.ask(&Request::get("/health", None).bytes).await?;
        let ready_after = start.elapsed();
        // It must go on being read, or the program would wait for room in the pipe.
        thread::spawn(move || lines.for_each(drop));

        let mut command = Command::new("/bin/sh");
        let arguments = ["-c", WATCHDOG, "watchdog", &process.0.id().to_string()];
        command.args(arguments.map(OsStr::new)).arg(folder);
        let watchdog =
            Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        Ok(Self { address, ready_after, process, _watchdog: watchdog })
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }
}

/// A child that is killed when it is dropped.
struct Running(Child);

impl Running {
    /// In a process group of its own, so that a Ctrl-C reaches this process alone.
    fn start(command: &mut Command) -> Outcome<Self> {
        Ok(Self(command.process_group(0).spawn()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
