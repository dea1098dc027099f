//! Profile images.

use serde_json::json;

use crate::harness::{
    Answer, Call, TestApp, User, detail, eventually, jpeg, jpeg_of, mode, multipart, png, raw,
};

const PATH: &str = "/api/v1/profile-upload/";

fn upload(app: &TestApp, user: &User, name: &str, content: &[u8]) -> Call {
    app.post(PATH).by(user).file("image", name, content)
}

/// The name under which an image was stored.
#[track_caller]
fn stored(answer: Answer, extension: &str) -> String {
    let name = answer.json()["filename"].as_str().unwrap_or_default().to_owned();
    answer.is(200, json!({"message": "File uploaded successfully!", "filename": name}));
    let (stem, ending) = name.split_once('.').unwrap();
    assert!(stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert_eq!(ending, extension, "{name}");
    name
}

async fn ann() -> (TestApp, User) {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    (app, ann)
}

#[tokio::test]
async fn a_clean_image_is_stored_for_the_service_alone() {
    let (app, ann) = ann().await;
    for (name, content, extension) in
        [("me.jpg", jpeg(), "jpg"), ("me.jpeg", jpeg_of(1_000), "jpg"), ("me.png", png(), "png")]
    {
        // What follows the end is no part of a picture.
        let followed = [content.as_slice(), b"SECRET<script>"].concat();
        let file = stored(upload(&app, &ann, name, &followed).await, extension);
        let path = app.image(&ann.id, &file);
        let stored = std::fs::read(&path).unwrap();
        assert_eq!(stored[..3], content[..3], "{name}");
        assert!(!stored.windows(6).any(|bytes| bytes == b"SECRET"), "{name}");
        assert_eq!(mode(&path), 0o600, "{name}");
        assert_eq!(mode(path.parent().unwrap()) & 0o077, 0, "the folder of {name}");
    }
}

#[tokio::test]
async fn the_extension_is_the_contents_and_not_the_names() {
    let (app, ann) = ann().await;
    stored(upload(&app, &ann, "me.png", &jpeg()).await, "jpg");
    stored(upload(&app, &ann, "me.jpg", &png()).await, "png");
}

#[tokio::test]
async fn a_file_of_another_extension_is_refused() {
    let (app, ann) = ann().await;
    for name in ["me.gif", "me.jpg.exe", "me.svg", "me.html", ".pdf", "me.webp", "IMG_0001.HEIC"] {
        upload(&app, &ann, name, &jpeg()).await.refuses(400);
    }
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn the_content_decides_where_the_name_promises_nothing() {
    let (app, ann) = ann().await;
    for name in ["blob", "image", "me.jfif", "me", "jpg", "me.", "me.jpgx", "", "IMG 2024.02.11"] {
        stored(upload(&app, &ann, name, &jpeg()).await, "jpg");
        upload(&app, &ann, name, b"<svg/>").await.refuses(400);
    }
    // Nor has every client a name.
    let unnamed = |content: &[u8]| {
        let head = b"--limit\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\n";
        let body = [head, content, b"\r\n--limit--\r\n"].concat();
        app.post(PATH).by(&ann).body("multipart/form-data; boundary=limit", body)
    };
    stored(unnamed(&png()).await, "png");
    let text = unnamed(b"text").await.has(422).json();
    assert_eq!(text["detail"][0]["type"], "value_error");
    assert_eq!(text["detail"][0]["loc"], json!(["body", "image"]));
}

#[tokio::test]
async fn what_is_no_image_is_refused_whatever_its_name_says() {
    let (app, ann) = ann().await;
    let gif = b"GIF89a\x01\0\x01\0\x80\0\0\xFF\xFF\xFF\0\0\0!\xF9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    for content in [&gif[..], b"", b"<svg/>", b"#!/bin/sh", b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1A\n", &[0; 5000]]
    {
        upload(&app, &ann, "me.jpg", content).await.refuses(400);
        upload(&app, &ann, "me.png", content).await.refuses(400);
    }
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_image_that_is_cut_off_is_refused() {
    let (app, ann) = ann().await;
    for image in [jpeg(), png()] {
        for length in [image.len() / 2, image.len() - 20] {
            upload(&app, &ann, "me.jpg", &image[..length]).await.refuses(400);
        }
    }
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_whole_image_without_its_end_or_with_stray_bytes_is_taken() {
    let (app, ann) = ann().await;
    let image = jpeg();
    let stray = [&image[..20], b"\0", &image[20..]].concat();
    for image in [&image[..image.len() - 1], &image[..image.len() - 2], &stray] {
        stored(upload(&app, &ann, "me.jpg", image).await, "jpg");
    }
}

#[tokio::test]
async fn an_image_of_too_many_pixels_is_413_that_says_how_many_are_allowed() {
    let (app, ann) = ann().await;
    let mut bomb = jpeg();
    let frame = bomb.windows(2).position(|bytes| bytes == b"\xFF\xC0").unwrap();
    bomb[frame + 5..frame + 9].fill(0xFF);
    let answer = upload(&app, &ann, "me.jpg", &bomb).await;
    let told = answer.json()["detail"].as_str().unwrap().to_owned();
    answer.is(413, detail(told.as_str()));
    let allowed = told.strip_prefix("The image has too many pixels: at most ").unwrap();
    let allowed: u64 = allowed.strip_suffix(" are allowed").unwrap().parse().unwrap();
    assert!(allowed >= 12_000_000, "{told}");
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
    stored(upload(&app, &ann, "me.jpg", &jpeg()).await, "jpg");
}

#[tokio::test]
async fn an_image_of_ten_mebibytes_is_taken_and_a_larger_one_is_413() {
    const LIMIT: usize = 10 << 20;
    let (app, ann) = ann().await;
    let largest = jpeg_of(LIMIT);
    assert_eq!(largest.len(), LIMIT);
    let file = stored(upload(&app, &ann, "me.jpg", &largest).await, "jpg");
    assert!(std::fs::read(app.image(&ann.id, &file)).unwrap().len() < 1_000, "its comments are gone");
    upload(&app, &ann, "me.jpg", &jpeg_of(LIMIT + 1)).await.refuses(413);
    assert_eq!(app.images(), [app.image(&ann.id, &file)]);
}

#[tokio::test]
async fn an_upload_that_never_ends_is_413_long_before_its_end() {
    let (app, ann) = ann().await;
    let (content_type, body) = multipart("image", b"me.jpg", &jpeg_of(12 << 20));
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: {content_type}\r\n\
         content-length: 1000000000\r\n\r\n",
        ann.access
    );
    let answer = raw(app.address(), &[head.into_bytes(), body].concat());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn the_name_that_a_client_gives_is_used_for_nothing() {
    let (app, ann) = ann().await;
    let long = format!("{}.jpg", "a".repeat(3000));
    for name in [
        "../../x.jpg",
        "/etc/passwd.jpg",
        "..\\..\\x.jpg",
        "C:\\x.jpg",
        "%2e%2e%2fx.jpg",
        "ünï.jpg",
        "..jpg",
        &long,
    ] {
        let file = stored(upload(&app, &ann, name, &jpeg()).await, "jpg");
        assert!(app.image(&ann.id, &file).is_file(), "{name}");
    }
    let images = app.folder().join("data/images");
    assert!(app.images().iter().all(|path| path.starts_with(&images)));
    assert!(!app.folder().join("x.jpg").exists() && !app.folder().join("data/x.jpg").exists());
}

#[tokio::test]
async fn a_name_with_control_characters_harms_nothing() {
    let (app, ann) = ann().await;
    for name in [&b"a\0.jpg"[..], b"a.jpg\0.png", b"a\r\nx-evil: 1\r\n.jpg", b"\xFF\xFE.jpg", b"\".jpg"] {
        let (content_type, body) = multipart("image", name, &jpeg());
        let answer = app.post(PATH).by(&ann).body(&content_type, body).await;
        assert!(matches!(answer.status, 200 | 400 | 422), "{name:?}: {answer:?}");
    }
    app.get("/health").await.has(200);
}

#[tokio::test]
async fn a_broken_form_is_a_client_error_and_leaves_nothing() {
    let (app, ann) = ann().await;
    let (content_type, body) = multipart("image", b"me.jpg", &jpeg());
    for (content_type, body) in [
        ("multipart/form-data", body.clone()),
        ("multipart/form-data; boundary=other", body.clone()),
        ("application/json", b"{}".to_vec()),
        ("text/plain", body.clone()),
        (content_type.as_str(), body[..body.len() - 10].to_vec()),
        (content_type.as_str(), Vec::new()),
    ] {
        let answer = app.post(PATH).by(&ann).body(content_type, body).await;
        assert!(matches!(answer.status, 400 | 415 | 422), "{content_type}: {answer:?}");
    }
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_upload_without_a_right_token_is_refused_before_it_is_stored() {
    let (app, _) = ann().await;
    app.post(PATH).bearer("garbage").file("image", "me.jpg", &jpeg()).await.has(401);
    assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn the_image_that_is_replaced_goes_away_and_the_new_one_stays() {
    let (app, ann) = ann().await;
    let first = app.image(&ann.id, &stored(upload(&app, &ann, "1.jpg", &jpeg()).await, "jpg"));
    let second = app.image(&ann.id, &stored(upload(&app, &ann, "2.png", &png()).await, "png"));
    eventually("the replaced image is gone", || !first.exists()).await;
    assert_eq!(app.images(), [second]);
}

#[tokio::test]
async fn a_purge_removes_the_image_and_a_soft_deletion_does_not() {
    let (app, ann) = ann().await;
    let root = app.admin().await;
    let file = stored(upload(&app, &ann, "me.jpg", &jpeg()).await, "jpg");
    let kept = app.image(&root.id, &stored(upload(&app, &root, "me.jpg", &jpeg()).await, "jpg"));
    app.trash(&root, &[&ann]).await;
    assert!(app.image(&ann.id, &file).is_file());
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    eventually("the purged user's image is gone", || !app.image(&ann.id, &file).exists()).await;
    assert_eq!(app.images(), [kept]);
}

#[tokio::test]
async fn a_replaced_image_goes_away_also_when_the_service_dies_right_after() {
    let (app, ann) = ann().await;
    let mut last = None;
    for _ in 0..3 {
        last = Some(app.image(&ann.id, &stored(upload(&app, &ann, "me.jpg", &jpeg()).await, "jpg")));
    }
    let app = app.crash_and_restart().await;
    let expected = [last.unwrap()];
    eventually("only the last image is left", || app.images() == expected).await;
}

#[tokio::test]
async fn a_restored_user_is_answered_with_the_image() {
    let (app, ann) = ann().await;
    let root = app.admin().await;
    let file = stored(upload(&app, &ann, "me.jpg", &jpeg()).await, "jpg");
    app.trash(&root, &[&ann]).await;
    let restored = app.put(&ann.restore_path()).by(&root).await.has(200).json();
    assert_eq!(restored["profile_image"], json!(file));
    assert!(app.image(&ann.id, &file).is_file());
    let shown = app.get(&ann.path()).by(&root).await.has(200).json();
    assert_eq!(shown.get("profile_image"), None, "a documented body gains no field");
}

#[tokio::test]
async fn many_uploads_of_one_user_at_once_leave_one_image() {
    let (app, ann) = ann().await;
    let uploads = (0..6).map(|_| upload(&app, &ann, "me.jpg", &jpeg()).into_future());
    for answer in futures_util::future::join_all(uploads).await {
        stored(answer, "jpg");
    }
    eventually("one image is left", || app.images().len() == 1).await;
    let root = app.admin().await;
    app.trash(&root, &[&ann]).await;
    let restored = app.put(&ann.restore_path()).by(&root).await.has(200).json();
    assert_eq!(app.images(), [app.image(&ann.id, restored["profile_image"].as_str().unwrap())]);
}

#[tokio::test]
async fn without_s3_its_upload_is_unavailable() {
    let (app, ann) = ann().await;
    let answer = app.post("/api/v1/profile-upload-s3/").by(&ann).file("file", "me.jpg", &jpeg()).await;
    answer.is(503, detail("Service Unavailable"));
}

#[tokio::test]
async fn images_lie_where_the_settings_say() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("pictures");
    let url = format!("file://{}", folder.display());
    let app = crate::harness::Setup::new().set("IMAGES_URL", &url).start().await;
    let ann = app.sign_up("ann").await;
    let file = stored(upload(&app, &ann, "me.jpg", &jpeg()).await, "jpg");
    assert!(folder.join(&ann.id).join(&file).is_file());
}

#[tokio::test]
async fn what_the_service_did_not_make_is_never_removed() {
    let (app, ann) = ann().await;
    stored(upload(&app, &ann, "1.jpg", &jpeg()).await, "jpg");
    let foreign = [app.image(&ann.id, "holiday.jpg"), app.folder().join("data/images/readme.txt")];
    for path in &foreign {
        std::fs::write(path, "not ours").unwrap();
    }
    let root = app.admin().await;
    app.trash(&root, &[&ann]).await;
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    eventually("the image is gone", || app.images().len() == foreign.len()).await;
    let app = app.restart().await;
    app.get(&root.path()).by(&root).await.has(200);
    assert!(foreign.iter().all(|path| path.exists()));
}
