//! A connection's stream, which gives HTTP no more than it needs.
//!
//! actix-http reads up to 128 KiB ahead and takes apart all of it: one client that sends requests without reading the answers
//! would have thousands of them in memory, at 6 KiB each. So while a request is answered nothing is read but its own body,
//! while the client doesn't read its answers nothing at all, and otherwise little at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connections::Connection;

/// How many bytes are read at once: more than most heads have, and a request has 18 at least.
const CHUNK: usize = 2 * 1024;

/// A connection's stream.
pub(crate) struct Metered {
    io: TcpStream,
    connection: Arc<Connection>,
    /// The last read was a whole chunk: what was read goes first.
    full: bool,
    /// What is written does not go on.
    stuck: bool,
    /// Something is there that was not read.
    held: bool,
}

impl Metered {
    pub(crate) fn new(io: TcpStream, connection: Arc<Connection>) -> Self {
        Self { io, connection, full: false, stuck: false, held: false }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Reads nothing, but tells the end of the connection where nothing is before it.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        if ready!(self.io.poll_peek(context, &mut ReadBuf::new(&mut byte)))? == 0 {
            return Poll::Ready(Ok(()));
        }
        self.held = true;
        self.connection.wake_when_it_may(context);
        Poll::Pending
    }

    fn wrote<T>(&mut self, context: &Context<'_>, written: Poll<T>) -> Poll<T> {
        self.stuck = written.is_pending();
        if !self.stuck && std::mem::take(&mut self.held) {
            context.waker().wake_by_ref();
        }
        written
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.full) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.stuck || !this.connection.may_read() {
            return this.poll_end(context);
        }
        let most = buffer.remaining().min(CHUNK);
        let mut chunk = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut this.io).poll_read(context, &mut chunk))?;
        let length = chunk.filled().len();
        buffer.advance(length);
        this.full = length == most;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.wrote(context, written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
