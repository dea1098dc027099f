//! Decoded pictures: shrinking, colour conversion and encoding.

use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use fast_image_resize::images::Image;
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{MulDiv, PixelTrait, PixelType, ResizeError, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageError, RgbImage, RgbaImage};
use moxcms::{ColorProfile, Layout, TransformOptions};
use roster_domain::ports::{ProcessError, Spool};
use roster_domain::values::ImageFormat;

use crate::unavailable::unavailable;

/// The most pixels a side of what is kept.
pub(crate) const SIDE: u16 = 1024;

/// At 88 of 100 the loss beside that of the upload's own encoding can't be seen; at 95 the file is twice as large.
const QUALITY: u8 = 88;

/// The largest colour profile that is looked at, in bytes. Those of printing presses have two million at most.
pub(crate) const MAX_PROFILE: u64 = 2 << 20;

/// What it takes to convert colours, besides [`COPIES`] of the profile, in bytes: tables of a fixed size.
const CONVERSION: u64 = 2 << 20;

/// How many bytes a conversion holds for each byte of a profile. Seven were seen, of three tags with the same table, which is
/// then made floating-point numbers; curves may lie in the same bytes, too.
const COPIES: u64 = 16;

/// What the resizer holds for each column and each row that it shrinks: the weights of the six that each kept pixel is made
/// of on either side (Lanczos' filter), as floating-point numbers and in short.
const WEIGHTS: u64 = 6 * (8 + 4) + 8;

/// What of a profile says how samples become colours (ICC.1:2022, 9.2). Texts above all are left out, and what is the way
/// back: many of them may stand for the same bytes, of which the reader makes a copy for each.
const USED_TAGS: [&[u8; 4]; 13] = [
    b"A2B0", b"A2B1", b"A2B2", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt",
    b"chad", b"cicp",
];

/// What was in a file.
pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    /// How it is to be turned, where the camera said so.
    pub(crate) orientation: Option<Orientation>,
    /// What its colours mean, as an ICC profile; unset, they are sRGB.
    pub(crate) profile: Option<Vec<u8>>,
    /// To which power of light its samples are, where there is no profile; unset, they are as in sRGB.
    pub(crate) gamma: Option<f32>,
}

/// Pixels of 8 bits a sample, row by row.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) samples: Samples,
    pub(crate) pixels: Vec<u8>,
}

/// What a pixel consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// 255 is all of an ink.
    Cmyk,
}

impl Samples {
    const fn pixel_type(self) -> PixelType {
        match self {
            Self::Grey => PixelType::U8,
            Self::GreyAlpha => PixelType::U8x2,
            Self::Rgb => PixelType::U8x3,
            Self::Rgba | Self::Cmyk => PixelType::U8x4,
        }
    }

    const fn has_alpha(self) -> bool {
        matches!(self, Self::GreyAlpha | Self::Rgba)
    }
}

impl Decoded {
    /// Makes of it what is kept: small, upright, in sRGB, and nothing beside the pixels.
    pub(crate) fn finish(self, format: ImageFormat) -> Result<Spool, ProcessError> {
        let mut picture = self.picture.shrunk().map_err(unavailable)?;
        if let Some(gamma) = self.gamma {
            picture.encode_as_srgb(gamma);
        }
        let picture = picture.in_srgb(self.profile);
        let mut image = picture.into_image().ok_or(ProcessError::Damaged)?;
        image.apply_orientation(self.orientation.unwrap_or(Orientation::NoTransforms));
        Ok(write(&image, format).map_err(unavailable)?)
    }
}

impl Picture {
    /// How many bytes it takes at most to hold such a picture and to make of it what is kept, where its profile has at most so
    /// many.
    pub(crate) fn finishing_need(width: u64, height: u64, channels: u64, profile: u64) -> u64 {
        let (kept_width, kept_height) = fitting(width, height);
        let (halfway, kept) = (kept_width * height * channels, kept_width * kept_height);
        let weights = if kept == width * height { 0 } else { WEIGHTS * (width + height) };
        let shrinking = width * height * channels + halfway + kept * channels + weights;
        // The kept picture as it is, in sRGB, turned, filtered and compressed, of up to four bytes a pixel.
        let conversion = if profile == 0 { 0 } else { CONVERSION + COPIES * profile.min(MAX_PROFILE) };
        shrinking.max(5 * kept * 4 + conversion)
    }

    /// The picture in at most [`SIDE`] × [`SIDE`] pixels; a smaller one stays as it is.
    fn shrunk(self) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (width, height) = fitting(self.width.into(), self.height.into());
        let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let from = Image::from_vec_u8(self.width, self.height, self.pixels, self.samples.pixel_type())?;
        let to = (width, height);
        let has_alpha = self.samples.has_alpha();
        let pixels = match self.samples {
            Samples::Grey => resized::<U8>(from, to, has_alpha),
            Samples::GreyAlpha => resized::<U8x2>(from, to, has_alpha),
            Samples::Rgb => resized::<U8x3>(from, to, has_alpha),
            Samples::Rgba | Samples::Cmyk => resized::<U8x4>(from, to, has_alpha),
        }?;
        Ok(Self { width, height, samples: self.samples, pixels })
    }

    /// Makes samples that are to that power of light what they are in sRGB. A power that no device has means nothing.
    fn encode_as_srgb(&mut self, gamma: f32) {
        let (samples, colours) = match self.samples {
            Samples::Grey => (1, 1),
            Samples::GreyAlpha => (2, 1),
            Samples::Rgb => (3, 3),
            Samples::Rgba => (4, 3),
            Samples::Cmyk => return,
        };
        // That of sRGB's own approximation, too.
        if !(0.05..=20.0).contains(&gamma) || (gamma - 1.0 / 2.2).abs() < 0.01 {
            return;
        }
        let table: [u8; 256] = std::array::from_fn(|sample| {
            let sample = f32::from(u8::try_from(sample).unwrap_or(u8::MAX)) / 255.0;
            srgb(sample.powf(1.0 / gamma))
        });
        for pixel in self.pixels.chunks_exact_mut(samples) {
            for sample in &mut pixel[..colours] {
                *sample = table[usize::from(*sample)];
            }
        }
    }

    /// The same colours in sRGB. A profile that can't be read, or is for other samples, means nothing, as it does to browsers.
    fn in_srgb(self, profile: Option<Vec<u8>>) -> Self {
        profile.and_then(|profile| self.converted(profile)).unwrap_or_else(|| match self.samples {
            Samples::Cmyk => self.without_inks(),
            _ => self,
        })
    }

    fn converted(&self, mut profile: Vec<u8>) -> Option<Self> {
        if profile.len() as u64 > MAX_PROFILE {
            return None;
        }
        leave_what_is_used(&mut profile);
        let profile = ColorProfile::new_from_slice(&profile).ok()?;
        let (from, to, samples, channels) = match self.samples {
            Samples::Grey => (Layout::Gray, Layout::Rgb, Samples::Rgb, 3),
            Samples::GreyAlpha => (Layout::GrayAlpha, Layout::Rgba, Samples::Rgba, 4),
            Samples::Rgb => (Layout::Rgb, Layout::Rgb, Samples::Rgb, 3),
            Samples::Rgba => (Layout::Rgba, Layout::Rgba, Samples::Rgba, 4),
            // Four samples that are no alpha are inks where the profile is one of inks.
            Samples::Cmyk if profile.color_space == moxcms::DataColorSpace::Cmyk => {
                (Layout::Rgba, Layout::Rgb, Samples::Rgb, 3)
            }
            Samples::Cmyk => return None,
        };
        let srgb = ColorProfile::new_srgb();
        let transform = profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok()?;
        let mut pixels = vec![0; self.pixels.len() / self.samples.pixel_type().size() * channels];
        transform.transform(&self.pixels, &mut pixels).ok()?;
        Some(Self { width: self.width, height: self.height, samples, pixels })
    }

    /// Inks of which nothing is known are taken to filter light without loss.
    fn without_inks(self) -> Self {
        let light = |ink: u8, black: u8| {
            let passed = u16::from(255 - ink) * u16::from(255 - black);
            u8::try_from((passed + 127) / 255).unwrap_or(u8::MAX)
        };
        let pixels = self.pixels.chunks_exact(4).flat_map(|p| [0, 1, 2].map(|ink| light(p[ink], p[3])));
        Self { samples: Samples::Rgb, pixels: pixels.collect(), ..self }
    }

    fn into_image(self) -> Option<DynamicImage> {
        let Self { width, height, samples, pixels } = self;
        match samples {
            Samples::Grey => GrayImage::from_raw(width, height, pixels).map(Into::into),
            Samples::GreyAlpha => GrayAlphaImage::from_raw(width, height, pixels).map(Into::into),
            Samples::Rgb => RgbImage::from_raw(width, height, pixels).map(Into::into),
            Samples::Rgba => RgbaImage::from_raw(width, height, pixels).map(Into::into),
            Samples::Cmyk => None,
        }
    }
}

/// How sRGB writes that much of all light (IEC 61966-2-1).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to 255")]
fn srgb(light: f32) -> u8 {
    let sample = if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (sample.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Makes tags that are not used, and those that are there twice, unknown ones. A header of 128 bytes is before their number
/// and their table.
fn leave_what_is_used(profile: &mut [u8]) {
    let Some((number, table)) = profile.get_mut(128..).and_then(<[u8]>::split_first_chunk_mut) else {
        return;
    };
    let number = usize::try_from(u32::from_be_bytes(*number)).unwrap_or(usize::MAX);
    let mut left = USED_TAGS.to_vec();
    for tag in table.chunks_exact_mut(12).take(number) {
        match left.iter().position(|used| tag.starts_with(*used)) {
            Some(index) => drop(left.swap_remove(index)),
            None => tag[..4].fill(0),
        }
    }
}

/// The picture at another width and height.
///
/// Its kind of pixel is a type, since the resizer's own choice by value compiles all thirteen that it knows.
fn resized<P: PixelTrait>(
    mut from: Image<'_>,
    (width, height): (u32, u32),
    has_alpha: bool,
) -> Result<Vec<u8>, ResizeError> {
    let mut to = Image::new(width, height, P::pixel_type());
    let unsupported = fast_image_resize::ImageError::UnsupportedPixelType;
    // In place, where the resizer would work on a copy.
    let alpha = MulDiv::new();
    if has_alpha {
        alpha.multiply_alpha_inplace_typed(&mut from.typed_image_mut::<P>().ok_or(unsupported)?)?;
    }
    Resizer::new().resize_typed(
        &from.typed_image::<P>().ok_or(unsupported)?,
        &mut to.typed_image_mut::<P>().ok_or(unsupported)?,
        &ResizeOptions::new().use_alpha(false),
    )?;
    drop(from);
    if has_alpha {
        alpha.divide_alpha_inplace_typed(&mut to.typed_image_mut::<P>().ok_or(unsupported)?)?;
    }
    Ok(to.into_vec())
}

/// The dimensions of what is kept: the same shape, never larger, at least one pixel.
fn fitting(width: u64, height: u64) -> (u64, u64) {
    let (side, longer) = (u64::from(SIDE), width.max(height));
    if longer <= side {
        return (width, height);
    }
    let kept = |length: u64| ((length * side + longer / 2) / longer).max(1);
    (kept(width), kept(height))
}

/// Encodes the picture into a file that has no name.
fn write(image: &DynamicImage, format: ImageFormat) -> Result<Spool, ImageError> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    match format {
        ImageFormat::Jpeg => image.write_with_encoder(JpegEncoder::new_with_quality(&mut out, QUALITY))?,
        ImageFormat::Png => {
            let encoder =
                PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive);
            image.write_with_encoder(encoder)?;
        }
    }
    out.flush()?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    let length = file.metadata()?.len();
    Ok(Spool::new(move |buffer, position| file.read_at(buffer, position), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_the_same_shape_and_is_never_larger() {
        for (from, to) in [
            ((1, 1), (1, 1)),
            ((1024, 1024), (1024, 1024)),
            ((1025, 1024), (1024, 1023)),
            ((4000, 3000), (1024, 768)),
            ((3000, 4000), (768, 1024)),
            ((10_000, 1), (1024, 1)),
            ((1, 65_535), (1, 1024)),
        ] {
            assert_eq!(fitting(from.0, from.1), to, "{from:?}");
        }
    }
}
