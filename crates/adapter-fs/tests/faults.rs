//! Full disks and killed processes. The faults happen to a process of their own: each test runs itself once more,
//! and takes the child's part where it is given a folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use roster_adapter_fs::FolderImages;
use roster_domain::ports::{ImageStore, Spool};
use roster_domain::values::ImageKey;
use roster_domain_testkit::fixtures::{bytes, spool};

use support::{files, key, owner, read};

mod support;

const FOLDER: &str = "ROSTER_TEST_FOLDER";
const ROUND: &str = "ROSTER_TEST_ROUND";
/// Larger than any buffer, and no multiple of one.
const LENGTH: usize = 200_000;

/// Runs a test of this file in a process whose files can't grow beyond so many blocks of 512 bytes.
fn child(test: &str, folder: &Path, blocks: &str) -> Command {
    // Without the signal a write beyond the limit fails, as on a full disk.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ && ulimit -f \"$0\" && exec \"$@\"", blocks])
        .arg(this_program())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped());
    command
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("the test's own program")
}

/// The folder of the parent, where this process is a child.
fn folder_of_parent() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_leaves_nothing_behind() {
    if let Some(folder) = folder_of_parent() {
        return store_more_than_the_disk_holds(&folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let output =
        child("a_full_disk_is_unavailable_and_leaves_nothing_behind", folder.path(), "128").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");

    let images = FolderImages::open(folder.path()).unwrap();
    assert_eq!(read(&images, &key(owner(1), 1)).await.unwrap(), b"small");
    assert_eq!(files(folder.path()).len(), 1);
}

async fn store_more_than_the_disk_holds(folder: &Path) {
    let images = FolderImages::open(folder).expect("an open folder");
    images.put(&key(owner(1), 1), spool(b"small")).await.expect("a small image is stored");

    // Something large that is there already: an upload of that size could not be written either.
    let large = File::open(this_program()).expect("a large file");
    let large = Spool::new(move |buffer, position| large.read_at(buffer, position), 1 << 20);
    let fault = images.put(&key(owner(2), 1), large).await.expect_err("a full disk");
    let source = fault.source.downcast::<io::Error>().expect("an I/O error");
    assert_eq!(source.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(files(folder).len(), 1);
    assert!(!folder.join(owner(2).to_string()).exists());
}

#[tokio::test]
async fn what_was_answered_is_whole_after_a_kill_and_nothing_half_is_left_after_a_restart() {
    if let Some(folder) = folder_of_parent() {
        return store_images_until_killed(&folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    // Another instance, which lives on through all of it.
    let other = FolderImages::open(folder.path()).unwrap();
    let mut answered = BTreeSet::new();
    for round in 0..5 {
        let test = "what_was_answered_is_whole_after_a_kill_and_nothing_half_is_left_after_a_restart";
        let mut child =
            child(test, folder.path(), "unlimited").env(ROUND, round.to_string()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut keys = lines.map_while(Result::ok).filter_map(|line| ImageKey::parse(&line).ok());
        answered.extend(keys.by_ref().take(3 + round));
        child.kill().unwrap();
        child.wait().unwrap();
        answered.extend(keys);
    }
    assert!(answered.len() >= 25, "{} images were stored", answered.len());

    FolderImages::open(folder.path()).unwrap();
    let left: BTreeSet<ImageKey> = files(folder.path())
        .iter()
        .map(|path| ImageKey::parse(path.to_str().unwrap()).expect("no unfinished image is left"))
        .collect();
    assert!(left.is_superset(&answered));
    for key in &left {
        assert!(read(&other, key).await.unwrap() == bytes(LENGTH), "{key:?} is not whole");
    }
}

async fn store_images_until_killed(folder: &Path) {
    let images = FolderImages::open(folder).expect("an open folder");
    let round: u128 = std::env::var(ROUND).expect("a round").parse().expect("its number");
    let image = spool(&bytes(LENGTH));
    for number in round << 64.. {
        let key = key(owner(1), number);
        images.put(&key, image.clone()).await.expect("an image is stored");
        writeln!(io::stdout(), "{}", key.as_str()).expect("a parent that listens");
    }
}
