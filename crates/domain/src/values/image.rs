use std::fmt;

use super::{Checksum, StoreName, UserId};

/// The formats in which profile images are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG (ISO/IEC 10918-1).
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
}

impl ImageFormat {
    /// The file name's ending, without its dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The media type, as a client is told it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// How many bytes of a file [`of_content`](Self::of_content) looks at.
    pub const SIGNATURE: usize = 8;

    /// Tells the format by a file's beginning, [`SIGNATURE`](Self::SIGNATURE) bytes of it; `None` where it is neither.
    ///
    /// JPEG: the marker SOI and the first byte of another (ISO/IEC 10918-1, B.2.1). PNG: its signature (ISO/IEC 15948, 5.2).
    #[must_use]
    pub fn of_content(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(b"\xFF\xD8\xFF") {
            Some(Self::Jpeg)
        } else if beginning.starts_with(b"\x89PNG\r\n\x1A\n") {
            Some(Self::Png)
        } else {
            None
        }
    }
}

/// A text that is not a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an image key")]
pub struct NotAnImageKey;

/// Where an image lies in its store: `{user_id}/{32 hex digits}.{jpg|png}`, made by the server alone.
///
/// Nothing else is ever written to a store or removed from it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageKey(String);

impl ImageKey {
    /// A new key under its owner's id.
    #[must_use]
    pub fn new(owner: UserId, random: [u8; 16], format: ImageFormat) -> Self {
        Self(format!("{owner}/{:032x}.{}", u128::from_be_bytes(random), format.extension()))
    }

    /// Takes a key that [`new`](Self::new) made.
    pub fn parse(text: &str) -> Result<Self, NotAnImageKey> {
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let (owner, name) = text.split_once('/').ok_or(NotAnImageKey)?;
        let (stem, extension) = name.split_once('.').ok_or(NotAnImageKey)?;
        if is_hex(owner, 24) && is_hex(stem, 32) && matches!(extension, "jpg" | "png") {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnImageKey)
        }
    }

    /// The whole key, its parts parted by `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key's last part: what clients are told.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whose image it is.
    #[must_use]
    pub fn owner(&self) -> Option<UserId> {
        self.0.split_once('/').and_then(|(owner, _)| owner.parse().ok())
    }

    /// The format of what lies there.
    #[must_use]
    pub fn format(&self) -> ImageFormat {
        match self.0.rsplit_once('.') {
            Some((_, "png")) => ImageFormat::Png,
            _ => ImageFormat::Jpeg,
        }
    }
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageKey({})", self.0)
    }
}

/// Which image, and in which store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    /// The store that holds it.
    pub store: StoreName,
    /// Where it lies there.
    pub key: ImageKey,
}

/// An image that was uploaded to Roster, as its user has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnImage {
    /// Which it is.
    pub image: ImageRef,
    /// What its content is known by. Images from before version 0.2 have none.
    pub checksum: Option<Checksum>,
}

impl From<ImageRef> for OwnImage {
    /// Without a checksum.
    fn from(image: ImageRef) -> Self {
        Self { image, checksum: None }
    }
}

/// What the FastAPI service kept of an image: the bare name of a file in its folder, or the address of an object in S3.
/// Whatever text stands there, it is shown as it is, served where it is found, and never removed: its name is not ours.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OriginalImage(String);

impl OriginalImage {
    /// Takes what a store holds.
    #[must_use]
    pub const fn from_store(text: String) -> Self {
        Self(text)
    }

    /// Whether it is an address, at which S3 is to answer.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.starts_with("https://") || self.0.starts_with("http://")
    }

    /// The name or address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OriginalImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginalImage({:?})", self.0)
    }
}

/// A user's profile image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProfileImage {
    /// One that was uploaded to Roster.
    Stored(OwnImage),
    /// One that was uploaded to the FastAPI service.
    Original(OriginalImage),
}

impl ProfileImage {
    /// The image, where it is one of ours: only such a one is ever removed.
    #[must_use]
    pub const fn stored(&self) -> Option<&ImageRef> {
        match self {
            Self::Stored(own) => Some(&own.image),
            Self::Original(_) => None,
        }
    }
}

impl From<ImageRef> for ProfileImage {
    fn from(image: ImageRef) -> Self {
        Self::Stored(image.into())
    }
}

impl From<OwnImage> for ProfileImage {
    fn from(image: OwnImage) -> Self {
        Self::Stored(image)
    }
}

impl From<OriginalImage> for ProfileImage {
    fn from(image: OriginalImage) -> Self {
        Self::Original(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_read_back_as_it_was_written(owner: [u8; 12], random: [u8; 16]) {
            let key = ImageKey::new(UserId::from_bytes(owner), random, ImageFormat::Png);
            prop_assert_eq!(ImageKey::parse(key.as_str()), Ok(key.clone()));
            prop_assert_eq!(key.as_str(), format!("{}/{}", UserId::from_bytes(owner), key.file_name()));
        }
    }

    #[test]
    fn a_key_tells_the_format() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            assert_eq!(ImageKey::new(UserId::from_bytes([1; 12]), [2; 16], format).format(), format);
        }
    }

    #[rstest::rstest]
    #[case::jpeg(b"\xFF\xD8\xFF\xE0\0\x10JF", Some(ImageFormat::Jpeg))]
    #[case::jpeg_with_exif(b"\xFF\xD8\xFF\xE1", Some(ImageFormat::Jpeg))]
    #[case::png(b"\x89PNG\r\n\x1A\n", Some(ImageFormat::Png))]
    #[case::png_through_a_text_transfer(b"\x89PNG\n\x1A\n\0", None)]
    #[case::cut_off(b"\xFF\xD8", None)]
    #[case::gif(b"GIF89a\x01\0", None)]
    #[case::svg(b"<svg xml", None)]
    #[case::nothing(b"", None)]
    fn a_format_is_told_by_the_content(#[case] beginning: &[u8], #[case] expected: Option<ImageFormat>) {
        assert_eq!(ImageFormat::of_content(beginning), expected);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("me.jpg")]
    #[case("67a9940edc65a0145ee73980/../00000000000000000000000000000000.jpg")]
    #[case("67a9940edc65a0145ee73980/00000000000000000000000000000000.gif")]
    #[case("67a9940edc65a0145ee73980/00000000000000000000000000000000.jpg/x")]
    #[case("67A9940EDC65A0145EE73980/00000000000000000000000000000000.jpg")]
    fn a_name_that_we_did_not_make_is_no_key(#[case] text: &str) {
        assert_eq!(ImageKey::parse(text), Err(NotAnImageKey));
    }
}
