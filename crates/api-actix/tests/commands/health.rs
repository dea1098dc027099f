use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use tempfile::TempDir;

use crate::harness::Setup;
use crate::program::{Ended, run};

fn health(port: u16, variables: &[(&str, &str)]) -> Ended {
    let folder = TempDir::new().unwrap();
    run(folder.path(), &["health"], &[variables, &[("PORT", &port.to_string())]].concat())
}

#[tokio::test]
async fn a_service_that_runs_is_healthy_wherever_it_listens() {
    for (host, asked) in [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")] {
        let app = Setup::new().set("HOST", host).set("ADMIN_SIGNUP", "closed").start().await;
        // The other settings need not be there.
        let said = health(app.address().port(), &[("HOST", host)]).done();
        assert_eq!(said, format!("http://{asked}:{} is healthy\n", app.address().port()));
    }
}

/// A service that answers so, once.
fn answering(answer: &'static str) -> (u16, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 512];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    (port, serving)
}

#[rstest::rstest]
#[case("HTTP/1.1 503 Service Unavailable\r\n\r\n", "503 Service Unavailable")]
#[case("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0")]
#[case("", "\"\"")]
fn any_other_answer_is_not_healthy(#[case] answer: &'static str, #[case] said: &str) {
    let (port, serving) = answering(answer);
    let line = health(port, &[]).failed(1);
    assert!(line.contains(&format!("127.0.0.1:{port}")) && line.contains(said), "{line}");
    serving.join().unwrap();
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    // It is connected to, by the system, and never accepted.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = health(listener.local_addr().unwrap().port(), &[]).failed(1);
    assert!(line.contains("no answer in 5 seconds"), "{line}");
}

#[rstest::rstest]
#[case("0", "PORT is 0")]
#[case("http", "PORT is \"http\"")]
fn a_port_that_can_not_be_asked_is_a_wrong_setting(#[case] port: &str, #[case] said: &str) {
    let folder = TempDir::new().unwrap();
    let line = run(folder.path(), &["health"], &[("PORT", port)]).failed(2);
    assert!(line.contains(said), "{line}");
}
