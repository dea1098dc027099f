//! What a folder on disk promises beyond the contract of image stores.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use roster_adapter_fs::FolderImages;
use roster_domain::ports::ImageStore;
use roster_domain_testkit::fixtures::{bytes, original_image, spool, spool_that_claims};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use support::{files, key, owner, read};

mod support;

/// Larger than any buffer, and no multiple of one.
const LENGTH: usize = 200_000;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("something is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_probe_tells_a_folder_that_is_gone_until_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (parent.path().join("images"), parent.path().join("elsewhere"));
    let images = FolderImages::open(&folder).unwrap();
    images.probe().await.unwrap();
    fs::rename(&folder, &elsewhere).unwrap();
    assert!(images.probe().await.is_err());
    assert!(!folder.exists(), "none is made");
    fs::rename(&elsewhere, &folder).unwrap();
    images.probe().await.unwrap();
}

#[tokio::test]
async fn only_the_server_may_read_what_it_stores() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data/images");
    let images = FolderImages::open(&folder).unwrap();
    let key = key(owner(1), 1);
    images.put(&key, spool(b"image")).await.unwrap();

    let file = folder.join(key.as_str());
    assert_eq!(mode(&file), 0o600);
    for made in [file.parent().unwrap(), &folder, folder.parent().unwrap(), &folder.join(".tmp")] {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
}

#[tokio::test]
async fn an_owners_folder_goes_with_the_last_image() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let (first, second) = (key(owner(1), 1), key(owner(1), 2));
    images.put(&first, spool(b"first")).await.unwrap();
    images.put(&second, spool(b"second")).await.unwrap();

    images.remove(&first).await.unwrap();
    assert_eq!(read(&images, &second).await.unwrap(), b"second");
    images.remove(&second).await.unwrap();
    assert!(!folder.path().join(owner(1).to_string()).exists());
}

#[tokio::test]
async fn a_removal_leaves_what_we_did_not_make() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let key = key(owner(1), 1);
    images.put(&key, spool(b"image")).await.unwrap();
    let notes = folder.path().join(owner(1).to_string()).join("notes.txt");
    fs::write(&notes, "keep").unwrap();

    images.remove(&key).await.unwrap();
    assert!(notes.exists());
}

#[tokio::test]
async fn puts_and_removals_of_one_owner_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let others = FolderImages::open(folder.path()).unwrap();
    // Each writer's images are removed again but for its last, so that the owner's folder comes and goes.
    join_all((0..8_u128).map(|writer| {
        let images = if writer % 2 == 0 { &images } else { &others };
        async move {
            for number in 1..=40 {
                let key = key(owner(1), writer * 1000 + number);
                images.put(&key, spool(&number.to_be_bytes())).await.unwrap();
                assert_eq!(read(images, &key).await.unwrap(), number.to_be_bytes());
                images.remove(&key).await.unwrap();
                assert_eq!(read(images, &key).await, None);
            }
            images.put(&key(owner(1), writer * 1000), spool(b"last")).await.unwrap();
        }
    }))
    .await;

    let left = (0..8).map(|writer| PathBuf::from(key(owner(1), writer * 1000).as_str())).collect();
    assert_eq!(files(folder.path()), left);
}

#[tokio::test]
async fn a_link_or_a_pipe_in_the_folder_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();

    // An owner's folder that leads outside.
    let linked = key(owner(1), 1);
    fs::write(outside.path().join(linked.file_name()), "secret").unwrap();
    symlink(outside.path(), folder.path().join(owner(1).to_string())).unwrap();
    assert!(images.open(&linked).await.is_err());
    assert!(images.remove(&linked).await.is_err());
    assert!(images.put(&linked, spool(b"image")).await.is_err());
    assert_eq!(fs::read(outside.path().join(linked.file_name())).unwrap(), b"secret");

    // An image that leads outside.
    let linked = key(owner(2), 1);
    let own = folder.path().join(owner(2).to_string());
    fs::create_dir(&own).unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "secret").unwrap();
    symlink(&target, own.join(linked.file_name())).unwrap();
    assert!(images.open(&linked).await.is_err());
    images.remove(&linked).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"secret");

    // One that would be waited for.
    let piped = key(owner(3), 1);
    let own = folder.path().join(owner(3).to_string());
    fs::create_dir(&own).unwrap();
    mknodat(CWD, own.join(piped.file_name()), FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(images.open(&piped).await.is_err());
}

async fn read_original(images: &FolderImages, name: &str) -> Option<Vec<u8>> {
    let stored = images.open_original(&original_image(name)).await.expect("a store that answers")?;
    let chunks: Vec<_> = stored.chunks.try_collect().await.expect("a whole image");
    let length = chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
    assert_eq!(Some(length), stored.length);
    Some(chunks.concat())
}

#[tokio::test]
async fn an_original_is_read_by_its_bare_name() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let long = format!("{}.jpg", "a".repeat(251));
    for name in ["me.jpg", "a b.png", "é", "..jpg.", "\u{7}", "%2e%2e", "C:\\x.jpg", &long] {
        let content = bytes(LENGTH + name.len());
        fs::write(folder.path().join(name), &content).unwrap_or_else(|error| panic!("{name}: {error}"));
        let read = read_original(&images, name).await;
        let is_hidden = name.starts_with('.');
        assert!(if is_hidden { read.is_none() } else { read == Some(content) }, "{name}");
    }
    assert_eq!(files(folder.path()).len(), 8, "they are left where they are");
}

#[tokio::test]
async fn what_is_no_file_in_the_folder_itself_is_no_original() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("images");
    let images = FolderImages::open(&folder).unwrap();
    fs::write(parent.path().join("secret.jpg"), "secret").unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("sub/me.jpg"), "below").unwrap();
    fs::write(folder.join(".tmp/me.jpg"), "unfinished").unwrap();
    fs::write(folder.join(".hidden"), "hidden").unwrap();
    symlink(parent.path().join("secret.jpg"), folder.join("link.jpg")).unwrap();
    symlink(".", folder.join("here")).unwrap();
    symlink(parent.path(), folder.join("up")).unwrap();
    mknodat(CWD, folder.join("pipe.jpg"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    mknodat(CWD, folder.join("socket.jpg"), FileType::Socket, Mode::RUSR, 0).unwrap();
    let absolute = parent.path().join("secret.jpg");
    let too_long = "a".repeat(256);
    for name in [
        "../secret.jpg",
        absolute.to_str().unwrap(),
        "sub",
        "sub/me.jpg",
        "sub/../../secret.jpg",
        ".tmp",
        ".tmp/me.jpg",
        ".hidden",
        "link.jpg",
        "here",
        "up",
        "up/secret.jpg",
        "pipe.jpg",
        "socket.jpg",
        "link.jpg\0",
        &too_long,
    ] {
        assert_eq!(read_original(&images, name).await, None, "{name}");
    }
}

#[tokio::test]
async fn an_upload_that_ends_too_early_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let short = spool_that_claims(8, b"half");
    assert!(images.put(&key(owner(1), 1), short).await.is_err());
    assert_eq!(files(folder.path()), BTreeSet::new());
    assert!(!folder.path().join(owner(1).to_string()).exists());
}

#[tokio::test]
async fn an_image_that_was_cut_on_disk_ends_in_a_fault_and_not_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let images = FolderImages::open(folder.path()).unwrap();
    let key = key(owner(1), 1);
    images.put(&key, spool(&bytes(LENGTH))).await.unwrap();

    let stored = images.open(&key).await.unwrap().unwrap();
    assert_eq!(stored.length, Some(LENGTH as u64));
    let file = fs::OpenOptions::new().write(true).open(folder.path().join(key.as_str())).unwrap();
    file.set_len(100_000).unwrap();
    let read: Result<Vec<_>, _> = stored.chunks.try_collect().await;
    assert!(read.is_err());
}

#[test]
fn a_folder_that_cannot_be_written_stops_the_start() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("images");
    let error = FolderImages::open(&below).unwrap_err();
    assert_eq!(error.to_string(), format!("images cannot be kept in {}", below.display()));
    assert!(FolderImages::open(&file).is_err());
    assert!(FolderImages::open(Path::new("/proc")).is_err());
}

#[tokio::test]
async fn a_folder_that_is_gone_is_unavailable_until_it_lies_there_again() {
    let parent = tempfile::tempdir().unwrap();
    let (place, elsewhere) = (parent.path().join("images"), parent.path().join("elsewhere"));
    let images = FolderImages::open(&place).unwrap();
    let (first, second) = (key(owner(1), 1), key(owner(1), 2));
    images.put(&first, spool(b"first")).await.unwrap();

    fs::rename(&place, &elsewhere).unwrap();
    assert!(images.put(&second, spool(b"second")).await.is_err());
    assert!(images.remove(&first).await.is_err(), "a removal that did not happen is not forgotten");
    assert!(images.open(&first).await.is_err(), "nobody knows whether it is there");
    assert!(!place.exists(), "what is put into another is hidden by the old one");

    // Another folder, as the mount point of a volume that is away.
    fs::create_dir(&place).unwrap();
    assert!(images.put(&second, spool(b"second")).await.is_err());
    assert!(images.remove(&first).await.is_err(), "it is not gone where it is hidden");
    assert!(images.open(&first).await.is_err());
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing is made in it");

    // One with the same image, as from a backup.
    fs::create_dir(place.join(".tmp")).unwrap();
    fs::create_dir(place.join(owner(1).to_string())).unwrap();
    fs::copy(elsewhere.join(first.as_str()), place.join(first.as_str())).unwrap();
    assert_eq!(read(&images, &first).await.unwrap(), b"first");
    images.put(&second, spool(b"second")).await.unwrap();
    images.remove(&first).await.unwrap();
    assert_eq!(files(&place), BTreeSet::from([PathBuf::from(second.as_str())]));
    assert_eq!(files(&elsewhere).len(), 1, "the old one is left alone");
}
