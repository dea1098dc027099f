use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout_at};

use super::client::{Client, Figures, Way, request};
use super::harness::{TestApp, User, operations};

/// The most bytes of a body.
const LIMIT: usize = 64 * 1024;

/// Every endpoint that takes JSON, by method and path.
pub(crate) async fn endpoints(app: &TestApp, user: &User) -> Vec<(String, String)> {
    let takes_json = |document: &Value| document.pointer("/requestBody/content/application~1json").is_some();
    let operations = operations(app).await.into_iter().filter(|operation| takes_json(&operation.document));
    operations.map(|operation| (operation.method.to_string(), operation.path_of(&user.id))).collect()
}

/// Bodies that cost much more than they should where they are read without care. Each has what endpoints ask for, so that it
/// goes as far as it can.
pub(crate) fn worst() -> Vec<String> {
    let known = [
        json!({"email": "ann@example.org", "username": "ann", "password": "x", "refresh_token": "x", "ids": [], "reason": "x"}),
        json!({"email": [], "username": [], "password": [], "refresh_token": [], "ids": 5, "reason": []}),
    ];
    // A name and how its value begins, what is repeated in it, how it ends.
    let fillings = [
        ("\"z\":[", "{\"\":0},", "0]"),
        ("\"z\":[", "{\"\":{\"\":0}},", "0]"),
        ("\"z\":[", "[],", "0]"),
        ("\"z\":", "[", ""),
        ("\"z\":", "{\"\":", "0"),
        ("\"z\":", "9", ""),
        ("\"z\":0.", "1", "e-999"),
        ("\"z\":\"", "\\u0000", "\""),
        ("\"", "\\ud83d\\ude00", "\":0"),
        ("", "\"\":0,", "\"\":0"),
        ("", "\"email\":[0],", "\"email\":[1]"),
        ("\"email\":[", "{\"\":0},", "0]"),
        ("\"email\":[", "{\"email\":0},", "0]"),
        ("\"email\":\"", "x", "\""),
        ("\"username\":\"", "e\\u0301", "\""),
        ("\"username\":\"", "\u{300}", "\""),
        ("\"password\":\"", "\\u0000", "\""),
        ("\"refresh_token\":\"", "x.", "\""),
        ("\"reason\":", "9", ""),
        ("\"ids\":[", "0,", "0]"),
        ("\"ids\":[", "null,", "0]"),
        ("\"ids\":[", "\"\",", "\"\"]"),
        // A thousand items with a fault of their own.
        ("\"ids\":[", "{\"ids\":[{\"reason\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]},", "0]"),
    ];
    let mut bodies = Vec::new();
    for known in known {
        for (start, piece, end) in fillings {
            let known = known.to_string();
            let head = format!("{},{start}", &known[..known.len() - 1]);
            let room = LIMIT - head.len() - end.len() - 1;
            let closing = match piece {
                "[" => "]",
                "{\"\":" => "}",
                _ => "",
            };
            let times = room / (piece.len() + closing.len());
            let times = if piece.len() > 40 { times.min(999) } else { times };
            bodies.push(format!("{head}{}{end}{}}}", piece.repeat(times), closing.repeat(times)));
        }
    }
    bodies
}

/// What a client does with its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends it, reads the answer, and again.
    Busy,
    /// Sends all but its last byte, and stays.
    Stopping,
    /// Sends half of it, then a byte a second.
    Dribbling,
    /// Sends it again and again, and reads nothing.
    Deaf,
}

impl Manner {
    pub(crate) const ALL: [Self; 4] = [Self::Busy, Self::Stopping, Self::Dribbling, Self::Deaf];
}

/// Sends these requests until then, in that manner, and tells what was answered.
pub(crate) async fn send(manner: Manner, way: Way, requests: Vec<Vec<u8>>, until: Instant) -> Figures {
    let mut figures = Figures::default();
    let mut turn = requests.iter().cycle();
    while Instant::now() < until {
        let Some(request) = turn.next() else { break };
        if manner == Manner::Busy {
            ask(way, request, until, &mut figures, &mut turn).await;
        } else {
            // It ends with the connection, which is lost at the deadline of a body at the latest.
            let _ = timeout_at(until, stay(manner, way, request)).await;
        }
    }
    figures
}

/// Asks on one connection until that is closed, as it is after a refusal whose body was not read.
async fn ask<'a>(
    way: Way,
    first: &'a Vec<u8>,
    until: Instant,
    figures: &mut Figures,
    turn: &mut impl Iterator<Item = &'a Vec<u8>>,
) {
    let mut client = Client::connect(way).await.expect("a connection");
    let mut request = first;
    while Instant::now() < until {
        let started = Instant::now();
        let Ok(Ok(answer)) = timeout_at(until + super::PATIENCE, client.ask(request)).await else { return };
        assert!(answer.status < 500 || answer.status == 503, "{}", answer.head);
        figures.add(answer.status, started.elapsed());
        let Some(next) = turn.next() else { return };
        request = next;
    }
}

async fn stay(manner: Manner, way: Way, request: &[u8]) -> std::io::Result<()> {
    let socket = way.socket()?;
    if manner == Manner::Deaf {
        socket.set_recv_buffer_size(4096)?;
    }
    let mut stream = socket.connect(way.to).await?;
    match manner {
        Manner::Deaf => loop {
            stream.write_all(request).await?;
        },
        Manner::Busy | Manner::Stopping => {
            stream.write_all(&request[..request.len() - 1]).await?;
            stream.read_to_end(&mut Vec::new()).await?;
        }
        Manner::Dribbling => {
            let (sent, rest) = request.split_at(request.len() - LIMIT / 2);
            stream.write_all(sent).await?;
            for byte in rest.chunks(1) {
                stream.write_all(byte).await?;
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
    Ok(())
}

/// A request with that body, with or without a token.
pub(crate) fn with_body(method: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let plain = request(method, path, body);
    let Some(token) = token else { return plain };
    let end = plain.iter().position(|byte| *byte == b'\n').expect("a first line") + 1;
    [&plain[..end], format!("authorization: Bearer {token}\r\n").as_bytes(), &plain[end..]].concat()
}
