//! The worst bodies on every endpoint that takes JSON, and clients that are slow at all that there is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout_at};

use super::{force, together};
use crate::bodies::{Manner, send, with_body, worst as worst_bodies};
use crate::client::Figures;
use crate::slow::{self, Kind};
use crate::target::Target;

/// How many connections there are of each manner and kind that waits, and how many that send without end.
const WAITING: u32 = 100;
const BUSY: u32 = 2;

/// How long a slow one that lost its connection waits before it opens the next.
const REST: Duration = Duration::from_secs(5);

/// With and without a token.
pub(super) async fn worst(target: Arc<Target>) -> Figures {
    let bodies = worst_bodies();
    let manners = Manner::ALL.into_iter().flat_map(|manner| {
        let is_busy = matches!(manner, Manner::Busy | Manner::Deaf);
        let connections = if is_busy { BUSY * force() } else { WAITING };
        (0..connections as usize).map(move |number| (manner, number))
    });
    let attacks = manners.map(|(manner, number)| {
        // Each has an endpoint and sends some of the bodies, beginning with another than its neighbours.
        let (method, path) = &target.json[number / 2 % target.json.len()];
        let token = (number % 2 == 0).then_some(target.users[1].access.as_str());
        let bodies = (0..4).map(|turn| &bodies[(number * 7 + turn * 11) % bodies.len()]);
        let requests = bodies.map(|body| with_body(method, path, token, body)).collect();
        send(manner, target.api_from(21), requests, target.until)
    });
    together(attacks).await
}

/// A byte a second, or no byte, of heads, bodies, uploads and answers.
pub(super) async fn slow(target: Arc<Target>) -> Figures {
    let (way, token) = (target.api_from(30), &target.users[1].access);
    let connected = Arc::new(Semaphore::new(0));
    let kinds = Kind::ALL.into_iter().flat_map(|kind| {
        let connections = if kind == Kind::Asking { BUSY * force() } else { WAITING };
        std::iter::repeat_n(kind, connections as usize)
    });
    let clients = kinds.map(|kind| {
        let (target, connected) = (Arc::clone(&target), Arc::clone(&connected));
        async move {
            while target.is_attacked() {
                // It ends with the connection, which is lost in the end.
                let stay = slow::stay(kind, way, token.clone(), Arc::clone(&connected));
                let _ = timeout_at(target.until, stay).await;
                sleep(REST).await;
            }
        }
    });
    join_all(clients).await;
    assert!(connected.available_permits() > WAITING as usize, "they were not slow");
    Figures::default()
}
