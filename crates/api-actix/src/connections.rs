//! Closes connections that hold their place for nothing.
//!
//! The server's own deadlines end an idle connection, and the first head on one. None ends a later head that arrives in
//! part, a body that nobody wants any more, or the wait for a client that does not read its answers. What is in flight
//! has deadlines of its own and is left alone here.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::task::AtomicWaker;
use metrics::{Gauge, gauge};
use tokio::time::{Instant, sleep};

use crate::stream::Metered;

/// How long a connection may stay open without a request in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// As a rule.
    pub(crate) idle: Duration,
    /// After an answer that told the client that it is the last.
    pub(crate) closing: Duration,
    /// How often connections are looked at: they stay open for so much longer at most.
    pub(crate) look_every: Duration,
}

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Those that were opened since the last look.
    opened: Mutex<Vec<Weak<Connection>>>,
    /// How many there are, where anybody wants to know.
    count: Gauge,
}

impl Connections {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { opened: Mutex::default(), count: gauge!("roster_http_connections") }
    }

    /// Takes note of a connection that was opened. It is forgotten when its stream is dropped.
    pub(crate) fn open(&self, io: actix_web::rt::net::TcpStream) -> io::Result<Metered> {
        io.set_nodelay(true)?;
        let connection = Arc::new(Connection {
            socket: TcpStream::from(io.as_fd().try_clone_to_owned()?),
            steps: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            answering: AtomicBool::new(false),
            wants_body: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            count: self.count.clone(),
        });
        connection.count.increment(1);
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&connection));
        Ok(Metered::new(io, connection))
    }

    /// Closes those that exhaust this patience, as long as it is polled.
    pub(crate) async fn watch(&self, patience: Patience) {
        let mut watched = Vec::new();
        loop {
            let now = Instant::now();
            let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
            watched.extend(opened.into_iter().map(|connection| Watched { connection, steps: 0, since: now }));
            watched.retain_mut(|connection| connection.look(now, patience));
            sleep(patience.look_every).await;
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// A second handle of the socket, for its end alone.
    socket: TcpStream,
    /// How often a request began or ended. There is one at a time, so it is odd while one is in flight.
    steps: AtomicU64,
    closing: AtomicBool,
    /// A request has begun, and its answer was not yet given away whole.
    answering: AtomicBool,
    /// Whoever answers waits for more of the request's body.
    wants_body: AtomicBool,
    /// What would read if it might.
    reader: AtomicWaker,
    count: Gauge,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.count.decrement(1);
    }
}

impl Connection {
    /// A request is in flight, until the first that this returns is dropped, and is answered until the second is.
    pub(crate) fn begin(self: &Arc<Self>) -> (InFlight, Answering) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.wants_body.store(false, Ordering::Relaxed);
        self.answering.store(true, Ordering::Relaxed);
        (InFlight(Arc::clone(self)), Answering(Arc::clone(self)))
    }

    /// Whether anybody needs what comes next.
    pub(crate) fn may_read(&self) -> bool {
        !self.answering.load(Ordering::Relaxed) || self.wants_body.load(Ordering::Relaxed)
    }

    /// Wakes that task when somebody does again.
    pub(crate) fn wake_when_it_may(&self, context: &Context<'_>) {
        self.reader.register(context.waker());
    }

    /// The same body, for which is read only as it is asked for.
    pub(crate) fn on_demand(self: &Arc<Self>, body: Payload) -> Payload {
        match body {
            Payload::None => Payload::None,
            body => Payload::Stream { payload: Box::pin(OnDemand { body, connection: Arc::clone(self) }) },
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Connection>);

impl InFlight {
    /// Its answer is the last on its connection.
    pub(crate) fn is_last(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request that is answered.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Connection>);

/// The same body, which is given away when it is dropped.
pub(crate) fn sending<B>(answering: Option<Answering>, body: B) -> Sending<B> {
    Sending { body: Box::pin(body), _answering: answering }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.store(false, Ordering::Relaxed);
        self.0.reader.wake();
    }
}

/// The body of an answer.
pub(crate) struct Sending<B> {
    body: Pin<Box<B>>,
    _answering: Option<Answering>,
}

impl<B: MessageBody> MessageBody for Sending<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(context)
    }
}

/// The body of a request.
struct OnDemand {
    body: Payload,
    connection: Arc<Connection>,
}

impl Stream for OnDemand {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.body).poll_next(context);
        let wants = next.is_pending();
        self.connection.wants_body.store(wants, Ordering::Relaxed);
        if wants {
            self.connection.reader.wake();
        }
        next
    }
}

impl Drop for OnDemand {
    fn drop(&mut self) {
        self.connection.wants_body.store(false, Ordering::Relaxed);
    }
}

/// What the last looks at a connection told.
struct Watched {
    connection: Weak<Connection>,
    steps: u64,
    /// Since when it has been at this step.
    since: Instant,
}

impl Watched {
    /// Whether it stays open.
    fn look(&mut self, now: Instant, patience: Patience) -> bool {
        let Some(connection) = self.connection.upgrade() else { return false };
        let steps = connection.steps.load(Ordering::Relaxed);
        let in_flight = steps % 2 == 1;
        if in_flight || steps != self.steps {
            (self.steps, self.since) = (steps, now);
            return true;
        }
        let closing = connection.closing.load(Ordering::Relaxed);
        let most = if closing { patience.closing } else { patience.idle };
        if now - self.since < most {
            return true;
        }
        // It wakes the server, which then drops the connection. It fails where the client was first.
        let closed = connection.socket.shutdown(Shutdown::Both);
        tracing::debug!(event = "connection closed", closing, ?closed, "no request for too long");
        false
    }
}
