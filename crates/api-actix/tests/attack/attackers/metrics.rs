//! Readers of the metrics who never stop, or keep their places and read nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::together;
use crate::client::{Figures, request};
use crate::target::{Target, ask_once};

/// More than there are places.
const IDLE: usize = 40;
const BUSY: usize = 4;

/// How long they rest between two connections.
const REST: Duration = Duration::from_millis(50);
const IDLE_REST: Duration = Duration::from_secs(1);

pub(super) async fn flood(target: Arc<Target>) -> Figures {
    let attacks = (0..IDLE + BUSY).map(|number| {
        let target = Arc::clone(&target);
        async move {
            let (mut figures, read) = (Figures::default(), request("GET", "/metrics", ""));
            while target.is_attacked() {
                if number < BUSY {
                    let begun = Instant::now();
                    let status = ask_once(target.metrics_from(61), &read, target.until).await;
                    figures.add_answer((status, begun.elapsed()));
                } else if let Ok(mut stream) = target.metrics_from(61).connect().await {
                    // It ends with the connection or the attack.
                    let _ = timeout_at(target.until, stream.read(&mut [0])).await;
                }
                sleep(if number < BUSY { REST } else { IDLE_REST }).await;
            }
            figures
        }
    });
    let honest = scrape(&target);
    let (figures, ()) = tokio::join!(together(attacks), honest);
    figures
}

/// Reads them as Prometheus does, which must go well each time.
async fn scrape(target: &Target) {
    while target.is_attacked() {
        target.hashes().await;
        sleep(Duration::from_secs(1)).await;
    }
}
