//! The program as an operator sees it: its exit codes, its one line on standard error, its log, and how it stops.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// `roster` in that folder, without this process's settings.
fn roster(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roster"));
    command.current_dir(folder).env_clear().env("PORT", "0");
    command
}

/// A process that listens; it is killed with this.
struct Running {
    process: Child,
    log: Lines<BufReader<ChildStdout>>,
    address: String,
    first_lines: Vec<Value>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut running = Self { process, log, address: String::new(), first_lines: Vec::new() };
        loop {
            let event = running.next_event();
            if event["event"] == "listening" {
                event["address"].as_str().unwrap().clone_into(&mut running.address);
                return running;
            }
            running.first_lines.push(event);
        }
    }

    fn next_event(&mut self) -> Value {
        let line = self.log.next().expect("the process should log more").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn wait_until_it_stops(&mut self) {
        while self.next_event()["event"] != "stopping" {}
    }

    /// A request that the server has begun to answer and of which it waits for the rest: `{}`.
    fn begin_request(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nContent-Type: application/json\r\n\
                    Content-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        assert_eq!(read_line(&mut stream), "HTTP/1.1 100 Continue");
        assert_eq!(read_line(&mut stream), "");
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn refused(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let line = String::from_utf8(stderr).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    (status.code().unwrap(), line)
}

#[test]
fn out_of_the_box_it_says_what_is_open_and_answers() {
    let folder = TempDir::new().unwrap();
    let running = Running::start(&mut roster(folder.path()));
    let log = format!("{:?}", running.first_lines);
    for said in [
        "users in data/roster.db",
        "only this machine",
        "ADMIN_SIGNUP=bootstrap",
        "the key in data/secret_key",
    ] {
        assert!(log.contains(said), "{said:?} is missing in {log}");
    }
    let key = fs::read_to_string(folder.path().join("data/secret_key")).unwrap();
    assert!(!log.contains(key.trim()), "the key is not logged");
    assert!(!log.contains("metrics"), "nobody asked for them: {log}");

    let mut stream = TcpStream::connect(&running.address).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: roster\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn it_starts_with_the_example_as_its_env_file_and_the_environment_overrides_it() {
    let folder = TempDir::new().unwrap();
    let example = concat!(include_str!("../../../.env_example"), "\nPORT=none\nIMAGES_URL=file://pictures\n");
    fs::write(folder.path().join(".env"), example).unwrap();
    let running = Running::start(&mut roster(folder.path()));
    assert_eq!(running.first_lines[0]["images"], "pictures");
}

#[test]
fn a_wrong_setting_is_one_line_and_exit_code_2_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let (code, line) = refused(roster(folder.path()).env("HOST", "0.0.0.0").env("SECRET_KEY", "secret"));
    assert!(code == 2 && line.starts_with("roster: SECRET_KEY "), "{code} {line}");

    fs::write(folder.path().join(".env"), "HOST=127.0.0.1\nSECRET_KEY=hunter2 hunter2\n").unwrap();
    let (code, line) = refused(&mut roster(folder.path()));
    assert!(code == 2 && line.starts_with("roster: .env, line 2, "), "{code} {line}");
    assert!(!line.contains("hunter2"), "{line}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (code, line) = refused(roster(folder.path()).env("PORT", &port));
    assert!(code == 1 && line.contains(&format!("HOST 127.0.0.1, PORT {port}")), "{code} {line}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_port_for_metrics_in_use_is_one_line_and_exit_code_1_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let (code, line) = refused(roster(folder.path()).env("METRICS_ADDRESS", &address));
    assert!(code == 1 && line.contains(&format!("METRICS_ADDRESS {address}")), "{code} {line}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_database_that_cannot_be_opened_is_one_line_and_exit_code_1() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let (code, line) = refused(roster(folder.path()).env("DATABASE_URL", "sqlite://file/roster.db"));
    assert!(code == 1 && line.contains("DATABASE_URL"), "{code} {line}");
}

#[rstest::rstest]
#[case(Signal::TERM)]
#[case(Signal::INT)]
#[case(Signal::HUP)]
fn a_signal_lets_what_has_begun_end_and_then_stops_with_success(#[case] signal: Signal) {
    let folder = TempDir::new().unwrap();
    let mut running = Running::start(&mut roster(folder.path()));
    let mut begun = running.begin_request();
    running.signal(signal);
    running.wait_until_it_stops();
    begun.get_mut().write_all(b"{}").unwrap();
    assert_eq!(read_line(&mut begun), "HTTP/1.1 422 Unprocessable Entity");
    assert!(running.process.wait().unwrap().success());
}

#[test]
fn who_was_started_to_stay_when_the_terminal_closes_stays() {
    let folder = TempDir::new().unwrap();
    let mut by_nohup = Command::new("nohup");
    by_nohup.arg(env!("CARGO_BIN_EXE_roster")).current_dir(folder.path());
    by_nohup.env_clear().env("PATH", "/usr/bin:/bin").env("PORT", "0");
    let mut running = Running::start(&mut by_nohup);
    running.signal(Signal::HUP);
    running.signal(Signal::TERM);
    loop {
        let event = running.next_event();
        if event["event"] == "stopping" {
            assert_eq!(event["signal"], "SIGTERM");
            break;
        }
    }
    assert!(running.process.wait().unwrap().success());
}

#[test]
fn an_idle_connection_does_not_hold_up_the_stop() {
    let folder = TempDir::new().unwrap();
    let mut running = Running::start(&mut roster(folder.path()));
    let mut idle = TcpStream::connect(&running.address).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: roster\r\n\r\n").unwrap();
    let mut idle = BufReader::new(idle);
    assert_eq!(read_line(&mut idle), "HTTP/1.1 200 OK");
    running.signal(Signal::TERM);
    running.wait_until_it_stops();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert_eq!(running.next_event()["message"], "stopped", "it was not the deadline that ended it");
    assert!(running.process.wait().unwrap().success());
}

#[test]
fn a_client_that_hangs_up_before_its_answer_is_let_go() {
    let folder = TempDir::new().unwrap();
    // At this cost the answer would take seconds.
    let running = Running::start(roster(folder.path()).env("BCRYPT_COST", "16"));
    let mut stream = TcpStream::connect(&running.address).unwrap();
    let body = r#"{"email":"ann@example.com","password":"x"}"#;
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: roster\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = TempDir::new().unwrap();
    let mut running = Running::start(&mut roster(folder.path()));
    let _begun = running.begin_request();
    running.signal(Signal::TERM);
    running.wait_until_it_stops();
    running.signal(Signal::INT);
    assert_eq!(running.process.wait().unwrap().code(), Some(1));
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_requests_nor_the_stop() {
    let folder = TempDir::new().unwrap();
    let mut running = Running::start(roster(folder.path()).env("LOG_LEVEL", "debug"));
    let mut stream = BufReader::new(TcpStream::connect(&running.address).unwrap());
    // More than pipe and buffer hold.
    for _ in 0..10_000 {
        stream.get_mut().write_all(b"HEAD /nowhere HTTP/1.1\r\nHost: roster\r\n\r\n").unwrap();
        assert_eq!(read_line(&mut stream), "HTTP/1.1 404 Not Found");
        while !read_line(&mut stream).is_empty() {}
    }
    running.signal(Signal::TERM);
    assert!(running.process.wait().unwrap().success());
}
