//! What a bucket holds beyond the contract of image stores.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use roster_adapter_s3::S3Images;
use roster_domain::ports::ImageStore;
use roster_domain::values::{ImageFormat, ImageKey};
use roster_domain_testkit::fixtures::{bytes, image_key, next_user_id, original_image, spool};
use roster_test_s3::{Mode, TestS3};

use support::{PREFIX, PUBLIC_URL, connection, connection_to, images};

mod support;

/// Another client of the same server: what it reads is what anybody does.
fn client(s3: &TestS3) -> Client {
    let keys = s3.config();
    let credentials = Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "test");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(credentials)
        .endpoint_url(s3.url())
        .force_path_style(true);
    Client::from_conf(config.build())
}

#[tokio::test]
async fn an_image_lies_below_the_prefix_under_its_key() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    let key = image_key(next_user_id());
    images.put(&key, spool(b"image")).await.unwrap();
    assert_eq!(images.name().as_str(), format!("s3://{}/{PREFIX}", s3.config().bucket));
    let objects: Vec<_> = s3.objects().into_iter().collect();
    assert_eq!(objects, [(format!("{PREFIX}/{}", key.as_str()), b"image".to_vec())]);
}

#[tokio::test]
async fn without_a_prefix_it_lies_at_the_top() {
    let s3 = TestS3::start();
    let images = S3Images::new(&connection(&s3).await, &s3.config().bucket, "", PUBLIC_URL);
    let key = image_key(next_user_id());
    images.put(&key, spool(b"image")).await.unwrap();
    assert_eq!(images.name().as_str(), format!("s3://{}", s3.config().bucket));
    assert_eq!(s3.objects().into_keys().collect::<Vec<_>>(), [key.as_str()]);
}

#[tokio::test]
async fn an_image_of_the_fastapi_service_is_read_by_its_address_and_one_that_is_gone_is_none() {
    let s3 = TestS3::start();
    // It stored at the bucket's top, where a store without a prefix puts its own.
    let at_the_top = S3Images::new(&connection(&s3).await, &s3.config().bucket, "", PUBLIC_URL);
    let key = image_key(next_user_id());
    at_the_top.put(&key, spool(b"an original")).await.unwrap();
    let images = images(&s3).await;
    let bucket = &s3.config().bucket;
    for place in [PUBLIC_URL, &format!("https://{bucket}.s3.amazonaws.com")] {
        let address = original_image(&format!("{place}/{}", key.as_str()));
        let opened = images.open_original(&address).await.unwrap().expect("it is there");
        let pieces: Vec<_> = opened.chunks.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"an original");
        let gone = original_image(&format!("{place}/gone.jpg"));
        assert!(images.open_original(&gone).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn two_stores_on_one_connection_know_nothing_of_one_another() {
    let s3 = TestS3::start();
    s3.make_bucket("another");
    let connection = connection(&s3).await;
    let bucket = s3.config().bucket.as_str();
    let stores = [("another", ""), (bucket, ""), (bucket, "a"), (bucket, "a/b")]
        .map(|(bucket, prefix)| S3Images::new(&connection, bucket, prefix, PUBLIC_URL));
    let key = image_key(next_user_id());
    join_all(stores.iter().map(|store| async { store.put(&key, spool(b"image")).await.unwrap() })).await;
    stores[1].remove(&key).await.unwrap();
    let left = join_all(stores.iter().map(|store| async { store.open(&key).await.unwrap().is_some() })).await;
    assert_eq!(left, [true, false, true, true]);
}

#[tokio::test]
async fn a_slow_service_is_waited_for() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    s3.set_mode(Mode::Slow(Duration::from_millis(20)));
    let key = image_key(next_user_id());
    images.put(&key, spool(&bytes(500_000))).await.unwrap();
    assert_eq!(images.open(&key).await.unwrap().unwrap().length, Some(500_000));
}

#[tokio::test]
async fn a_bucket_that_is_there_passes_the_probe_and_nothing_is_left_of_it() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    images.probe().await.unwrap();
    images.examine().await.unwrap();
    assert!(s3.objects().is_empty());
}

#[tokio::test]
async fn a_service_below_a_path_is_reached_with_and_without_a_slash_at_its_end_and_not_beside_it() {
    let s3 = TestS3::start_below("/v1");
    for end in ["", "/"] {
        let connection = connection_to(format!("{}{end}", s3.url()), s3.config()).await;
        let images = S3Images::new(&connection, &s3.config().bucket, PREFIX, PUBLIC_URL);
        images.examine().await.unwrap();
        let key = image_key(next_user_id());
        images.put(&key, spool(b"image")).await.unwrap();
        assert!(images.open(&key).await.unwrap().is_some());
        assert_eq!(s3.objects().into_keys().collect::<Vec<_>>(), [format!("{PREFIX}/{}", key.as_str())]);
        images.remove(&key).await.unwrap();
        assert!(s3.objects().is_empty());
    }
    for other in ["", "/v", "/v1images", "/v1/v1"] {
        let connection = connection_to(format!("http://{}{other}", s3.config().address), s3.config()).await;
        let images = S3Images::new(&connection, &s3.config().bucket, PREFIX, PUBLIC_URL);
        images.probe().await.unwrap_err();
    }
}

#[tokio::test]
async fn an_object_says_of_which_type_its_image_is() {
    let s3 = TestS3::start();
    let images = images(&s3).await;
    for (format, media_type) in [(ImageFormat::Jpeg, "image/jpeg"), (ImageFormat::Png, "image/png")] {
        let key = ImageKey::new(next_user_id(), [7; 16], format);
        images.put(&key, spool(b"image")).await.unwrap();
        let object = format!("{PREFIX}/{}", key.as_str());
        let head = client(&s3).head_object().bucket(&s3.config().bucket).key(object).send().await.unwrap();
        assert_eq!(head.content_type(), Some(media_type));
    }
}
