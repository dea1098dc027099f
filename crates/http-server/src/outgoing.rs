//! Writes responses, as fast as the client reads them.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use actix_http::body::{BodySize, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{Method, Response, StatusCode};
use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;
use tokio_util::codec::Encoder;

use crate::connections::{Awaits, Close, Connection};

/// How much of an answer is collected before it is written.
const WRITE_AT: usize = 16 * 1024;

/// How much room an answer gets to begin with: more than most need.
const ROOM: usize = 1024;

/// The answer could not be written whole: its connection is of no more use.
#[derive(Debug)]
pub(crate) struct Broken;

/// Writes an answer whole, and without its body where the request's method or the status allow none.
pub(crate) async fn write<B: MessageBody>(
    io: &TcpStream,
    connection: &Connection,
    codec: &mut Codec,
    method: &Method,
    answer: Response<B>,
) -> Result<(), Broken> {
    let mut body = None;
    let head = answer.map_body(|_, content| body = Some(content));
    let size = body.as_ref().map_or(BodySize::None, MessageBody::size);
    let bodiless = *method == Method::HEAD
        || matches!(head.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || matches!(size, BodySize::None | BodySize::Sized(0));
    let mut buffer = BytesMut::with_capacity(ROOM);
    codec.encode(Message::Item((head, size)), &mut buffer).map_err(|_| Broken)?;
    if let Some(body) = body.filter(|_| !bodiless) {
        let mut body = pin!(body);
        let mut has_more = true;
        while has_more {
            let chunk = poll_fn(|context| match body.as_mut().poll_next(context) {
                Poll::Ready(chunk) => Poll::Ready(chunk.transpose().map_err(|_| Broken)),
                // What there is, the client has while it waits for more.
                Poll::Pending => match poll_write(io, connection, &mut buffer, context) {
                    Poll::Ready(Err(broken)) => Poll::Ready(Err(broken)),
                    _ => Poll::Pending,
                },
            });
            let chunk = chunk.await?;
            has_more = chunk.is_some();
            // To the codec, an empty one would be the last.
            if chunk.as_ref().is_none_or(|chunk| !chunk.is_empty()) {
                codec.encode(Message::Chunk(chunk), &mut buffer).map_err(|_| Broken)?;
            }
            if has_more && buffer.len() >= WRITE_AT {
                poll_fn(|context| poll_write(io, connection, &mut buffer, context)).await?;
            }
        }
    }
    poll_fn(|context| poll_write(io, connection, &mut buffer, context)).await
}

/// Writes all of it. Where the client does not read, its connection says so, until the whole answer has been written.
fn poll_write(
    io: &TcpStream,
    connection: &Connection,
    buffer: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<Result<(), Broken>> {
    while !buffer.is_empty() {
        match io.poll_write_ready(context) {
            Poll::Ready(Ok(())) => match io.try_write(buffer) {
                Ok(length @ 1..) => buffer.advance(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return Poll::Ready(Err(Broken)),
            },
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken)),
            Poll::Pending => {
                connection.awaits(Awaits::Answer);
                return match connection.poll_close(context) {
                    Poll::Ready(Close::Displaced | Close::Overdue) => Poll::Ready(Err(Broken)),
                    _ => Poll::Pending,
                };
            }
        }
    }
    Poll::Ready(Ok(()))
}
