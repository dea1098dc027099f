use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use roster_domain::entities::Account;
use roster_domain::ports::{ImageChunks, ImageStore, Spool, StoredImage, Unavailable};
use roster_domain::values::{ImageKey, ImageRef, OwnImage, ProfileImage, UserId};

use super::stopped::stopped;
use crate::Failure;

/// How many images are moved or compared at once.
const AT_ONCE: usize = 8;

/// From where to where images are moved.
pub(super) struct ImageMove {
    pub(super) from: Arc<dyn ImageStore>,
    pub(super) to: Arc<dyn ImageStore>,
}

impl ImageMove {
    /// The key of an account's image, where it is one of those that are moved.
    fn key<'a>(&self, account: &'a Account) -> Option<&'a ImageKey> {
        let image = account.user.profile_image.as_ref().and_then(ProfileImage::stored)?;
        (image.store == self.from.name()).then_some(&image.key)
    }
}

/// What the comparison found of images.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) equal: u64,
    /// Those that are in neither place: users have them, but they were lost before.
    pub(super) missing: u64,
    pub(super) first_missing: Option<UserId>,
    /// Those in other stores than the one that images are moved from.
    pub(super) elsewhere: u64,
    elsewhere_in: BTreeSet<String>,
    /// The FastAPI service's.
    pub(super) originals: u64,
}

impl Compared {
    /// Where the images are that were not moved.
    pub(super) fn stores(&self) -> String {
        self.elsewhere_in.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The account as it is to be in the target: where its image is moved, the reference names the new store.
pub(super) fn expected(account: &Account, images: Option<&ImageMove>) -> Account {
    let mut moved = account.clone();
    if let Some(images) = images
        && let Some(key) = images.key(account)
    {
        let checksum = match &account.user.profile_image {
            Some(ProfileImage::Stored(own)) => own.checksum,
            _ => None,
        };
        let image = ImageRef { store: images.to.name(), key: key.clone() };
        moved.user.profile_image = Some(OwnImage { image, checksum }.into());
    }
    moved
}

/// Copies the images of these accounts, but for those that are there.
pub(super) async fn copy_images(images: &ImageMove, accounts: &[Account]) -> Result<(), Failure> {
    let keys: Vec<ImageKey> = accounts.iter().filter_map(|account| images.key(account)).cloned().collect();
    stream::iter(keys.into_iter().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |key| async move { copy(images, &key).await.map_err(stopped) })
        .await
}

/// An image is stored whole or not at all, and no other is ever stored under its key: what is there is it.
async fn copy(images: &ImageMove, key: &ImageKey) -> Result<(), Unavailable> {
    let Some(image) = images.from.open(key).await? else { return Ok(()) };
    let there = images.to.open(key).await?;
    if there.is_some_and(|there| there.length.is_some() && there.length == image.length) {
        return Ok(());
    }
    images.to.put(key, spool(image).await?).await
}

async fn spool(mut image: StoredImage) -> Result<Spool, Unavailable> {
    let unwritten = |error| Unavailable::new("the folder for temporary files", error);
    let (mut file, mut length) = (tempfile::tempfile().map_err(unwritten)?, 0);
    while let Some(chunk) = image.chunks.try_next().await? {
        file.write_all(&chunk).map_err(unwritten)?;
        length += chunk.len() as u64;
    }
    Ok(Spool::new(move |buffer, position| file.read_at(buffer, position), length))
}

/// Compares the images of these accounts in both places, and counts the others.
pub(super) async fn compare_images(
    images: Option<&ImageMove>,
    accounts: &[Account],
    compared: &mut Compared,
) -> Result<(), Failure> {
    let mut moved = Vec::new();
    for account in accounts {
        match (&account.user.profile_image, images) {
            (None, _) => {}
            (Some(ProfileImage::Original(_)), _) => compared.originals += 1,
            (Some(ProfileImage::Stored(own)), Some(images)) if images.key(account).is_some() => {
                moved.push((account.user.id, own.image.key.clone(), images));
            }
            (Some(ProfileImage::Stored(own)), _) => {
                compared.elsewhere += 1;
                compared.elsewhere_in.insert(own.image.store.as_str().to_owned());
            }
        }
    }
    let mut found = stream::iter(moved.into_iter().map(|(owner, key, images)| async move {
        Ok::<_, Failure>((owner, is_equal(images, &key).await.map_err(stopped)?))
    }))
    .buffered(AT_ONCE);
    while let Some((owner, equal)) = found.try_next().await? {
        match equal {
            Some(true) => compared.equal += 1,
            Some(false) => {
                return Err(Failure::Migration(format!("the image of user {owner} is not the same in both")));
            }
            None => {
                compared.missing += 1;
                compared.first_missing.get_or_insert(owner);
            }
        }
    }
    Ok(())
}

/// Whether both hold the same bytes; `None` where neither holds any.
async fn is_equal(images: &ImageMove, key: &ImageKey) -> Result<Option<bool>, Unavailable> {
    match (images.from.open(key).await?, images.to.open(key).await?) {
        (None, None) => Ok(None),
        (Some(one), Some(other)) => same_bytes(one.chunks, other.chunks).await.map(Some),
        (Some(_), None) | (None, Some(_)) => Ok(Some(false)),
    }
}

/// Each comes in pieces of its own.
async fn same_bytes(mut one: ImageChunks, mut other: ImageChunks) -> Result<bool, Unavailable> {
    let (mut left, mut right) = (Bytes::new(), Bytes::new());
    loop {
        if left.is_empty() {
            left = next(&mut one).await?;
        }
        if right.is_empty() {
            right = next(&mut other).await?;
        }
        let count = left.len().min(right.len());
        if count == 0 {
            return Ok(left.len() == right.len());
        }
        if left.split_to(count) != right.split_to(count) {
            return Ok(false);
        }
    }
}

/// The next piece that is not empty; an empty one at the end.
async fn next(chunks: &mut ImageChunks) -> Result<Bytes, Unavailable> {
    while let Some(chunk) = chunks.try_next().await? {
        if !chunk.is_empty() {
            return Ok(chunk);
        }
    }
    Ok(Bytes::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(pieces: &'static [&'static str]) -> ImageChunks {
        stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())))).boxed()
    }

    #[rstest::rstest]
    #[case(&["abc"], &["abc"], true)]
    #[case(&["a", "", "bc"], &["ab", "c"], true)]
    #[case(&[], &[""], true)]
    #[case(&["abc"], &["abd"], false)]
    #[case(&["abc"], &["ab"], false)]
    #[case(&["ab"], &["ab", "c"], false)]
    #[tokio::test]
    async fn bytes_are_compared_however_they_come(
        #[case] one: &'static [&'static str],
        #[case] other: &'static [&'static str],
        #[case] same: bool,
    ) {
        assert_eq!(same_bytes(chunks(one), chunks(other)).await.unwrap(), same);
    }
}
