//! Requests that a proxy might frame differently, each with another request behind it that must not be carried out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::Figures;
use crate::target::Target;

/// How long it rests between two.
const REST: Duration = Duration::from_millis(25);

const POST: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: roster\r\n";

/// What stands behind that in each head.
const TRICKS: [&str; 18] = [
    "content-length: 4\r\ncontent-length: 5\r\n\r\nfour",
    "content-length: 4, 4\r\n\r\nfour",
    "content-length: +4\r\n\r\nfour",
    "content-length: -4\r\n\r\nfour",
    "content-length: 0x4\r\n\r\nfour",
    "content-length: 18446744073709551620\r\n\r\nfour",
    "content-length : 4\r\n\r\nfour",
    "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "x: y\r\n content-length: 4\r\n\r\nfour",
    "x: y\ncontent-length: 4\r\n\r\nfour",
    "x: y\rcontent-length: 4\r\n\r\nfour",
    "x: \0\r\n\r\n",
    "host: other\r\n\r\n",
];

const NEXT: &str = "GET /health HTTP/1.1\r\nhost: roster\r\n\r\n";

pub(super) async fn tricks(target: Arc<Target>) -> Figures {
    let mut figures = Figures::default();
    for trick in TRICKS.iter().cycle() {
        if !target.is_attacked() {
            break;
        }
        let begun = Instant::now();
        let asking = async {
            let mut stream = target.api_from(63).connect().await?;
            stream.write_all([POST, trick, NEXT].concat().as_bytes()).await?;
            let mut answers = String::new();
            stream.read_to_string(&mut answers).await?;
            Ok::<_, std::io::Error>(answers)
        };
        // It ends with the connection or the attack.
        if let Ok(Ok(answers)) = timeout_at(target.until, asking).await {
            let refused = answers.starts_with("HTTP/1.1 400 ") && answers.matches("HTTP/1.1").count() == 1;
            assert!(refused || answers.is_empty(), "{trick:?}: {answers}");
            figures.add_answer((refused.then_some(400), begun.elapsed()));
        }
        sleep(REST).await;
    }
    figures
}
