//! JPEG (ISO/IEC 10918-1, annex B).

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::ops::Range;

use image::metadata::Orientation;
use jpeg_decoder::{Decoder, Error as DecoderError, PixelFormat};
use roster_domain::ports::{ProcessError, Spool};

use crate::input::{self, InPieces, Input, Pieces};
use crate::picture::{Decoded, Picture, SIDE, Samples};
use crate::unavailable::unavailable;

/// The start of an image, and of the marker that follows it.
pub(crate) const SIGNATURE: [u8; 3] = [START, 0xD8, START];

/// What every marker starts with.
const START: u8 = 0xFF;

/// The most scans of an image. Encoders write a dozen.
const MAX_SCANS: u32 = 64;

/// The most blocks of all scans together: each costs time for all of the picture, however few bytes it has. A progressive
/// image of 64 megapixels has ten million in libjpeg's scans, or fourteen where its colours are at full resolution.
const MAX_WORK: u64 = 16_000_000;

/// What stands for the end of the data. Whoever needs more data finds ones, which no code of Huffman's
/// consists of (F.1.2.1.2), and fails; whoever has enough goes over them.
const ONES_AND_END: &[u8] = &{
    let mut bytes = [START; 130];
    let mut index = 0;
    while index < 128 {
        bytes[index + 1] = 0;
        index += 2;
    }
    bytes[129] = 0xD9;
    bytes
};

/// The most bytes of zeros at the end of data that have no end marker: data may end so, but what follows them is no part of them.
const ZEROS_OF_DATA: u64 = 1;

/// How many bytes take as long to go over as a block takes to decode.
const BYTES_OF_A_BLOCK: u64 = 16;

/// What the decoder says where there are bytes before a restart that belong to no block.
const NO_RESTART: &str = "no marker found where RST";

/// How many bytes the decoder has taken then, at least, that belong to no block: it holds 57 bits or more.
const UNNEEDED: u64 = 7;

/// How many bytes the decoder has taken at most, and not decoded: 64 bits, of which each byte may take two.
const MOST_AHEAD: u64 = 16;

/// What can be said of a picture without decoding it.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) width: u32,
    pub(crate) height: u32,
    components: Vec<Component>,
    progressive: bool,
    /// Whether the decoder starts anew within a scan.
    restarts: bool,
    /// Adobe's programs say who they are, and write inks upside down.
    adobe: bool,
    /// Bytes of application data, of which a decoder keeps some.
    metadata: u64,
    /// Bytes of those that may be of a colour profile.
    profile: u64,
    /// What a decoder is given.
    pieces: Pieces,
    /// Blocks of all scans.
    work: u64,
}

#[derive(Debug)]
struct Component {
    id: u8,
    horizontal: u64,
    vertical: u64,
    /// Which of the 64 coefficients have come to their full precision.
    complete: u64,
}

/// Walks a file from behind the start of the image to its end. What follows that is no part of it.
///
/// It is as lenient as browsers and libjpeg are: bytes between segments are gone over, and a picture that is whole needs no
/// end marker, whatever follows. One that lacks a part is damaged: decoders would fill it with grey.
pub(crate) fn walk(image: &Spool, reader: &mut Input<'_>) -> Result<Outline, ProcessError> {
    let mut outline = Outline::default();
    outline.pieces.put(&[START, 0xD8])?;
    let (mut scans, mut last, mut has_end) = (0, None::<Scan>, false);
    while let Some(marker) = next_marker(reader)? {
        let start = reader.stream_position().map_err(fault)? - 2;
        if outline.is_whole() && !matches!(marker, 0x01 | 0xD0..=0xD7) {
            has_end = marker == 0xD9;
            break;
        }
        match marker {
            // Tables and a scan.
            0xDA => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(ProcessError::Damaged);
                }
                let scan = scan(reader, &mut outline, start)?;
                let end = data_end(reader)?;
                if end == scan.data {
                    return Err(ProcessError::Damaged);
                }
                if outline.is_whole() {
                    last = Some(Scan { end, ..scan });
                } else {
                    outline.pieces.keep(scan.data..end)?;
                }
            }
            // Frames of 8 bits with Huffman's code, which are all that is in use.
            0xC0..=0xC2 if outline.components.is_empty() => {
                outline.progressive = marker == 0xC2;
                frame(reader, &mut outline)?;
                // What decoders take of an extended frame they take of a baseline one, if they do not know that it is one.
                outline.pieces.put(if outline.progressive { &[START, 0xC2] } else { &[START, 0xC1] })?;
                outline.pieces.keep(start + 2..reader.stream_position().map_err(fault)?)?;
            }
            // What has no length: TEM, and a restart that belongs to no scan any more.
            0x01 | 0xD0..=0xD7 => {}
            // Tables.
            0xC4 | 0xDB | 0xDD => {
                let length = segment_length(reader)?;
                skip(reader, length)?;
                outline.pieces.keep(start..start + 4 + length)?;
                outline.restarts |= marker == 0xDD;
            }
            // Comments, and a number of lines that is known already.
            0xFE | 0xDC => {
                let length = segment_length(reader)?;
                skip(reader, length)?;
            }
            0xE0..=0xEF => application_data(reader, &mut outline, marker, start)?,
            // Other kinds of frames, an end or another start of an image, and what is reserved.
            _ => return Err(ProcessError::Damaged),
        }
    }
    let last = last.filter(|_| outline.is_whole()).ok_or(ProcessError::Damaged)?;
    let mut end = last.end;
    if !has_end {
        // A file that is filled up with zeros is cut all the same.
        let zeros = input::zeros_at_end(image, last.data..last.end).map_err(fault)?;
        end = end.min(zeros + ZEROS_OF_DATA);
    }
    // Such a scan has a bit for each block, and no codes.
    if last.single_bits && (end - last.data) * 8 < last.blocks {
        return Err(ProcessError::Damaged);
    }
    outline.pieces.keep(last.data..end)?;
    // Also where there is an end: somebody may have put it there, to mend what was cut.
    outline.pieces.put(ONES_AND_END)?;
    Ok(outline)
}

/// A scan that was gone over.
#[derive(Debug, Clone, Copy)]
struct Scan {
    /// Where its data begin and end.
    data: u64,
    end: u64,
    blocks: u64,
    /// Whether its data are bits that make values finer, without codes.
    single_bits: bool,
}

/// Application data (thumbnails among it). What says how the picture is shown is kept.
fn application_data(
    reader: &mut Input<'_>,
    outline: &mut Outline,
    marker: u8,
    start: u64,
) -> Result<(), ProcessError> {
    let length = segment_length(reader)?;
    let mut beginning = Vec::new();
    reader.by_ref().take(length.min(12)).read_to_end(&mut beginning).map_err(fault)?;
    skip(reader, length - beginning.len() as u64)?;
    let begins = |with: &[u8]| beginning.starts_with(with);
    let adobe = marker == 0xEE && length >= 12 && begins(b"Adobe");
    outline.adobe |= adobe;
    let kept = match marker {
        0xE0 => begins(b"JFIF\0") || begins(b"AVI1\0"),
        0xE1 => begins(b"Exif\0\0"),
        0xE2 => begins(b"ICC_PROFILE\0"),
        // A transformation that nobody knows means nothing.
        0xEE => adobe && beginning[5] == 0 && beginning[11] <= 2,
        _ => false,
    };
    if kept {
        outline.metadata += length;
        outline.profile += if marker == 0xE2 { length } else { 0 };
        outline.pieces.keep(start..start + 4 + length)?;
    }
    Ok(())
}

/// Goes over a scan's data, to the marker that follows or the end of the file. Returns where that is.
fn data_end(reader: &mut Input<'_>) -> Result<u64, ProcessError> {
    loop {
        reader.skip_until(START).map_err(fault)?;
        let position = reader.stream_position().map_err(fault)?;
        let mut code = START;
        while code == START {
            let mut byte = [0];
            if reader.read(&mut byte).map_err(fault)? == 0 {
                // A marker's beginning is no data.
                reader.seek(io::SeekFrom::Start(position - 1)).map_err(fault)?;
                let is_begun = self::byte(reader)? == START;
                return Ok(position - u64::from(is_begun));
            }
            code = byte[0];
        }
        // A stuffed 0xFF of the data itself, or a restart within the scan.
        if !matches!(code, 0 | 0xD0..=0xD7) {
            // It is read once more, with its 0xFF.
            reader.seek_relative(-2).map_err(fault)?;
            return Ok(position - 1);
        }
    }
}

/// The code of the next marker, whatever stands before it; `None` at the end of the file.
fn next_marker(reader: &mut Input<'_>) -> Result<Option<u8>, ProcessError> {
    loop {
        reader.skip_until(START).map_err(fault)?;
        let mut code = [START];
        while code[0] == START {
            if reader.read(&mut code).map_err(fault)? == 0 {
                return Ok(None);
            }
        }
        if code[0] != 0 {
            return Ok(Some(code[0]));
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

/// A scan's header, which begins there.
fn scan(reader: &mut Input<'_>, outline: &mut Outline, start: u64) -> Result<Scan, ProcessError> {
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
    let parameters = reader.stream_position().map_err(fault)?;
    let [first, last, precision] = array(reader)?;
    let data = parameters + 3;
    let complete = if outline.progressive {
        if first > last || last > 63 {
            return Err(ProcessError::Damaged);
        }
        outline.pieces.keep(start..data)?;
        let of_all_bits = precision.trailing_zeros() >= 4;
        if of_all_bits { (u64::MAX >> (63 - last)) & (u64::MAX << first) } else { 0 }
    } else {
        // They mean nothing here, whatever they are.
        outline.pieces.keep(start..parameters)?;
        outline.pieces.put(&[0, 63, 0])?;
        u64::MAX
    };
    let mut blocks = 0;
    let units = outline.units(outline.width.into(), outline.height.into());
    for id in ids {
        let component = outline.components.iter_mut().find(|component| component.id == id);
        let component = component.ok_or(ProcessError::Damaged)?;
        component.complete |= complete;
        blocks += units.0 * units.1 * component.horizontal * component.vertical;
    }
    outline.work += blocks;
    let single_bits = outline.progressive && first == 0 && precision >> 4 != 0;
    Ok(Scan { data, end: data, blocks, single_bits })
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
pub(crate) fn fault(error: io::Error) -> ProcessError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        ProcessError::Damaged
    } else {
        unavailable(error).into()
    }
}

impl Outline {
    /// Whether its scans take more time than those of any encoder would.
    pub(crate) const fn is_too_much_work(&self) -> bool {
        self.work > MAX_WORK
    }

    /// Whether all of the picture has been there.
    fn is_whole(&self) -> bool {
        !self.components.is_empty() && self.components.iter().all(|component| component.complete == u64::MAX)
    }

    /// How many columns and rows of its largest units there are.
    fn units(&self, width: u64, height: u64) -> (u64, u64) {
        let most = |side: fn(&Component) -> u64| self.components.iter().map(side).max().unwrap_or(1);
        let columns = width.div_ceil(8 * most(|component| component.horizontal));
        let rows = height.div_ceil(8 * most(|component| component.vertical));
        (columns, rows)
    }

    /// How many bytes it takes at most to decode it with these dimensions.
    pub(crate) fn need(&self, width: u32, height: u32) -> u64 {
        let (width, height) = (u64::from(width), u64::from(height));
        let (columns, rows) = self.units(width, height);
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

    /// Decodes it. What makes no sense before a restart is gone over, as libjpeg does: the restart is there for that. The
    /// decoder tells of it only when it comes to it, and is asked once more without it.
    pub(crate) fn decode(&self, image: &Spool) -> Result<Decoded, ProcessError> {
        let mut rest = None::<Pieces>;
        for _ in 0..=MAX_WORK / (self.work + image.length() / BYTES_OF_A_BLOCK + 1) {
            let pieces = rest.as_ref().unwrap_or(&self.pieces);
            let mut reader = pieces.open(image);
            match self.decode_from(&mut reader) {
                Err(DecoderError::Format(why)) if self.restarts && !self.progressive => {
                    let ahead = if why.starts_with(NO_RESTART) { UNNEEDED } else { MOST_AHEAD };
                    let stray = before_restart(pieces, image, input::taken(&reader), ahead).map_err(fault)?;
                    rest = Some(pieces.without(&stray.ok_or(ProcessError::Damaged)?)?);
                }
                decoded => return decoded.map_err(refusal),
            }
        }
        Err(ProcessError::Damaged)
    }

    fn decode_from(&self, reader: &mut BufReader<InPieces<'_>>) -> Result<Decoded, DecoderError> {
        let mut decoder = Decoder::new(reader);
        // It shrinks while it decodes, as far as to a half, a quarter or an eighth, but not below this.
        let (width, height) = decoder.scale(SIDE, SIDE)?;
        let mut pixels = decoder.decode()?;
        let samples = match decoder.info().map(|info| info.pixel_format) {
            Some(PixelFormat::L8) => Samples::Grey,
            Some(PixelFormat::RGB24) => Samples::Rgb,
            Some(PixelFormat::CMYK32) => Samples::Cmyk,
            Some(PixelFormat::L16) | None => return Err(DecoderError::Format("no samples of 8 bits".into())),
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
            gamma: None,
        })
    }
}

/// Eighths of the picture's size in which the decoder yields it, as [`Decoder::scale`] chooses them.
fn scale(width: u64, height: u64) -> u64 {
    let reaches = |scale: &u64| (width.max(height) * scale).div_ceil(8) >= u64::from(SIDE);
    [1, 2, 4].into_iter().find(reaches).unwrap_or(8)
}

/// What is left out where the decoder gave up when it had taken so many bytes: so many of them, but none before the last
/// restart, and all that follow up to the next one. `None` where no restart follows.
fn before_restart(pieces: &Pieces, image: &Spool, taken: u64, ahead: u64) -> io::Result<Option<Range<u64>>> {
    let mut reader = pieces.open(image);
    let mut start = taken.saturating_sub(ahead);
    io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
    loop {
        if reader.skip_until(START)? == 0 {
            return Ok(None);
        }
        let marker = input::taken(&reader) - 1;
        let mut code = [START];
        while code[0] == START {
            if reader.read(&mut code)? == 0 {
                return Ok(None);
            }
        }
        match code[0] {
            0 => {}
            0xD0..=0xD7 if marker >= taken => return Ok(Some(start..marker).filter(|part| !part.is_empty())),
            0xD0..=0xD7 => start = input::taken(&reader),
            _ => return Ok(None),
        }
    }
}

fn refusal(error: DecoderError) -> ProcessError {
    match error {
        DecoderError::Io(error) => fault(error),
        _ => ProcessError::Damaged,
    }
}
