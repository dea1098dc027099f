//! Reads from a client, only as much as is asked for.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::Payload;
use actix_http::error::PayloadError;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::body::{Body, Part, Unframed};
use crate::connections::{Awaits, Connection};
use crate::head::{Malformed, Scan};

/// How many bytes of heads are read at once: more than most heads have.
const HEAD_CHUNK: usize = 2 * 1024;
/// How many bytes of bodies are read at once.
const BODY_CHUNK: usize = 8 * 1024;

/// How much of a body that nobody wants is read, so that the connection can be used again.
pub(crate) const MOST_UNWANTED: u64 = 64 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a connection's client sends: a head, its body, the next head.
pub(crate) struct Incoming {
    io: Rc<TcpStream>,
    connection: Arc<Connection>,
    /// What has arrived and was not taken yet.
    buffer: BytesMut,
    body: Body,
    /// Which request the body is of.
    turn: u64,
    /// What is to be written before the body is waited for, where the client waits for that.
    owed: &'static [u8],
    /// Whoever answers waits for more of the body.
    wants: bool,
    /// Something has arrived that nobody may read yet.
    holds: bool,
    end: Option<End>,
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client has gone.
    Gone,
    /// It can't be told what it sends.
    Unframed,
}

impl Incoming {
    pub(crate) fn new(io: Rc<TcpStream>, connection: Arc<Connection>) -> Self {
        Self {
            io,
            connection,
            buffer: BytesMut::new(),
            body: Body::Length(0),
            turn: 0,
            owed: b"",
            wants: false,
            holds: false,
            end: None,
        }
    }

    /// The next head; none where the connection ends before it.
    ///
    /// What was told to close, closes unless something has arrived all the same: a client may send its next request in the
    /// last moment.
    pub(crate) fn poll_head(
        &mut self,
        scan: &mut Scan,
        waiting: Awaits,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<BytesMut>, Malformed>> {
        loop {
            // Empty lines before a request are ignored (RFC 9112, 2.2).
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
            }
            let is_half = self.buffer.as_ref() == b"\r";
            if !is_half && let Some(length) = scan.advance(&mut self.buffer)? {
                return Poll::Ready(Ok(Some(self.buffer.split_to(length))));
            }
            let has_begun = !self.buffer.is_empty();
            self.connection.awaits(if has_begun { Awaits::Head } else { waiting });
            match self.poll_read(context, HEAD_CHUNK) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(_) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    return match self.connection.poll_close(context) {
                        Poll::Ready(close) if has_begun && close.is_overdue() => {
                            Poll::Ready(Err(Malformed::HeadTooSlow))
                        }
                        Poll::Ready(_) => Poll::Ready(Ok(None)),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    /// From now on the body is read of the request whose head was taken last.
    pub(crate) fn begin_body(&mut self, body: Body, expects_continue: bool) {
        self.turn += 1;
        let waits = expects_continue && !body.has_ended() && self.buffer.is_empty();
        self.owed = if waits { CONTINUE } else { b"" };
        self.body = body;
    }

    /// The body, for whoever answers the request.
    pub(crate) fn payload(this: &Rc<RefCell<Self>>) -> Payload {
        let incoming = this.borrow();
        if incoming.body.has_ended() {
            return Payload::None;
        }
        let stream = BodyStream { incoming: Rc::clone(this), turn: incoming.turn };
        Payload::Stream { payload: Box::pin(stream) }
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.wants = false;
        loop {
            match self.end {
                None => {}
                Some(End::Gone) => return Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
                Some(End::Unframed) => return Poll::Ready(Some(Err(PayloadError::EncodingCorrupted))),
            }
            match self.body.next(&mut self.buffer) {
                Ok(Part::Data(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(Part::End) => return Poll::Ready(None),
                Ok(Part::Missing) => {}
                Err(Unframed) => {
                    self.end = Some(End::Unframed);
                    continue;
                }
            }
            let read = self.poll_continue(context).map(|()| self.poll_read(context, BODY_CHUNK));
            match read {
                Poll::Ready(Poll::Ready(Ok(true))) => {}
                Poll::Ready(Poll::Ready(_)) => self.end = Some(End::Gone),
                _ => {
                    self.wants = true;
                    self.connection.awaits(Awaits::Body);
                    return Poll::Pending;
                }
            }
            self.connection.serves();
        }
    }

    /// Writes what the client waits for before it sends the body.
    fn poll_continue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.owed.is_empty() {
            match ready!(self.io.poll_write_ready(context)).and_then(|()| self.io.try_write(self.owed)) {
                Ok(written) => self.owed = &self.owed[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => (self.end, self.owed) = (Some(End::Gone), b""),
            }
        }
        Poll::Ready(())
    }

    /// Reads a little; `false` at the end.
    fn poll_read(&mut self, context: &mut Context<'_>, most: usize) -> Poll<io::Result<bool>> {
        loop {
            ready!(self.io.poll_read_ready(context))?;
            self.buffer.reserve(most);
            match self.io.try_read_buf(&mut (&mut self.buffer).limit(most)) {
                Ok(length) => {
                    self.holds = false;
                    return Poll::Ready(Ok(length > 0));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether the client has gone, as far as can be told without reading what it sends.
    pub(crate) fn poll_gone(&mut self, context: &mut Context<'_>) -> bool {
        // Whoever waits for the body will see its end.
        if self.end.is_some() || self.wants || self.holds || !self.buffer.is_empty() {
            return self.end == Some(End::Gone);
        }
        let mut byte = [0];
        match self.io.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending => {}
            Poll::Ready(Ok(1..)) => self.holds = true,
            Poll::Ready(_) => self.end = Some(End::Gone),
        }
        self.end == Some(End::Gone)
    }

    pub(crate) fn waits_for_body(&self) -> bool {
        self.wants
    }

    /// Whether another request can follow once the rest of the body has been read, and that is worth while.
    pub(crate) fn may_go_on(&self) -> bool {
        let is_short = match &self.body {
            Body::Length(left) => *left <= MOST_UNWANTED,
            Body::Chunked(_) => true,
        };
        // A client that waits in vain to be told to send its body may send it or not (RFC 9110, 10.1.1).
        is_short && self.owed.is_empty() && self.end.is_none()
    }

    /// Reads the rest of the body and forgets it; `false` where it has no end, or too late.
    pub(crate) fn poll_rest(&mut self, most: &mut u64, context: &mut Context<'_>) -> Poll<bool> {
        // No stream of this body may be read any more.
        self.turn += 1;
        loop {
            match self.body.next(&mut self.buffer) {
                Ok(Part::End) => {
                    if self.buffer.is_empty() {
                        self.buffer = BytesMut::new();
                    }
                    return Poll::Ready(true);
                }
                Ok(Part::Data(bytes)) => match most.checked_sub(bytes.len() as u64) {
                    Some(left) => *most = left,
                    None => return Poll::Ready(false),
                },
                Err(Unframed) => return Poll::Ready(false),
                Ok(Part::Missing) => {
                    self.connection.awaits(Awaits::Rest);
                    match self.poll_read(context, BODY_CHUNK) {
                        Poll::Ready(Ok(true)) => {}
                        Poll::Ready(_) => return Poll::Ready(false),
                        Poll::Pending => return self.connection.poll_close(context).map(|_| false),
                    }
                }
            }
        }
    }

    /// Reads whatever still comes and forgets it, to the end of the connection.
    ///
    /// A socket that is closed before all was read makes the system tell the client to forget what it has not read either.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.connection.awaits(Awaits::End);
        loop {
            self.buffer.clear();
            match self.poll_read(context, BODY_CHUNK) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.connection.poll_close(context).map(|_| ()),
            }
        }
    }
}

/// The body of one request.
struct BodyStream {
    incoming: Rc<RefCell<Incoming>>,
    turn: u64,
}

impl Stream for BodyStream {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut incoming = self.incoming.borrow_mut();
        if incoming.turn != self.turn {
            return Poll::Ready(Some(Err(PayloadError::Incomplete(None))));
        }
        incoming.poll_body(context)
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        // It is not dropped while it is borrowed: whoever borrows calls nobody who could have it.
        let mut incoming = self.incoming.borrow_mut();
        if incoming.turn == self.turn && std::mem::take(&mut incoming.wants) {
            incoming.connection.serves();
        }
    }
}
