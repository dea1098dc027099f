//! More idle connections than there are places for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout_at};

use super::together;
use crate::client::{Client, Figures, request};
use crate::target::Target;

/// Half as many again as there are places.
const CONNECTIONS: u64 = 3_000;

/// How long one that lost its connection waits before it opens the next.
const REST: Duration = Duration::from_secs(20);

pub(super) async fn idle(target: Arc<Target>) -> Figures {
    together((0..CONNECTIONS).map(|number| stay(Arc::clone(&target), number))).await
}

async fn stay(target: Arc<Target>, number: u64) -> Figures {
    let (mut figures, health) = (Figures::default(), request("GET", "/health", ""));
    // Not all in one moment, which the system would not let through.
    sleep(Duration::from_millis(2 * number)).await;
    while target.is_attacked() {
        let staying = async {
            let begun = tokio::time::Instant::now();
            let mut client = Client::connect(target.api_from(60)).await.ok()?;
            let answer = client.ask(&health).await.ok()?;
            figures.add(answer.status, begun.elapsed());
            // Nothing comes any more but the end.
            client.ends().await;
            Some(())
        };
        // It ends with the connection or the attack.
        let _ = timeout_at(target.until, staying).await;
        sleep(REST).await;
    }
    figures
}
