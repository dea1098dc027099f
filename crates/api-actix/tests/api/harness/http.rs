use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{PATIENCE, User};

/// A request that is being put together; `.await` sends it.
pub(crate) struct Call {
    name: String,
    request: reqwest::RequestBuilder,
}

impl Call {
    pub(crate) fn new(name: String, request: reqwest::RequestBuilder) -> Self {
        Self { name, request }
    }

    /// As this user.
    pub(crate) fn by(self, user: &User) -> Self {
        self.bearer(&user.access)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// A body that says that it is JSON, whether or not it is.
    pub(crate) fn json_text(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/json", body.into())
    }

    pub(crate) fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.request = self.request.header("content-type", content_type).body(body);
        self
    }

    /// An uploaded file.
    pub(crate) fn file(self, field: &str, file_name: &str, content: &[u8]) -> Self {
        let (content_type, body) = multipart(field, file_name.as_bytes(), content);
        self.body(&content_type, body)
    }

    /// Sends it where the server may die before it has answered.
    pub(crate) async fn answer(self) -> reqwest::Result<Answer> {
        let response = self.request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        let answer = Answer { name: self.name, status, headers, body };
        answer.holds_what_every_answer_does();
        Ok(answer)
    }

    async fn send(self) -> Answer {
        let name = self.name.clone();
        match self.answer().await {
            Ok(answer) => answer,
            Err(error) => panic!("{name}: no answer, or one without an end: {error:?}"),
        }
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    name: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body, which must be JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {} {error} in {}", self.name, self.status, self.text()),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header of ASCII"))
    }

    /// Must have this status.
    #[track_caller]
    pub(crate) fn has(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.name, self.text());
        self
    }

    /// Must have this status and exactly this body.
    #[track_caller]
    pub(crate) fn is(self, status: u16, body: Value) -> Self {
        assert_eq!((self.status, self.json()), (status, body), "{}", self.name);
        self
    }

    /// Must be an error of this status whose text is the service's own choice.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16) -> Self {
        let answer = self.has(status);
        let body = answer.json();
        let text = body["detail"].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{}: no detail in {body}", answer.name);
        assert_eq!(body, super::detail(text), "{}: an error is its detail alone", answer.name);
        answer
    }

    /// Must be a 422 with these faults and no others.
    #[track_caller]
    pub(crate) fn has_faults(self, faults: &[Value]) -> Self {
        self.is(422, serde_json::json!({ "detail": faults }))
    }

    /// The faults of a 422, each as its type and its place (`body.email`).
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 422, "{}: {}", self.name, self.text());
        let body = self.json();
        let faults = body["detail"].as_array().unwrap_or_else(|| panic!("{}: {body}", self.name));
        let place = |fault: &Value| {
            let parts = fault["loc"].as_array().unwrap_or_else(|| panic!("{}: {body}", self.name));
            let part = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
            parts.iter().map(part).collect::<Vec<_>>().join(".")
        };
        faults.iter().map(|fault| (fault["type"].as_str().unwrap_or("?").to_owned(), place(fault))).collect()
    }

    /// What the contract promises of every answer; so each test of anything tests it too.
    #[track_caller]
    fn holds_what_every_answer_does(&self) {
        let text = self.text();
        assert_ne!(self.status, 500, "{}: a 500 is a bug: {text}", self.name);
        assert!(
            self.header("x-request-id").is_some_and(|id| !id.is_empty()),
            "{}: no x-request-id",
            self.name
        );
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{}: no nosniff", self.name);
        assert!(!text.contains("$2b$") && !text.contains("$bcrypt"), "{}: a hash in {text}", self.name);
        if self.status == 503 {
            assert_eq!(self.json(), super::detail("Service Unavailable"), "{}", self.name);
            let seconds = self.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
            assert!(seconds.is_some(), "{}: 503 without Retry-After", self.name);
        }
        if self.status == 401 && self.json() == super::not_authenticated() {
            assert_eq!(self.header("www-authenticate"), Some("Bearer"), "{}: no challenge", self.name);
        }
    }
}

/// A text as it stands in a query.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A form with one file: its content type and its bytes. The file's name stands there as it is given.
pub(crate) fn multipart(field: &str, file_name: &[u8], content: &[u8]) -> (String, Vec<u8>) {
    let boundary = "-a-boundary-that-no-picture-holds-";
    let mut body =
        format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"").into_bytes();
    body.extend_from_slice(file_name);
    body.extend_from_slice(b"\"\r\ncontent-type: application/octet-stream\r\n\r\n");
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Sends bytes that no decent client would, and returns whatever comes back until the server closes.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    // The server may refuse and close before it has read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
