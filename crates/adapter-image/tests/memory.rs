//! What decoding takes, against what is set aside for it.

#![expect(clippy::unwrap_used, reason = "an answer that no test expects fails it")]

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, Rgba};
use peak_alloc::PeakAlloc;
use png::{BitDepth, ColorType};
use roster_adapter_image::{Limits, Processor};
use roster_domain::ports::{ImageProcessor, ProcessError};
use roster_domain_testkit::fixtures::{bytes, next_user_id, spool};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

fn encoded(image: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A profile for printing, or what looks like one: of so many inks, with a table of that many points a side under each tag.
fn profile(space: [u8; 4], inks: usize, points: u8, tags: &[&[u8; 4]]) -> Vec<u8> {
    // ICC.1:2022, 10.11: `mft1`, with curves of 256 points that change nothing.
    let identity = (0..=u8::MAX).collect::<Vec<_>>();
    let matrix = [1_u32, 0, 0, 0, 1, 0, 0, 0, 1].map(|unit| (unit << 16).to_be_bytes()).concat();
    let inks_of = u8::try_from(inks).unwrap();
    let table = bytes(usize::from(points).pow(u32::from(inks_of)) * 3);
    let head = [b"mft1\0\0\0\0".as_slice(), &[inks_of, 3, points, 0], &matrix].concat();
    let table = [head, identity.repeat(inks), table, identity.repeat(3)].concat();
    // One record after another for the same text.
    let record = |_| [b"enUS".as_slice(), &32_000_u32.to_be_bytes(), &0_u32.to_be_bytes()].concat();
    let records = (0..4_000).flat_map(record).collect::<Vec<_>>();
    let text =
        [b"mluc\0\0\0\0".as_slice(), &4_000_u32.to_be_bytes(), &12_u32.to_be_bytes(), &records].concat();

    let mut all = vec![0; 128];
    all[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    all[12..24].copy_from_slice(&[b"prtr".as_slice(), &space, b"Lab "].concat());
    all[36..40].copy_from_slice(b"acsp");
    let number = u32::try_from(tags.len() + 1).unwrap();
    all.extend(number.to_be_bytes());
    let (text_at, text_size) = (132 + 12 * number, u32::try_from(text.len()).unwrap());
    let table_size = u32::try_from(table.len()).unwrap();
    all.extend([b"desc".as_slice(), &text_at.to_be_bytes(), &text_size.to_be_bytes()].concat());
    for tag in tags {
        all.extend(
            [tag.as_slice(), &(text_at + text_size).to_be_bytes(), &table_size.to_be_bytes()].concat(),
        );
    }
    [all, text, table].concat()
}

/// The same JPEG with a profile.
fn with_profile(jpeg: &[u8], profile: &[u8]) -> Vec<u8> {
    let pieces = profile.chunks(65_000);
    let number = u8::try_from(pieces.len()).unwrap();
    let segments = (1..=number).zip(pieces).flat_map(|(index, piece)| {
        let length = u16::try_from(piece.len() + 16).unwrap().to_be_bytes();
        [b"\xFF\xE2", length.as_slice(), b"ICC_PROFILE\0", &[index, number], piece].concat()
    });
    jpeg[..2].iter().copied().chain(segments).chain(jpeg[2..].iter().copied()).collect()
}

/// A PNG with a profile.
fn png_with_profile(profile: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(&[1, 2, 3], 1, 1, ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// All tags that may hold a table.
const TABLES: [&[u8; 4]; 7] = [b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt"];

/// A black PNG of these dimensions.
fn wide(width: u32, height: u32, colour: ColorType, depth: BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let row = (usize::try_from(width).unwrap() * colour.samples() * depth as usize).div_ceil(8);
    let data = vec![0; row * usize::try_from(height).unwrap()];
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    bytes
}

fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let rgb = |width, height| {
        image::RgbImage::from_fn(width, height, |x, y| Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 7]))
            .into()
    };
    let rgba = image::RgbaImage::from_pixel(1500, 1100, Rgba([1, 2, 3, 100])).into();
    let grey = image::GrayImage::new(2000, 2000).into();
    let deep = image::ImageBuffer::from_pixel(1100, 1500, Rgba([1_u16, 2, 3, 65_000])).into();
    let cmyk = include_bytes!("fixtures/cmyk.jpg");
    let tiny = encoded(&image::RgbImage::new(1, 1).into(), ImageFormat::Jpeg);
    let (inks, colours) = (profile(*b"CMYK", 4, 25, &TABLES), profile(*b"RGB ", 3, 80, &TABLES));
    vec![
        ("JPEG in inks", with_profile(cmyk, &inks)),
        ("JPEG in few inks", with_profile(cmyk, &profile(*b"CMYK", 4, 3, &TABLES))),
        ("JPEG with a table", with_profile(&tiny, &colours)),
        ("PNG with a table", png_with_profile(profile(*b"RGB ", 3, 50, &TABLES))),
        ("PNG with a large table", png_with_profile(colours)),
        ("JPEG with more than a profile", with_profile(&tiny, &profile(*b"RGB ", 3, 140, &TABLES))),
        ("PNG with more than a profile", png_with_profile(profile(*b"RGB ", 3, 140, &TABLES))),
        ("JPEG", encoded(&rgb(1500, 1100), ImageFormat::Jpeg)),
        ("small JPEG", encoded(&rgb(1000, 1000), ImageFormat::Jpeg)),
        ("wide JPEG", encoded(&rgb(20_000, 100), ImageFormat::Jpeg)),
        ("grey JPEG", encoded(&grey, ImageFormat::Jpeg)),
        ("progressive JPEG", include_bytes!("fixtures/large_progressive.jpg").to_vec()),
        ("PNG", encoded(&rgb(1500, 1100), ImageFormat::Png)),
        ("small PNG", encoded(&rgb(1000, 1000), ImageFormat::Png)),
        ("tall PNG", encoded(&rgb(100, 20_000), ImageFormat::Png)),
        ("transparent PNG", encoded(&rgba, ImageFormat::Png)),
        ("16-bit PNG", encoded(&deep, ImageFormat::Png)),
        ("grey PNG", encoded(&grey, ImageFormat::Png)),
        ("widest deep PNG", wide(200_000, 6, ColorType::Rgba, BitDepth::Sixteen)),
        ("widest PNG of bits", wide(300_000, 2, ColorType::Grayscale, BitDepth::One)),
        ("widest PNG of colours", wide(300_000, 3, ColorType::Rgb, BitDepth::Eight)),
        ("tallest deep PNG", wide(6, 200_000, ColorType::Rgba, BitDepth::Sixteen)),
        ("widest JPEG", encoded(&rgb(65_000, 8), ImageFormat::Jpeg)),
        ("tallest JPEG", encoded(&rgb(8, 65_000), ImageFormat::Jpeg)),
    ]
}

#[tokio::test]
async fn no_image_takes_more_than_is_set_aside_for_it() {
    for (name, image) in pictures() {
        let upload = spool(&image);
        for memory in 1.. {
            let processor =
                Processor::start(Limits { memory: memory * MIB as u64, ..Limits::default() }).unwrap();
            let before = ALLOCATED.current_usage();
            ALLOCATED.reset_peak_usage();
            match processor.process(next_user_id(), upload.clone()).await {
                Err(ProcessError::TooManyPixels { .. }) => {}
                taken => {
                    taken.unwrap();
                    let took = ALLOCATED.peak_usage() - before;
                    println!("{name}: {memory} MiB are set aside, {} KiB taken", took / 1024);
                    assert!(
                        took <= usize::try_from(memory).unwrap() * MIB,
                        "{name}: {took} bytes in {memory} MiB"
                    );
                    break;
                }
            }
        }
    }
}
