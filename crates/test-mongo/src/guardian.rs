//! Ends what a test run started, also when the run is interrupted or killed.
//!
//! A guardian is a small shell process in a process group of its own, which ignores signals and reads from a pipe that
//! only the test process holds. When that process ends, however it does, the pipe closes and the guardian cleans up.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::NoServer;

/// Runs `$@`, the program; at the end of its input kills it, and removes the folder `$DIR` unless told to keep it.
const PROGRAM: &str = r#"
trap '' HUP INT TERM
"$@" </dev/null & child=$!
read -r word
kill -9 $child 2>/dev/null; wait $child 2>/dev/null
[ "$word" = keep ] || rm -rf -- "$DIR"
"#;

/// At the end of its input removes every container with the label `$LABEL`.
const CONTAINERS: &str = r#"
trap '' HUP INT TERM
read -r word
ids=$(docker ps -aq --filter "label=$LABEL")
[ -z "$ids" ] || docker rm -f -v $ids >/dev/null
"#;

/// A running guardian. Dropped, it cleans up.
pub struct Guardian {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Starts a program that keeps its data in `folder`, and waits until it prints `ready`. Both end with this process.
    pub fn of_program<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        folder: &Path,
        ready: &str,
    ) -> Result<Self, NoServer> {
        let mut command = shell(PROGRAM);
        command.arg(program).args(arguments).env("DIR", folder).stdout(Stdio::piped());
        let mut guardian = Self::spawn(command)?;
        let output = guardian.child.stdout.take().map(BufReader::new);
        let mut last = String::new();
        let mut lines = output.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        while !last.contains(ready) {
            let Some(line) = lines.next() else {
                return Err(NoServer(format!("{} ended; its last line: {last}", program.display())));
            };
            last = line;
        }
        // It must go on being read, or the program would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(guardian)
    }

    /// Sees to it that containers with this label (`key=value`) end with this process.
    pub fn of_containers(label: &str) -> Result<Self, NoServer> {
        let mut command = shell(CONTAINERS);
        command.env("LABEL", label).stdout(Stdio::null());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self, NoServer> {
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(NoServer::while_doing("starting sh"))?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Kills the program at once, as `kill -9` does, and leaves its folder.
    pub fn kill_and_keep_folder(mut self) -> Result<(), NoServer> {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(b"keep\n").map_err(NoServer::while_doing("telling a guardian"))?;
        }
        self.child.wait().map(drop).map_err(NoServer::while_doing("waiting for a guardian"))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // It has nothing to tell, and the next one does not depend on it.
        let _ended = self.child.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    command
}
