//! [`ImageStore`](roster_domain::ports::ImageStore).

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;

use futures_util::StreamExt;
use roster_domain::ports::ImageStore;
use roster_domain::values::{ImageFormat, ImageKey};
use tokio::time::{Duration, timeout};

use super::support::race;
use crate::fixtures::{bytes, image_key, next_user_id, original_image, spool, spool_that_claims};

const CHUNK: usize = 64 * 1024;
const FIVE_MEGABYTES: usize = 5_000_000;

async fn put(images: &Arc<dyn ImageStore>, key: &ImageKey, bytes: &[u8]) {
    images.put(key, spool(bytes)).await.expect("an image is stored");
}

/// An image's bytes; `None` where there is none. Checks what is promised of every one that is read.
async fn read(images: &Arc<dyn ImageStore>, key: &ImageKey) -> Option<Vec<u8>> {
    let mut image = images.open(key).await.expect("an image is opened")?;
    let mut bytes = Vec::new();
    while let Some(chunk) = image.chunks.next().await {
        let chunk = chunk.expect("an image is read");
        assert!(chunk.len() <= CHUNK, "a piece of {} bytes", chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    assert!(image.length.is_none_or(|length| length == bytes.len() as u64));
    Some(bytes)
}

pub async fn an_image_is_read_as_it_was_stored(images: Arc<dyn ImageStore>) {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, FIVE_MEGABYTES] {
        let (key, stored) = (image_key(next_user_id()), bytes(length));
        put(&images, &key, &stored).await;
        assert!(read(&images, &key).await.as_ref() == Some(&stored), "an image of {length} bytes");
        assert!(
            read(&images, &key).await.as_ref() == Some(&stored),
            "an image of {length} bytes, read again"
        );
        images.remove(&key).await.unwrap();
        assert_eq!(read(&images, &key).await, None);
    }
}

pub async fn an_image_that_is_not_there_is_none(images: Arc<dyn ImageStore>) {
    let owner = next_user_id();
    assert_eq!(read(&images, &image_key(owner)).await, None);
    put(&images, &image_key(owner), b"another").await;
    assert_eq!(read(&images, &image_key(owner)).await, None);
}

pub async fn an_image_that_is_not_there_is_removed_already(images: Arc<dyn ImageStore>) {
    let key = image_key(next_user_id());
    images.remove(&key).await.unwrap();
    put(&images, &key, b"image").await;
    images.remove(&key).await.unwrap();
    images.remove(&key).await.unwrap();
    assert_eq!(read(&images, &key).await, None);
}

pub async fn an_image_touches_no_other(images: Arc<dyn ImageStore>) {
    let owner = next_user_id();
    let keys = [image_key(owner), image_key(owner), image_key(next_user_id())];
    for (number, key) in keys.iter().enumerate() {
        put(&images, key, &bytes(number + 10)).await;
    }
    images.remove(&keys[1]).await.unwrap();
    assert_eq!(read(&images, &keys[0]).await, Some(bytes(10)));
    assert_eq!(read(&images, &keys[1]).await, None);
    assert_eq!(read(&images, &keys[2]).await, Some(bytes(12)));
}

pub async fn keys_that_differ_in_owner_or_format_alone_are_two_images(images: Arc<dyn ImageStore>) {
    let (ann, bob) = (next_user_id(), next_user_id());
    let keys = [
        ImageKey::new(ann, [9; 16], ImageFormat::Png),
        ImageKey::new(bob, [9; 16], ImageFormat::Png),
        ImageKey::new(ann, [9; 16], ImageFormat::Jpeg),
    ];
    for (number, key) in keys.iter().enumerate() {
        put(&images, key, &bytes(number + 10)).await;
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(read(&images, key).await, Some(bytes(number + 10)));
    }
}

pub async fn an_upload_is_stored_twice_at_once(images: Arc<dyn ImageStore>) {
    let stored = bytes(10 * CHUNK + 7);
    let upload = spool(&stored);
    let puts = (0..2).map(|_| {
        let (images, key, upload) = (Arc::clone(&images), image_key(next_user_id()), upload.clone());
        async move {
            images.put(&key, upload).await.unwrap();
            key
        }
    });
    for key in race(puts.collect()).await {
        assert!(read(&images, &key).await.as_ref() == Some(&stored), "the image is whole");
    }
}

pub async fn an_upload_whose_file_ends_early_is_not_stored(images: Arc<dyn ImageStore>) {
    let key = image_key(next_user_id());
    let too_short = spool_that_claims(CHUNK as u64 + 1, &bytes(CHUNK));
    // What ends the request is the store's business; that it does is ours.
    let answer =
        timeout(Duration::from_mins(1), images.put(&key, too_short)).await.expect("an answer in time");
    answer.unwrap_err();
    assert_eq!(read(&images, &key).await, None);
}

pub async fn an_upload_that_is_given_up_leaves_the_whole_image_or_none(images: Arc<dyn ImageStore>) {
    let stored = bytes(FIVE_MEGABYTES);
    for microseconds in [0, 1, 50, 500, 2_000, 8_000] {
        let key = image_key(next_user_id());
        let put = images.put(&key, spool(&stored));
        let answer = timeout(Duration::from_micros(microseconds), put).await;
        let kept = read(&images, &key).await;
        assert!(kept.as_ref().is_none_or(|kept| *kept == stored), "a piece of an image");
        assert!(answer.is_err() || kept.is_some(), "an image whose storing was answered");
    }
    let key = image_key(next_user_id());
    put(&images, &key, b"the next").await;
    assert_eq!(read(&images, &key).await, Some(b"the next".to_vec()));
}

pub async fn a_reader_that_goes_away_takes_nothing_along(images: Arc<dyn ImageStore>) {
    let (key, stored) = (image_key(next_user_id()), bytes(FIVE_MEGABYTES));
    put(&images, &key, &stored).await;
    for _ in 0..10 {
        let mut image = images.open(&key).await.unwrap().unwrap();
        assert!(!image.chunks.next().await.unwrap().unwrap().is_empty());
    }
    drop(images.open(&key).await.unwrap());
    assert!(read(&images, &key).await == Some(stored), "the image is whole");
    images.remove(&key).await.unwrap();
    assert_eq!(read(&images, &key).await, None);
}

pub async fn images_are_stored_at_once(images: Arc<dyn ImageStore>) {
    let owner = next_user_id();
    let puts = (0..16).map(|number| {
        let (images, key) = (Arc::clone(&images), image_key(owner));
        async move {
            put(&images, &key, &bytes(CHUNK + number)).await;
            (key, number)
        }
    });
    for (key, number) in race(puts.collect()).await {
        assert!(read(&images, &key).await == Some(bytes(CHUNK + number)), "image {number}");
    }
}

pub async fn an_image_is_read_by_many_at_once(images: Arc<dyn ImageStore>) {
    let (key, stored) = (image_key(next_user_id()), bytes(10 * CHUNK + 7));
    put(&images, &key, &stored).await;
    let readers = (0..8).map(|_| {
        let (images, key) = (Arc::clone(&images), key.clone());
        async move { read(&images, &key).await }
    });
    assert!(race(readers.collect()).await.into_iter().all(|read| read.as_ref() == Some(&stored)));
}

pub async fn the_last_image_removed_makes_room_for_the_next(images: Arc<dyn ImageStore>) {
    // An owner's folder may go with its last image, also while the next is being stored.
    for _ in 0..8 {
        let owner = next_user_id();
        let first = image_key(owner);
        put(&images, &first, b"first").await;
        let (removing, storing, second) = (Arc::clone(&images), Arc::clone(&images), image_key(owner));
        let key = second.clone();
        super::support::race_two(async move { removing.remove(&first).await.unwrap() }, async move {
            put(&storing, &second, b"second").await;
        })
        .await;
        assert_eq!(read(&images, &key).await, Some(b"second".to_vec()));
    }
}

pub async fn what_is_no_original_of_the_store_is_none_and_no_address_is_asked(images: Arc<dyn ImageStore>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener that does not wait");
    let key = image_key(next_user_id());
    put(&images, &key, b"one of ours").await;
    let (owner, name) = key.as_str().split_once('/').unwrap();
    let address = listener.local_addr().unwrap();
    let texts = [
        "",
        ".",
        "..",
        "/",
        "me.jpg",
        "\0",
        "me\0.jpg",
        ".tmp",
        "../me.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://",
        "https://example.com/me.jpg",
        "https://no-bucket-of-anybody.s3.eu-north-1.amazonaws.com/me.jpg",
        "https://s3.eu-north-1.amazonaws.com/no-bucket-of-anybody/me.jpg",
        owner,
        name,
        key.as_str(),
        &format!("../{}", key.as_str()),
        &"long".repeat(1_250),
        &format!("http://{address}/me.jpg"),
        &format!("https://{address}/bucket/me.jpg"),
        &format!("https://bucket.s3.amazonaws.com@{address}/me.jpg"),
    ];
    for text in texts {
        let opened = images.open_original(&original_image(text)).await;
        assert!(opened.expect("an answer").is_none(), "{text:?}");
    }
    let asked = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock), "an address was asked");
}
