//! A client as cheap as it can be: it shares the processor with the server that it measures.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request, ready to be sent, and the status that it is to be answered.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) bytes: Bytes,
    pub(crate) expected: u16,
}

impl Request {
    /// One without a body, answered 200.
    pub(crate) fn get(path: &str, token: Option<&str>) -> Self {
        Self { bytes: head("GET", path, token, None).into(), expected: 200 }
    }

    /// One without a body.
    pub(crate) fn bare(method: &str, path: &str, token: &str, expected: u16) -> Self {
        Self { bytes: head(method, path, Some(token), Some(("", 0))).into(), expected }
    }

    /// One whose body is JSON.
    pub(crate) fn json(method: &str, path: &str, token: Option<&str>, body: &Value, expected: u16) -> Self {
        let body = body.to_string();
        let mut text = head(method, path, token, Some(("application/json", body.len())));
        text.push_str(&body);
        Self { bytes: text.into(), expected }
    }

    /// An upload of a PNG, answered 200.
    pub(crate) fn upload(path: &str, token: &str, field: &str, png: &[u8]) -> Self {
        let start = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"me.png\"\r\n\
             Content-Type: image/png\r\n\r\n"
        );
        let body = [start.as_bytes(), png, b"\r\n--frontier--\r\n"].concat();
        let head =
            head("POST", path, Some(token), Some(("multipart/form-data; boundary=frontier", body.len())));
        Self { bytes: [head.as_bytes(), &body].concat().into(), expected: 200 }
    }
}

fn head(method: &str, path: &str, token: Option<&str>, body: Option<(&str, usize)>) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    // Writing to a `String` can't fail.
    if let Some(token) = token {
        let _ = write!(head, "Authorization: Bearer {token}\r\n");
    }
    if let Some((content_type, length)) = body {
        if !content_type.is_empty() {
            let _ = write!(head, "Content-Type: {content_type}\r\n");
        }
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    head.push_str("\r\n");
    head
}

/// A connection that is kept from one request to the next.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// The answer that a connection has just received.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((status, body)) = whole_answer(&self.received)? {
                return Ok(Answer { status, body: &self.received[body] });
            }
        }
    }
}

/// The status, and where the body stands, once all of it is there.
fn whole_answer(received: &[u8]) -> io::Result<Option<(u16, Range<usize>)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = answer.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let status = answer.code.unwrap_or_default();
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some(length) => str::from_utf8(length.value).ok().and_then(|text| text.parse().ok()),
        None => (status == 204).then_some(0),
    };
    let length: usize = length.ok_or_else(|| io::Error::other("an answer whose length is not told"))?;
    let body = start..start + length;
    Ok((received.len() >= body.end).then_some((status, body)))
}

#[cfg(test)]
mod tests {
    use super::whole_answer;

    #[test]
    fn an_answer_is_whole_with_the_last_byte_of_its_body() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";
        for end in 0..whole.len() {
            assert_eq!(whole_answer(&whole[..end]).unwrap(), None);
        }
        let (status, body) = whole_answer(whole).unwrap().unwrap();
        assert_eq!((status, &whole[body]), (201, &b"{}"[..]));
    }

    #[test]
    fn an_answer_without_a_length_has_no_body_or_is_not_understood() {
        assert!(whole_answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().is_some());
        assert!(whole_answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
