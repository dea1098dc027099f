//! The life of a connection: head, service, answer, and again.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Method, Request, Response, ServiceConfig};
use actix_service::Service;
use bytes::BytesMut;
use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio_util::codec::Decoder;

use crate::body::Body;
use crate::connections::{Awaits, Connection, Place};
use crate::head::{Malformed, Scan};
use crate::incoming::{Incoming, MOST_UNWANTED};
use crate::outgoing::{Broken, write};

/// What serves the requests of all connections of a thread.
pub(crate) struct Handler<S> {
    /// The application.
    pub(crate) service: S,
    /// What answers that which is no request.
    pub(crate) refuse: Rc<dyn Fn(Malformed, SocketAddr) -> Response<BoxBody>>,
    pub(crate) config: ServiceConfig,
}

impl<S> Handler<S>
where
    S: Service<Request>,
    S::Error: Into<actix_web::Error>,
{
    /// Serves a connection to its end.
    pub(crate) async fn serve<B: MessageBody>(&self, io: TcpStream, client: SocketAddr, place: Place)
    where
        S::Response: Into<Response<B>>,
    {
        let connection = place.connection();
        let io = Rc::new(io);
        let incoming = Rc::new(RefCell::new(Incoming::new(Rc::clone(&io), Arc::clone(connection))));
        let turns = Turns { io: &io, connection, incoming: &incoming, client };
        if self.take_turns(&turns).await.is_ok() {
            // An answer was the last: the client is told so, and may read it before the connection ends.
            let _ = shutdown(&*io, Shutdown::Write);
            poll_fn(|context| incoming.borrow_mut().poll_end(context)).await;
        }
    }

    /// Answers one request after the other. The last was answered whole, unless this fails.
    async fn take_turns<B: MessageBody>(&self, on: &Turns<'_>) -> Result<(), Broken>
    where
        S::Response: Into<Response<B>>,
    {
        let mut waiting = Awaits::Head;
        loop {
            let head = on.next_head(waiting).await?;
            let request = head.and_then(|head| Turn::begin(head, &self.config, on));
            let Turn { mut codec, mut request } = match request {
                Ok(turn) => turn,
                Err(malformed) => return self.refuse(malformed, on).await,
            };
            on.connection.serves();
            request.head_mut().peer_addr = Some(on.client);
            let method = request.method().clone();
            let (request, _) = request.replace_payload(Incoming::payload(on.incoming));
            match on.unless_gone(self.service.call(request)).await? {
                Ok(answer) => on.answer(&mut codec, &method, answer.into()).await?,
                Err(error) => on.answer(&mut codec, &method, error.into().error_response().into()).await?,
            }
            if !codec.keep_alive() {
                return Ok(());
            }
            let mut most = MOST_UNWANTED;
            if !poll_fn(|context| on.incoming.borrow_mut().poll_rest(&mut most, context)).await {
                return Ok(());
            }
            waiting = Awaits::Next;
            // Others have their turn, also where the next request is there already.
            yield_now().await;
        }
    }

    async fn refuse(&self, malformed: Malformed, on: &Turns<'_>) -> Result<(), Broken> {
        on.connection.serves();
        let mut answer = (self.refuse)(malformed, on.client);
        answer.head_mut().set_connection_type(ConnectionType::Close);
        let mut codec = Codec::new(self.config.clone());
        write(on.io, on.connection, &mut codec, &Method::GET, answer).await
    }
}

/// What all requests of a connection share.
struct Turns<'a> {
    io: &'a Rc<TcpStream>,
    connection: &'a Arc<Connection>,
    incoming: &'a Rc<RefCell<Incoming>>,
    client: SocketAddr,
}

impl Turns<'_> {
    /// The next head. It fails where there is none, and nobody to tell.
    async fn next_head(&self, waiting: Awaits) -> Result<Result<BytesMut, Malformed>, Broken> {
        let mut scan = Scan::default();
        let head = poll_fn(|context| self.incoming.borrow_mut().poll_head(&mut scan, waiting, context));
        head.await.transpose().ok_or(Broken)
    }

    /// What comes of this, unless the client goes before or its place is given away.
    async fn unless_gone<F: Future>(&self, service: F) -> Result<F::Output, Broken> {
        let mut service = pin!(service);
        poll_fn(|context| {
            if let Poll::Ready(done) = service.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            let close = self.connection.poll_close(context);
            let mut incoming = self.incoming.borrow_mut();
            let gives_way =
                matches!(close, Poll::Ready(close) if close.is_now() && incoming.waits_for_body());
            if gives_way || incoming.poll_gone(context) { Poll::Ready(Err(Broken)) } else { Poll::Pending }
        })
        .await
    }

    /// Answers, and says so where that answer is the last.
    async fn answer<B: MessageBody>(
        &self,
        codec: &mut Codec,
        method: &Method,
        mut answer: Response<B>,
    ) -> Result<(), Broken> {
        let is_last = self.connection.close().is_some()
            // What follows it would be another protocol.
            || *method == Method::CONNECT
            || !self.incoming.borrow().may_go_on();
        if is_last {
            answer.head_mut().set_connection_type(ConnectionType::Close);
        }
        write(self.io, self.connection, codec, method, answer).await
    }
}

/// One request, and the codec of its answer.
struct Turn {
    codec: Codec,
    request: Request,
}

impl Turn {
    /// Reads a head, of which all is there and nothing else.
    fn begin(mut head: BytesMut, config: &ServiceConfig, on: &Turns<'_>) -> Result<Self, Malformed> {
        let mut codec = Codec::new(config.clone());
        let Some(Message::Item(request)) = codec.decode(&mut head)? else { return Err(Malformed::Syntax) };
        if !head.is_empty() {
            return Err(Malformed::Syntax);
        }
        let body = Body::of(request.head()).map_err(|_| Malformed::Syntax)?;
        on.incoming.borrow_mut().begin_body(body, request.head().expect());
        Ok(Self { codec, request })
    }
}
