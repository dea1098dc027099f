//! What the tests of folders have in common.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use roster_adapter_fs::FolderImages;
use roster_domain::ports::ImageStore;
use roster_domain::values::{ImageFormat, ImageKey, UserId};

pub(crate) fn owner(number: u8) -> UserId {
    UserId::from_bytes([number; 12])
}

pub(crate) fn key(owner: UserId, number: u128) -> ImageKey {
    ImageKey::new(owner, number.to_be_bytes(), ImageFormat::Jpeg)
}

/// The files under a folder, relative to it.
pub(crate) fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder that can be read") {
            let entry = entry.expect("an entry that can be read");
            if entry.file_type().expect("a known type").is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(folder).expect("a path below").to_owned());
            }
        }
    }
    found
}

pub(crate) async fn read(images: &FolderImages, key: &ImageKey) -> Option<Vec<u8>> {
    let stored = images.open(key).await.expect("a store that answers")?;
    let chunks: Vec<_> = stored.chunks.try_collect().await.expect("a whole image");
    Some(chunks.concat())
}
