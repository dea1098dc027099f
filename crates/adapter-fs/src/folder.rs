use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{self, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use roster_domain::ports::Spool;
use roster_domain::values::{ImageFormat, ImageKey, UserId};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, fsync, mkdirat, openat, renameat, stat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::temp::{TempFile, remove_abandoned};

/// How much of an image is held in memory.
const CHUNK: usize = 64 * 1024;

/// Where unfinished images lie. No user's id is like it.
const TEMP: &str = ".tmp";

/// The folder on disk. What it does waits for the disk.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    root: OwnedFd,
    temp: OwnedFd,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        create_durably(path)?;
        // It must be found again wherever this process goes.
        let path = path::absolute(path)?;
        let root = OwnedFd::from(File::open(&path)?);
        let temp = open_or_create_dir(&root, TEMP)?;
        let folder = Self { path, root, temp };
        remove_abandoned(folder.temp.as_fd())?;
        folder.probe()?;
        Ok(folder)
    }

    /// The folder that lies at its path now, where that is another than this: it was removed and put back, or mounted anew.
    ///
    /// # Errors
    /// Where none lies there, or one that was never ours, as the empty mount point of a volume that is away. None is made:
    /// what it held is to come back, and what would be put into another would be hidden by it.
    pub(crate) fn put_back(&self) -> io::Result<Option<Self>> {
        let is_there = same(&stat(&self.path)?, &fstat(&self.root)?)
            && statat(&self.root, TEMP, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|temp| fstat(&self.temp).is_ok_and(|ours| same(&temp, &ours)));
        if is_there { Ok(None) } else { self.open_other().map(Some) }
    }

    fn open_other(&self) -> io::Result<Self> {
        let root = OwnedFd::from(File::open(&self.path)?);
        let temp = match open_dir(&root, TEMP) {
            Err(Errno::NOENT) => {
                let gone =
                    format!("the folder has no {TEMP}, so it is not the one that was there; put that back");
                return Err(io::Error::new(io::ErrorKind::NotFound, gone));
            }
            opened => opened?,
        };
        Ok(Self { path: self.path.clone(), root, temp })
    }

    /// Tries that files can be made, locked and written here, so that a folder where they can't stops the start.
    fn probe(&self) -> io::Result<()> {
        let key = ImageKey::new(UserId::from_bytes([0; 12]), [0; 16], ImageFormat::Jpeg);
        let temp = TempFile::create(self.temp.as_fd(), &key)?;
        temp.file().write_all_at(&[0], 0)
    }

    pub(crate) fn put(&self, key: &ImageKey, image: &Spool, abandoned: &AtomicBool) -> io::Result<()> {
        let temp = TempFile::create(self.temp.as_fd(), key)?;
        copy(image, temp.file(), abandoned)?;
        temp.file().sync_all()?;
        // Asks anew whether it is wanted: a removal may have been carried out since, and the image must not come back after it.
        self.publish(key, temp, abandoned).inspect_err(|_| self.withdraw(key))
    }

    /// Gives a finished file its name. The owner's folder may vanish under it as often as the owner's last image is removed in
    /// that very moment, so it tries for as long as somebody waits.
    fn publish(&self, key: &ImageKey, temp: TempFile<'_>, abandoned: &AtomicBool) -> io::Result<()> {
        let (owner, name) = parts(key);
        loop {
            check_wanted(abandoned)?;
            let dir = match open_or_create_dir(&self.root, owner) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            match renameat(&self.temp, temp.name(), &dir, name) {
                // The owner's folder was removed since it was opened.
                Err(Errno::NOENT) => continue,
                renamed => renamed?,
            }
            temp.published();
            fsync(&dir)?;
            // Also where the owner's folder was there already: whoever made it may not have come to this yet.
            return Ok(fsync(&self.root)?);
        }
    }

    /// Undoes a put that failed. If that fails too, the image is whole, and it is swept as one that nobody knows of.
    fn withdraw(&self, key: &ImageKey) {
        if let Err(error) = self.remove(key) {
            tracing::warn!(?key, %error, "an image that could not be stored may have been left behind");
        }
    }

    /// The image's file and length.
    pub(crate) fn open_image(&self, key: &ImageKey) -> io::Result<Option<(File, u64)>> {
        let (owner, name) = parts(key);
        let file = match open_dir(&self.root, owner).and_then(|dir| open_file(&dir, name)) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        regular(file)?.ok_or_else(|| io::Error::other("not a regular file")).map(Some)
    }

    /// A file in the folder itself, and its length, by a [bare name](is_bare_name). What is no regular file is none.
    pub(crate) fn open_original(&self, name: &str) -> io::Result<Option<(File, u64)>> {
        match open_file(&self.root, name) {
            // It is not there, is a link or a socket, or has a name that no file can have.
            Err(
                Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ,
            ) => Ok(None),
            opened => regular(opened?),
        }
    }

    /// Removes an image, and its owner's folder where it was the last in it. What is gone already is synced all the same: its
    /// removal may not have been.
    pub(crate) fn remove(&self, key: &ImageKey) -> io::Result<()> {
        let (owner, name) = parts(key);
        match open_dir(&self.root, owner) {
            Err(Errno::NOENT) => return Ok(fsync(&self.root)?),
            dir => {
                let dir = dir?;
                match unlinkat(&dir, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => fsync(&dir)?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        // Only an empty folder is removed, and that in one step: a put at the same time is in it, or makes it anew.
        match unlinkat(&self.root, owner, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(fsync(&self.root)?),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether it names something in a folder itself, and nothing hidden: neither another folder nor what is ours there.
pub(crate) fn is_bare_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Opens a file to be read, and no link to one. Without NONBLOCK a pipe in its place would be waited for.
fn open_file(dir: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
}

/// A file and its length; `None` where it is no regular file.
fn regular(file: OwnedFd) -> io::Result<Option<(File, u64)>> {
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let length = u64::try_from(stat.st_size).map_err(io::Error::other)?;
    Ok(Some((File::from(file), length)))
}

/// The owner's folder and the file's name.
fn parts(key: &ImageKey) -> (&str, &str) {
    key.as_str().split_once('/').unwrap_or_default()
}

/// Copies a spool, piece by piece.
fn copy(image: &Spool, to: &File, abandoned: &AtomicBool) -> io::Result<()> {
    let mut chunk = vec![0; chunk_size(image.length())];
    let mut position = 0;
    while position < image.length() {
        check_wanted(abandoned)?;
        let piece = &mut chunk[..chunk_size(image.length() - position)];
        image.read_exact_at(piece, position)?;
        to.write_all_at(piece, position)?;
        position += piece.len() as u64;
    }
    Ok(())
}

fn check_wanted(abandoned: &AtomicBool) -> io::Result<()> {
    if abandoned.load(Ordering::Acquire) { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

fn open_dir(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn open_or_create_dir(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(open_dir(parent, name)?),
        Err(error) => Err(error.into()),
    }
}

/// Makes a folder and those above it that are missing, each durably.
fn create_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for folder in missing {
        let folder = fs::canonicalize(folder)?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

/// How many of so many bytes are read or written at once.
pub(crate) fn chunk_size(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK)
}

#[cfg(test)]
mod tests {
    use roster_domain_testkit::fixtures::{image_key, next_user_id, spool};

    use super::*;

    #[test]
    fn a_put_that_nobody_waits_for_any_more_stores_nothing() {
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::open(path.path()).unwrap();
        let key = image_key(next_user_id());
        for image in [spool(b"image"), spool(b"")] {
            assert!(folder.put(&key, &image, &AtomicBool::new(true)).is_err());
            assert!(folder.open_image(&key).unwrap().is_none());
        }
        assert_eq!(fs::read_dir(path.path().join(TEMP)).unwrap().count(), 0);
    }

    #[test]
    fn an_owners_folder_that_vanished_is_made_anew() {
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::open(path.path()).unwrap();
        let key = image_key(next_user_id());
        for _ in 0..2 {
            folder.put(&key, &spool(b"image"), &AtomicBool::new(false)).unwrap();
            folder.remove(&key).unwrap();
            assert!(!path.path().join(parts(&key).0).exists());
            folder.remove(&key).unwrap();
        }
    }

    #[test]
    fn a_put_whose_owners_folder_vanishes_under_it_is_not_lost() {
        let path = tempfile::tempdir().unwrap();
        let folder = Folder::open(path.path()).unwrap();
        let owner = next_user_id();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for _ in 0..100 {
                    let key = image_key(owner);
                    folder.put(&key, &spool(b"image"), &AtomicBool::new(false)).unwrap();
                    assert!(folder.open_image(&key).unwrap().is_some());
                    folder.remove(&key).unwrap();
                }
            });
            // What the removal of an owner's last image does, in every moment there is.
            while !writer.is_finished() {
                let removed = unlinkat(&folder.root, owner.to_string(), AtFlags::REMOVEDIR);
                assert!(matches!(removed, Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY)), "{removed:?}");
            }
        });
    }
}
