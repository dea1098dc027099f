use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::Roster;
use crate::Error;
use crate::ports::{AccessClaims, ImageChunks, StoredImage, Unavailable};
use crate::values::{ImageFormat, ImageKey, ImageRef, OriginalImage, ProfileImage, UserId};

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
    /// How many bytes it has.
    pub length: u64,
    /// Its bytes, of which the first have been read without a fault.
    pub chunks: ImageChunks,
}

impl Roster {
    /// A user's profile image, for itself and for admins, unless the reader has it already. No store is asked about one of
    /// ours that the reader has: it is the same, whether it could be read now or not.
    ///
    /// # Errors
    /// [`Error::NoImage`] where the user has none, or an original that is nowhere or no image; [`Error::ImageMissing`] where
    /// one of ours does not lie where it should; [`Error::Overloaded`] where it is replaced faster than it is opened; besides
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
                ProfileImage::Stored(image) => self.read_stored(image, known).await?,
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
    /// [`Error::NoImage`] where there is none, or images are not public.
    pub async fn read_public_image(
        &self,
        key: &ImageKey,
        known: &KnownVersions,
    ) -> Result<ImageReading, Error> {
        let store = self.ports.s3_images.as_ref().filter(|_| self.rules.public_images);
        let stored = store.ok_or(Error::NoImage)?.open(key).await?.ok_or(Error::NoImage)?;
        let version = ImageVersion::of(key);
        if known.include(Some(&version)) {
            return Ok(ImageReading::Known(Some(version)));
        }
        reading(key, stored).await
    }

    async fn profile_image(&self, claims: AccessClaims, id: UserId) -> Result<ProfileImage, Error> {
        self.read_user(claims, id).await?.profile_image.ok_or(Error::NoImage)
    }

    /// One of ours.
    async fn read_stored(
        &self,
        image: &ImageRef,
        known: &KnownVersions,
    ) -> Result<Option<ImageReading>, Error> {
        let version = ImageVersion::of(&image.key);
        if known.include(Some(&version)) {
            return Ok(Some(ImageReading::Known(Some(version))));
        }
        let Some(store) = self.image_store(&image.store) else {
            tracing::debug!(event = "image store not configured", store = image.store.as_str());
            return Err(Error::NoImageStore);
        };
        let Some(stored) = store.open(&image.key).await? else { return Ok(None) };
        reading(&image.key, stored).await.map(Some)
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
                tracing::debug!(event = "original image is neither JPEG nor PNG", user = %owner);
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

/// What is stored under a key of ours.
async fn reading(key: &ImageKey, stored: StoredImage) -> Result<ImageReading, Error> {
    let (_, chunks) = begin(stored.chunks).await?;
    let (version, format) = (Some(ImageVersion::of(key)), key.format());
    Ok(ImageReading::Content(ImageContent { version, format, length: stored.length, chunks }))
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
    use crate::values::{Role, StoreName};

    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0 and so on";

    fn nothing_known() -> KnownVersions {
        KnownVersions::Named(Vec::new())
    }

    fn original() -> OriginalImage {
        OriginalImage::from_store("me_16adcd34.jpg".to_owned())
    }

    /// Where Ann is the caller and has that image, each time she is looked up the next of them.
    fn world<const N: usize>(images: [Option<ProfileImage>; N]) -> World {
        let mut world = World::new();
        let mut images = images.into_iter();
        world.users.expect_caller().times(N).returning(move |_, _| {
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
        StoredImage { length, chunks: stream::iter(pieces.chain(fault)).boxed() }
    }

    async fn read(world: World, known: &KnownVersions) -> Result<ImageReading, Error> {
        world.roster().read_image(CLAIMS, ANN, known).await
    }

    async fn content(reading: Result<ImageReading, Error>) -> (Option<String>, ImageFormat, u64, Vec<u8>) {
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
            let mut world = world([Some(image(1).into())]);
            world
                .images
                .expect_open()
                .withf(|key| *key == image(1).key)
                .times(1)
                .returning(move |_| Ok(Some(stored(pieces, false))));
            let (version, format, length, bytes) = content(read(world, &nothing_known()).await).await;
            assert_eq!(version.as_deref(), Some(image(1).key.file_name()));
            assert_eq!((format, length, bytes), (ImageFormat::Png, 9, b"one piece".to_vec()));
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
        let mut world = world([Some(image(1).into()), Some(image(2).into())]);
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
    async fn a_store_that_fails_later_ends_the_content_with_a_fault() {
        let mut world = world([Some(image(1).into())]);
        world.images.expect_open().returning(|_| Ok(Some(stored(&[b"first piece"], true))));
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
        assert_eq!((format, length, version), (ImageFormat::Jpeg, 2 + JPEG.len() as u64, None));
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

    fn public_world() -> World {
        World { public_images: true, ..World::new() }
    }

    #[tokio::test]
    async fn a_public_image_is_read_by_its_key_alone() {
        let mut world = public_world();
        world
            .images
            .expect_open()
            .withf(|key| *key == image(1).key)
            .times(1)
            .returning(|_| Ok(Some(stored(&[b"one piece"], false))));
        let reading = world.roster().read_public_image(&image(1).key, &nothing_known()).await;
        let (version, format, length, bytes) = content(reading).await;
        assert_eq!(version.as_deref(), Some(image(1).key.file_name()));
        assert_eq!((format, length, bytes), (ImageFormat::Png, 9, b"one piece".to_vec()));
    }

    #[tokio::test]
    async fn a_public_image_that_is_gone_is_not_said_to_be_the_same() {
        for is_there in [true, false] {
            let mut world = public_world();
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
