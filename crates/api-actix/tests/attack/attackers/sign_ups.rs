//! A flood of sign-ups, each of somebody else.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::together;
use crate::client::{Figures, request};
use crate::harness::sign_up_body;
use crate::target::{Target, ask_once};

/// How many come at once.
const AT_ONCE: usize = 10;

/// How long each rests between two.
const REST: Duration = Duration::from_millis(250);

pub(super) async fn flood(target: Arc<Target>) -> Figures {
    together((0..AT_ONCE).map(|number| sign_up(Arc::clone(&target), number))).await
}

async fn sign_up(target: Arc<Target>, number: usize) -> Figures {
    let mut figures = Figures::default();
    for turn in 0.. {
        if !target.is_attacked() {
            break;
        }
        let body = sign_up_body(&format!("flood-{number}-{turn}")).to_string();
        let (begun, request) = (Instant::now(), request("POST", "/api/v1/auth/signup", &body));
        let status = ask_once(target.api_from(22), &request, target.until).await;
        figures.add_answer((status, begun.elapsed()));
        sleep(REST).await;
    }
    figures
}
