//! JPEG (ISO/IEC 10918-1, annex B).

use std::io::{self, BufRead, Read};

use image::metadata::Orientation;
use jpeg_decoder::{Decoder, Error as DecoderError, PixelFormat};
use roster_domain::ports::{ProcessError, Spool};

use crate::input::{self, Input};
use crate::picture::{Decoded, Picture, SIDE, Samples};
use crate::unavailable;

/// The start of an image, and of the marker that follows it.
pub(crate) const SIGNATURE: [u8; 3] = [START, 0xD8, START];

/// What every marker starts with.
const START: u8 = 0xFF;

/// The most scans of an image. Encoders write a dozen; each costs time for all of the picture, however few bytes it has.
const MAX_SCANS: u32 = 64;

/// What can be said of a picture without decoding it.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) width: u32,
    pub(crate) height: u32,
    components: Vec<Component>,
    progressive: bool,
    /// Adobe's programs say who they are, and write inks upside down.
    adobe: bool,
    /// Bytes of application data, of which a decoder keeps some.
    metadata: u64,
    /// Bytes of those that may be of a colour profile.
    profile: u64,
}

#[derive(Debug)]
struct Component {
    id: u8,
    horizontal: u64,
    vertical: u64,
    /// Which of the 64 coefficients have come to their full precision.
    complete: u64,
}

/// Walks a file from behind the [`SIGNATURE`] to the end of the image. What follows that is no part of it.
///
/// An image that lacks a part of its picture is damaged: decoders would fill it with grey.
pub(crate) fn walk(reader: &mut Input<'_>) -> Result<Outline, ProcessError> {
    let mut outline = Outline::default();
    let mut marker = marker_code(reader)?;
    let mut scans = 0;
    loop {
        match marker {
            // The end.
            0xD9 => {
                let whole = outline.components.iter().all(|component| component.complete == u64::MAX);
                return if whole && scans > 0 { Ok(outline) } else { Err(ProcessError::Damaged) };
            }
            // Tables and a scan, which ends with the next marker.
            0xDA => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(ProcessError::Damaged);
                }
                marker = scan(reader, &mut outline)?;
                continue;
            }
            // Frames of 8 bits with Huffman's code, which are all that is in use.
            0xC0..=0xC2 if outline.components.is_empty() => {
                outline.progressive = marker == 0xC2;
                frame(reader, &mut outline)?;
            }
            // What has no length: TEM, and a restart that belongs to no scan any more.
            0x01 | 0xD0..=0xD7 => {}
            // Tables and comments.
            0xC4 | 0xDB | 0xDD | 0xFE => {
                let length = segment_length(reader)?;
                skip(reader, length)?;
            }
            // Application data (thumbnails among it).
            0xE0..=0xEF => {
                let length = segment_length(reader)?;
                outline.metadata += length;
                outline.profile += if marker == 0xE2 { length } else { 0 };
                if marker == 0xEE && length >= 12 {
                    outline.adobe |= &array::<5>(reader)? == b"Adobe";
                    skip(reader, length - 5)?;
                } else {
                    skip(reader, length)?;
                }
            }
            // Other kinds of frames, another start of an image, and what is reserved.
            _ => return Err(ProcessError::Damaged),
        }
        if byte(reader)? != START {
            return Err(ProcessError::Damaged);
        }
        marker = marker_code(reader)?;
    }
}

/// The marker behind its first 0xFF; any number of them may stand before it.
fn marker_code(reader: &mut Input<'_>) -> Result<u8, ProcessError> {
    loop {
        match byte(reader)? {
            START => {}
            code => return Ok(code),
        }
    }
}

/// How many bytes follow a segment's length, which counts itself.
fn segment_length(reader: &mut Input<'_>) -> Result<u64, ProcessError> {
    u64::from(u16::from_be_bytes(array(reader)?)).checked_sub(2).ok_or(ProcessError::Damaged)
}

/// A frame's header: precision, height, width, and three bytes for each component.
fn frame(reader: &mut Input<'_>, outline: &mut Outline) -> Result<(), ProcessError> {
    let length = segment_length(reader)?;
    let [precision, h1, h0, w1, w0, components] = array(reader)?;
    outline.width = u16::from_be_bytes([w1, w0]).into();
    outline.height = u16::from_be_bytes([h1, h0]).into();
    // A height of 0 means that it comes later, which no common decoder takes.
    let sized = outline.width > 0 && outline.height > 0;
    if !sized || precision != 8 || !matches!(components, 1 | 3 | 4) || length != 6 + 3 * u64::from(components)
    {
        return Err(ProcessError::Damaged);
    }
    for _ in 0..components {
        let [id, sampling, _table] = array(reader)?;
        let (horizontal, vertical) = (u64::from(sampling >> 4), u64::from(sampling & 15));
        if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(ProcessError::Damaged);
        }
        outline.components.push(Component { id, horizontal, vertical, complete: 0 });
    }
    Ok(())
}

/// A scan: its header, and entropy-coded data to the next marker, which is returned.
fn scan(reader: &mut Input<'_>, outline: &mut Outline) -> Result<u8, ProcessError> {
    let length = segment_length(reader)?;
    let components = byte(reader)?;
    if !(1..=4).contains(&components) || length != 4 + 2 * u64::from(components) {
        return Err(ProcessError::Damaged);
    }
    let mut ids = Vec::new();
    for _ in 0..components {
        let [id, _tables] = array(reader)?;
        ids.push(id);
    }
    let [first, last, precision] = array(reader)?;
    if first > last || last > 63 {
        return Err(ProcessError::Damaged);
    }
    let complete = match (outline.progressive, precision & 15) {
        (false, _) => u64::MAX,
        (true, 0) => (u64::MAX >> (63 - last)) & (u64::MAX << first),
        (true, _) => 0,
    };
    for id in ids {
        let component = outline.components.iter_mut().find(|component| component.id == id);
        component.ok_or(ProcessError::Damaged)?.complete |= complete;
    }

    let mut empty = true;
    loop {
        empty &= reader.skip_until(START).map_err(fault)? <= 1;
        match marker_code(reader)? {
            // A stuffed 0xFF of the data itself.
            0x00 => empty = false,
            // A restart within the scan.
            0xD0..=0xD7 => {}
            _ if empty => return Err(ProcessError::Damaged),
            marker => return Ok(marker),
        }
    }
}

fn byte(reader: &mut Input<'_>) -> Result<u8, ProcessError> {
    Ok(array::<1>(reader)?[0])
}

fn array<const N: usize>(reader: &mut Input<'_>) -> Result<[u8; N], ProcessError> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).map_err(fault)?;
    Ok(bytes)
}

/// Goes over so many bytes, which a segment's length limits.
fn skip(reader: &mut Input<'_>, count: u64) -> Result<(), ProcessError> {
    let skipped = io::copy(&mut reader.take(count), &mut io::sink()).map_err(fault)?;
    if skipped == count { Ok(()) } else { Err(ProcessError::Damaged) }
}

/// What ends before it should is damaged.
fn fault(error: io::Error) -> ProcessError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        ProcessError::Damaged
    } else {
        unavailable(error).into()
    }
}

impl Outline {
    /// How many bytes it takes at most to decode it with these dimensions.
    pub(crate) fn need(&self, width: u32, height: u32) -> u64 {
        let (width, height) = (u64::from(width), u64::from(height));
        let most = |side: fn(&Component) -> u64| self.components.iter().map(side).max().unwrap_or(1);
        let columns = width.div_ceil(8 * most(|component| component.horizontal));
        let rows = height.div_ceil(8 * most(|component| component.vertical));
        let in_a_unit: u64 = self.components.iter().map(|c| c.horizontal * c.vertical).sum();
        let blocks = columns * rows * in_a_unit;
        let scale = scale(width, height);

        // Two bytes a coefficient: of all the picture, or of a few rows.
        let coefficients = 128 * if self.progressive { blocks } else { 3 * columns * in_a_unit };
        let planes = blocks * scale * scale;
        let channels = self.components.len() as u64;
        let (width, height) = ((width * scale).div_ceil(8), (height * scale).div_ceil(8));
        let lines = 4 * channels * width;
        let decoding = coefficients + planes + width * height * channels + lines;
        2 * self.metadata + decoding.max(Picture::finishing_need(width, height, channels, self.profile))
    }

    pub(crate) fn decode(&self, image: &Spool) -> Result<Decoded, ProcessError> {
        let mut decoder = Decoder::new(input::open(image));
        // It shrinks while it decodes, as far as to a half, a quarter or an eighth, but not below this.
        let (width, height) = decoder.scale(SIDE, SIDE).map_err(refusal)?;
        let mut pixels = decoder.decode().map_err(refusal)?;
        let samples = match decoder.info().map(|info| info.pixel_format) {
            Some(PixelFormat::L8) => Samples::Grey,
            Some(PixelFormat::RGB24) => Samples::Rgb,
            Some(PixelFormat::CMYK32) => Samples::Cmyk,
            Some(PixelFormat::L16) | None => return Err(ProcessError::Damaged),
        };
        if samples == Samples::Cmyk && !self.adobe {
            // The decoder takes all inks to be upside down.
            for ink in &mut pixels {
                *ink = 255 - *ink;
            }
        }
        Ok(Decoded {
            picture: Picture { width: width.into(), height: height.into(), samples, pixels },
            orientation: decoder.exif_data().and_then(Orientation::from_exif_chunk),
            profile: decoder.icc_profile(),
        })
    }
}

/// Eighths of the picture's size in which the decoder yields it, as [`Decoder::scale`] chooses them.
fn scale(width: u64, height: u64) -> u64 {
    let reaches = |scale: &u64| (width.max(height) * scale).div_ceil(8) >= u64::from(SIDE);
    [1, 2, 4].into_iter().find(reaches).unwrap_or(8)
}

fn refusal(error: DecoderError) -> ProcessError {
    match error {
        DecoderError::Io(error) => fault(error),
        _ => ProcessError::Damaged,
    }
}
