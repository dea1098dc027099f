//! Disks that are full, read-only or broken: real ones, of the program under test alone, made without anybody's leave.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Setup, TestApp};

/// Mounts a memory disk of `$1` bytes at `$2`, and becomes the rest, in a namespace of its own.
const ON_A_SMALL_DISK: &str = r#"
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec unshare --user --map-root-user --mount sh -c '
        mkdir -p "$2" && mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && shift 2 && exec "$@"
    ' sh "$@"
"#;

/// Mounts the disk in the file `$1`, made where there is none, at `$2`, and becomes the rest, in a namespace of its own.
const ON_A_DISK_THAT_CAN_HANG: &str = r#"
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    [ -e "$1" ] || { truncate -s 64M "$1" && mkfs.ext4 -q "$1"; } || exit
    exec unshare --mount sh -c '
        mkdir -p "$2" && mount -o loop "$1" "$2" && chmod 700 "$2" && shift 2 && exec "$@"
    ' sh "$@"
"#;

/// Whether this machine lets anybody have a disk of their own. Where `CI` is set it has to.
pub(crate) fn can_be_had() -> bool {
    can_run(ON_A_SMALL_DISK, "1m", &["true"])
}

/// Whether this machine lets us have a disk that hangs: it takes root. Where `CI` is set it has to.
pub(crate) fn can_hang() -> bool {
    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("disk");
    can_run(ON_A_DISK_THAT_CAN_HANG, file.to_str().unwrap(), &["sh", "-c", "command -v fsfreeze"])
}

fn can_run(script: &str, disk: &str, command: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let tried = Command::new("/bin/sh")
        .args(["-c", script, "sh", disk])
        .arg(folder.path())
        .args(command)
        .output()
        .unwrap();
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        let told = format!("no namespace with such a disk can be had here: {why}");
        assert!(std::env::var_os("CI").is_none(), "{told}");
        tell(&told);
    }
    tried.status.success()
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was not tested")]
fn tell(what: &str) {
    eprintln!("NOT TESTED: {what}");
}

/// Starts a program with a disk of so many bytes (`4m`) there, which nobody else sees.
pub(crate) fn small(setup: Setup, size: &str, at: &Path) -> Setup {
    setup.by(&["/bin/sh", "-c", ON_A_SMALL_DISK, "sh", size, at.to_str().unwrap()])
}

/// Starts a program with a disk there that can be made to hang, kept in that file.
pub(crate) fn hangable(setup: Setup, file: &Path, at: &Path) -> Setup {
    let [file, at] = [file, at].map(|path| path.to_str().unwrap());
    setup.by(&["/bin/sh", "-c", ON_A_DISK_THAT_CAN_HANG, "sh", file, at])
}

/// A disk of a program's that hangs: what is written waits. It goes on with the end of this, or of the test's own process.
pub(crate) struct Hanging(Child);

impl Hanging {
    /// It hangs from now on.
    pub(crate) fn from_now(app: &TestApp, disk: &Path) -> Self {
        let target = app.pid().as_raw_nonzero().to_string();
        let script = r#"
            trap "" INT TERM HUP
            export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            fsfreeze --freeze "$0" && echo frozen && read -r _; fsfreeze --unfreeze "$0"
        "#;
        let freezer = Command::new("nsenter")
            .args(["--target", &target, "--mount", "sh", "-c", script])
            .arg(disk)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut hanging = Self(freezer.unwrap());
        says(&mut hanging.0, "frozen");
        hanging
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// A disk that no program sees but those that are started there, and that stays when they end.
pub(crate) struct Own(Child);

impl Own {
    /// One of so many bytes (`4m`).
    pub(crate) fn small(size: &str, at: &Path) -> Self {
        let holder = Command::new("/bin/sh")
            .args(["-c", ON_A_SMALL_DISK, "sh", size])
            .arg(at)
            .args(["sh", "-c", r#"trap "" INT TERM HUP; echo mounted; read -r _"#])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut own = Self(holder.unwrap());
        says(&mut own.0, "mounted");
        own
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Waits until it says that.
fn says(child: &mut Child, word: &str) {
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said.trim_end(), word);
}

/// Lets one that waits for the end of its input go on to its own.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    // It has nothing to tell: what does not end then holds up whoever waits for it.
    let _ = child.wait();
}

/// Fills a disk of a process's to its last byte.
pub(crate) fn fill(process: Pid, disk: &Path) {
    let said = run(process, r#"dd if=/dev/zero of="$0/filler" bs=4096"#, disk);
    assert!(said.contains("No space left"), "{said}");
}

/// Takes away again what filled it.
pub(crate) fn free(process: Pid, disk: &Path) {
    assert_eq!(run(process, r#"rm "$0/filler""#, disk), "");
}

/// The names of the files in a folder on it.
pub(crate) fn files(app: &TestApp, folder: &Path) -> String {
    run(app.pid(), r#"ls "$0" >&2"#, folder)
}

/// The words before a command that is to see the disks which that process sees.
pub(crate) fn beside(process: Pid) -> Vec<String> {
    let target = process.as_raw_nonzero().to_string();
    ["nsenter", "--target", &target, "--user", "--preserve-credentials", "--mount"].map(str::to_owned).into()
}

/// Runs a command where a process sees its disk, and returns what it said on stderr.
fn run(process: Pid, script: &str, disk: &Path) -> String {
    let words = beside(process);
    let output =
        Command::new(&words[0]).args(&words[1..]).args(["sh", "-c", script]).arg(disk).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts a program whose disks can be made to refuse all writes.
pub(crate) fn refusable(setup: Setup) -> Setup {
    // Without the signal a write beyond the limit fails.
    setup.by(&["/bin/sh", "-c", r#"trap "" XFSZ; exec "$@""#, "sh"])
}

/// Lets no file of the program's be written to any more, whichever disk it lies on; or lets it again.
pub(crate) fn refuse_writes(app: &TestApp, refuse: bool) {
    let current = if refuse { Some(0) } else { None };
    prlimit(Some(app.pid()), Resource::Fsize, Rlimit { current, maximum: None }).unwrap();
}
