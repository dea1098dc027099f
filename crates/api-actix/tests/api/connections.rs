//! More connections than there are places for.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{PATIENCE, Setup};

/// A client that asks once, and then keeps its connection.
async fn idle(from: &str, server: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: roster\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn idle_connections_keep_nobody_out_and_the_log_tells_of_it_once() {
    // Files for 128 connections.
    let few_files = ["/bin/sh", "-c", r#"ulimit -n 256; exec "$@""#, "sh"];
    let app = Setup::new().by(&few_files).start().await;
    let mut honest = idle("127.0.0.3", app.address(), "/health").await;
    let mut greedy = Vec::new();
    for _ in 0..600 {
        greedy.push(idle("127.0.0.2", app.address(), "/health").await);
    }
    for _ in 0..20 {
        app.get("/health").await.has(200);
    }
    // The one that has been idle for longest of all still has its place.
    honest.write_all(b"GET /health HTTP/1.1\r\nhost: roster\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answers = String::new();
    timeout(PATIENCE, honest.read_to_string(&mut answers)).await.expect("an answer in time").unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");

    let told = app.logged(|log| {
        let lines = log.events().filter(|line| line["event"] == "connections scarce");
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then_some(lines)
    });
    let told = told.await.expect("the log tells");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["places"], &told[0]["client"]), (&128.into(), &"127.0.0.2".into()), "{told:?}");
    drop(greedy);
    let over = app.logged(|log| log.events().find(|line| line["event"] == "connections no longer scarce"));
    let over = over.await.expect("the log tells when it is over");
    assert!(over["displaced"].as_u64().unwrap() >= 450, "{over}");
}

#[tokio::test]
async fn idle_connections_do_not_block_the_metrics() {
    let app = Setup::new().set("METRICS_ADDRESS", "127.0.0.1:0").start().await;
    let address = app.logged(|log| {
        let line = log.events().find(|line| line["event"] == "metrics")?;
        line["address"].as_str()?.parse().ok()
    });
    let address: SocketAddr = address.await.expect("the log tells the address");
    let mut idle_ones = Vec::new();
    for _ in 0..70 {
        idle_ones.push(idle("127.0.0.2", address, "/metrics").await);
        // Some say nothing at all.
        idle_ones.push(TcpStream::connect(address).await.unwrap());
    }
    idle("127.0.0.3", address, "/metrics").await;
}
