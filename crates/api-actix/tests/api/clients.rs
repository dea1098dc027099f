//! Clients as people have them. Each has logged in, listed, uploaded and asked two hundred times for `/health` by hand; what
//! stands in `clients/` is what it sent then, with `{token}` in the place of its token.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{PATIENCE, TestApp, User};

/// A client's connection.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), received: Vec::new() }
    }

    async fn more(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received));
        let length = read.await.expect("an answer in time").unwrap();
        assert_ne!(length, 0, "the connection ended; left is {:?}", String::from_utf8_lossy(&self.received));
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = head_length(&self.received) {
                let head: Vec<u8> = self.received.drain(..end).collect();
                return String::from_utf8(head).unwrap();
            }
            self.more().await;
        }
    }

    /// Reads an answer and returns its status; the connection has to stay.
    async fn answer(&mut self) -> u16 {
        let head = self.head().await;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        assert_eq!(field("connection: "), None, "{head}");
        let length: usize = field("content-length: ").unwrap().parse().unwrap();
        while self.received.len() < length {
            self.more().await;
        }
        self.received.drain(..length);
        head[9..12].parse().unwrap()
    }

    /// Sends a request in two pieces, as most clients do, and returns the status of its answer.
    async fn ask(&mut self, request: &[u8]) -> u16 {
        let (head, body) = request.split_at(head_length(request).unwrap());
        self.stream.write_all(head).await.unwrap();
        if String::from_utf8_lossy(head).to_lowercase().contains("\r\nexpect: 100-continue\r\n") {
            assert_eq!(self.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.stream.write_all(body).await.unwrap();
        self.answer().await
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
}

/// What a client sent for that, as this user.
fn sent(client: &str, what: &str, user: &User) -> Vec<u8> {
    const PLACE: &[u8] = b"{token}";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/clients").join(client).join(what);
    let mut bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Some(at) = bytes.windows(PLACE.len()).position(|window| window == PLACE) {
        bytes.splice(at..at + PLACE.len(), user.access.bytes());
    }
    bytes
}

#[rstest::rstest]
#[case::curl("curl")]
#[case::go("go")]
#[case::java("java")]
#[case::node("node")]
#[case::python_aiohttp("aiohttp")]
#[case::python_httpx("httpx")]
#[case::python_requests("requests")]
#[tokio::test]
async fn one_connection_serves_a_log_in_a_list_an_upload_and_two_hundred_requests(#[case] client: &str) {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let [log_in, list, upload, health] =
        ["log-in", "list", "upload", "health"].map(|what| sent(client, what, &root));
    let mut connection = Connection::open(app.address()).await;
    for (what, request) in [("log-in", &log_in), ("list", &list), ("upload", &upload)] {
        assert_eq!(connection.ask(request).await, 200, "{what}");
    }
    for number in 0..200 {
        assert_eq!(connection.ask(&health).await, 200, "{number}");
    }
    // And all at once, as a proxy may send them.
    connection.stream.write_all(&[log_in, list, health.clone(), upload, health].concat()).await.unwrap();
    let mut statuses = Vec::new();
    while statuses.len() < 5 {
        let is_told_to_go_on = connection.received.starts_with(b"HTTP/1.1 100");
        if is_told_to_go_on {
            connection.head().await;
        } else {
            statuses.push(connection.answer().await);
        }
    }
    assert_eq!(statuses, [200; 5]);
}
