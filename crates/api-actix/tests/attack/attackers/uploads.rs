//! Uploads that take room: slow ones that announce much, and big ones that are no pictures, also of users that are no more.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout_at};

use super::{force, together};
use crate::client::{Figures, Way};
use crate::harness::multipart;
use crate::target::{Target, ask_once};

/// What an image may have.
const LARGEST: usize = 10 * 1024 * 1024;

/// How many connections each account has for slow uploads.
const SLOW: usize = 6;

/// How long a slow one rests before the next byte.
const REST: Duration = Duration::from_secs(3);

pub(super) fn upload(token: &str, path: &str, field: &str, content: &[u8]) -> Vec<u8> {
    let (content_type, body) = multipart(field, b"me.png", content);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: roster\r\nauthorization: Bearer {token}\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// The tokens of some accounts, and that of one that is purged.
fn tokens(target: &Target, accounts: Range<usize>) -> impl Iterator<Item = &String> + Clone {
    target.users[accounts].iter().chain([&target.purged]).map(|user| &user.access)
}

fn endpoints(number: usize) -> (&'static str, &'static str) {
    [("/api/v1/profile-upload/", "image"), ("/api/v1/profile-upload-s3/", "file")][number % 2]
}

pub(super) async fn slow(target: Arc<Target>) -> Figures {
    let (content, way) = (vec![0; LARGEST - 1024], target.api_from(40));
    let (all, until) = (tokens(&target, 1..4).count() * SLOW, target.until);
    let requests = tokens(&target, 1..4).cycle().take(all).enumerate().map(|(number, token)| {
        let (path, field) = endpoints(number);
        let mut request = upload(token, path, field, &content);
        // No more than will ever be sent of it.
        request.truncate(1_024);
        request
    });
    let requests: Vec<_> = requests.collect();
    together(requests.into_iter().map(|request| dribble(way, request, until))).await
}

/// Sends the beginning, then a byte now and then, and once more as often as the connection is lost.
async fn dribble(way: Way, request: Vec<u8>, until: Instant) -> Figures {
    let (sent, rest) = request.split_at(800);
    let mut figures = Figures::default();
    while Instant::now() < until {
        let begun = Instant::now();
        let dribbling = async {
            let mut stream = way.connect().await?;
            stream.write_all(sent).await?;
            let (mut answer, mut bytes) = ([0; 12], rest.chunks(1));
            loop {
                tokio::select! {
                    read = stream.read_exact(&mut answer) => {
                        read?;
                        return Ok::<_, std::io::Error>(answer);
                    }
                    () = sleep(REST) => stream.write_all(bytes.next().unwrap_or_default()).await?,
                }
            }
        };
        // It ends with the connection or the attack.
        if let Ok(Ok(answer)) = timeout_at(until, dribbling).await {
            let status = std::str::from_utf8(&answer[9..]).ok().and_then(|status| status.parse().ok());
            figures.add_answer((status, begun.elapsed()));
        }
        sleep(REST).await;
    }
    figures
}

pub(super) async fn big(target: Arc<Target>) -> Figures {
    let content = vec![0; LARGEST - 1024];
    let attacks = (0..force() as usize).map(|number| {
        let (path, field) = endpoints(number);
        let requests: Vec<_> =
            tokens(&target, 4..6).map(|token| upload(token, path, field, &content)).collect();
        let target = Arc::clone(&target);
        async move {
            let mut figures = Figures::default();
            for request in requests.iter().cycle() {
                if !target.is_attacked() {
                    break;
                }
                let begun = Instant::now();
                let status = ask_once(target.api_from(41), request, target.until).await;
                figures.add_answer((status, begun.elapsed()));
                sleep(REST / 10).await;
            }
            figures
        }
    });
    together(attacks).await
}
