//! Temporary files of images, and how those that a dead process abandoned are found.
//!
//! Each is locked by its writer from its creation to its end, and a lock goes with its process. So one that can be locked is
//! abandoned. Two moments need care:
//!
//! - Between creation and lock a cleaner can lock and remove the new file. The writer sees that the lock is taken, or that
//!   the file has no name any more, and makes another.
//! - Between a cleaner's opening and locking of a file its writer can finish it. The cleaner sees that the name is gone or
//!   another file's, and leaves it. Once it has locked what the name stands for, nobody else renames or removes that.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use roster_domain::values::ImageKey;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file under a temporary name, which is removed with it unless it is [published](Self::published).
#[derive(Debug)]
pub(crate) struct TempFile<'a> {
    dir: BorrowedFd<'a>,
    name: String,
    file: File,
    published: bool,
}

impl<'a> TempFile<'a> {
    /// Makes an empty one in `dir`.
    pub(crate) fn create(dir: BorrowedFd<'a>, key: &ImageKey) -> io::Result<Self> {
        loop {
            let name = temp_name(key, process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match openat(dir, &name, flags, Mode::RUSR | Mode::WUSR) {
                // Of a dead process that had our id; another number will do.
                Err(Errno::EXIST) => continue,
                opened => File::from(opened?),
            };
            let temp = Self { dir, name, file, published: false };
            match temp.file.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) if fstat(&temp.file)?.st_nlink == 0 => {}
                Ok(()) => return Ok(temp),
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It has another name now, and stays.
    pub(crate) fn published(mut self) {
        self.published = true;
    }
}

impl Drop for TempFile<'_> {
    fn drop(&mut self) {
        if !self.published {
            remove(self.dir, &self.name);
        }
    }
}

/// Removes the files in `dir` whose writers are gone. What can't be removed is told to the log and left to the next start.
pub(crate) fn remove_abandoned(dir: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().ok().filter(|name| is_temp_name(name)) else {
            continue;
        };
        match lock_abandoned(dir, name) {
            Ok(Some(_locked)) => remove(dir, name),
            Ok(None) => {}
            Err(error) => tracing::warn!(name, %error, "an unfinished image could not be looked at"),
        }
    }
    Ok(())
}

/// The file of this name, locked, where nobody else has it.
fn lock_abandoned(dir: BorrowedFd<'_>, name: &str) -> io::Result<Option<File>> {
    // A lock of some network file systems wants a file that is open for writing.
    let file = match openat(dir, name, OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => File::from(opened?),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    let ours = fstat(&file)?;
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) if (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino) => Ok(Some(file)),
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn remove(dir: impl AsFd, name: &str) {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => tracing::warn!(name, %error, "an unfinished image could not be removed"),
    }
}

fn temp_name(key: &ImageKey, process: u32, number: u64) -> String {
    format!("{}.{process}-{number}.part", key.as_str().replace('/', "-"))
}

/// Whether [`temp_name`] made it: nothing else is ever removed.
fn is_temp_name(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_suffix(".part")
        .and_then(|rest| rest.rsplit_once('.'))
        .and_then(|(key, numbers)| Some((key, numbers.split_once('-')?)))
        .is_some_and(|(key, (process, number))| {
            is_number(process) && is_number(number) && ImageKey::parse(&key.replacen('-', "/", 1)).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::Mutex;

    use roster_domain::values::{ImageFormat, UserId};

    use super::*;

    const FOLDER: &str = "ROSTER_TEST_FOLDER";

    /// For a test that starts a process, and for one that lets go of a file: until it runs its program, the process has copies
    /// of all files that are open here, and so their locks.
    static FILES_AND_PROCESSES: Mutex<()> = Mutex::new(());

    fn key() -> ImageKey {
        ImageKey::new(UserId::from_bytes([7; 12]), [9; 16], ImageFormat::Png)
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn only_names_that_were_made_here_are_known() {
        assert!(is_temp_name(&temp_name(&key(), 1, 0)));
        for other in ["", ".part", "notes.txt", "x.1-1.part", "a-b.png.1-1.part", key().file_name()] {
            assert!(!is_temp_name(other), "{other}");
        }
    }

    #[test]
    fn a_file_that_is_not_published_goes_with_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        drop(TempFile::create(dir.as_fd(), &key()).unwrap());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_cleaner_leaves_what_is_being_written_and_what_is_not_ours() {
        let _alone = FILES_AND_PROCESSES.lock();
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        let temp = TempFile::create(dir.as_fd(), &key()).unwrap();

        remove_abandoned(dir.as_fd()).unwrap();
        assert_eq!(names(folder.path()).len(), 2);

        let name = temp.name().to_owned();
        temp.published();
        remove_abandoned(dir.as_fd()).unwrap();
        assert_eq!(names(folder.path()), ["notes.txt"], "{name} is nobody's any more");
    }

    #[test]
    fn writers_and_cleaners_at_once_never_lose_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..2000 {
                    let temp = TempFile::create(dir.as_fd(), &key()).unwrap();
                    assert_eq!(fstat(temp.file()).unwrap().st_nlink, 1);
                    assert!(statat(&dir, temp.name(), AtFlags::SYMLINK_NOFOLLOW).is_ok());
                }
            });
            while !writer.is_finished() {
                remove_abandoned(dir.as_fd()).unwrap();
            }
        });
    }

    #[test]
    fn a_killed_process_leaves_a_file_that_the_next_start_removes_and_not_before() {
        // This test runs itself once more, and takes the child's part where it is given a folder.
        if let Some(folder) = std::env::var_os(FOLDER) {
            return write_half_an_image_and_wait(folder.as_ref());
        }
        let _alone = FILES_AND_PROCESSES.lock();
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        let test = "temp::tests::a_killed_process_leaves_a_file_that_the_next_start_removes_and_not_before";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("half written")), "the child wrote nothing");

        remove_abandoned(dir.as_fd()).unwrap();
        assert_eq!(names(folder.path()).len(), 1, "a live process's file was removed");

        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(folder.path()).len(), 1, "the kill came too late to leave anything");
        remove_abandoned(dir.as_fd()).unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    fn write_half_an_image_and_wait(folder: &Path) {
        let dir = File::open(folder).unwrap();
        let temp = TempFile::create(dir.as_fd(), &key()).unwrap();
        temp.file().write_all(b"half an im").unwrap();
        println!("half written");
        // Until it is killed.
        io::stdin().read_line(&mut String::new()).unwrap();
    }
}
