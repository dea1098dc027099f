//! Connections that hold their place for nothing, over sockets.

use std::net::{SocketAddr, TcpListener};

use actix_server::Server;
use actix_web::dev::ServerHandle;
use actix_web::rt::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::connections::{Connections, Patience};
use crate::serving::{Deadlines, serve};

const NEVER: Duration = Duration::from_hours(1);
/// Long enough for a request to be sent on a busy machine.
const SOON: Duration = Duration::from_secs(1);
/// When a test fails that waits for what does not come.
const AT_LAST: Duration = Duration::from_secs(30);

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: roster\r\n\r\n";

/// A server that has no deadlines but those of its connections.
struct Served {
    address: SocketAddr,
    server: ServerHandle,
    watching: JoinHandle<()>,
}

impl Served {
    fn new(idle: Duration, closing: Duration) -> Self {
        let limits = Limits { body: 8, body_deadline: NEVER, ..Limits::default() };
        let state = World::with_limits(limits).state;
        let connections = Arc::new(Connections::new());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let builder = Server::build().workers(1).disable_signals();
        let deadlines = Deadlines { head: NEVER, keep_alive: NEVER };
        let server = serve(builder, vec![listener], &state, &connections, deadlines).unwrap();
        let handle = server.handle();
        spawn(server);
        let patience = Patience { idle, closing, look_every: Duration::from_millis(10) };
        let watching = spawn(async move { connections.watch(patience).await });
        Self { address, server: handle, watching }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    async fn stop(self) {
        self.watching.abort();
        self.server.stop(false).await;
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the text has been seen.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            let mut chunk = [0; 1024];
            let length = timeout(AT_LAST, self.0.read(&mut chunk)).await.unwrap().unwrap();
            assert_ne!(length, 0, "it was closed after {text:?}");
            text.push_str(str::from_utf8(&chunk[..length]).unwrap());
        }
        text
    }

    /// Waits until the server has closed it.
    async fn loses_it(mut self) {
        let mut rest = Vec::new();
        // An end or a reset, as the moment has it.
        let _ = timeout(AT_LAST, self.0.read_to_end(&mut rest)).await.expect("it is still open");
    }

    /// Sends that again and again, until the server has closed it.
    async fn loses_it_while_sending(mut self, text: &str) {
        let sending = async { while self.0.write_all(text.as_bytes()).await.is_ok() {} };
        timeout(AT_LAST, sending).await.expect("it is still open");
    }
}

#[actix_web::test]
async fn a_later_head_that_arrives_in_part_ends_its_connection() {
    let served = Served::new(SOON, NEVER);
    let mut client = served.connect().await;
    client.send(HEALTH).await;
    client.read_until("}").await;
    client.send("G").await;
    client.loses_it().await;
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_goes_on_after_a_refusal_ends_its_connection() {
    let served = Served::new(SOON, NEVER);
    let mut client = served.connect().await;
    client
        .send("POST /nowhere HTTP/1.1\r\nHost: roster\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        .await;
    assert!(client.read_until("}").await.starts_with("HTTP/1.1 404"));
    client.loses_it_while_sending("1\r\nx\r\n").await;
    served.stop().await;
}

#[actix_web::test]
async fn a_client_that_never_reads_its_answers_loses_its_connection() {
    let served = Served::new(SOON, NEVER);
    let client = served.connect().await;
    client.loses_it_while_sending(HEALTH).await;
    served.stop().await;
}

#[actix_web::test]
async fn after_an_answer_that_is_the_last_a_connection_ends_soon() {
    let served = Served::new(NEVER, SOON);
    let mut client = served.connect().await;
    client
        .send("POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.send("9\r\n{        \r\n").await;
    assert!(client.read_until("}").await.starts_with("HTTP/1.1 413"));
    client.loses_it().await;
    served.stop().await;
}

#[actix_web::test]
async fn a_request_in_flight_keeps_its_connection() {
    let served = Served::new(SOON, SOON);
    let mut busy = served.connect().await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    busy.send(head).await;
    busy.read_until("100 Continue").await;
    let mut idle = served.connect().await;
    idle.send(HEALTH).await;
    idle.read_until("}").await;
    idle.loses_it().await;
    busy.send("{}").await;
    assert!(busy.read_until("}").await.contains("HTTP/1.1 422"));
    served.stop().await;
}

#[actix_web::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    const TIMES: usize = 300;
    let served = Served::new(NEVER, NEVER);
    let (mut answers, mut requests) = served.connect().await.0.into_split();
    // With and without a body, and longer than what is read at once.
    let form = "{\"email\":\"a@b.co\"}".repeat(200);
    let length = form.len();
    let long = "x".repeat(5000);
    let each = format!(
        "{HEALTH}POST /nowhere HTTP/1.1\r\nHost: roster\r\nContent-Length: 0\r\n\r\n\
         GET /health HTTP/1.1\r\nHost: roster\r\nX-Long: {long}\r\n\r\n\
         POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let last =
        format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nContent-Length: {length}\r\n\r\n{form}");
    spawn(async move {
        requests.write_all([each.repeat(TIMES), last].concat().as_bytes()).await.unwrap();
        // It is not dropped: that would tell the server that the client has gone.
        std::future::pending::<()>().await;
        drop(requests);
    });
    let mut text = String::new();
    let reading = async {
        while !text.contains("HTTP/1.1 413") {
            let mut chunk = vec![0; 65536];
            let length = answers.read(&mut chunk).await.unwrap();
            assert_ne!(length, 0, "it was closed");
            text.push_str(str::from_utf8(&chunk[..length]).unwrap());
        }
    };
    timeout(AT_LAST, reading).await.expect("all are answered");
    let statuses: Vec<_> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, [["200", "404", "200", "422"].repeat(TIMES), vec!["413"]].concat());
    served.stop().await;
}
