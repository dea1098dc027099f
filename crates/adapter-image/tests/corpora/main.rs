//! What becomes of the images that others test with: `PngSuite`, which is here with its licence, and Pillow's, which are fetched.
//!
//! The lists tell what is refused, and why. Everything else is taken.

#![expect(clippy::unwrap_used, reason = "an answer that no test expects fails it")]

mod pillow;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use roster_adapter_image::{Limits, Processor};
use roster_domain::ports::{ImageProcessor, ProcessError};
use roster_domain::values::ImageFormat;
use roster_domain_testkit::fixtures::{next_user_id, spool};

use Why::{Damaged, OtherFormat};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Damaged,
    OtherFormat,
}

/// A file, the refusal, and what is wrong with it.
type Refused = (&'static str, Why, &'static str);

const PNG_SUITE: &[Refused] = &[
    ("xc1n0g08.png", Damaged, "a colour type that there is not: 1"),
    ("xc9n2c08.png", Damaged, "a colour type that there is not: 9"),
    ("xcrn0g04.png", OtherFormat, "line ends were made CR LF, in the signature too"),
    ("xcsn0g01.png", Damaged, "the checksum of its data is wrong"),
    ("xd0n2c08.png", Damaged, "a depth that there is not: 0 bits"),
    ("xd3n2c08.png", Damaged, "a depth that there is not: 3 bits"),
    ("xd9n2c08.png", Damaged, "a depth that there is not: 99 bits"),
    ("xdtn0g01.png", Damaged, "it has no data"),
    ("xhdn0g08.png", Damaged, "the checksum of its header is wrong"),
    ("xlfn0g04.png", OtherFormat, "line ends were made LF, in the signature too"),
    ("xs1n0g01.png", OtherFormat, "another signature"),
    ("xs2n0g01.png", OtherFormat, "another signature"),
    ("xs4n0g01.png", OtherFormat, "another signature"),
    ("xs7n0g01.png", OtherFormat, "another signature"),
];

const PILLOW: &[Refused] = &[
    ("apng_syntax_num_frames_zero.png", Damaged, "it has no data"),
    ("broken.png", Damaged, "it has no header"),
    ("broken_data_stream.png", Damaged, "it is cut in its picture: three rows are missing"),
    ("truncated_image.png", Damaged, "it is cut in its picture: its last 80 rows are missing"),
];

#[test]
fn all_of_png_suite_is_taken_but_for_what_is_broken_on_purpose() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora/pngsuite");
    assert_eq!(tried(&folder, 175), listed(PNG_SUITE));
}

#[test]
fn all_of_pillows_test_images_are_taken_but_for_what_is_listed() {
    assert_eq!(tried(&pillow::images(), 472), listed(PILLOW));
}

fn listed(refused: &[Refused]) -> BTreeMap<String, Why> {
    refused.iter().map(|(name, why, _)| ((*name).to_owned(), *why)).collect()
}

/// Uploads each of so many images in a folder. What is refused of them is returned; what is taken must be clean.
#[track_caller]
fn tried(folder: &Path, number: usize) -> BTreeMap<String, Why> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let processor = Processor::start(Limits::default()).unwrap();
    let (mut refused, mut count) = (BTreeMap::new(), 0);
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("PngSuite.") {
            continue;
        }
        count += 1;
        let upload = spool(&fs::read(&file).unwrap());
        match runtime.block_on(processor.process(next_user_id(), upload)) {
            Ok(made) => {
                let mut bytes = vec![0; usize::try_from(made.image.length()).unwrap()];
                made.image.read_exact_at(&mut bytes, 0).unwrap();
                assert_clean(&name, made.format, &bytes);
            }
            Err(ProcessError::Damaged) => drop(refused.insert(name, Damaged)),
            Err(ProcessError::UnknownFormat) => drop(refused.insert(name, OtherFormat)),
            Err(error) => panic!("{name}: {error:?}"),
        }
    }
    assert_eq!(count, number, "images in {}", folder.display());
    refused
}

/// That nothing is there besides a picture of at most 1,024 pixels a side.
#[track_caller]
fn assert_clean(name: &str, format: ImageFormat, bytes: &[u8]) {
    let expected = match format {
        ImageFormat::Jpeg => image::ImageFormat::Jpeg,
        ImageFormat::Png => image::ImageFormat::Png,
    };
    let picture = image::load_from_memory_with_format(bytes, expected).unwrap();
    assert!(picture.width().max(picture.height()) <= 1024, "{name}");
    let parts = match format {
        ImageFormat::Jpeg => segments(bytes),
        ImageFormat::Png => chunks(bytes),
    };
    let allowed: &[&str] = match format {
        ImageFormat::Jpeg => &["E0", "DB", "C0", "C4", "DA"],
        ImageFormat::Png => &["IHDR", "IDAT", "IEND"],
    };
    assert!(parts.iter().all(|part| allowed.contains(&part.as_str())), "{name}: {parts:?}");
}

/// The markers of a JPEG's segments, up to its data.
fn segments(bytes: &[u8]) -> Vec<String> {
    let (mut at, mut found) = (2, Vec::new());
    while found.last().is_none_or(|last| last != "DA") {
        assert_eq!(bytes[at], 0xFF);
        found.push(format!("{:02X}", bytes[at + 1]));
        at += 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
    }
    // Its data have no other marker but the end, which is the file's.
    let end = at + bytes[at..].windows(2).position(|two| two[0] == 0xFF && two[1] != 0).unwrap();
    assert_eq!(&bytes[end..], b"\xFF\xD9");
    found
}

/// The names of a PNG's chunks.
fn chunks(bytes: &[u8]) -> Vec<String> {
    let (mut at, mut found) = (8, Vec::new());
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        found.push(String::from_utf8(bytes[at + 4..at + 8].to_vec()).unwrap());
        at += 12 + usize::try_from(length).unwrap();
    }
    found
}
