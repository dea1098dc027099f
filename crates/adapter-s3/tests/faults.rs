//! A service that is away, hangs, or says no: each is told apart in the log, and in bounded time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use roster_adapter_s3::S3Images;
use roster_domain::ports::{ImageStore, Unavailable};
use roster_domain::values::ImageKey;
use roster_domain_testkit::fixtures::{bytes, image_key, next_user_id, spool};
use roster_test_s3::{Canned, Config, Mode, TestS3};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use support::{PREFIX, PUBLIC_URL, connection_to, images};

mod support;

/// Larger than what two sockets hold for a peer that does not read.
const LARGE: usize = 5_000_000;

/// No call on a small image takes so long.
const LIMIT: Duration = Duration::from_secs(15);

/// The fault with all its sources, as the log tells it.
fn told(fault: &Unavailable) -> String {
    let mut texts = vec![fault.to_string()];
    let mut next = fault.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.join(": ")
}

/// What is told of each of the four calls, which must all fail in time.
async fn all_fail(images: &S3Images) -> [String; 4] {
    let key = image_key(next_user_id());
    let calls = async {
        let (put, open, remove, probe) = tokio::join!(
            images.put(&key, spool(&bytes(100_000))),
            images.open(&key),
            images.remove(&key),
            images.probe(),
        );
        [put.err(), open.err(), remove.err(), probe.err()]
    };
    let faults = timeout(LIMIT, calls).await.expect("answers in time");
    faults.map(|fault| {
        let told = told(&fault.expect("a fault"));
        assert!(told.starts_with("image store is unavailable: s3://images"), "{told}");
        told
    })
}

async fn works(images: &S3Images) {
    let key = image_key(next_user_id());
    images.put(&key, spool(b"image")).await.expect("an image is stored");
    images.remove(&key).await.expect("an image is removed");
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable_until_it_is_back() {
    let mut s3 = TestS3::start();
    let images = images(&s3).await;
    works(&images).await;
    s3.kill();
    let began = Instant::now();
    for told in all_fail(&images).await {
        assert!(told.contains("Connection refused"), "{told}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    s3.restart();
    works(&images).await;
}

#[tokio::test]
async fn a_service_that_hangs_is_unavailable_until_it_answers_again() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    s3.set_mode(Mode::Hanging);
    for told in all_fail(&images).await {
        assert!(told.contains("timed out") || told.contains("timeout"), "{told}");
    }
    s3.set_mode(Mode::Well);
    works(&images).await;
}

#[tokio::test]
async fn nobody_waits_long_for_a_removal() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    s3.set_mode(Mode::Hanging);
    let key = image_key(next_user_id());
    let removal = timeout(Duration::from_secs(4), images.remove(&key)).await;
    removal.expect("an answer in time").unwrap_err();
}

#[tokio::test]
async fn wrong_keys_are_unavailable_and_the_log_can_say_why() {
    let s3 = TestS3::start();
    let (known, unknown) = (s3.config().clone(), "another".to_owned());
    let wrong_secret = Config { secret_access_key: unknown.clone(), ..known.clone() };
    let wrong_key = Config { access_key_id: unknown, ..known };
    for (keys, code) in [(wrong_secret, "SignatureDoesNotMatch"), (wrong_key, "InvalidAccessKeyId")] {
        let images = S3Images::new(&connection_to(s3.url(), &keys).await, &keys.bucket, PREFIX, PUBLIC_URL);
        for told in all_fail(&images).await {
            assert!(told.contains("answered with 403") && told.contains(code), "{told}");
            assert!(!told.contains(&keys.secret_access_key), "{told}");
        }
    }
    assert!(s3.objects().is_empty());
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_unavailable_and_not_an_image_that_is_not_there() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    s3.remove_bucket();
    for told in all_fail(&images).await {
        assert!(told.contains("answered with 404 NoSuchBucket"), "{told}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_of_by_a_service_that_names_only_objects() {
    const NO_SUCH_KEY: Canned = Canned {
        status: 404,
        headers: &[("content-type", "application/xml")],
        body: b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>no</Message></Error>",
    };
    let s3 = TestS3::start();
    let images = images(&s3).await;
    s3.set_mode(Mode::Instead(NO_SUCH_KEY));
    images.examine().await.unwrap();
    s3.remove_bucket();
    images.probe().await.unwrap();
    let told = told(&images.examine().await.unwrap_err());
    assert!(told.contains("listing was answered with 404 NoSuchBucket"), "{told}");
}

#[tokio::test]
async fn what_answers_anything_with_anything_is_no_bucket() {
    let page =
        |status| Canned { status, headers: &[("content-type", "text/html")], body: b"<html>hello</html>" };
    let s3 = TestS3::start();
    let images = images(&s3).await;
    for (status, why) in [(200, "is it S3 that answers?"), (404, "answered with 404")] {
        s3.set_mode(Mode::Instead(page(status)));
        for fault in [images.probe().await, images.examine().await] {
            let told = told(&fault.unwrap_err());
            assert!(told.contains(why), "{told}");
        }
    }
}

/// Begins to store a large image, and waits until a piece of it has arrived and no more is taken.
async fn interrupted(images: &Arc<S3Images>, s3: &TestS3) -> (ImageKey, JoinHandle<Result<(), Unavailable>>) {
    let key = image_key(next_user_id());
    s3.set_mode(Mode::HangingInUploads);
    let (storing, stored) = (Arc::clone(images), key.clone());
    let put = tokio::spawn(async move { storing.put(&stored, spool(&bytes(LARGE))).await });
    timeout(LIMIT, s3.hangs()).await.expect("an upload that hangs");
    (key, put)
}

#[tokio::test]
async fn a_service_that_is_killed_in_the_middle_of_an_upload_keeps_nothing_of_it() {
    let mut s3 = TestS3::start();
    let images = images(&s3).await;
    let (key, put) = interrupted(&images, &s3).await;
    s3.kill();
    timeout(LIMIT, put).await.expect("an answer in time").unwrap().unwrap_err();
    assert!(s3.objects().is_empty());
    s3.set_mode(Mode::Well);
    s3.restart();
    assert!(images.open(&key).await.unwrap().is_none());
    works(&images).await;
}

#[tokio::test]
async fn an_upload_outlives_a_restart_of_the_service() {
    let mut s3 = TestS3::start();
    let images = images(&s3).await;
    let (key, put) = interrupted(&images, &s3).await;
    s3.kill();
    s3.set_mode(Mode::Well);
    s3.restart();
    put.await.unwrap().unwrap();
    assert!(s3.objects()[&format!("{PREFIX}/{}", key.as_str())] == bytes(LARGE));
}

#[tokio::test]
async fn an_upload_that_is_not_read_on_is_given_up_and_leaves_nothing() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    let (_, put) = interrupted(&images, &s3).await;
    // What a line of 256 KiB a second would need, and what is given to small ones.
    let limit = LIMIT + Duration::from_secs(20);
    let fault = timeout(limit, put).await.expect("an answer in time").unwrap().unwrap_err();
    assert!(told(&fault).contains("throughput"), "{}", told(&fault));
    s3.set_mode(Mode::Well);
    works(&images).await;
    assert!(s3.objects().is_empty());
}

#[tokio::test]
async fn an_image_without_its_length_is_read_whole_and_one_that_is_cut_off_ends_in_a_fault() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    let (key, stored) = (image_key(next_user_id()), bytes(300_000));
    images.put(&key, spool(&stored)).await.unwrap();

    s3.set_mode(Mode::WithoutLength);
    let image = images.open(&key).await.unwrap().unwrap();
    assert_eq!(image.length, None);
    let pieces: Vec<_> = image.chunks.try_collect().await.unwrap();
    assert!(pieces.concat() == stored);

    s3.set_mode(Mode::CutOff);
    let image = images.open(&key).await.unwrap().unwrap();
    let fault = image.chunks.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(told(&fault).contains("cut off"), "{}", told(&fault));
}

#[tokio::test]
async fn an_image_that_is_cut_off_while_it_is_read_ends_in_a_fault_and_not_in_silence() {
    let mut s3 = TestS3::start();
    let images = images(&s3).await;
    let key = image_key(next_user_id());
    images.put(&key, spool(&bytes(LARGE))).await.unwrap();
    let image = images.open(&key).await.unwrap().unwrap();
    s3.kill();
    let fault = image.chunks.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(told(&fault).contains("cut off"), "{}", told(&fault));
}
