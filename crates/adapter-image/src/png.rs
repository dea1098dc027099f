//! PNG (ISO/IEC 15948).

use std::io::{self, BufReader, Read, Seek};

use image::metadata::Orientation;
use png::{ColorType, Decoder, DecodingError, Info, Limits, Transformations};
use roster_domain::ports::{ProcessError, Spool};

use crate::input::{self, InPieces, Pieces};
use crate::jpeg::fault;
use crate::picture::{Decoded, Picture, Samples};
use crate::unavailable::unavailable;

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
    /// How many bits a pixel has before.
    bits: u64,
    /// What the decoder is given.
    pieces: Pieces,
}

/// The end of every PNG file.
const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// Reads the first chunk, and goes over the others.
pub(crate) fn outline(image: &Spool) -> Result<Outline, ProcessError> {
    let mut decoder = Decoder::new(input::open(image));
    let header = decoder.read_header_info().map_err(refusal)?;
    let channels = match header.color_type {
        // One of the greys may stand for what is transparent.
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => 4,
    };
    let bits = header.bits_per_pixel() as u64;
    Ok(Outline { width: header.width, height: header.height, channels, bits, pieces: walk(image)? })
}

/// Finds the chunks that make the picture which is shown where nothing moves.
///
/// Others are left out, those of an animation above all, in whatever order they are. A picture whose data are there needs no
/// end.
fn walk(image: &Spool) -> Result<Pieces, ProcessError> {
    let (mut reader, mut pieces) = (input::open(image), Pieces::default());
    let mut start = SIGNATURE.len() as u64;
    pieces.keep(0..start)?;
    let (mut data, mut behind_data) = (false, false);
    while start + 8 <= image.length() {
        let mut head = [0; 8];
        let position = i64::try_from(start).map_err(unavailable)?;
        let skipped =
            position - i64::try_from(reader.stream_position().map_err(unavailable)?).map_err(unavailable)?;
        reader.seek_relative(skipped).map_err(fault)?;
        reader.read_exact(&mut head).map_err(fault)?;
        let [l3, l2, l1, l0, kind @ ..] = head;
        let end = start + 12 + u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        if end > image.length() {
            // A cut chunk is left out. The decoder tells whether the picture is whole without it.
            break;
        }
        let is_kept = match &kind {
            b"IDAT" if !behind_data => {
                data = true;
                true
            }
            b"IEND" => break,
            b"IHDR" | b"PLTE" | b"tRNS" | b"gAMA" | b"sRGB" | b"iCCP" => !data,
            b"eXIf" => true,
            // Nobody knows what it says of the picture, and it matters.
            other if other[0].is_ascii_uppercase() && !data => return Err(ProcessError::Damaged),
            _ => false,
        };
        behind_data |= data && &kind != b"IDAT";
        if is_kept {
            pieces.keep(start..end)?;
        }
        start = end;
    }
    if !data {
        return Err(ProcessError::Damaged);
    }
    pieces.put(END)?;
    Ok(pieces)
}

impl Outline {
    /// How many bytes it takes at most to decode it with these dimensions.
    pub(crate) fn need(&self, width: u32, height: u32) -> u64 {
        // Nobody knows yet whether there is a profile.
        let finishing = Picture::finishing_need(width.into(), height.into(), self.channels, MAX_PROFILE);
        self.rows(width) + BESIDE_THE_PIXELS + finishing
    }

    /// The rows that the decoder holds as they are in the file, of which it keeps some and makes room for twice as many; two as
    /// they will be; and its window.
    fn rows(&self, width: u32) -> u64 {
        let width = u64::from(width);
        12 * (width * self.bits).div_ceil(8) + 2 * self.channels * width + (512 << 10)
    }

    fn decoder<'a>(&'a self, image: &'a Spool) -> Decoder<BufReader<InPieces<'a>>> {
        let bytes = usize::try_from(self.rows(self.width) + BESIDE_THE_PIXELS).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new_with_limits(self.pieces.open(image), Limits { bytes });
        decoder.set_ignore_text_chunk(true);
        decoder
    }

    /// Decodes the picture that is shown where nothing moves.
    pub(crate) fn decode(&self, image: &Spool) -> Result<Decoded, ProcessError> {
        let mut decoder = self.decoder(image);
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
            gamma: gamma(info),
            orientation: info.exif_metadata.as_deref().and_then(Orientation::from_exif_chunk),
            profile: info
                .icc_profile
                .as_deref()
                .filter(|profile| profile.len() as u64 <= MAX_PROFILE)
                .map(<[u8]>::to_vec),
        })
    }
}

/// What the samples stand for, where neither a profile nor the file itself says that it is as in sRGB: their power is that of
/// light.
fn gamma(info: &Info<'_>) -> Option<f32> {
    let is_known = info.icc_profile.is_some() || info.srgb.is_some();
    info.gama_chunk.filter(|_| !is_known).map(png::ScaledFloat::into_value)
}

fn refusal(error: DecodingError) -> ProcessError {
    match error {
        DecodingError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            unavailable(error).into()
        }
        _ => ProcessError::Damaged,
    }
}
