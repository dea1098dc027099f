use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Where a client is, and where its server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: SocketAddr,
}

impl Way {
    /// The way of most tests.
    pub(crate) fn to(to: SocketAddr) -> Self {
        Self { from: Ipv4Addr::LOCALHOST, to }
    }

    /// A socket that is not connected yet.
    pub(crate) fn socket(self) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.from.into(), 0))?;
        Ok(socket)
    }

    pub(crate) async fn connect(self) -> io::Result<TcpStream> {
        self.socket()?.connect(self.to).await
    }
}

/// A client with one connection, and no more of HTTP than it needs: a thousand of them must cost less than what they ask.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer whose body was read too.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
}

/// Does that on a thread of its own. What it measures is the service's time then, and not how long it waits behind the other
/// clients of this process.
pub(crate) async fn on_own_thread<F: Future>(work: impl FnOnce() -> F + Send + 'static) -> F::Output
where
    F::Output: Send + 'static,
{
    let run = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(work())
    };
    tokio::task::spawn_blocking(run).await.expect("its end")
}

/// A request as it is sent.
pub(crate) fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: roster\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Client {
    pub(crate) async fn connect(way: Way) -> io::Result<Self> {
        Ok(Self { stream: way.connect().await?, received: Vec::new() })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                break String::from_utf8_lossy(&head).to_lowercase();
            }
            self.receive().await?;
        };
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length: usize = field("content-length: ").map_or(0, |length| length.parse().expect("a length"));
        while self.received.len() < length {
            self.receive().await?;
        }
        self.received.drain(..length);
        let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Answer { status, head })
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn ends(&mut self) {
        while self.receive().await.is_ok() {}
    }

    async fn receive(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// How often what was answered, and after how long.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<u16, Vec<Duration>>);

impl Figures {
    pub(crate) fn add(&mut self, status: u16, time: Duration) {
        self.0.entry(status).or_default().push(time);
    }

    /// The same, of a request that may have been cut off.
    pub(crate) fn add_answer(&mut self, (status, time): (Option<u16>, Duration)) {
        if let Some(status) = status {
            self.add(status, time);
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        for (status, times) in other.0 {
            self.0.entry(status).or_default().extend(times);
        }
    }

    pub(crate) fn count(&self, status: u16) -> usize {
        self.0.get(&status).map_or(0, Vec::len)
    }
}

/// The time within which so many of a hundred were answered.
fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (status, times) in &self.0 {
            let [middle, most, all] = [50, 99, 100].map(|percent| percentile(times.clone(), percent));
            write!(f, "{status} × {}, p50 {middle:.1?}, p99 {most:.1?}, max {all:.1?}; ", times.len())?;
        }
        Ok(())
    }
}
