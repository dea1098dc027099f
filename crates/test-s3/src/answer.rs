use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;

use crate::mode::{Canned, Mode};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whether a request reads an object. Listings are asked for by a query.
pub(crate) fn reads_object<B>(request: &Request<B>) -> bool {
    let is_listing = request.uri().query().is_some_and(|query| query.contains("list-type="));
    request.method() == Method::GET && !is_listing
}

/// That answer, whatever was asked.
#[expect(clippy::expect_used, reason = "the tests have written it")]
pub(crate) fn canned(canned: Canned) -> Response<Body> {
    let mut answer = Response::new(Body::from(Bytes::from_static(canned.body)));
    *answer.status_mut() = StatusCode::from_u16(canned.status).expect("a status");
    for (name, value) in canned.headers {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

/// An object, sent as the mode has it.
pub(crate) fn sent(answer: Response<Body>, mode: Mode) -> Response<Body> {
    let length: Option<u64> =
        answer.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let left = match (mode, length) {
        (Mode::WithoutLength, _) => u64::MAX,
        (Mode::CutOff, Some(length)) => length / 2,
        _ => return answer,
    };
    let mut answer = answer.map(|body| Body::http_body_unsync(Download { body, left }));
    answer.headers_mut().remove(CONTENT_LENGTH);
    answer
}

/// A body whose length nobody knows, which breaks off after so many bytes.
struct Download {
    body: Body,
    left: u64,
}

impl http_body::Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err("cut off".into())));
        }
        let Some(frame) = ready!(http_body::Body::poll_frame(Pin::new(&mut self.body), cx)) else {
            return Poll::Ready(None);
        };
        let piece = frame?.into_data().unwrap_or_default();
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        self.left -= count as u64;
        Poll::Ready(Some(Ok(Frame::data(piece.slice(..count)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
