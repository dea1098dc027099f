//! Profile images in S3.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use roster_test_s3::{Canned, Config, Mode, TestS3};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Answer, Setup, TestApp, User, detail, eventually, jpeg, noise, png, sign_up_body};

/// No upload of a small picture takes so long, whatever S3 does. The settings' page says ten seconds and little more.
const LIMIT: Duration = Duration::from_secs(30);

/// A Roster that can reach that S3, and stores nothing there yet.
fn beside(s3: &TestS3) -> Setup {
    with_keys(s3, s3.config())
}

fn with_keys(s3: &TestS3, keys: &Config) -> Setup {
    Setup::new()
        .set("AWS_ENDPOINT_URL_S3", &s3.url())
        .set("AWS_ACCESS_KEY_ID", &keys.access_key_id)
        .set("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key)
}

async fn upload(app: &TestApp, user: &User) -> Answer {
    app.post("/api/v1/profile-upload/").by(user).file("image", "me.jpg", &jpeg()).await
}

async fn upload_to_s3(app: &TestApp, user: &User) -> Answer {
    app.post("/api/v1/profile-upload-s3/").by(user).file("file", "me.jpg", &jpeg()).await
}

/// What follows `before` in the answered address, which is a key of this user's.
#[track_caller]
fn key(answer: Answer, message: &str, before: &str, user: &User) -> String {
    let address = answer.json()["filename"].as_str().unwrap_or_default().to_owned();
    answer.is(200, json!({ "message": message, "filename": address }));
    let key =
        address.strip_prefix(before).unwrap_or_else(|| panic!("{address} does not begin with {before}"));
    let (owner, name) = key.split_once('/').unwrap();
    let (stem, extension) = name.split_once('.').unwrap();
    assert_eq!((owner, extension), (user.id.as_str(), "jpg"), "{address}");
    assert!(stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit()), "{address}");
    key.to_owned()
}

const UPLOADED: &str = "File uploaded successfully!";
const UPLOADED_TO_S3: &str = "Image uploaded successfully!";

fn keys_in(s3: &TestS3) -> BTreeSet<String> {
    s3.objects().into_keys().collect()
}

/// The image that a user is said to have. Asks by way of the trash, since nothing else tells.
async fn image_of(app: &TestApp, root: &User, user: &User) -> Option<String> {
    app.trash(root, &[user]).await;
    let restored = app.put(&user.restore_path()).by(root).await.has(200).json();
    restored.get("profile_image").map(|image| image.as_str().unwrap().to_owned())
}

/// Waits until one line of the log holds all of these, and returns it.
async fn told(app: &TestApp, pieces: &[&str]) -> String {
    let line = app.logged(|log| {
        let has_all = |line: &&String| pieces.iter().all(|piece| line.contains(piece));
        log.lines.iter().find(has_all).cloned()
    });
    line.await.unwrap_or_else(|| panic!("no line with {pieces:?} in {:#?}", app.log().lines))
}

/// An upload that must be 503 in time, and the only line of the log that tells why: the store's own.
async fn fails(app: &TestApp, user: &User, why: &str) {
    let answer = timeout(LIMIT, upload_to_s3(app, user)).await.expect("an answer in time");
    answer.is(503, detail("Service Unavailable"));
    told(app, &["outage begins", "image store", "s3://images", why]).await;
    let log = app.log();
    let lines = log.lines.iter().filter(|line| line.contains("ERROR") && line.contains("image store"));
    assert_eq!(lines.count(), 1, "{:#?}", log.lines);
}

#[tokio::test]
async fn an_upload_to_s3_is_answered_with_the_objects_address() {
    let s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    told(&app, &["s3://images answers"]).await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let bucket = format!("{}/images/", s3.url());
    let key = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, &bucket, &ann);
    let objects = s3.objects();
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&key]);
    assert!(objects[&key].starts_with(b"\xFF\xD8\xFF"), "the picture");
    assert_eq!(app.images(), Vec::<PathBuf>::new());
    assert_eq!(image_of(&app, &root, &ann).await, Some(format!("{bucket}{key}")));
}

#[tokio::test]
async fn with_images_in_s3_both_uploads_go_there_below_the_prefix() {
    let s3 = TestS3::start();
    for bucket in ["", "images"] {
        let app =
            beside(&s3).set("IMAGES_URL", "s3://images/some/faces").set("S3_BUCKET", bucket).start().await;
        let [ann, bob] = [app.sign_up("ann").await, app.sign_up("bob").await];
        let before = format!("{}/images/some/faces/", s3.url());
        let keys = [
            key(upload(&app, &ann).await, UPLOADED, &before, &ann),
            key(upload_to_s3(&app, &bob).await, UPLOADED_TO_S3, &before, &bob),
        ];
        let expected: BTreeSet<_> = keys.iter().map(|key| format!("some/faces/{key}")).collect();
        assert!(keys_in(&s3).is_superset(&expected), "{expected:?}");
        assert!(!app.folder().join("data/images").exists());
    }
}

#[tokio::test]
async fn two_buckets_may_be_used_and_the_public_address_is_of_the_one_for_uploads_to_s3() {
    let s3 = TestS3::start();
    s3.make_bucket("others");
    let setup = beside(&s3).set("IMAGES_URL", "s3://others/faces").set("S3_BUCKET", "images");
    let app = setup.set("S3_PUBLIC_URL", "https://images.example.com/public/").start().await;
    let ann = app.sign_up("ann").await;
    let first =
        key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, "https://images.example.com/public/", &ann);
    assert_eq!(keys_in(&s3), BTreeSet::from([first]));
    key(upload(&app, &ann).await, UPLOADED, &format!("{}/others/faces/", s3.url()), &ann);
    eventually("the replaced image is gone", || keys_in(&s3).is_empty()).await;
}

#[tokio::test]
async fn an_image_that_is_replaced_goes_from_whichever_store_it_is_in() {
    let s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    let ann = app.sign_up("ann").await;
    let bucket = format!("{}/images/", s3.url());
    for _ in 0..2 {
        let key = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, &bucket, &ann);
        eventually("that image alone is left", || keys_in(&s3) == BTreeSet::from([key.clone()])).await;
    }
    upload(&app, &ann).await.has(200);
    eventually("the bucket is empty", || keys_in(&s3).is_empty()).await;
    assert_eq!(app.images().len(), 1);
    let key = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, &bucket, &ann);
    eventually("the folder is empty", || app.images().is_empty()).await;
    assert_eq!(keys_in(&s3), BTreeSet::from([key]));
}

#[tokio::test]
async fn a_purged_users_image_goes_and_others_stay() {
    let s3 = TestS3::start();
    let app = beside(&s3).set("IMAGES_URL", "s3://images").start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    let bucket = format!("{}/images/", s3.url());
    let kept = key(upload(&app, &root).await, UPLOADED, &bucket, &root);
    upload(&app, &ann).await.has(200);
    app.trash(&root, &[&ann]).await;
    assert_eq!(keys_in(&s3).len(), 2, "the trash is not the end");
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    eventually("the image is gone", || keys_in(&s3) == BTreeSet::from([kept.clone()])).await;
}

#[tokio::test]
async fn an_image_that_could_not_be_removed_goes_once_s3_is_back() {
    let mut s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").set("LOG_LEVEL", "debug").start().await;
    let ann = app.sign_up("ann").await;
    upload_to_s3(&app, &ann).await.has(200);
    s3.kill();
    upload(&app, &ann).await.has(200);
    told(&app, &["DEBUG", "image removal put off", "s3://images", "Connection refused"]).await;
    s3.restart();
    assert_eq!(keys_in(&s3).len(), 1);
    let app = app.restart().await;
    eventually("the replaced image is gone", || keys_in(&s3).is_empty()).await;
    assert_eq!(app.images().len(), 1);
}

#[tokio::test]
async fn while_s3_is_away_uploads_are_503_and_nothing_else_changes() {
    let mut s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    let [root, ann] = [app.admin().await, app.sign_up("ann").await];
    upload_to_s3(&app, &ann).await.has(200);
    let before = image_of(&app, &root, &ann).await;
    // What was deleted may not use its tokens any more.
    let ann = app.enter(&sign_up_body("ann")).await;
    s3.kill();
    fails(&app, &ann, "Connection refused").await;
    assert_eq!(image_of(&app, &root, &ann).await, before);
    let ann = app.enter(&sign_up_body("ann")).await;
    s3.restart();
    upload_to_s3(&app, &ann).await.has(200);
}

#[tokio::test]
async fn wrong_keys_are_told_at_the_start_and_at_each_upload() {
    let s3 = TestS3::start();
    let keys = Config { secret_access_key: "hunter2".to_owned(), ..s3.config().clone() };
    let app = with_keys(&s3, &keys).set("S3_BUCKET", "images").set("LOG_LEVEL", "trace").start().await;
    told(&app, &["WARN", "s3://images", "403 SignatureDoesNotMatch"]).await;
    let ann = app.sign_up("ann").await;
    fails(&app, &ann, "403 SignatureDoesNotMatch").await;
    assert!(s3.objects().is_empty());
    assert!(!app.log().lines.iter().any(|line| line.contains("hunter2")), "{:#?}", app.log().lines);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_at_the_start_and_at_each_upload() {
    let s3 = TestS3::start();
    s3.remove_bucket();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    told(&app, &["WARN", "s3://images", "404 NoSuchBucket"]).await;
    let ann = app.sign_up("ann").await;
    fails(&app, &ann, "404 NoSuchBucket").await;
    assert!(s3.objects().is_empty());
}

#[tokio::test]
async fn s3_that_hangs_keeps_nobody_from_starting_or_logging_in() {
    let s3 = TestS3::start();
    s3.set_mode(Mode::Hanging);
    let app = beside(&s3).set("IMAGES_URL", "s3://images").start().await;
    let ann = app.sign_up("ann").await;
    fails(&app, &ann, "timed out").await;
    told(&app, &["WARN", "s3://images", "timed out", "its images are 503"]).await;
    s3.set_mode(Mode::Well);
    upload(&app, &ann).await.has(200);
}

#[tokio::test]
async fn s3_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_of_it() {
    let mut s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    let ann = app.sign_up("ann").await;
    s3.set_mode(Mode::HangingInUploads);
    let call = app.post("/api/v1/profile-upload-s3/").by(&ann).file("file", "me.png", &noise());
    let answer = tokio::spawn(call.into_future());
    timeout(LIMIT, s3.hangs()).await.expect("an upload in the middle");
    s3.kill();
    answer.await.unwrap().is(503, detail("Service Unavailable"));
    s3.set_mode(Mode::Well);
    s3.restart();
    assert!(s3.objects().is_empty());
    upload_to_s3(&app, &ann).await.has(200);
    assert_eq!(s3.objects().len(), 1);
}

#[tokio::test]
async fn everything_may_stand_in_the_file_of_settings() {
    let s3 = TestS3::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = s3.config();
    let lines = [
        format!("AWS_ENDPOINT_URL_S3={}", s3.url()),
        format!("AWS_ACCESS_KEY_ID={}", keys.access_key_id),
        format!("AWS_SECRET_ACCESS_KEY='{}'", keys.secret_access_key),
        "AWS_REGION=garage".to_owned(),
        "IMAGES_URL=s3://images/faces".to_owned(),
    ];
    std::fs::write(folder.path().join(".env"), lines.join("\n")).unwrap();
    let app = Setup::new().start_in(folder).await;
    let ann = app.sign_up("ann").await;
    let answer = app.post("/api/v1/profile-upload/").by(&ann).file("image", "me.png", &png()).await.has(200);
    let address = answer.json()["filename"].as_str().unwrap().to_owned();
    assert!(address.starts_with(&format!("{}/images/faces/{}/", s3.url(), ann.id)), "{address}");
    assert_eq!(s3.objects().len(), 1);
}

#[tokio::test]
async fn where_images_are_public_their_addresses_can_be_opened_without_a_token_until_they_are_replaced() {
    let mut s3 = TestS3::start();
    let here = "http://localhost:8000/api/v1/profile-images/";
    let setup = beside(&s3).set("S3_BUCKET", "images").set("S3_PUBLIC_URL", here);
    let app = setup.set("PUBLIC_IMAGES", "on").start().await;
    let ann = app.sign_up("ann").await;
    let [first, second] = [
        key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, here, &ann),
        key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, here, &ann),
    ];
    let path = |key: &str| format!("/api/v1/profile-images/{key}");
    let answer = app.get(&path(&second)).await.has(200);
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.body == s3.objects()[&second]);
    let tag = answer.header("etag").unwrap().to_owned();
    assert_eq!(app.get(&path(&second)).header("if-none-match", &tag).await.status, 304);

    eventually("the replaced image is gone", || !keys_in(&s3).contains(&first)).await;
    let none = detail("User has no profile image");
    app.get(&path(&first)).header("if-none-match", "*").await.is(404, none.clone());
    for odd in ["x/y", "..%2F..%2Fetc/passwd", &format!("{}/{}", ann.id, "a".repeat(32))] {
        app.get(&path(odd)).await.is(404, none.clone());
    }
    s3.kill();
    app.get(&path(&second)).await.is(503, detail("Service Unavailable"));
}

#[tokio::test]
async fn where_images_are_public_their_addresses_can_be_opened_in_a_bucket_with_a_prefix_too() {
    let s3 = TestS3::start();
    let here = "http://localhost:8000/api/v1/profile-images/";
    let setup = beside(&s3).set("IMAGES_URL", "s3://images/some/faces").set("S3_PUBLIC_URL", here);
    let app = setup.set("PUBLIC_IMAGES", "on").start().await;
    let ann = app.sign_up("ann").await;
    let opens = async |key: String| {
        let answer = app.get(&format!("/api/v1/profile-images/{key}")).await.has(200);
        assert!(answer.body == s3.objects()[&format!("some/faces/{key}")]);
    };
    opens(key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, here, &ann)).await;
    opens(key(upload(&app, &ann).await, UPLOADED, here, &ann)).await;
}

/// What another server than S3 answers with.
const PAGE: Canned =
    Canned { status: 200, headers: &[("content-type", "text/html")], body: b"<html>come back later</html>" };
const GZIP: Canned = Canned {
    status: 200,
    headers: &[("content-type", "image/jpeg"), ("content-encoding", "gzip")],
    body: b"\x1F\x8B\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
};

#[tokio::test]
async fn what_is_not_the_image_that_was_stored_is_503_and_told_and_never_sent_as_an_image() {
    let s3 = TestS3::start();
    let here = "http://localhost:8000/api/v1/profile-images/";
    let setup = beside(&s3).set("S3_BUCKET", "images").set("S3_PUBLIC_URL", here);
    let app = setup.set("PUBLIC_IMAGES", "on").start().await;
    let ann = app.sign_up("ann").await;
    let key = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, here, &ann);
    let paths =
        [format!("/api/v1/auth/users/{}/profile-image", ann.id), format!("/api/v1/profile-images/{key}")];
    let image = s3.objects()[&key].clone();
    let is_whole = async || {
        for path in &paths {
            let answer = app.get(path).by(&ann).await.has(200);
            assert_eq!(answer.header("content-type"), Some("image/jpeg"));
            assert!(answer.body == image, "{path}");
        }
    };
    let fails = async |why: &str| {
        for path in &paths {
            app.get(path).by(&ann).await.is(503, detail("Service Unavailable"));
        }
        told(&app, &["ERROR", &ann.id, "s3://images", why]).await;
    };
    is_whole().await;

    let length = image.len();
    let mut other = image.clone();
    other[length / 2] ^= 1;
    let damaged: [(&[u8], String); 4] = [
        (b"<html>come back later</html>", format!("it has 28 bytes and not {length}")),
        (b"", format!("it has 0 bytes and not {length}")),
        (&image[..length / 2], format!("it has {} bytes and not {length}", length / 2)),
        (&other, "its bytes have another SHA-256".to_owned()),
    ];
    for (content, why) in damaged {
        s3.overwrite(&key, content);
        fails(&why).await;
        s3.overwrite(&key, &image);
        is_whole().await;
    }
    for (answer, length) in [(PAGE, PAGE.body.len()), (GZIP, GZIP.body.len())] {
        s3.set_mode(Mode::Instead(answer));
        fails(&format!("it has {length} bytes and not")).await;
    }
    s3.set_mode(Mode::CutOff);
    for path in &paths {
        app.get(path).by(&ann).await.is(503, detail("Service Unavailable"));
    }
    told(&app, &["outage begins", "image store", "s3://images"]).await;
    s3.set_mode(Mode::WithoutLength);
    is_whole().await;
}

#[tokio::test]
async fn everything_works_below_a_path_of_the_endpoint() {
    let s3 = TestS3::start_below("/storage/v1");
    let app = beside(&s3).set("IMAGES_URL", "s3://images/faces").start().await;
    told(&app, &["s3://images/faces answers"]).await;
    let ann = app.sign_up("ann").await;
    let bucket = format!("{}/images/faces/", s3.url());
    let first = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, &bucket, &ann);
    let path = format!("/api/v1/auth/users/{}/profile-image", ann.id);
    let answer = app.get(&path).by(&ann).await.has(200);
    assert!(answer.body == s3.objects()[&format!("faces/{first}")]);
    let second = key(upload(&app, &ann).await, UPLOADED, &bucket, &ann);
    let expected = BTreeSet::from([format!("faces/{second}")]);
    eventually("the replaced image is gone", || keys_in(&s3) == expected).await;
    app.get("/health/ready").await.has(200);
}

#[tokio::test]
async fn no_image_is_public_unless_the_operator_says_so() {
    let s3 = TestS3::start();
    let app = beside(&s3).set("S3_BUCKET", "images").start().await;
    let ann = app.sign_up("ann").await;
    let key = key(upload_to_s3(&app, &ann).await, UPLOADED_TO_S3, &format!("{}/images/", s3.url()), &ann);
    let answer = app.get(&format!("/api/v1/profile-images/{key}")).await;
    answer.is(404, detail("User has no profile image"));
}
