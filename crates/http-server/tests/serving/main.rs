//! A server as its clients see it, over sockets.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

mod connections;
mod requests;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::rt::spawn;
use actix_web::{App, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use roster_http_server::{Config, Malformed, Meters, Patience, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

const NEVER: Duration = Duration::from_hours(1);

/// When a test fails that waits for what does not come.
const AT_LAST: Duration = Duration::from_secs(30);

const PATIENT: Patience =
    Patience { head: NEVER, next: NEVER, answer: NEVER, end: NEVER, look_every: Duration::from_millis(10) };

/// More than the buffers of a connection hold.
const LARGE: usize = 32 * 1024 * 1024;

/// What the application tells of its requests.
struct Told {
    /// How many have been carried out.
    count: AtomicUsize,
    /// One waits for `go_on`.
    waits: Notify,
    go_on: Notify,
    /// One has gone that waited.
    given_up: Notify,
    /// What holds the whole thread up.
    hold: Barrier,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            count: AtomicUsize::default(),
            waits: Notify::default(),
            go_on: Notify::default(),
            given_up: Notify::default(),
            hold: Barrier::new(2),
        }
    }
}

/// A server of a small application.
struct Served {
    address: SocketAddr,
    server: ServerHandle,
    told: Arc<Told>,
}

impl Served {
    fn new(patience: Patience, places: usize) -> Self {
        let told = Arc::new(Told::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config {
            name: "test",
            workers: 1,
            places,
            patience,
            stops_within: Duration::from_secs(20),
            meters: Meters::default(),
        };
        let shared = web::Data::from(Arc::clone(&told));
        let app = move || {
            App::new()
                .app_data(shared.clone())
                .route("/small", web::get().to(small))
                .route("/small", web::head().to(small))
                .route("/large", web::get().to(large))
                .route("/wait", web::get().to(wait))
                .route("/hold", web::get().to(hold))
                .route("/count", web::get().to(count))
                .route("/echo", web::post().to(echo))
        };
        let server = serve(config, vec![listener], app, |malformed, _| {
            let status = match malformed {
                Malformed::Syntax => StatusCode::BAD_REQUEST,
                Malformed::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Malformed::HeadTooSlow => StatusCode::REQUEST_TIMEOUT,
            };
            HttpResponse::build(status).body("refused").into()
        });
        let server = server.unwrap();
        let handle = server.handle();
        spawn(server);
        Self { address, server: handle, told }
    }

    /// A server that waits for its clients as long as they like.
    fn patient() -> Self {
        Self::new(PATIENT, 1000)
    }

    async fn connect(&self) -> Client {
        self.connect_from("127.0.0.1").await
    }

    async fn connect_from(&self, address: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        // Else it is the system that reads, some megabytes.
        socket.set_recv_buffer_size(4096).unwrap();
        Client { stream: socket.connect(self.address).await.unwrap(), read: String::new() }
    }

    fn count(&self) -> usize {
        self.told.count.load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.server.stop(false).await;
    }
}

async fn small(told: web::Data<Told>) -> &'static str {
    told.count.fetch_add(1, Ordering::Relaxed);
    "small"
}

async fn large() -> HttpResponse {
    let piece = Bytes::from_static(&[b'x'; 4096]);
    let pieces = stream::iter((0..LARGE / piece.len()).map(move |_| Ok::<_, Infallible>(piece.clone())));
    HttpResponse::Ok().body(SizedStream::new(LARGE as u64, pieces))
}

/// Answers when it is told to.
async fn wait(told: web::Data<Told>) -> &'static str {
    struct Waiting(web::Data<Told>);
    impl Drop for Waiting {
        fn drop(&mut self) {
            self.0.given_up.notify_one();
        }
    }
    let waiting = Waiting(told.clone());
    told.waits.notify_one();
    told.go_on.notified().await;
    told.count.fetch_add(1, Ordering::Relaxed);
    drop(waiting);
    "waited"
}

/// Holds up its thread, and with it all others there, until it is told to go on.
async fn hold(told: web::Data<Told>) -> &'static str {
    told.waits.notify_one();
    told.hold.wait();
    "held"
}

/// Answers how many have been carried out.
async fn count(told: web::Data<Told>) -> String {
    told.count.load(Ordering::Relaxed).to_string()
}

/// Answers what it was sent.
async fn echo(told: web::Data<Told>, payload: web::Payload) -> HttpResponse {
    told.count.fetch_add(1, Ordering::Relaxed);
    match payload.to_bytes().await {
        Ok(bytes) => HttpResponse::Ok().body(bytes),
        Err(_) => HttpResponse::BadRequest().body("unreadable"),
    }
}

/// A client that says what it likes.
struct Client {
    stream: TcpStream,
    /// What it has read and nobody has looked at.
    read: String,
}

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn is_last(&self) -> bool {
        self.header("connection") == Some("close")
    }

    fn told(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

impl Client {
    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// Reads more; `false` at the end.
    async fn more(&mut self) -> bool {
        let mut chunk = [0; 4096];
        let length =
            timeout(AT_LAST, self.stream.read(&mut chunk)).await.expect("an answer in time").unwrap();
        self.read.push_str(str::from_utf8(&chunk[..length]).unwrap());
        length > 0
    }

    /// Reads until this has come, and takes it and what is before it.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.read.find(end) {
                let rest = self.read.split_off(at + end.len());
                return std::mem::replace(&mut self.read, rest);
            }
            assert!(self.more().await, "it was closed after {:?}", self.read);
        }
    }

    /// Reads an answer to a request that was not HEAD.
    async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            assert!(self.more().await, "it was closed in the middle of {answer:?}");
        }
        let rest = self.read.split_off(length);
        answer.body = std::mem::replace(&mut self.read, rest);
        answer
    }

    /// Reads an answer that has no body.
    async fn head(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let status = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)).unwrap_or_else(|| panic!("no answer: {head:?}"));
        Answer { status: status.parse().unwrap(), head: head.clone(), body: String::new() }
    }

    /// Sends that, and reads its answer.
    async fn ask(&mut self, text: impl AsRef<[u8]>) -> Answer {
        self.send(text).await;
        self.answer().await
    }

    /// Waits until the server has closed it, without another answer.
    async fn ends(mut self) {
        let mut rest = self.read.into_bytes();
        timeout(AT_LAST, self.stream.read_to_end(&mut rest)).await.expect("it is still open").unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Waits until the server has closed it, whatever it says.
    async fn loses_it(mut self) {
        let mut rest = Vec::new();
        // An end or a reset, as the moment has it.
        let _ = timeout(AT_LAST, self.stream.read_to_end(&mut rest)).await.expect("it is still open");
    }

    /// Sends that again and again, until the server has closed it.
    async fn loses_it_while_sending(mut self, text: &str) {
        let sending = async { while self.stream.write_all(text.as_bytes()).await.is_ok() {} };
        timeout(AT_LAST, sending).await.expect("it is still open");
    }
}

const SMALL: &str = "GET /small HTTP/1.1\r\nHost: a\r\n\r\n";

fn echo_of(body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
