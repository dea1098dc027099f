//! Stopping in good order, and dying without it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{PATIENCE, Setup, TestApp, User, eventually, jpeg, multipart};

/// An upload of which the server has read the beginning and waits for the rest.
struct HalfAnUpload {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfAnUpload {
    fn begin(app: &TestApp, user: &User) -> Self {
        let (content_type, mut body) = multipart("image", b"me.jpg", &jpeg());
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "POST /api/v1/profile-upload/ HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
             content-type: {content_type}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            user.access,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server asks for the body: the request has begun.
        let mut line = String::new();
        BufReader::with_capacity(1, &stream).read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 100 "), "{line}");
        let rest = body.split_off(body.len() / 2);
        stream.write_all(&body).unwrap();
        Self { stream, rest }
    }

    fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).unwrap();
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test]
async fn a_request_that_has_begun_is_finished_before_it_stops() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut app = TestApp::start().await;
        let ann = app.sign_up("ann").await;
        let upload = HalfAnUpload::begin(&app, &ann);
        app.signal(signal);
        let address = app.address();
        eventually("nobody is let in any more", || TcpStream::connect(address).is_err()).await;
        let answer = tokio::task::spawn_blocking(|| upload.finish()).await.unwrap();
        assert!(answer.contains("HTTP/1.1 200 OK"), "{signal:?}: {answer}");
        assert!(answer.contains("File uploaded successfully!"), "{signal:?}: {answer}");
        assert_eq!(app.ended().await.code(), Some(0), "{signal:?}");
        assert_eq!(app.images().len(), 1);
    }
}

#[tokio::test]
async fn it_stops_at_once_where_nothing_is_going_on() {
    let mut app = TestApp::start().await;
    // A connection that is kept open and asks for nothing does not count.
    app.get("/health").await.has(200);
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        app.signal(Signal::TERM);
        app.ended().await
    });
    assert_eq!(stopped.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn who_was_told_that_they_signed_up_is_there_after_a_crash() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let bodies: Vec<_> = (0..40)
        .map(|n| json!({"email": format!("a{n}@example.org"), "username": format!("a{n}"), "password": "x"}))
        .collect();
    for body in &bodies[..20] {
        app.sign_up_call(body).await.has(201);
    }
    let app = app.crash_and_restart().await;
    for body in &bodies[..20] {
        app.try_log_in(body["email"].as_str().unwrap(), "x").await.has(200);
    }
    assert!(app.takes(&root.access, &root.id).await);
    for answer in join_all(bodies[20..].iter().map(|body| app.sign_up_call(body).into_future())).await {
        answer.has(201);
    }
    let app = app.crash_and_restart().await;
    assert_eq!(app.get("/api/v1/auth/users").by(&root).await.has(200).json()["total"], 41);
}

#[tokio::test]
async fn what_was_answered_in_the_moment_of_a_crash_is_kept() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let address = app.address();
    // Clients that sign up one user after the other until the server is gone; each tells whom it was confirmed.
    let clients: Vec<_> = (0..4)
        .map(|client| {
            tokio::task::spawn_blocking(move || {
                let mut confirmed = Vec::new();
                for number in 0.. {
                    let name = format!("c{client}n{number}");
                    if !signs_up_raw(address, &name) {
                        break;
                    }
                    confirmed.push(name);
                }
                confirmed
            })
        })
        .collect();
    let listed =
        async || app.get("/api/v1/auth/users").by(&root).await.has(200).json()["total"].as_u64().unwrap();
    while listed().await < 30 {}
    let app = app.crash_and_restart().await;
    for confirmed in join_all(clients).await {
        for name in confirmed.unwrap() {
            app.try_log_in(&format!("{name}@example.org"), "x").await.has(200);
        }
    }
}

/// Whether a sign-up was confirmed; not where the server is gone.
fn signs_up_raw(address: std::net::SocketAddr, name: &str) -> bool {
    let body = json!({"email": format!("{name}@example.org"), "username": name, "password": "x"}).to_string();
    let request = format!(
        "POST /api/v1/auth/signup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = Vec::new();
    let sent = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    sent.is_ok() && answer.starts_with(b"HTTP/1.1 201 ")
}

#[tokio::test]
async fn deletions_restores_and_purges_outlive_a_crash() {
    let app = TestApp::start().await;
    let [root, ann, bob, carl] =
        [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await, app.sign_up("carl").await];
    app.trash(&root, &[&ann, &bob, &carl]).await;
    app.put(&bob.restore_path()).by(&root).await.has(200);
    app.delete(&carl.purge_path()).by(&root).await.has(204);
    let app = app.crash_and_restart().await;
    app.get(&ann.path()).by(&root).await.has(404);
    app.get(&bob.path()).by(&root).await.has(200);
    app.put(&carl.restore_path()).by(&root).await.has(404);
    app.put(&ann.restore_path()).by(&root).await.has(200);
    app.get(&ann.path()).by(&ann).await.has(401);
}

#[tokio::test]
async fn a_session_outlives_restarts_and_crashes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let app = app.crash_and_restart().await.restart().await.crash_and_restart().await;
    assert!(app.takes(&ann.access, &ann.id).await);
}

#[tokio::test]
async fn a_sign_up_whose_client_has_gone_is_done_whole_or_not_at_all() {
    let app = Setup::new().set("BCRYPT_COST", "10").start().await;
    let ann = json!({"email": "ann@example.org", "username": "ann", "password": "x"});
    let body = ann.to_string();
    let request = format!(
        "POST /api/v1/auth/signup HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(app.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::with_capacity(1, &stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100 "), "{line}");
    stream.write_all(body.as_bytes()).unwrap();
    drop(stream);
    // Whether it was hashed before its client was missed is open; what is there now is a whole user or none.
    let again = app.sign_up_call(&ann).await;
    assert!([201, 409].contains(&again.status), "{again:?}");
    app.try_log_in("ann@example.org", "x").await.has(200);
}
