//! Fifty photographs at once, against the memory that they may take. Alone in its program, so that nothing else takes the
//! processors from them.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;

use std::io::Cursor;

use futures_util::future::join_all;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use harness::{Setup, TestApp};

/// How many come at once.
const UPLOADS: usize = 50;

/// How many of them are of the kinds that take most memory. They take much time, too.
const LARGE: usize = 16;

/// How long each file is, in bytes.
const LENGTH: usize = 5_000_000;

/// By how much they may raise the memory that is in use, in bytes: the budget, which is 96 MiB where nothing is set, and 16 MB.
const MOST: u64 = (96 << 20) + 16_000_000;

/// 12 megapixels of which every colour is written in every pixel, progressively, which takes most to decode:
/// `convert -size 4000x3000 gradient:navy-gold -sampling-factor 1x1 -interlace JPEG -quality 60 -strip progressive.jpg`
const PROGRESSIVE: &[u8] = include_bytes!("progressive.jpg");

/// Photographs of 12 megapixels, each in another encoding. The last takes least to decode.
fn photographs() -> [Vec<u8>; 4] {
    let [width, height] = [4000, 3000];
    let rgb = DynamicImage::from(RgbImage::from_fn(width, height, |x, y| {
        Rgb([x.to_le_bytes()[1] * 16, y.to_le_bytes()[1] * 20, 99])
    }));
    let rgba = rgb.to_rgba8().into();
    let encoded = |image: &DynamicImage, format| {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, format).unwrap();
        file.into_inner()
    };
    let mut all = [
        PROGRESSIVE.to_vec(),
        encoded(&rgb, ImageFormat::Png),
        encoded(&rgba, ImageFormat::Png),
        encoded(&rgb, ImageFormat::Jpeg),
    ];
    for photograph in &mut all {
        // What follows the end of a picture is left out.
        photograph.resize(photograph.len().max(LENGTH), 0);
    }
    all
}

/// The most bytes of memory that it has had resident.
fn peak_memory(app: &TestApp) -> u64 {
    let path = format!("/proc/{}/status", app.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_uploads_at_once_take_the_budget_and_little_more() {
    // Half of the room for files is one client's.
    let app = Setup::new().set("UPLOAD_SPOOL_MB", "512").start().await;
    let mut users = Vec::new();
    for number in 0..UPLOADS {
        users.push(app.sign_up(&format!("user{number}")).await);
    }
    let photographs = photographs();
    let before = app.resident_memory();

    let answers = join_all(users.iter().enumerate().map(|(number, user)| {
        let last = photographs.len() - 1;
        let photograph = &photographs[if number < LARGE { number % photographs.len() } else { last }];
        let path = "/api/v1/profile-upload/";
        app.post(path).by(user).file("image", "me.jpg", photograph).into_future()
    }));
    let (mut stored, mut told_to_wait) = (0, 0);
    for answer in answers.await {
        match answer.status {
            200 => stored += 1,
            // On a machine that is busy with something else. What every 503 has, is checked of every answer.
            503 => told_to_wait += 1,
            other => panic!("{other}: {}", answer.text()),
        }
    }
    let grown = peak_memory(&app) - before;
    println!("{stored} stored, {told_to_wait} told to wait; {} KiB more memory at most", grown / 1024);
    assert!(stored > 0);
    assert!(grown <= MOST, "{grown} bytes");
}
