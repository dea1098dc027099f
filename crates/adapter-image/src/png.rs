//! PNG (ISO/IEC 15948).

use std::io;

use image::metadata::Orientation;
use png::{ColorType, Decoder, DecodingError, Limits, Transformations};
use roster_domain::ports::{ProcessError, Spool};

use crate::input::{self, Input};
use crate::picture::{Decoded, Picture, Samples};
use crate::unavailable;

/// What every PNG file starts with.
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The most bytes for what stands beside the pixels: a colour profile, an orientation.
const BESIDE_THE_PIXELS: u64 = 2 << 20;

/// The largest colour profile that is looked at, in bytes: no inks come in a PNG, whose profiles are the largest.
const MAX_PROFILE: u64 = 512 << 10;

/// What can be said of a picture without decoding it.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// How many bytes a pixel has once it is decoded, at most.
    channels: u64,
}

/// Reads the first chunk alone.
pub(crate) fn outline(image: &Spool) -> Result<Outline, ProcessError> {
    let mut decoder = Decoder::new(input::open(image));
    let header = decoder.read_header_info().map_err(refusal)?;
    let channels = match header.color_type {
        // One of the greys may stand for what is transparent.
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => 4,
    };
    Ok(Outline { width: header.width, height: header.height, channels })
}

impl Outline {
    /// How many bytes it takes at most to decode it with these dimensions.
    pub(crate) fn need(&self, width: u32, height: u32) -> u64 {
        // Nobody knows yet whether there is a profile.
        let finishing = Picture::finishing_need(width.into(), height.into(), self.channels, MAX_PROFILE);
        rows(width) + BESIDE_THE_PIXELS + finishing
    }

    /// Decodes the picture that is shown where nothing moves.
    pub(crate) fn decode(&self, image: &Spool) -> Result<Decoded, ProcessError> {
        let mut decoder = decoder(image, self.width);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(refusal)?;
        let length = reader.output_buffer_size().ok_or(ProcessError::Damaged)?;
        let mut pixels = vec![0; length];
        let frame = reader.next_frame(&mut pixels).map_err(refusal)?;
        // To the end, so that one is there.
        reader.finish().map_err(refusal)?;
        let info = reader.info();
        Ok(Decoded {
            picture: Picture {
                width: frame.width,
                height: frame.height,
                samples: match frame.color_type {
                    ColorType::Grayscale => Samples::Grey,
                    ColorType::GrayscaleAlpha => Samples::GreyAlpha,
                    ColorType::Rgb => Samples::Rgb,
                    ColorType::Rgba => Samples::Rgba,
                    ColorType::Indexed => return Err(ProcessError::Damaged),
                },
                pixels,
            },
            orientation: info.exif_metadata.as_deref().and_then(Orientation::from_exif_chunk),
            profile: info
                .icc_profile
                .as_deref()
                .filter(|profile| profile.len() as u64 <= MAX_PROFILE)
                .map(<[u8]>::to_vec),
        })
    }
}

fn decoder(image: &Spool, width: u32) -> Decoder<Input<'_>> {
    let bytes = usize::try_from(rows(width) + BESIDE_THE_PIXELS).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(input::open(image), Limits { bytes });
    decoder.set_ignore_text_chunk(true);
    decoder
}

/// The rows that the decoder holds, of up to eight bytes a pixel, and its window.
fn rows(width: u32) -> u64 {
    4 * 8 * u64::from(width) + (256 << 10)
}

fn refusal(error: DecodingError) -> ProcessError {
    match error {
        DecodingError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            unavailable(error).into()
        }
        _ => ProcessError::Damaged,
    }
}
