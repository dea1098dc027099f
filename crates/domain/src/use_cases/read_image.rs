use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::Roster;
use crate::ports::{AccessClaims, Caller, ImageChunks, ImageStore, StoredImage, Unavailable};
use crate::room::Share;
use crate::values::{
    Checksum, ImageFormat, ImageKey, OriginalImage, OwnImage, ProfileImage, RunningChecksum, StoreName,
    UserId,
};
use crate::{Damage, Error};

/// How much of an image is sent at once.
const PIECE: usize = 64 * 1024;

/// How often an image that is gone is looked up anew: each time, its user must have replaced it just then.
const LOOK_UPS: usize = 3;

/// The name of an image's content, of ASCII letters, digits and dots. Where it is the same the content is, to the last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageVersion(String);

impl ImageVersion {
    /// Of one of ours: no other content is ever stored under its key, so the key's last part names the content.
    fn of(key: &ImageKey) -> Self {
        Self(key.file_name().to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a reader has of an image already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownVersions {
    /// Whichever there is.
    Any,
    /// Those of these names.
    Named(Vec<String>),
}

impl KnownVersions {
    /// Of an image without a version nobody can say that it is still the one.
    fn include(&self, version: Option<&ImageVersion>) -> bool {
        match self {
            Self::Any => true,
            Self::Named(names) => version.is_some_and(|version| names.contains(&version.0)),
        }
    }
}

/// What [`Roster::read_image`] answers.
pub enum ImageReading {
    /// The reader has it already.
    Known(Option<ImageVersion>),
    /// It is to be read.
    Content(ImageContent),
}

/// An image that is being read.
pub struct ImageContent {
    /// Which content it is; `None` for what the FastAPI service stored, which others may change under its name.
    pub version: Option<ImageVersion>,
    /// Its format.
    pub format: ImageFormat,
    /// How many bytes it has; `None` where nobody knows before all have arrived.
    pub length: Option<u64>,
    /// Its bytes. Those of an image whose checksum is known have been found right; of any other the beginning has.
    pub chunks: ImageChunks,
}

impl Roster {
    /// A user's profile image, for itself and for admins, unless the reader has it already. No store is asked about one of
    /// ours that the reader has: it is the same, whether it could be read now or not.
    ///
    /// # Errors
    /// [`Error::NoImage`] where the user has none, or an original that is nowhere or no image; [`Error::ImageMissing`] where
    /// one of ours does not lie where it should; [`Error::ImageDamaged`] where its store answers with something else;
    /// [`Error::Overloaded`] where it is replaced faster than it is opened; besides
    /// what [`read_user`](Self::read_user) refuses.
    pub async fn read_image(
        &self,
        claims: AccessClaims,
        id: UserId,
        known: &KnownVersions,
    ) -> Result<ImageReading, Error> {
        let mut image = self.profile_image(claims, id).await?;
        for _ in 0..LOOK_UPS {
            let reading = match &image {
                ProfileImage::Stored(own) => self.read_stored(id, own, known).await?,
                ProfileImage::Original(image) => self.read_original(id, image, known).await?,
            };
            if let Some(reading) = reading {
                return Ok(reading);
            }
            // It may have been replaced, and the one before removed, since it was looked up.
            let current = self.profile_image(claims, id).await?;
            if current == image {
                return Err(match image {
                    ProfileImage::Stored(_) => Error::ImageMissing { owner: id },
                    ProfileImage::Original(_) => Error::NoImage,
                });
            }
            image = current;
        }
        Err(Error::Overloaded)
    }

    /// An image in S3 by its key, for anybody, where images are public. Nobody guesses the random part of a key, and an image
    /// that is no longer a user's is removed, so knowing the key is all that is asked for. The store is asked even where the
    /// reader has the image: it may be gone.
    ///
    /// # Errors
    /// [`Error::NoImage`] where there is none, or images are not public; [`Error::ImageDamaged`] where the store answers with
    /// something else than its owner has. Of an image that is no live user's the beginning alone is checked.
    pub async fn read_public_image(
        &self,
        key: &ImageKey,
        known: &KnownVersions,
    ) -> Result<ImageReading, Error> {
        let store = self.ports.s3_images.as_ref().filter(|_| self.rules.public_images);
        let store = store.ok_or(Error::NoImage)?;
        let stored = store.open(key).await?.ok_or(Error::NoImage)?;
        let version = ImageVersion::of(key);
        if known.include(Some(&version)) {
            return Ok(ImageReading::Known(Some(version)));
        }
        let owner = key.owner().ok_or(Error::NoImage)?;
        let answer = self.ports.accounts.caller(Caller { user_id: owner, session: None }, None).await?;
        let checksum = match answer.caller.and_then(|owner| owner.profile_image) {
            Some(ProfileImage::Stored(own)) if own.image.key == *key && own.image.store == store.name() => {
                own.checksum
            }
            _ => None,
        };
        self.content(store.as_ref(), owner, key, checksum, stored).await?.ok_or(Error::NoImage)
    }

    async fn profile_image(&self, claims: AccessClaims, id: UserId) -> Result<ProfileImage, Error> {
        self.read_user(claims, id).await?.profile_image.ok_or(Error::NoImage)
    }

    /// One of ours.
    async fn read_stored(
        &self,
        owner: UserId,
        OwnImage { image, checksum }: &OwnImage,
        known: &KnownVersions,
    ) -> Result<Option<ImageReading>, Error> {
        let version = ImageVersion::of(&image.key);
        if known.include(Some(&version)) {
            return Ok(Some(ImageReading::Known(Some(version))));
        }
        let Some(store) = self.image_store(&image.store) else {
            tracing::debug!(
                event = "image store not configured",
                store = image.store.as_str(),
                "the image lies in a store that is not configured"
            );
            return Err(Error::NoImageStore);
        };
        let Some(stored) = store.open(&image.key).await? else { return Ok(None) };
        self.content(store, owner, &image.key, *checksum, stored).await
    }

    /// What is stored under a key of ours, and has been opened; `None` where it is gone since.
    async fn content(
        &self,
        store: &dyn ImageStore,
        owner: UserId,
        key: &ImageKey,
        checksum: Option<Checksum>,
        stored: StoredImage,
    ) -> Result<Option<ImageReading>, Error> {
        let length = checksum.map(|checksum| checksum.length).or(stored.length);
        let chunks = match checksum {
            Some(checksum) => self.checked(store, key, checksum, stored).await,
            None => begun(key, stored).await.map(Some),
        };
        let chunks = chunks.map_err(|flaw| flaw.of_image(owner, store.name()))?;
        let (version, format) = (Some(ImageVersion::of(key)), key.format());
        Ok(chunks.map(|chunks| ImageReading::Content(ImageContent { version, format, length, chunks })))
    }

    /// Reads an image to its end and compares it with what was stored, before anything of it is sent.
    async fn checked(
        &self,
        store: &dyn ImageStore,
        key: &ImageKey,
        checksum: Checksum,
        mut stored: StoredImage,
    ) -> Result<Option<ImageChunks>, Flaw> {
        if let Some(found) = stored.length.filter(|found| *found != checksum.length) {
            return Err(Damage::Length { stored: checksum.length, found }.into());
        }
        let mut held = self.held_images.take(checksum.length).map(|share| (Vec::new(), share));
        let mut sum = RunningChecksum::default();
        while let Some(piece) = stored.chunks.next().await.transpose()? {
            sum.add(&piece);
            if sum.length() > checksum.length {
                return Err(Damage::TooLong { stored: checksum.length }.into());
            }
            if let Some((content, _)) = &mut held {
                content.extend_from_slice(&piece);
            }
        }
        compare(sum, checksum)?;
        if let Some((content, share)) = held {
            return Ok(Some(pieces(content.into(), share)));
        }
        Ok(store.open(key).await?.map(|again| compared(again.chunks, checksum)))
    }

    /// One that the FastAPI service stored, from whichever store holds it. Its beginning tells its format.
    async fn read_original(
        &self,
        owner: UserId,
        image: &OriginalImage,
        known: &KnownVersions,
    ) -> Result<Option<ImageReading>, Error> {
        for store in self.image_stores() {
            let Some(stored) = store.open_original(image).await? else { continue };
            let (beginning, chunks) = begin(stored.chunks).await?;
            let Some(format) = ImageFormat::of_content(&beginning) else {
                // A file is what it is. Where S3 is asked, something before it may have answered.
                if image.is_address() {
                    return Err(Flaw::Damage(Damage::NoImage).of_image(owner, store.name()));
                }
                tracing::debug!(
                    event = "original image is neither JPEG nor PNG",
                    user = %owner,
                    "an image of the FastAPI service is neither JPEG nor PNG"
                );
                return Err(Error::NoImage);
            };
            return Ok(Some(if known.include(None) {
                ImageReading::Known(None)
            } else {
                ImageReading::Content(ImageContent { version: None, format, length: stored.length, chunks })
            }));
        }
        Ok(None)
    }
}

/// Why an image that was opened is not sent.
#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error(transparent)]
    Damage(#[from] Damage),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Flaw {
    fn of_image(self, owner: UserId, store: StoreName) -> Error {
        match self {
            Self::Damage(damage) => Error::ImageDamaged { owner, store, damage },
            Self::Unavailable(error) => Error::Unavailable(error),
        }
    }
}

fn compare(found: RunningChecksum, stored: Checksum) -> Result<(), Damage> {
    if found.length() != stored.length {
        return Err(Damage::Length { stored: stored.length, found: found.length() });
    }
    if found.finish() == stored { Ok(()) } else { Err(Damage::Content) }
}

/// An image whose checksum nobody kept: its beginning has to be that of its format.
async fn begun(key: &ImageKey, stored: StoredImage) -> Result<ImageChunks, Flaw> {
    let (beginning, chunks) = begin(stored.chunks).await?;
    let is_image = ImageFormat::of_content(&beginning) == Some(key.format());
    if is_image { Ok(chunks) } else { Err(Damage::NoImage.into()) }
}

/// Content that is held in memory until it is sent.
fn pieces(content: Bytes, share: Share) -> ImageChunks {
    let next = |(mut left, share): (Bytes, Share)| async move {
        let piece = left.split_to(left.len().min(PIECE));
        (!piece.is_empty()).then_some((Ok(piece), (left, share)))
    };
    stream::unfold((content, share), next).boxed()
}

/// Content that was right when it was read before. Where it no longer is, it ends in a fault before its last piece, so that
/// nobody takes it for whole.
fn compared(chunks: ImageChunks, stored: Checksum) -> ImageChunks {
    let next = move |(mut chunks, mut sum): (ImageChunks, RunningChecksum)| async move {
        if sum.length() == stored.length {
            return Ok(None);
        }
        let piece = chunks.next().await.transpose()?;
        sum.add(piece.as_deref().unwrap_or_default());
        if piece.is_none() || sum.length() >= stored.length {
            compare(sum.clone(), stored).map_err(|damage| Unavailable::new("image store", damage))?;
        }
        Ok(piece.map(|piece| (piece, (chunks, sum))))
    };
    stream::try_unfold((chunks, RunningChecksum::default()), next).boxed()
}

/// Reads the beginning, so that a store that fails there does so before anything is answered. What is returned begins with it
/// all the same.
async fn begin(mut chunks: ImageChunks) -> Result<(Bytes, ImageChunks), Unavailable> {
    let mut beginning = Bytes::new();
    while beginning.len() < ImageFormat::SIGNATURE {
        let Some(chunk) = chunks.next().await.transpose()? else { break };
        beginning = if beginning.is_empty() { chunk } else { [beginning, chunk].concat().into() };
    }
    let first = beginning.clone();
    Ok((beginning, stream::once(async { Ok(first) }).chain(chunks).boxed()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, EPOCH, World, image, unavailable, user};
    use super::*;
    use crate::entities::User;
    use crate::ports::CallerAnswer;
    use crate::use_cases::HELD_IMAGES;
    use crate::values::{ImageRef, Role, StoreName};

    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0 and so on";
    const PNG: &[u8] = b"\x89PNG\r\n\x1A\n and so on";

    fn nothing_known() -> KnownVersions {
        KnownVersions::Named(Vec::new())
    }

    /// One of ours, and its checksum.
    fn own(name: u8, content: &[u8]) -> ProfileImage {
        OwnImage { image: image(name), checksum: Some(Checksum::of(content)) }.into()
    }

    fn original() -> OriginalImage {
        OriginalImage::from_store("me_16adcd34.jpg".to_owned())
    }

    /// Where Ann is the caller and has that image, each time she is looked up the next of them.
    fn world<const N: usize>(images: [Option<ProfileImage>; N]) -> World {
        let mut world = World::new();
        let mut images = images.into_iter();
        world.accounts.expect_caller().times(N).returning(move |_, _| {
            let profile_image = images.next().flatten();
            let caller = User { profile_image, ..user(ANN, Role::Regular) };
            Ok(CallerAnswer { caller: Some(caller), epoch: EPOCH, session_lives: true, named: None })
        });
        world
    }

    /// These pieces, and after them a fault where there is to be one.
    fn stored(pieces: &'static [&'static [u8]], breaks: bool) -> StoredImage {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        let pieces = pieces.iter().map(|piece| Ok(Bytes::from_static(piece)));
        let fault = breaks.then(|| Err(unavailable()));
        StoredImage { length: Some(length), chunks: stream::iter(pieces.chain(fault)).boxed() }
    }

    async fn read(world: World, known: &KnownVersions) -> Result<ImageReading, Error> {
        world.roster().read_image(CLAIMS, ANN, known).await
    }

    async fn content(
        reading: Result<ImageReading, Error>,
    ) -> (Option<String>, ImageFormat, Option<u64>, Vec<u8>) {
        let Ok(ImageReading::Content(content)) = reading else { panic!("no content") };
        let chunks: Vec<Result<Bytes, Unavailable>> = content.chunks.collect().await;
        let bytes: Vec<u8> = chunks.into_iter().flat_map(Result::unwrap).collect();
        (content.version.map(|version| version.0), content.format, content.length, bytes)
    }

    #[tokio::test]
    async fn an_image_of_ours_is_read_whole_and_named_by_its_key() {
        for pieces in
            [&[b"one piece" as &[u8]] as &[&[u8]], &[b"o", b"ne ", b"piece"], &[b"one", b"", b" piece"]]
        {
            let mut world = world([Some(own(1, b"one piece"))]);
            world
                .images
                .expect_open()
                .withf(|key| *key == image(1).key)
                .times(1)
                .returning(move |_| Ok(Some(stored(pieces, false))));
            let (version, format, length, bytes) = content(read(world, &nothing_known()).await).await;
            assert_eq!(version.as_deref(), Some(image(1).key.file_name()));
            assert_eq!((format, length, bytes), (ImageFormat::Png, Some(9), b"one piece".to_vec()));
        }
    }

    #[tokio::test]
    async fn an_image_of_ours_that_the_reader_has_is_not_opened() {
        let named = |key: &str| KnownVersions::Named(vec!["other".to_owned(), key.to_owned()]);
        for known in [KnownVersions::Any, named(image(1).key.file_name())] {
            let reading = read(world([Some(image(1).into())]), &known).await;
            assert!(
                matches!(reading, Ok(ImageReading::Known(Some(version))) if version.as_str() == image(1).key.file_name())
            );
        }
    }

    #[tokio::test]
    async fn a_user_without_an_image_is_told_from_nobody() {
        assert!(matches!(read(world([None]), &KnownVersions::Any).await, Err(Error::NoImage)));
        let roster = World::with_caller(Role::Admin).roster();
        let nobody = roster.read_image(CLAIMS, UserId::from_bytes([8; 12]), &KnownVersions::Any).await;
        assert!(matches!(nobody, Err(Error::UserNotFound)));
    }

    #[tokio::test]
    async fn a_regular_user_is_refused_anothers_image() {
        let roster = World::with_caller(Role::Regular).roster();
        let read = roster.read_image(CLAIMS, BEN, &KnownVersions::Any).await;
        assert!(matches!(read, Err(Error::Forbidden)));
    }

    #[tokio::test]
    async fn an_image_that_was_replaced_meanwhile_is_read_anew() {
        let mut world = world([Some(own(1, b"first")), Some(own(2, b"second"))]);
        world.images.expect_open().withf(|key| *key == image(1).key).times(1).returning(|_| Ok(None));
        world
            .images
            .expect_open()
            .withf(|key| *key == image(2).key)
            .times(1)
            .returning(|_| Ok(Some(stored(&[b"second"], false))));
        assert_eq!(content(read(world, &nothing_known()).await).await.3, b"second");
    }

    #[tokio::test]
    async fn an_image_that_is_not_where_it_should_be_is_missing() {
        let mut world = world([Some(image(1).into()), Some(image(1).into())]);
        world.images.expect_open().times(1).returning(|_| Ok(None));
        let reading = read(world, &nothing_known()).await;
        assert!(matches!(reading, Err(Error::ImageMissing { owner: ANN })));
    }

    #[tokio::test]
    async fn an_image_that_is_replaced_all_the_time_is_not_looked_up_for_ever() {
        let mut world = world([1, 2, 3, 4].map(|name| Some(image(name).into())));
        world.images.expect_open().times(LOOK_UPS).returning(|_| Ok(None));
        assert!(matches!(read(world, &nothing_known()).await, Err(Error::Overloaded)));
    }

    #[tokio::test]
    async fn a_store_that_fails_before_the_first_bytes_is_unavailable() {
        let mut closed = world([Some(image(1).into())]);
        closed.images.expect_open().returning(|_| Err(unavailable()));
        assert!(matches!(read(closed, &nothing_known()).await, Err(Error::Unavailable(_))));
        let mut broken = world([Some(image(1).into())]);
        broken.images.expect_open().returning(|_| Ok(Some(stored(&[], true))));
        assert!(matches!(read(broken, &nothing_known()).await, Err(Error::Unavailable(_))));
    }

    #[tokio::test]
    async fn a_store_that_fails_later_is_unavailable_too_or_ends_what_nobody_can_compare_with_a_fault() {
        let mut checked = world([Some(own(1, b"first piece"))]);
        checked.images.expect_open().returning(|_| Ok(Some(stored(&[b"first ", b"piece"], true))));
        assert!(matches!(read(checked, &nothing_known()).await, Err(Error::Unavailable(_))));

        let mut world = world([Some(image(1).into())]);
        world.images.expect_open().returning(|_| Ok(Some(stored(&[PNG], true))));
        let Ok(ImageReading::Content(content)) = read(world, &nothing_known()).await else {
            panic!("no content")
        };
        let chunks: Vec<_> = content.chunks.collect().await;
        assert!(matches!(chunks.as_slice(), [Ok(_), Err(_)]));
    }

    #[tokio::test]
    async fn an_image_in_a_store_that_is_not_configured_is_unavailable() {
        let elsewhere = ImageRef { store: StoreName::new("s3://gone"), ..image(1) };
        let reading = read(world([Some(elsewhere.into())]), &nothing_known()).await;
        assert!(matches!(reading, Err(Error::NoImageStore)));
    }

    #[tokio::test]
    async fn an_original_is_read_by_its_content_and_never_said_to_be_the_same() {
        let mut first = world([Some(original().into())]);
        first
            .images
            .expect_open_original()
            .withf(|image| *image == original())
            .times(1)
            .returning(|_| Ok(Some(stored(&[b"\xFF\xD8", JPEG], false))));
        let (version, format, length, bytes) = content(read(first, &nothing_known()).await).await;
        assert_eq!((format, length, version), (ImageFormat::Jpeg, Some(2 + JPEG.len() as u64), None));
        assert_eq!(bytes, [b"\xFF\xD8", JPEG].concat());

        for (known, is_known) in [(nothing_known(), false), (KnownVersions::Any, true)] {
            let mut again = world([Some(original().into())]);
            again.images.expect_open_original().returning(move |_| Ok(Some(stored(&[JPEG], false))));
            let reading = read(again, &known).await;
            assert_eq!(matches!(reading, Ok(ImageReading::Known(None))), is_known);
        }
    }

    #[tokio::test]
    async fn an_original_that_is_no_image_or_not_there_is_none() {
        let mut text = world([Some(original().into())]);
        text.images.expect_open_original().returning(|_| Ok(Some(stored(&[b"<html>", b"<script>"], false))));
        assert!(matches!(read(text, &KnownVersions::Any).await, Err(Error::NoImage)));

        let mut gone = world([Some(original().into()), Some(original().into())]);
        gone.images.expect_open_original().times(1).returning(|_| Ok(None));
        assert!(matches!(read(gone, &KnownVersions::Any).await, Err(Error::NoImage)));
    }

    fn damage(reading: Result<ImageReading, Error>) -> Option<Damage> {
        match reading {
            Err(Error::ImageDamaged { owner: ANN, store, damage }) if store.as_str() == "file" => {
                Some(damage)
            }
            _ => None,
        }
    }

    #[tokio::test]
    async fn what_is_not_what_was_stored_is_not_sent() {
        let announced = |found| Damage::Length { stored: 5, found };
        for (announces, pieces, expected) in [
            (true, &[b"half" as &[u8]] as &'static [&'static [u8]], announced(4)),
            (true, &[], announced(0)),
            (true, &[b"<html>"], announced(6)),
            (true, &[b"wro", b"ng"], Damage::Content),
            (false, &[b"ha", b"lf"], announced(4)),
            (false, &[], announced(0)),
            (false, &[b"much", b" more", b" than that"], Damage::TooLong { stored: 5 }),
            (false, &[b"wrong"], Damage::Content),
        ] {
            let mut world = world([Some(own(1, b"right"))]);
            world.images.expect_open().times(1).returning(move |_| {
                let image = stored(pieces, false);
                Ok(Some(StoredImage { length: image.length.filter(|_| announces), ..image }))
            });
            assert_eq!(damage(read(world, &nothing_known()).await), Some(expected), "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn an_image_of_ours_without_a_checksum_has_to_begin_as_one_of_its_format_and_may_have_no_length() {
        for (pieces, is_image) in [
            (&[PNG] as &'static [&'static [u8]], true),
            (&[b"\x89PN", b"G\r\n\x1A\n and so on"], true),
            (&[JPEG], false),
            (&[b"<html>"], false),
            (&[], false),
        ] {
            let mut world = world([Some(image(1).into())]);
            world
                .images
                .expect_open()
                .returning(move |_| Ok(Some(StoredImage { length: None, ..stored(pieces, false) })));
            let reading = read(world, &nothing_known()).await;
            if is_image {
                let (_, _, length, bytes) = content(reading).await;
                assert_eq!((length, bytes.as_slice()), (None, PNG));
            } else {
                assert_eq!(damage(reading), Some(Damage::NoImage), "{pieces:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_image_that_finds_no_room_is_read_twice_and_ends_in_a_fault_where_it_changed_meanwhile() {
        for (again, is_whole) in [
            (&[b"first ", b"piece" as &[u8]] as &'static [&'static [u8]], true),
            (&[b"first ", b"peace"], false),
            (&[b"first "], false),
            (&[b"first ", b"piece of more"], false),
        ] {
            let mut world = world([Some(own(1, b"first piece"))]);
            let mut answers = [&[b"first piece" as &[u8]] as &'static [&'static [u8]], again].into_iter();
            let open = move |_: &ImageKey| Ok(answers.next().map(|pieces| stored(pieces, false)));
            world.images.expect_open().times(2).returning(open);
            let roster = world.roster();
            let _held = roster.held_images.take(HELD_IMAGES - 1).unwrap();
            let Ok(ImageReading::Content(content)) = roster.read_image(CLAIMS, ANN, &nothing_known()).await
            else {
                panic!("no content")
            };
            assert_eq!(content.length, Some(11));
            let chunks: Vec<_> = content.chunks.collect().await;
            assert_eq!(chunks.iter().all(Result::is_ok), is_whole, "{again:?}");
            let sent: usize = chunks.iter().flatten().map(Bytes::len).sum();
            assert_eq!(sent == 11, is_whole, "{again:?}");
        }
    }

    #[tokio::test]
    async fn room_is_given_back_once_an_image_is_sent() {
        let mut world = world([Some(own(1, b"one piece"))]);
        world.images.expect_open().times(1).returning(|_| Ok(Some(stored(&[b"one piece"], false))));
        let roster = world.roster();
        let reading = roster.read_image(CLAIMS, ANN, &nothing_known()).await;
        assert!(roster.held_images.take(HELD_IMAGES).is_none());
        content(reading).await;
        assert!(roster.held_images.take(HELD_IMAGES).is_some());
    }

    #[tokio::test]
    async fn an_original_in_s3_that_is_no_image_may_be_anothers_answer() {
        let original = OriginalImage::from_store("https://faces.s3.amazonaws.com/me.jpg".to_owned());
        let mut world = world([Some(original.into())]);
        world.images.expect_open_original().returning(|_| Ok(Some(stored(&[b"<html>"], false))));
        assert_eq!(damage(read(world, &nothing_known()).await), Some(Damage::NoImage));
    }

    /// Where Ann has that image.
    fn public_world(image: Option<ProfileImage>) -> World {
        let mut world = World { public_images: true, ..World::new() };
        world.accounts.expect_caller().returning(move |caller, named| {
            assert_eq!((caller, named), (Caller { user_id: ANN, session: None }, None));
            let owner = User { profile_image: image.clone(), ..user(ANN, Role::Regular) };
            let caller = image.is_some().then_some(owner);
            Ok(CallerAnswer { caller, epoch: EPOCH, session_lives: true, named: None })
        });
        world
    }

    #[tokio::test]
    async fn a_public_image_is_read_by_its_key_alone() {
        let mut world = public_world(Some(own(1, b"one piece")));
        world
            .images
            .expect_open()
            .withf(|key| *key == image(1).key)
            .times(1)
            .returning(|_| Ok(Some(stored(&[b"one piece"], false))));
        let reading = world.roster().read_public_image(&image(1).key, &nothing_known()).await;
        let (version, format, length, bytes) = content(reading).await;
        assert_eq!(version.as_deref(), Some(image(1).key.file_name()));
        assert_eq!((format, length, bytes), (ImageFormat::Png, Some(9), b"one piece".to_vec()));
    }

    #[tokio::test]
    async fn a_public_image_is_compared_with_its_owners_and_where_it_is_nobodys_it_has_to_begin_as_one() {
        for (owners, content, expected) in [
            (Some(own(1, b"right")), b"wrong" as &'static [u8], Some(Damage::Content)),
            (Some(own(1, b"right")), b"half", Some(Damage::Length { stored: 5, found: 4 })),
            (Some(own(2, b"right")), b"<html>", Some(Damage::NoImage)),
            (Some(own(2, b"right")), PNG, None),
            (None, b"<html>", Some(Damage::NoImage)),
            (None, PNG, None),
        ] {
            let mut world = public_world(owners);
            let pieces: &'static [&'static [u8]] = Box::leak(Box::new([content]));
            world.images.expect_open().returning(move |_| Ok(Some(stored(pieces, false))));
            let reading = world.roster().read_public_image(&image(1).key, &nothing_known()).await;
            assert_eq!(reading.is_ok(), expected.is_none());
            assert_eq!(damage(reading), expected);
        }
    }

    #[tokio::test]
    async fn a_public_image_that_is_gone_is_not_said_to_be_the_same() {
        for is_there in [true, false] {
            let mut world = public_world(None);
            world.images.expect_open().times(1).returning(move |_| Ok(is_there.then(|| stored(&[], false))));
            let reading = world.roster().read_public_image(&image(1).key, &KnownVersions::Any).await;
            match reading {
                Ok(ImageReading::Known(Some(_))) => assert!(is_there),
                Err(Error::NoImage) => assert!(!is_there),
                _ => panic!("neither known nor gone"),
            }
        }
    }

    #[tokio::test]
    async fn no_image_is_public_unless_the_operator_says_so() {
        let mut world = World::new();
        world.images.expect_open().never();
        let reading = world.roster().read_public_image(&image(1).key, &nothing_known()).await;
        assert!(matches!(reading, Err(Error::NoImage)));
    }
}
