use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

/// How a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it should.
    Well,
    /// It takes connections and requests, but answers none.
    Hanging,
    /// It takes the first piece of what is uploaded, and then no more.
    HangingInUploads,
    /// It waits so long before each request and each piece of what is uploaded.
    Slow(Duration),
    /// It sends objects whole, but not their length first, as a proxy before it may.
    WithoutLength,
    /// It sends half of each object, not its length first, and closes the connection.
    CutOff,
    /// It answers so whoever reads an object, whatever object that is, and all else as it should.
    Instead(Canned),
}

/// An answer that has nothing to do with the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canned {
    /// Its status.
    pub status: u16,
    /// Its headers, but for the length.
    pub headers: &'static [(&'static str, &'static str)],
    /// Its body.
    pub body: &'static [u8],
}

/// The mode, and how many requests hang by it.
#[derive(Clone)]
pub(crate) struct Modes {
    mode: Arc<watch::Sender<Mode>>,
    hanging: Arc<watch::Sender<usize>>,
}

impl Default for Modes {
    fn default() -> Self {
        Self { mode: Arc::new(watch::Sender::new(Mode::Well)), hanging: Arc::default() }
    }
}

impl Modes {
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    #[expect(clippy::expect_used, reason = "the sender lives as long as this")]
    pub(crate) async fn hangs(&self) {
        self.hanging.subscribe().wait_for(|hanging| *hanging > 0).await.expect("its sender lives");
    }

    pub(crate) fn now(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Waits for as long as the mode asks for before a request is looked at.
    pub(crate) async fn before_request(&self) {
        self.pass(|mode| mode == Mode::Hanging).await;
    }

    async fn before_piece(self, first: bool) {
        self.pass(|mode| mode == Mode::Hanging || mode == Mode::HangingInUploads && !first).await;
    }

    async fn pass(&self, hangs: impl Fn(Mode) -> bool) {
        let mut mode = self.mode.subscribe();
        let now = *mode.borrow_and_update();
        if let Mode::Slow(pause) = now {
            sleep(pause).await;
        }
        if hangs(now) {
            let _counted = Counted::new(Arc::clone(&self.hanging));
            // The sender lives as long as this.
            let _ = mode.wait_for(|mode| !hangs(*mode)).await;
        }
    }
}

/// One of the requests that hang.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(hanging: Arc<watch::Sender<usize>>) -> Self {
        hanging.send_modify(|count| *count += 1);
        Self(hanging)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What is uploaded, as fast as the mode allows.
pub(crate) struct Upload {
    /// It is there until the drop.
    body: Option<Incoming>,
    modes: Modes,
    before_next: Option<Wait>,
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Upload {
    pub(crate) fn new(body: Incoming, modes: Modes) -> Self {
        let before_first: Wait = Box::pin(modes.clone().before_piece(true));
        Self { body: Some(body), modes, before_next: Some(before_first) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(waiting) = &mut self.before_next {
            ready!(waiting.as_mut().poll(cx));
            self.before_next = None;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        self.before_next = Some(Box::pin(self.modes.clone().before_piece(false)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for Upload {
    /// Reads what a refusal left unread, as S3 does. The connection would be closed else, and whoever still sends would see
    /// that and not the refusal.
    fn drop(&mut self) {
        let (Some(mut body), Ok(runtime)) = (self.body.take(), Handle::try_current()) else { return };
        runtime.spawn(async move {
            while poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.is_some_and(|frame| frame.is_ok()) {}
        });
    }
}
