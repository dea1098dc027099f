//! Disks that are full, read-only or broken: real ones, of the program under test alone, made without anybody's leave.

use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::harness::{Setup, TestApp};

/// Mounts a memory disk of `$1` bytes at `$2`, and becomes the rest, in a namespace of its own.
const ON_A_SMALL_DISK: &str = r#"
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec unshare --user --map-root-user --mount sh -c '
        mkdir -p "$2" && mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && shift 2 && exec "$@"
    ' sh "$@"
"#;

/// Whether this machine lets anybody have a disk of their own. Where `CI` is set it has to.
pub(crate) fn can_be_had() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let tried = Command::new("/bin/sh")
        .args(["-c", ON_A_SMALL_DISK, "sh", "1m"])
        .arg(folder.path())
        .arg("true")
        .output()
        .unwrap();
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        let told = format!("no namespace with a disk of its own can be had here: {why}");
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

/// Fills a disk of the program's to its last byte.
pub(crate) fn fill(app: &TestApp, disk: &Path) {
    let said = run(app, r#"dd if=/dev/zero of="$0/filler" bs=4096"#, disk);
    assert!(said.contains("No space left"), "{said}");
}

/// Takes away again what filled it.
pub(crate) fn free(app: &TestApp, disk: &Path) {
    assert_eq!(run(app, r#"rm "$0/filler""#, disk), "");
}

/// The names of the files in a folder on it.
pub(crate) fn files(app: &TestApp, folder: &Path) -> String {
    run(app, r#"ls "$0" >&2"#, folder)
}

/// Runs a command where the program sees its disk, and returns what it said on stderr.
fn run(app: &TestApp, script: &str, disk: &Path) -> String {
    let target = app.pid().as_raw_nonzero().to_string();
    let output = Command::new("nsenter")
        .args(["--target", &target, "--user", "--preserve-credentials", "--mount", "sh", "-c", script])
        .arg(disk)
        .output()
        .unwrap();
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
