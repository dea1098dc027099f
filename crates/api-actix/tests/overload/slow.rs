use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval};

use super::client::{Way, request};
use super::harness::multipart;

/// What a client is slow at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its head has no end.
    Head,
    /// Nor has its second head.
    SecondHead,
    /// Its body, of JSON.
    Body,
    /// Its body, of a form with an image.
    Upload,
    /// It asks for more than a megabyte, and never reads.
    Reading,
    /// It asks again and again for as much as is taken, and never reads.
    Asking,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Head, Self::SecondHead, Self::Body, Self::Upload, Self::Reading, Self::Asking];

    /// It reads no answer.
    fn is_deaf(self) -> bool {
        matches!(self, Self::Reading | Self::Asking)
    }

    /// What is sent at once, and what then comes a byte a second, again and again.
    fn sends(self, token: &str) -> (Vec<u8>, &'static [u8]) {
        let health = || request("GET", "/health", "");
        match self {
            Self::Head => (b"GET /health HTTP/1.1\r\nhost: roster\r\nx: ".to_vec(), b"x"),
            Self::SecondHead => {
                ([health(), b"GET /health HTTP/1.1\r\nhost: roster\r\nx: ".to_vec()].concat(), b"x")
            }
            Self::Body => {
                let head =
                    "POST /api/v1/auth/login HTTP/1.1\r\nhost: roster\r\ncontent-length: 60000\r\n\r\n";
                (head.as_bytes().to_vec(), b" ")
            }
            Self::Upload => {
                let (content_type, body) = multipart("image", b"me.png", b"");
                let image = body.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an image") + 4;
                let head = format!(
                    "POST /api/v1/profile-upload/ HTTP/1.1\r\nhost: roster\r\nauthorization: Bearer {token}\r\n\
                     content-type: {content_type}\r\ncontent-length: 600000\r\n\r\n"
                );
                ([head.as_bytes(), &body[..image]].concat(), b"x")
            }
            Self::Reading => (request("GET", "/docs/swagger-ui-bundle.js", ""), b""),
            Self::Asking => (b"GET / HTTP/1.1\r\nhost:x\r\n\r\n".repeat(1_000), b""),
        }
    }
}

/// Says when it is connected, stays until it loses its connection, and tells for how long that was.
pub(crate) async fn stay(kind: Kind, way: Way, token: String, connected: Arc<Semaphore>) -> (Kind, Duration) {
    let started = Instant::now();
    let socket = way.socket().expect("a socket");
    if kind.is_deaf() {
        // Else it is the system that reads, some megabytes.
        socket.set_recv_buffer_size(4096).expect("a small buffer");
    }
    let stream = socket.connect(way.to).await.expect("a connection");
    connected.add_permits(1);
    let (mut answers, mut requests) = stream.into_split();
    let (first, drop) = kind.sends(&token);
    let sending = async {
        // Any failure is the connection's end.
        loop {
            if requests.write_all(&first).await.is_err() {
                return;
            }
            if kind != Kind::Asking {
                break;
            }
        }
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            if !drop.is_empty() && requests.write_all(drop).await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        if kind.is_deaf() {
            return std::future::pending().await;
        }
        let mut buffer = [0; 1024];
        while answers.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    };
    tokio::select! {
        () = sending => {}
        () = reading => {}
    }
    (kind, started.elapsed())
}
