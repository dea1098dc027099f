//! Profile images.

use std::rc::Rc;

use roster_domain::ports::SpoolLimits;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const UPLOAD: &str = "/api/v1/profile-upload/";
const S3_UPLOAD: &str = "/api/v1/profile-upload-s3/";

/// A form's field; one with a file name is a file.
fn part(name: &str, file_name: Option<&str>, content: &[u8]) -> Vec<u8> {
    let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
    let head = format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn upload(path: &str, parts: &[Vec<u8>]) -> TestRequest {
    post(path)
        .insert_header(("Content-Type", "multipart/form-data; boundary=limit"))
        .set_payload([parts.concat(), b"--limit--\r\n".to_vec()].concat())
}

#[actix_web::test]
async fn an_uploaded_image_is_stored_whole_and_its_name_is_ours() {
    let world = World::new();
    let ann = world.user("ann").await;
    let content: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let parts = [
        part("note", None, b"ignored"),
        part("image", Some("../../me.JPG"), &content),
        part("image", Some("second.txt"), b"ignored"),
    ];
    let answer = world.call(ann.send(upload(UPLOAD, &parts))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["message"], "File uploaded successfully!");
    let keys = world.images.keys();
    assert_eq!((keys.len(), answer.body["filename"].as_str()), (1, Some(keys[0].file_name())));
    let stored = roster_domain::ports::ImageStore::open(&world.images, &keys[0]).await.unwrap().unwrap();
    assert_eq!(stored.length, Some(content.len() as u64));
}

#[actix_web::test]
async fn a_file_may_have_an_extended_name_alone() {
    let world = World::new();
    let ann = world.user("ann").await;
    let head = "--limit\r\nContent-Disposition: form-data; name=\"image\"; filename*=utf-8''m%C3%A9.png\r\n\r\nx\r\n";
    let answer = world.call(ann.send(upload(UPLOAD, &[head.into()]))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[actix_web::test]
async fn a_form_without_the_file_is_422() {
    let world = World::new();
    let ann = world.user("ann").await;
    let missing = json!({ "detail": [
        { "type": "missing", "loc": ["body", "image"], "msg": "Field required", "input": null },
    ] });
    let requests = [
        upload(UPLOAD, &[part("file", Some("me.png"), b"x")]),
        upload(UPLOAD, &[]),
        post(UPLOAD),
        post(UPLOAD).set_json(json!({ "image": "x" })),
    ];
    for request in requests {
        assert_eq!(world.call(ann.send(request)).await.told(), (422, &missing));
    }
}

#[actix_web::test]
async fn a_file_that_is_named_as_another_is_400_for_who_is_there() {
    let world = World::new();
    let ann = world.user("ann").await;
    let request = || upload(UPLOAD, &[part("image", Some("me.gif"), b"x")]);
    let answer = world.call(ann.send(request())).await;
    assert_eq!(answer.told(), (400, &json!({ "detail": "The file's name must end in .jpg, .jpeg or .png" })));
    let away = delete(&format!("/api/v1/auth/users/{}?reason=x", ann.id));
    assert_eq!(world.call(ann.send(away)).await.status, 204);
    assert_eq!(world.call(ann.send(request())).await.status, 401);
}

#[actix_web::test]
async fn a_broken_form_is_400() {
    let world = World::new();
    let ann = world.user("ann").await;
    let cut = post(UPLOAD)
        .insert_header(("Content-Type", "multipart/form-data; boundary=limit"))
        .set_payload(part("image", Some("me.png"), b"x"));
    let bad_padding = post(UPLOAD)
        .insert_header(("Content-Type", "multipart/form-data; boundary=limit"))
        .set_payload([part("image", Some("me.png"), b"x"), b"--limit x\r\n".to_vec()].concat());
    let no_boundary = post(UPLOAD).insert_header(("Content-Type", "multipart/form-data")).set_payload("x");
    let no_name = post(UPLOAD)
        .insert_header(("Content-Type", "multipart/form-data; boundary=limit"))
        .set_payload("--limit\r\nX: y\r\n\r\nx\r\n--limit--\r\n");
    for request in [cut, bad_padding, no_boundary, no_name] {
        let answer = world.call(ann.send(request)).await;
        assert_eq!(answer.told(), (400, &json!({ "detail": "There was an error parsing the body" })));
    }
}

#[actix_web::test]
async fn blanks_behind_a_boundary_are_padding() {
    let world = World::new();
    let ann = world.user("ann").await;
    for boundary in ["limit", "\"limit\"", "\"li mit\""] {
        let name = boundary.trim_matches('"');
        let head = "Content-Disposition: form-data; name=image; filename=me.png\r\n\r\nx --limit \r\n";
        let body = format!(
            "--{name} \t\r\n{head}--{name}\t\r\nContent-Disposition: form-data; name=note\r\n\r\nx\r\n--{name}--  \r\nepilogue"
        );
        let request = post(UPLOAD)
            .insert_header(("Content-Type", format!("multipart/form-data; boundary={boundary}")))
            .set_payload(body);
        let answer = world.call(ann.send(request)).await;
        assert_eq!(answer.status, 200, "{boundary}: {}", answer.body);
        let stored = world.images.keys().pop().unwrap();
        let stored = roster_domain::ports::ImageStore::open(&world.images, &stored).await.unwrap().unwrap();
        assert_eq!(stored.length, Some("x --limit ".len() as u64), "{boundary}");
    }
}

#[actix_web::test]
async fn what_is_larger_than_an_image_may_be_is_413() {
    let world = World::with_limits(Limits { image: 1000, ..Limits::default() });
    let ann = world.user("ann").await;
    let image = |length| upload(UPLOAD, &[part("image", Some("me.png"), &vec![0; length])]);
    assert_eq!(world.call(ann.send(image(1000))).await.status, 200);
    let answer = world.call(ann.send(image(1001))).await;
    assert_eq!(answer.told(), (413, &json!({ "detail": "The request is too large" })));
    let beside = upload(UPLOAD, &[part("other", None, &vec![0; 100_000])]);
    assert_eq!(world.call(ann.send(beside)).await.status, 413);
}

#[actix_web::test]
async fn an_upload_that_stalls_is_408() {
    let world = World::with_limits(Limits { upload_stall: Duration::from_millis(1), ..Limits::default() });
    let ann = world.user("ann").await;
    let answer = world.call_and_stall(ann.send(upload(UPLOAD, &[]))).await;
    assert_eq!(answer.told(), (408, &json!({ "detail": "The request did not arrive in time" })));
}

/// An upload whose image comes as so many bytes, a part of them each second.
async fn upload_slowly(image: usize, each_second: usize) -> (Answer, Duration) {
    let world = World::new();
    let ann = world.user("ann").await;
    let body = [part("image", Some("me.png"), &vec![0; image]), b"--limit--\r\n".to_vec()].concat();
    let chunks: Vec<_> = body.chunks(each_second).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let arriving = stream::iter(chunks).then(|chunk| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        chunk
    });
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let answer = world.call_with_body(ann.send(upload(UPLOAD, &[])), arriving).await;
    (answer, started.elapsed())
}

#[actix_web::test]
async fn an_upload_that_is_no_more_than_a_trickle_is_408() {
    let (answer, took) = upload_slowly(100_000, 1).await;
    assert_eq!(answer.told(), (408, &json!({ "detail": "The request did not arrive in time" })));
    assert!(took < Duration::from_secs(40), "{took:?}");
}

#[actix_web::test]
async fn an_upload_over_a_slow_network_is_waited_for() {
    let (answer, took) = upload_slowly(5_000_000, 50_000).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(took >= Duration::from_secs(100), "{took:?}");
}

#[actix_web::test]
async fn an_upload_over_the_slowest_network_is_waited_for() {
    let (answer, took) = upload_slowly(1_000_000, 5_000).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(took >= Duration::from_secs(200), "{took:?}");
}

#[actix_web::test]
async fn without_s3_its_endpoint_is_503_before_anything_is_read() {
    let world = World::new();
    let ann = world.user("ann").await;
    let request = || upload(S3_UPLOAD, &[part("file", Some("me.png"), b"x")]);
    assert_eq!(world.call(request()).await.status, 401);
    let answer = world.call_and_stall(ann.send(request())).await;
    assert_eq!(answer.told(), (503, &json!({ "detail": "Service Unavailable" })));
    assert_eq!(answer.header("retry-after"), "5");
}

#[actix_web::test]
async fn whoever_is_gone_is_told_before_anything_is_read() {
    let world = World::new();
    let ann = world.user("ann").await;
    let away = delete(&format!("/api/v1/auth/users/{}?reason=x", ann.id));
    assert_eq!(world.call(ann.send(away)).await.status, 204);
    for path in [UPLOAD, S3_UPLOAD] {
        let answer = world.call_and_stall(ann.send(upload(path, &[]))).await;
        assert_eq!(answer.told(), (401, &json!({ "detail": "Not a valid token " })));
    }
}

/// Uploads that have begun and never end, of so many announced bytes each.
async fn begin_uploads(world: &World, user: &User, length: u64, number: usize) -> Vec<JoinHandle<u16>> {
    let mut begun = Vec::new();
    for _ in 0..number {
        let (asked, body) = (Rc::new(Notify::new()), upload(UPLOAD, &[]));
        let mut request = user.send(body.insert_header(("Content-Length", length))).to_request();
        // Asked for its body, an upload has its room.
        let asks = Rc::clone(&asked);
        let body = stream::poll_fn(move |_| {
            asks.notify_one();
            std::task::Poll::<Option<Result<Bytes, PayloadError>>>::Pending
        });
        *request.payload() = Payload::Stream { payload: body.boxed_local() };
        let service = init_service(app(&world.state)).await;
        begun.push(actix_web::rt::spawn(async move {
            Answer::of(try_call_service(&service, request).await).await.status
        }));
        asked.notified().await;
    }
    begun
}

fn limited() -> (u16, Value) {
    (429, json!({ "detail": "Too many requests", "code": "rate_limited" }))
}

#[actix_web::test]
async fn what_one_user_has_under_way_is_bounded_and_hinders_nobody_else() {
    let world = World::new();
    let (ann, ben) = (world.user("ann").await, world.user("ben").await);
    let begun = begin_uploads(&world, &ann, 10 << 20, 2).await;
    let request = || upload(UPLOAD, &[part("image", Some("me.png"), b"x")]);
    let answer = world.call(ann.send(request())).await;
    assert_eq!((answer.status, answer.body.clone()), limited());
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    // Nor is it read first.
    let announced = ann.send(upload(UPLOAD, &[]).insert_header(("Content-Length", 1_000)));
    assert_eq!(world.call_and_stall(announced).await.status, 429);
    assert_eq!(world.call(ben.send(request())).await.status, 200);
    for upload in begun {
        upload.abort();
        assert!(upload.await.is_err());
    }
    assert_eq!(world.call(ann.send(request())).await.status, 200);
}

#[actix_web::test]
async fn what_all_users_have_under_way_is_bounded() {
    let spools = SpoolLimits { all: 15 << 20, each_user: 10 << 20, each_client: 15 << 20 };
    let world = World::with_limits(Limits { spools, ..Limits::default() });
    let (ann, ben) = (world.user("ann").await, world.user("ben").await);
    let begun = begin_uploads(&world, &ann, 10 << 20, 1).await;
    let request = |length| {
        let request = upload(UPLOAD, &[part("image", Some("me.png"), &vec![0; length])]);
        request.peer_addr(([192, 0, 2, 7], 1).into())
    };
    let answer = world.call(ben.send(request(6 << 20))).await;
    assert_eq!(answer.told(), (503, &json!({ "detail": "Service Unavailable" })));
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(world.call(ben.send(request(4 << 20))).await.status, 200);
    for upload in begun {
        upload.abort();
        assert!(upload.await.is_err());
    }
    assert_eq!(world.call(ben.send(request(6 << 20))).await.status, 200);
}

#[actix_web::test]
async fn what_one_client_has_under_way_is_bounded_whichever_users_it_uploads_for() {
    let spools = SpoolLimits { all: 100 << 20, each_user: 20 << 20, each_client: 15 << 20 };
    let world = World::with_limits(Limits { spools, ..Limits::default() });
    let (ann, ben) = (world.user("ann").await, world.user("ben").await);
    let begun = begin_uploads(&world, &ann, 10 << 20, 1).await;
    let request = || upload(UPLOAD, &[part("image", Some("me.png"), &vec![0; 6 << 20])]);
    let answer = world.call(ben.send(request())).await;
    assert_eq!((answer.status, answer.body.clone()), limited());
    let elsewhere = request().peer_addr(([192, 0, 2, 7], 1).into());
    assert_eq!(world.call(ben.send(elsewhere)).await.status, 200);
    drop(begun);
}

#[actix_web::test]
async fn an_upload_of_unknown_length_counts_as_it_arrives() {
    let spools = SpoolLimits { all: 1_000, each_user: 1_000, each_client: 1_000 };
    let world = World::with_limits(Limits { spools, ..Limits::default() });
    let ann = world.user("ann").await;
    let send = |length| {
        let body = [part("image", Some("me.png"), &vec![0; length]), b"--limit--\r\n".to_vec()].concat();
        let chunks = body.chunks(100).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>();
        world.call_with_body(ann.send(upload(UPLOAD, &[])), stream::iter(chunks))
    };
    assert_eq!(send(1_000).await.status, 200);
    assert_eq!(send(1_001).await.status, 429);
    assert_eq!(send(1_000).await.status, 200, "what was refused holds nothing");
}
