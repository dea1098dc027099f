//! The processor with real images, and with what only looks like some.
//!
//! `fixtures/make.sh` makes the fixtures.

#![expect(clippy::unwrap_used, reason = "an answer that no test expects fails it")]

use std::io::Cursor;

use image::{DynamicImage, GenericImageView, ImageDecoder, ImageReader, Rgba};
use proptest::prelude::*;
use roster_adapter_image::{Limits, Processor};
use roster_domain::ports::{ImageProcessor, ProcessError, Spool};
use roster_domain::values::ImageFormat::{self, Jpeg, Png};
use roster_domain_testkit::fixtures::{next_user_id, spool_that_claims};
use rstest::rstest;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("fixtures/", $name)).as_slice()
    };
}

const BASELINE: &[u8] = fixture!("baseline.jpg");
const PROGRESSIVE: &[u8] = fixture!("progressive.jpg");
const METADATA_JPEG: &[u8] = fixture!("metadata.jpg");
const METADATA_PNG: &[u8] = fixture!("metadata.png");
const RGB: &[u8] = fixture!("rgb.png");
const RGBA: &[u8] = fixture!("rgba.png");
const ANIMATED: &[u8] = fixture!("animated.png");

/// One of each kind.
const ALL: [&[u8]; 14] = [
    BASELINE,
    PROGRESSIVE,
    METADATA_JPEG,
    METADATA_PNG,
    RGB,
    RGBA,
    ANIMATED,
    fixture!("progressive_restarts.jpg"),
    fixture!("restarts.jpg"),
    fixture!("grey.jpg"),
    fixture!("ycck.jpg"),
    fixture!("adobe_rgb.jpg"),
    fixture!("palette_transparent.png"),
    fixture!("interlaced16.png"),
];

fn process_within(limits: Limits, spool: Spool) -> Result<(ImageFormat, Vec<u8>), ProcessError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let processed = runtime.block_on(Processor::start(limits).unwrap().process(next_user_id(), spool))?;
    let mut bytes = vec![0; usize::try_from(processed.image.length()).unwrap()];
    processed.image.read_exact_at(&mut bytes, 0).unwrap();
    Ok((processed.format, bytes))
}

fn process(bytes: &[u8]) -> Result<(ImageFormat, Vec<u8>), ProcessError> {
    process_within(Limits::default(), spool(bytes))
}

fn spool(bytes: &[u8]) -> Spool {
    roster_domain_testkit::fixtures::spool(bytes)
}

fn decoded(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

/// What is made of it, decoded.
fn picture(bytes: &[u8]) -> DynamicImage {
    decoded(&process(bytes).unwrap().1)
}

fn refused_as_damaged(bytes: &[u8]) -> bool {
    matches!(process(bytes), Err(ProcessError::Damaged))
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

const RED: [u8; 4] = [255, 0, 0, 255];
const GREEN: [u8; 4] = [0, 255, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];
const WHITE: [u8; 4] = [255; 4];

/// The middles of the picture's quarters, row by row.
fn quarters(picture: &DynamicImage) -> [[u8; 4]; 4] {
    let (width, height) = picture.dimensions();
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| picture.get_pixel(width * x / 4, height * y / 4).0)
}

#[track_caller]
fn shows(picture: &DynamicImage, expected: [[u8; 4]; 4], tolerance: u8) {
    let shown = quarters(picture);
    let alike = |a: u8, b: u8| a.abs_diff(b) <= tolerance;
    let same = shown.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| alike(*a, *b));
    assert!(same, "{shown:?} instead of {expected:?}");
}

const SCENE: [[u8; 4]; 4] = [RED, GREEN, BLUE, WHITE];

#[rstest]
#[case::baseline(BASELINE, Jpeg, 6)]
#[case::full_chroma(fixture!("full_chroma.jpg"), Jpeg, 6)]
#[case::progressive(PROGRESSIVE, Jpeg, 6)]
#[case::restarts(fixture!("restarts.jpg"), Jpeg, 6)]
#[case::progressive_restarts(fixture!("progressive_restarts.jpg"), Jpeg, 6)]
#[case::plain_inks(fixture!("cmyk.jpg"), Jpeg, 6)]
#[case::inks_as_colours_and_black(fixture!("ycck.jpg"), Jpeg, 6)]
#[case::metadata(METADATA_JPEG, Jpeg, 6)]
#[case::rgb(RGB, Png, 0)]
#[case::rgb_16(fixture!("rgb16.png"), Png, 0)]
#[case::palette(fixture!("palette.png"), Png, 0)]
#[case::interlaced(fixture!("interlaced.png"), Png, 0)]
#[case::interlaced_16(fixture!("interlaced16.png"), Png, 0)]
#[case::animated(ANIMATED, Png, 0)]
#[case::animated_without_its_first_picture(fixture!("animated_default.png"), Png, 0)]
fn a_picture_stays_what_it_was(#[case] image: &[u8], #[case] format: ImageFormat, #[case] tolerance: u8) {
    let (made, bytes) = process(image).unwrap();
    assert_eq!(made, format);
    let expected = if format == Jpeg { image::ImageFormat::Jpeg } else { image::ImageFormat::Png };
    assert_eq!(image::guess_format(&bytes).unwrap(), expected);
    let picture = decoded(&bytes);
    assert_eq!(picture.dimensions(), (48, 32));
    shows(&picture, SCENE, tolerance);
}

#[rstest]
#[case::jpeg(fixture!("grey.jpg"), 2)]
#[case::png(fixture!("grey.png"), 0)]
#[case::png_16(fixture!("grey16.png"), 1)]
fn grey_stays_grey(#[case] image: &[u8], #[case] tolerance: u8) {
    let expected = quarters(&decoded(image));
    let picture = picture(image);
    assert_eq!(picture.color(), image::ColorType::L8);
    shows(&picture, expected, tolerance);
}

#[test]
fn black_and_white_is_grey() {
    let [black, white] = [[0, 0, 0, 255], WHITE];
    shows(&picture(fixture!("grey1.png")), [black, white, black, white], 0);
}

#[test]
fn what_is_transparent_stays_so() {
    let clear = |[r, g, b, _]: [u8; 4]| [r, g, b, 100];
    shows(&picture(RGBA), [clear(RED), clear(GREEN), clear(BLUE), WHITE], 0);
    let palette = fixture!("palette_transparent.png");
    let expected = quarters(&decoded(palette));
    assert!(expected.iter().any(|pixel| pixel[3] < 255), "{expected:?}");
    shows(&picture(palette), expected, 0);
}

#[rstest]
#[case(fixture!("orientation_1.jpg"))]
#[case(fixture!("orientation_2.jpg"))]
#[case(fixture!("orientation_3.jpg"))]
#[case(fixture!("orientation_4.jpg"))]
#[case(fixture!("orientation_5.jpg"))]
#[case(fixture!("orientation_6.jpg"))]
#[case(fixture!("orientation_7.jpg"))]
#[case(fixture!("orientation_8.jpg"))]
#[case(fixture!("orientation.png"))]
fn a_turned_picture_is_made_upright(#[case] image: &[u8]) {
    let picture = picture(image);
    assert_eq!(picture.dimensions(), (48, 32));
    shows(&picture, SCENE, 6);
}

#[test]
fn a_wider_range_of_colours_becomes_srgb() {
    // Stored as (219, 0, 0) for red, and the like: without the profile it would look pale.
    let image = fixture!("adobe_rgb.jpg");
    assert!(quarters(&decoded(image))[0][0] < 235);
    let (_, bytes) = process(image).unwrap();
    shows(&decoded(&bytes), SCENE, 8);
    let mut decoder =
        ImageReader::with_format(Cursor::new(bytes), image::ImageFormat::Jpeg).into_decoder().unwrap();
    assert_eq!(decoder.icc_profile().unwrap(), None);
}

#[test]
fn inks_that_no_program_of_adobes_wrote_are_not_upside_down() {
    let marked = fixture!("cmyk.jpg");
    let end = marked.windows(2).position(|bytes| bytes == b"\xFF\xEE").unwrap();
    let unmarked = [&marked[..end], &marked[end + 16..]].concat();
    // The fixture's inks are upside down, so that without the mark they are the opposite ones.
    shows(
        &picture(&unmarked),
        [[0, 255, 255, 255], [255, 0, 255, 255], [255, 255, 0, 255], [0, 0, 0, 255]].map(|_| [0, 0, 0, 255]),
        3,
    );
}

#[test]
fn nothing_but_the_picture_is_left() {
    for image in [METADATA_JPEG, METADATA_PNG] {
        assert!(contains(image, b"SECRET"));
        let before: &[u8] = b"<html><script>alert(1)</script>";
        let hidden = [image, before].concat();
        let (format, bytes) = process(&hidden).unwrap();
        for secret in
            [b"SECRET".as_slice(), b"Exif", b"eXIf", b"GPS", b"xmp", b"<html", b"script", b"tEXt", b"iTXt"]
        {
            assert!(!contains(&bytes, secret), "{format:?} {:?}", String::from_utf8_lossy(secret));
        }
        assert_eq!(bytes, process(&bytes_of_same_pixels(format)).unwrap().1, "{format:?}");
    }
}

/// The image of which the one with metadata was made.
fn bytes_of_same_pixels(format: ImageFormat) -> Vec<u8> {
    if format == Jpeg { BASELINE.to_vec() } else { RGB.to_vec() }
}

#[test]
fn a_page_that_is_also_an_image_is_no_page_any_more() {
    let page = b"<html><body onload=alert(document.domain)>";
    let length = u16::try_from(page.len() + 2).unwrap().to_be_bytes();
    let polyglot = [&BASELINE[..2], b"\xFF\xFE", &length, page, &BASELINE[2..], page].concat();
    let (_, bytes) = process(&polyglot).unwrap();
    assert!(!contains(&bytes, b"<") || !contains(&bytes, b"onload"));
    assert_eq!(bytes, process(BASELINE).unwrap().1);
}

/// A picture whose left half is black, as PNG or JPEG.
fn large(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let half =
        image::RgbImage::from_fn(width, height, |x, _| image::Rgb([if x < width / 2 { 0 } else { 200 }; 3]));
    let mut bytes = Cursor::new(Vec::new());
    half.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[rstest]
#[case((1024, 1024), (1024, 1024))]
#[case((1025, 500), (1024, 500))]
#[case((2048, 1536), (1024, 768))]
#[case((1500, 4500), (341, 1024))]
#[case((10_000, 1), (1024, 1))]
#[case((2, 9_000), (1, 1024))]
#[case((1, 1), (1, 1))]
fn a_large_picture_is_shrunk_and_keeps_its_shape(#[case] from: (u32, u32), #[case] to: (u32, u32)) {
    for format in [image::ImageFormat::Png, image::ImageFormat::Jpeg] {
        let picture = picture(&large(from.0, from.1, format));
        assert_eq!(picture.dimensions(), to, "{format:?}");
        if to.0 > 1 {
            let (left, right) =
                (picture.get_pixel(to.0 / 4, to.1 / 2), picture.get_pixel(3 * to.0 / 4, to.1 / 2));
            assert!(left.0[0] < 5 && right.0[0].abs_diff(200) < 5, "{format:?}: {left:?} {right:?}");
        }
    }
}

#[test]
fn a_shrunk_edge_of_what_is_transparent_has_no_fringe() {
    // Opaque white beside transparent black: what is between them is half transparent, but white.
    let image =
        image::RgbaImage::from_fn(2049, 16, |x, _| if x < 1023 { Rgba([255; 4]) } else { Rgba([0; 4]) });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let shrunk = picture(&bytes.into_inner()).into_rgba8();
    let between: Vec<_> = shrunk.pixels().filter(|pixel| (20..=235).contains(&pixel.0[3])).collect();
    assert!(!between.is_empty());
    assert!(between.iter().all(|pixel| pixel.0[0] > 240), "{:?}", between[0]);
}

/// How many bytes the mark of an image's end has: EOI, or IEND with its length and checksum.
fn end_mark(image: &[u8]) -> usize {
    if image[0] == 0xFF { 2 } else { 12 }
}

#[test]
fn no_image_that_is_cut_in_its_picture_is_taken() {
    for image in ALL {
        // What follows a PNG's own data moves.
        let data = image.windows(4).rposition(|kind| kind == b"IDAT").filter(|_| image[0] != 0xFF);
        let whole = data.map_or(image.len() - end_mark(image), |data| {
            let length = u32::from_be_bytes(image[data - 4..data].try_into().unwrap());
            data + 4 + usize::try_from(length).unwrap() + 4
        });
        // The last bytes of data may hold no more than what fills them up.
        for length in (0..whole - 8).rev().step_by(29) {
            let begun = process(&image[..length]);
            assert!(begun.is_err(), "the first {length} of {} bytes", image.len());
            if length > 12 {
                let filled = [&image[..length], &[0; 5_000]].concat();
                assert!(process(&filled).is_err(), "the first {length} of {} bytes, and zeros", image.len());
                let ended = [&image[..length], &image[image.len() - end_mark(image)..]].concat();
                assert!(process(&ended).is_err(), "the first {length} of {} bytes, and an end", image.len());
            }
        }
        assert!(refused_as_damaged(&image[..12]));
    }
}

#[test]
fn a_whole_picture_needs_no_end() {
    let trailer =
        [b"\0\0\x01\x0A\x0E\0\0\0Image_UTC_Data\xFF\xD8\xFF\xE1\x12SEFT".as_slice(), &[0; 40]].concat();
    for image in ALL {
        let (_, expected) = process(image).unwrap();
        let whole = image.len() - end_mark(image);
        for end in whole..=image.len() {
            for behind in [&b""[..], &[0; 5_000], &[0; 3], &trailer, b"<html>"] {
                let changed = [&image[..end], behind].concat();
                let made = process(&changed);
                let behind = behind.len();
                assert!(
                    made.is_ok_and(|(_, made)| made == expected),
                    "{end} of {} bytes and {behind} others",
                    image.len()
                );
            }
        }
    }
}

#[test]
fn bytes_between_segments_are_gone_over() {
    let jpegs = ALL.into_iter().filter(|image| image[0] == 0xFF);
    for image in jpegs {
        let (_, expected) = process(image).unwrap();
        let scan = image.windows(2).position(|bytes| bytes == b"\xFF\xDA").unwrap();
        // Behind the first segment, and before the first scan.
        let first = 4 + usize::from(u16::from_be_bytes([image[4], image[5]])) - 2 + 2;
        // A thumbnail has a scan, too.
        let places = if image == METADATA_JPEG { vec![first] } else { vec![first, scan] };
        for at in places {
            for between in [&b"\0"[..], b"\0\0\0", b"abc", b"\xFF", b"\xFF\0", b"\xFF\xFE\0\x04no"] {
                let changed = [&image[..at], between, &image[at..]].concat();
                assert_eq!(process(&changed).unwrap().1, expected, "{between:x?} at {at}");
            }
        }
    }
    let stray = [&BASELINE[..20], b"\0", &BASELINE[20..]].concat();
    assert_eq!(process(&stray).unwrap().1, process(BASELINE).unwrap().1);
}

/// Where the restarts of the fixture are.
fn restarts(image: &[u8]) -> Vec<usize> {
    let scan = image.windows(2).position(|bytes| bytes == b"\xFF\xDA").unwrap();
    let restarts = (scan..image.len() - 1).filter(|at| matches!(image[*at..], [0xFF, 0xD0..=0xD7, ..]));
    restarts.collect()
}

#[test]
fn bytes_before_a_restart_that_belong_to_no_block_are_gone_over() {
    let image = fixture!("restarts_in_rows.jpg");
    let (_, expected) = process(image).unwrap();
    let restarts = restarts(image);
    assert_eq!(restarts.len(), 3);
    for stray in [&b"\x12"[..], &[0x55; 9], &[0xFF, 0, 0x3F].repeat(20), &[0; 3_000]] {
        let mut changed = image.to_vec();
        for at in restarts.iter().rev().step_by(2) {
            changed.splice(at..at, stray.iter().copied());
        }
        assert_eq!(process(&changed).unwrap().1, expected, "{} bytes", stray.len());
    }
}

#[test]
fn data_without_a_meaning_cost_the_picture_what_stands_before_the_next_restart_alone() {
    let image = fixture!("restarts_in_rows.jpg");
    let restarts = restarts(image);
    let mut changed = image.to_vec();
    // No code of Huffman's consists of ones.
    let damaged = restarts[0] + 4..restarts[0] + 12;
    assert!(damaged.end < restarts[1]);
    changed.splice(damaged, [0xFF, 0].repeat(4));
    let (made, expected) = (picture(&changed), picture(image));
    let are_same = |from: u32, to: u32| {
        let same = |y: u32| (0..48).all(|x| made.get_pixel(x, y) == expected.get_pixel(x, y));
        (from..to).all(same)
    };
    assert_eq!(
        [are_same(0, 8), are_same(8, 16), are_same(16, 24), are_same(24, 32)],
        [true, false, true, true]
    );
    // Behind the last restart nothing tells it from one that was cut.
    let mut cut = image.to_vec();
    let last = *restarts.last().unwrap();
    cut.splice(last + 4..last + 12, [0xFF, 0].repeat(4));
    assert!(refused_as_damaged(&cut));
}

#[rstest]
fn parameters_of_scans_mean_nothing_in_a_baseline_image(
    #[values([0, 0, 0], [0, 63, 1], [1, 63, 0], [0, 64, 0], [63, 0, 0x21], [255, 255, 255])]
    parameters: [u8; 3],
) {
    let mut changed = BASELINE.to_vec();
    let scan = changed.windows(2).position(|bytes| bytes == b"\xFF\xDA").unwrap();
    let end = scan + 2 + usize::from(u16::from_be_bytes([changed[scan + 2], changed[scan + 3]]));
    changed[end - 3..end].copy_from_slice(&parameters);
    assert_eq!(process(&changed).unwrap().1, process(BASELINE).unwrap().1);
}

/// A progressive picture of these dimensions whose last scan is there so many times.
fn scanned(width: u16, height: u16, times: usize) -> Vec<u8> {
    let dimensions = [&b"\x08"[..], &height.to_be_bytes(), &width.to_be_bytes()].concat();
    let image = with(PROGRESSIVE, JPEG_DIMENSIONS, &dimensions);
    // The first scans are of all components.
    let starts: Vec<_> = (0..image.len()).filter(|at| image[*at..].starts_with(b"\xFF\xDA")).collect();
    let first = &image[starts[0]..starts[1]];
    [&image[..starts[0]], &first.repeat(times), &image[starts[0]..]].concat()
}

#[test]
fn scans_and_pixels_together_are_bounded_before_anything_is_decoded() {
    // Ten scans of a picture of 12 megapixels are a photograph's; fifty are nobody's.
    assert!(refused_as_damaged(&scanned(4_000, 3_000, 50)));
    assert!(process(&scanned(48, 32, 50)).is_ok());
}

/// A grey PNG of one pixel with these chunks before its data.
fn grey_png(sample: u8, chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::GrayImage::from_pixel(1, 1, image::Luma([sample]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    let bytes = bytes.into_inner();
    let chunks = chunks.iter().map(|(kind, data)| chunk(**kind, data)).collect::<Vec<_>>().concat();
    [&bytes[..33], &chunks, &bytes[33..]].concat()
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [&kind[..], data].concat();
    let length = u32::try_from(data.len()).unwrap();
    [&length.to_be_bytes()[..], &named, &crc(&named).to_be_bytes()].concat()
}

#[test]
fn a_gamma_is_honoured_unless_the_colours_are_known() {
    let shown = |chunks: &[(&[u8; 4], &[u8])]| picture(&grey_png(55, chunks)).get_pixel(0, 0).0[0];
    let linear = 100_000_u32.to_be_bytes();
    assert_eq!(shown(&[]), 55);
    assert_eq!(shown(&[(b"gAMA", &45_455_u32.to_be_bytes())]), 55);
    // A little more than a fifth of all light.
    assert!(shown(&[(b"gAMA", &linear)]).abs_diff(128) <= 1);
    assert_eq!(shown(&[(b"sRGB", &[0]), (b"gAMA", &linear)]), 55);
    assert_eq!(shown(&[(b"gAMA", &0_u32.to_be_bytes())]), 55);
    assert_eq!(shown(&[(b"gAMA", &u32::MAX.to_be_bytes())]), 55);
}

#[test]
fn an_animation_is_a_still_picture_however_its_frames_are_numbered() {
    let (_, expected) = process(ANIMATED).unwrap();
    let number = |image: &[u8], kind: &[u8; 4], number: u32| {
        let mut changed = image.to_vec();
        let kinds = changed.windows(4).position(|name| name == kind).unwrap();
        let length = u32::from_be_bytes(changed[kinds - 4..kinds].try_into().unwrap());
        let end = kinds + 4 + usize::try_from(length).unwrap();
        changed[kinds + 4..kinds + 8].copy_from_slice(&number.to_be_bytes());
        let sum = crc(&changed[kinds..end]).to_be_bytes();
        changed[end..end + 4].copy_from_slice(&sum);
        changed
    };
    for (kind, value) in [(b"fcTL", 7), (b"fdAT", 0), (b"fdAT", 9), (b"acTL", 0), (b"acTL", u32::MAX)] {
        assert_eq!(process(&number(ANIMATED, kind, value)).unwrap().1, expected, "{kind:?} {value}");
    }
}

/// The fixture with its data in chunks of so many bytes.
fn in_chunks(image: &[u8], size: usize) -> Vec<Vec<u8>> {
    let at = image.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let length = usize::try_from(u32::from_be_bytes(image[at - 4..at].try_into().unwrap())).unwrap();
    let chunk = |data: &[u8]| {
        let named = [b"IDAT", data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], &named, &crc(&named).to_be_bytes()].concat()
    };
    let mut chunks = vec![image[..at - 4].to_vec()];
    chunks.extend(image[at + 4..at + 4 + length].chunks(size).map(chunk));
    chunks
}

#[test]
fn a_png_is_cut_where_data_are_missing_and_not_where_a_chunk_behind_them_is_cut() {
    for image in [RGB, RGBA, fixture!("interlaced16.png"), fixture!("palette.png")] {
        let (_, expected) = process(image).unwrap();
        let chunks = in_chunks(image, 16);
        let whole = chunks.concat();
        for behind in [&b"\0\0\0\x10IDAT"[..], b"\0\0\x76\x4EIDAT\x78\x9C", b"\0\0\0\x10tEXtab", b"\0\0\0"] {
            assert_eq!(process(&[&whole, behind].concat()).unwrap().1, expected, "{behind:x?}");
        }
        // The last bytes may be those of a checksum.
        for left in 1..chunks.len() - 1 {
            let cut = chunks[..left].concat();
            assert!(refused_as_damaged(&cut), "{left} of {} chunks", chunks.len());
            let within = &chunks[left][..chunks[left].len() / 2];
            assert!(refused_as_damaged(&[&cut, within].concat()), "{left} of {} chunks", chunks.len());
        }
    }
}

#[test]
fn a_progressive_picture_that_never_gets_sharp_is_damaged() {
    let last_scan = PROGRESSIVE.windows(2).rposition(|bytes| bytes == b"\xFF\xDA").unwrap();
    assert!(refused_as_damaged(&[&PROGRESSIVE[..last_scan], b"\xFF\xD9"].concat()));
}

#[test]
fn more_scans_than_an_encoder_writes_are_refused_and_those_behind_a_whole_picture_left_out() {
    assert!(refused_as_damaged(&scanned(48, 32, 65)));
    let scan = BASELINE.windows(2).position(|bytes| bytes == b"\xFF\xDA").unwrap();
    let scans = BASELINE[scan..BASELINE.len() - 2].repeat(65);
    let repeated = [&BASELINE[..scan], &scans, b"\xFF\xD9"].concat();
    assert_eq!(process(&repeated).unwrap().1, process(BASELINE).unwrap().1);
}

#[rstest]
#[case(b"")]
#[case(b"\xFF\xD8")]
#[case(b"\x89PNG\r\n")]
#[case(b"GIF89a\x01\x00\x01\x00\x80\x00\x00")]
#[case(b"<svg xmlns='http://www.w3.org/2000/svg'/>")]
#[case(b"%PDF-1.7")]
#[case(b"\x00\x00\x00\x0CjP  \r\n\x87\n")]
#[case(b" \xFF\xD8\xFF\xD9")]
fn other_content_is_of_an_unknown_format_whatever_its_name_was(#[case] content: &[u8]) {
    assert!(matches!(process(content), Err(ProcessError::UnknownFormat)));
}

/// The image with `new` in the place of the only `old`.
fn with(image: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<_> = (0..image.len()).filter(|at| image[*at..].starts_with(old)).collect();
    assert_eq!(places.len(), 1, "{old:x?} stands once in the image");
    [&image[..places[0]], new, &image[places[0] + old.len()..]].concat()
}

/// 48 × 32 pixels, as the frame header of the JPEG fixtures has it.
const JPEG_DIMENSIONS: &[u8] = b"\x08\x00\x20\x00\x30";

#[rstest]
#[case(BASELINE, 64_000_000)]
#[case(PROGRESSIVE, 35_000_000)]
fn a_jpeg_that_says_it_is_a_bomb_is_refused_before_it_is_decoded(#[case] image: &[u8], #[case] most: u64) {
    let bomb = with(image, JPEG_DIMENSIONS, b"\x08\xFF\xFF\xFF\xFF");
    let Err(ProcessError::TooManyPixels { allowed }) = process(&bomb) else { panic!("not refused") };
    assert!((12_000_000..=most).contains(&allowed), "{allowed}");
}

#[test]
fn an_image_of_no_pixels_is_damaged() {
    for dimensions in [b"\x08\x00\x00\x00\x30", b"\x08\x00\x20\x00\x00"] {
        assert!(refused_as_damaged(&with(BASELINE, JPEG_DIMENSIONS, dimensions)));
    }
    for (width, height) in [(0, 1), (1, 0), (0, 0)] {
        assert!(refused_as_damaged(&png(width, height)));
    }
}

/// The start of a PNG of 16-bit colours with these dimensions, and an end.
fn png(width: u32, height: u32) -> Vec<u8> {
    let header = [b"IHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), &[16, 6, 0, 0, 0]].concat();
    let checksum = crc(&header).to_be_bytes();
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0D".as_slice(), &header, &checksum, &RGB[33..]].concat()
}

/// PNG's checksum.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}

#[rstest]
#[case(50_000, 50_000)]
#[case(i32::MAX.unsigned_abs(), 1)]
#[case(1, i32::MAX.unsigned_abs())]
#[case(i32::MAX.unsigned_abs(), i32::MAX.unsigned_abs())]
fn a_png_that_says_it_is_a_bomb_is_refused_before_it_is_decoded(#[case] width: u32, #[case] height: u32) {
    let Err(ProcessError::TooManyPixels { allowed }) = process(&png(width, height)) else {
        panic!("not refused")
    };
    assert!(allowed < 64_000_000, "{allowed}");
}

#[test]
fn as_many_pixels_as_a_refusal_allows_are_taken_and_not_many_more() {
    let limits = Limits { memory: 32 << 20, ..Limits::default() };
    let Err(ProcessError::TooManyPixels { allowed }) = process_within(limits, spool(&png(9_000, 9_000)))
    else {
        panic!("not refused")
    };
    let side = u32::try_from(allowed.isqrt()).unwrap();
    let square = |side| process_within(limits, spool(&large(side, side, image::ImageFormat::Png)));
    assert!(square(side).is_ok(), "{side}");
    assert!(matches!(square(side + 2), Err(ProcessError::TooManyPixels { .. })), "{side}");
}

#[tokio::test]
async fn uploads_that_need_more_together_than_there_is_wait_for_each_other() {
    let processor = Processor::start(Limits { memory: 32 << 20, ..Limits::default() }).unwrap();
    let image = large(1700, 1400, image::ImageFormat::Png);
    let all = (0..4).map(|_| processor.process(next_user_id(), spool(&image)));
    for processed in futures_util::future::join_all(all).await {
        assert_eq!(processed.unwrap().format, Png);
    }
}

#[test]
fn a_file_that_is_shorter_than_it_should_be_is_damaged() {
    for image in [BASELINE, RGB] {
        let short = spool_that_claims(image.len() as u64, &image[..100]);
        let answer = process_within(Limits::default(), short);
        assert!(matches!(answer, Err(ProcessError::Damaged)));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        prop_assert!(process(&bytes).is_err());
    }

    #[test]
    fn any_bytes_behind_a_signature_are_answered(png: bool, bytes: Vec<u8>) {
        let signature: &[u8] = if png { b"\x89PNG\r\n\x1a\n" } else { b"\xFF\xD8\xFF" };
        prop_assert!(process(&[signature, &bytes].concat()).is_err());
    }

    #[test]
    fn an_image_with_a_few_changed_bytes_is_taken_clean_or_refused(
        image in prop::sample::select(ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut changed = image.to_vec();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        match process(&changed) {
            Ok((_, bytes)) => prop_assert!(decoded(&bytes).width() <= 1024),
            Err(error @ (ProcessError::Overloaded | ProcessError::Unavailable(_))) => {
                prop_assert!(false, "{error:?}");
            }
            Err(_) => {}
        }
    }
}
