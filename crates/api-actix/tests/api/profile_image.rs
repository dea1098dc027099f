//! Reading a profile image and deleting it, those of the FastAPI service included.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::{
    Answer, Call, PATIENCE, TestApp, User, detail, forbidden, jpeg, not_authenticated, png,
};

fn path(user_id: &str) -> String {
    format!("/api/v1/auth/users/{user_id}/profile-image")
}

/// A request for a user's own image.
fn read(app: &TestApp, user: &User) -> Call {
    app.get(&path(&user.id)).by(user)
}

/// Uploads an image and returns what is stored of it.
async fn upload(app: &TestApp, user: &User, content: &[u8]) -> Vec<u8> {
    let answer = app.post("/api/v1/profile-upload/").by(user).file("image", "me.jpg", content).await.has(200);
    let name = answer.json()["filename"].as_str().unwrap().to_owned();
    fs::read(app.image(&user.id, &name)).unwrap()
}

/// Must be this image of ours, with all that is promised of it. Returns its tag.
#[track_caller]
fn is_image(answer: &Answer, media_type: &str, content: &[u8]) -> String {
    has_image(answer, media_type, content);
    answer.header("etag").unwrap().to_owned()
}

/// Must be this image of the FastAPI service, of which nobody knows whether it stays the same.
#[track_caller]
fn is_original(answer: &Answer, media_type: &str, content: &[u8]) {
    has_image(answer, media_type, content);
    assert_eq!(answer.header("etag"), None);
}

#[track_caller]
fn has_image(answer: &Answer, media_type: &str, content: &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(media_type));
    assert_eq!(answer.header("content-length"), Some(content.len().to_string().as_str()));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert!(answer.body == content, "{} bytes of {}", answer.body.len(), content.len());
}

/// Must say that the caller has the image of this tag already.
#[track_caller]
fn is_known(answer: &Answer, tag: &str) {
    assert_eq!((answer.status, answer.body.as_slice()), (304, &b""[..]));
    assert_eq!(answer.header("etag"), Some(tag));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(answer.header("content-type"), None);
}

fn no_image() -> serde_json::Value {
    detail("User has no profile image")
}

#[tokio::test]
async fn an_image_is_read_by_its_owner_and_by_admins() {
    let app = TestApp::start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let mut tags = Vec::new();
    for (content, media_type) in [(jpeg(), "image/jpeg"), (png(), "image/png")] {
        let stored = upload(&app, &ann, &content).await;
        for caller in [&ann, &root] {
            let answer = app.get(&path(&ann.id)).by(caller).await;
            tags.push(is_image(&answer, media_type, &stored));
        }
    }
    assert!(tags.iter().all(|tag| tag.starts_with('"') && tag.ends_with('"')), "strong: {tags:?}");
    assert!(tags[0] == tags[1] && tags[2] == tags[3] && tags[1] != tags[2], "{tags:?}");
}

#[tokio::test]
async fn refusals_come_in_the_order_of_those_of_the_account() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let [ann, bob, gone] = [app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("gone").await];
    upload(&app, &bob, &jpeg()).await;
    app.trash(&root, &[&gone]).await;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let call = |id: &str| app.call(method.clone(), &path(id));
        call("x").await.is(401, not_authenticated());
        call("x").by(&gone).await.is(400, detail("Not a valid ObjectId"));
        call(&bob.id).by(&gone).await.is(401, not_authenticated());
        call(&bob.id).by(&ann).await.is(403, forbidden());
        for id in [gone.id.as_str(), "00000000000000000000abcd"] {
            call(id).by(&ann).await.is(403, forbidden());
            call(id).by(&root).await.is(404, detail("User not found"));
        }
        call(&ann.id).by(&ann).await.is(404, no_image());
        call(&ann.id).by(&root).await.is(404, no_image());
    }
    read(&app, &bob).await.has(200);
}

#[tokio::test]
async fn who_has_the_image_is_told_so_until_there_is_another() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let first = upload(&app, &ann, &jpeg()).await;
    let tag = is_image(&read(&app, &ann).await, "image/jpeg", &first);
    let conditions = [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"a,b\", \"x\" ,{tag}"),
        "*".to_owned(),
        format!(" {tag} "),
    ];
    for condition in &conditions {
        is_known(&read(&app, &ann).header("if-none-match", condition).await, &tag);
    }
    let two_lines = read(&app, &ann).header("if-none-match", "\"x\"").header("if-none-match", &tag);
    is_known(&two_lines.await, &tag);
    for other in ["\"x\"", "", "x", tag.trim_matches('"'), "\"", "W/\"\"", ",,", "\"*\""] {
        is_image(&read(&app, &ann).header("if-none-match", other).await, "image/jpeg", &first);
    }
    read(&app, &ann).header("if-none-match", b"\xFF").await.has(200);

    let second = upload(&app, &ann, &png()).await;
    let answer = read(&app, &ann).header("if-none-match", &tag).await;
    assert_ne!(is_image(&answer, "image/png", &second), tag);
    // Whoever may not read it is not told whether it is the same.
    app.get(&path(&ann.id)).header("if-none-match", "*").await.is(401, not_authenticated());
}

#[tokio::test]
async fn a_deleted_image_is_gone_at_once_and_for_good() {
    let app = TestApp::start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let before = app.get(&ann.path()).by(&ann).await.has(200).json();
    for caller in [&ann, &root] {
        upload(&app, &ann, &jpeg()).await;
        let answer = app.delete(&path(&ann.id)).by(caller).await.has(204);
        assert_eq!((answer.body.as_slice(), answer.header("cache-control")), (&b""[..], Some("no-store")));
        assert_eq!(app.images(), Vec::<std::path::PathBuf>::new());
        read(&app, &ann).await.is(404, no_image());
        app.delete(&path(&ann.id)).by(caller).await.is(404, no_image());
    }
    app.get(&ann.path()).by(&ann).await.is(200, before);
    app.trash(&root, &[&ann]).await;
    let restored = app.put(&ann.restore_path()).by(&root).await.has(200).json();
    assert_eq!(restored.get("profile_image"), None);
}

#[tokio::test]
async fn of_many_deletions_at_once_exactly_one_succeeds() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    upload(&app, &ann, &jpeg()).await;
    let deletions = (0..6).map(|_| app.delete(&path(&ann.id)).by(&ann).into_future());
    let mut statuses: Vec<_> =
        futures_util::future::join_all(deletions).await.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404, 404, 404]);
}

#[tokio::test]
async fn an_image_that_somebody_took_away_is_404_and_one_that_can_not_be_read_503() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    upload(&app, &ann, &jpeg()).await;
    let [file] = app.images().try_into().unwrap();
    fs::remove_file(&file).unwrap();
    read(&app, &ann).await.is(404, no_image());
    symlink(app.folder().join("data/roster.db"), &file).unwrap();
    read(&app, &ann).await.is(503, detail("Service Unavailable"));
}

#[tokio::test]
async fn a_file_that_is_not_what_was_stored_is_503_and_told() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let image = upload(&app, &ann, &png()).await;
    let [file] = app.images().try_into().unwrap();
    let mut other = image.clone();
    *other.last_mut().unwrap() ^= 1;
    for (content, why) in [
        (&b"<html>"[..], "it has 6 bytes and not"),
        (b"", "it has 0 bytes and not"),
        (&image[..image.len() - 1], "bytes and not"),
        (&other, "its bytes have another SHA-256"),
    ] {
        fs::write(&file, content).unwrap();
        let answer = read(&app, &ann).await;
        let request = answer.header("x-request-id").unwrap().to_owned();
        answer.is(503, detail("Service Unavailable"));
        let told = |line: &&String| {
            [&request, &ann.id, why, "image damaged"].iter().all(|text| line.contains(*text))
        };
        assert!(app.logged(|log| log.lines.iter().find(told).cloned()).await.is_some(), "{why}");
    }
    fs::write(&file, &image).unwrap();
    is_image(&read(&app, &ann).await, "image/png", &image);
}

#[tokio::test]
async fn an_image_is_read_whole_while_others_take_its_place() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let images = [upload(&app, &ann, &jpeg()).await, upload(&app, &ann, &png()).await];
    let uploads = async {
        for _ in 0..10 {
            upload(&app, &ann, &jpeg()).await;
            upload(&app, &ann, &png()).await;
        }
    };
    let reads = async {
        for _ in 0..40 {
            let answer = read(&app, &ann).await.has(200);
            let expected = &images[usize::from(answer.header("content-type") == Some("image/png"))];
            assert!(answer.body == *expected, "{} bytes", answer.body.len());
        }
    };
    tokio::join!(uploads, reads);
}

#[tokio::test]
async fn an_original_is_served_by_its_content_and_never_removed() {
    let app = TestApp::start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let name = "me_16adcd34debb4cc9b907e74be4cc65c3.jpg";
    let file = app.folder().join("data/images").join(name);
    app.give_original(&ann, name).await;
    read(&app, &ann).await.is(404, no_image());

    fs::write(&file, png()).unwrap();
    is_original(&read(&app, &ann).await, "image/png", &png());
    read(&app, &ann).header("if-none-match", "*").await.has(304);
    fs::write(&file, jpeg()).unwrap();
    is_original(&app.get(&path(&ann.id)).by(&root).await, "image/jpeg", &jpeg());
    // As long, and the same from its beginning.
    let mut changed = jpeg();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, &changed).unwrap();
    is_original(&read(&app, &ann).await, "image/jpeg", &changed);

    app.trash(&root, &[&ann]).await;
    let restored = app.put(&ann.restore_path()).by(&root).await.has(200).json();
    assert_eq!(restored["profile_image"], json!(name));

    let ann = app.enter(&json!({"email": ann.email, "username": "ann", "password": ann.password})).await;
    let stored = upload(&app, &ann, &png()).await;
    is_image(&read(&app, &ann).await, "image/png", &stored);
    app.delete(&path(&ann.id)).by(&ann).await.has(204);
    read(&app, &ann).await.is(404, no_image());

    app.give_original(&ann, name).await;
    app.delete(&path(&ann.id)).by(&ann).await.has(204);
    read(&app, &ann).await.is(404, no_image());

    app.give_original(&ann, name).await;
    app.trash(&root, &[&ann]).await;
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    assert_eq!(app.images(), [file], "it is not ours to remove");
}

#[tokio::test]
async fn what_is_no_image_in_the_folder_is_404_whatever_the_original_kept() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let images = app.folder().join("data/images");
    fs::create_dir_all(images.join("sub")).unwrap();
    fs::write(app.folder().join("outside.jpg"), jpeg()).unwrap();
    fs::write(images.join("sub/below.jpg"), jpeg()).unwrap();
    fs::write(images.join(".hidden.jpg"), jpeg()).unwrap();
    fs::write(images.join("text.jpg"), "<html><script>").unwrap();
    fs::write(images.join("empty.jpg"), "").unwrap();
    fs::write(images.join("short.jpg"), b"\xFF\xD8").unwrap();
    symlink("../../outside.jpg", images.join("link.jpg")).unwrap();
    for kept in [
        "",
        ".",
        "..",
        "../../outside.jpg",
        "sub",
        "sub/below.jpg",
        ".hidden.jpg",
        "text.jpg",
        "empty.jpg",
        "short.jpg",
        "link.jpg",
        "nul\0.jpg",
        &"long".repeat(1_250),
        "https://bucket.s3.eu-north-1.amazonaws.com/me.jpg",
        "http://127.0.0.1:1/me.jpg",
    ] {
        app.give_original(&ann, kept).await;
        let answer = read(&app, &ann).await;
        assert_eq!((answer.status, answer.json()), (404, no_image()), "{kept:?}");
    }
}

#[tokio::test]
async fn an_image_that_breaks_off_ends_the_connection_and_is_told_once() {
    const LENGTH: u64 = 64 << 20;
    let mut app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let file = app.folder().join("data/images/large.jpg");
    fs::write(&file, jpeg()).unwrap();
    let large = fs::OpenOptions::new().write(true).open(&file).unwrap();
    app.give_original(&ann, "large.jpg").await;

    for _ in 0..2 {
        large.set_len(LENGTH).unwrap();
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (path, token) = (path(&ann.id), &ann.access);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        // Far more than a connection holds is still in the file.
        large.set_len(100_000).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(String::from_utf8_lossy(&rest[..2_000]).contains(&format!("content-length: {LENGTH}\r\n")));
        assert!((rest.len() as u64) < LENGTH, "{} bytes", rest.len());
    }
    app.get("/health").await.has(200);
    app.signal(rustix::process::Signal::TERM);
    app.ended().await;
    let told: Vec<_> = app.log().events().filter(|event| event["event"] == "outage begins").collect();
    assert_eq!(told.len(), 1, "{:#?}", app.log().lines);
    assert_eq!((&told[0]["cause"], &told[0]["operation"]), (&"image folder".into(), &"read".into()));
}
