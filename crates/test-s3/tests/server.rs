//! The server does what tests rely on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use roster_test_s3::TestS3;

/// What is answered to a request without a signature.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn who_does_not_sign_gets_nothing() {
    let s3 = TestS3::start();
    let answer = ask(s3.config().address, "/images/key");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("AccessDenied"), "{answer}");
}

#[test]
fn a_killed_server_refuses_connections_until_it_is_back_at_its_port() {
    let mut s3 = TestS3::start();
    let address = s3.config().address;
    for _ in 0..3 {
        s3.kill();
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        s3.restart();
        assert!(ask(address, "/images/key").contains("AccessDenied"));
    }
}

#[test]
fn the_program_makes_its_bucket_and_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_roster-test-s3"))
        .env_clear()
        .env("S3_FOLDER", folder.path())
        .env("S3_ADDRESS", "127.0.0.1:0")
        .env("S3_BUCKET", "pictures")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("the bucket pictures is at http://127.0.0.1:"), "{line}");
    assert!(Command::new("kill").arg(program.id().to_string()).status().unwrap().success());
    assert_eq!(program.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("pictures").is_dir());
}
