use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::watch;

use super::{PATIENCE, Setup};

/// What a server has said so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The lines of stdout and stderr, in the order in which they came.
    pub(crate) lines: Vec<String>,
    /// Those of stderr alone.
    pub(crate) errors: Vec<String>,
    /// How many of the two streams have ended.
    ended: usize,
}

impl Log {
    /// The lines that are JSON, as such.
    pub(crate) fn events(&self) -> impl Iterator<Item = Value> {
        self.lines.iter().filter_map(|line| serde_json::from_str(line).ok())
    }
}

/// The binary under test: the one that was built with the test, or the one that `ROSTER_TEST_BINARY` names, such as a release build.
fn binary() -> String {
    std::env::var("ROSTER_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_roster").to_owned())
}

/// One run of the binary.
///
/// It ends with this value, also when a test panics; and with the test's own process, also when that is killed: then a
/// watchdog, a shell that reads a pipe which nobody else holds, sees the pipe's end, kills the server and removes the folder.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    watchdog: Child,
    log: Arc<watch::Sender<Log>>,
}

impl Server {
    /// Starts the binary in a folder, with these variables and no others, as the last word of a command that becomes it.
    pub(crate) fn spawn(folder: &Path, variables: &BTreeMap<String, String>, command: &[String]) -> Self {
        let binary = binary();
        let words: Vec<&str> = command.iter().map(String::as_str).chain([binary.as_str()]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .current_dir(folder)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let watchdog = Command::new("/bin/sh")
            .args(["-c", r#"trap "" INT TERM HUP; read -r _; kill -9 "$1"; rm -rf "$2""#, "watchdog"])
            .arg(child.id().to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        let log = Arc::new(watch::Sender::new(Log::default()));
        follow(child.stdout.take().expect("stdout is piped"), &log, false);
        follow(child.stderr.take().expect("stderr is piped"), &log, true);
        Self { child, watchdog, log }
    }

    /// Waits until the log holds what is looked for; `None` where the server ended, or patience did, without it.
    pub(crate) async fn logged<T>(&self, look: impl Fn(&Log) -> Option<T>) -> Option<T> {
        let mut log = self.log.subscribe();
        let waiting = log.wait_for(|log| look(log).is_some() || log.ended == 2);
        let log = tokio::time::timeout(PATIENCE, waiting).await.ok()?.ok()?;
        look(&log)
    }

    /// All that it has said so far.
    pub(crate) fn log(&self) -> watch::Ref<'_, Log> {
        // The sender's own borrow: there need not be a receiver.
        self.log.borrow()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What the system tells of it, in that file of its own.
    pub(crate) fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server is there to be signalled");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut log = self.log.subscribe();
        let closed = tokio::time::timeout(PATIENCE, log.wait_for(|log| log.ended == 2)).await;
        assert!(closed.is_ok(), "the server does not end; its log: {:#?}", self.log.borrow().lines);
        self.child.wait().expect("the server can be waited for")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Each may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = self.child.wait();
    }
}

fn follow(stream: impl Read + Send + 'static, log: &Arc<watch::Sender<Log>>, is_stderr: bool) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.send_modify(|log| {
                if is_stderr {
                    log.errors.push(line.clone());
                }
                log.lines.push(line);
            });
        }
        log.send_modify(|log| log.ended += 1);
    });
}

/// Starts the binary where it must refuse to, and returns its exit code and what it said on stderr and in all.
pub(crate) async fn refused_start(folder: &Path, setup: &Setup) -> (Option<i32>, Vec<String>, Vec<String>) {
    let mut server = Server::spawn(folder, setup.variables(), setup.command());
    let listening =
        server.logged(|log| log.lines.iter().any(|line| line.contains("listening on")).then_some(()));
    assert!(listening.await.is_none(), "it started with {:?}", setup.variables());
    let status = server.ended().await;
    let log = server.log();
    (status.code(), log.errors.clone(), log.lines.clone())
}
