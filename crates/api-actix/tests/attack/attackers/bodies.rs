//! The worst bodies on every endpoint that takes JSON, and clients that are slow at all that there is.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::together;
use crate::bodies::{Manner, send, with_body, worst as worst_bodies};
use crate::client::Figures;
use crate::slow::{self, Kind};
use crate::target::Target;

/// How many connections there are of each manner, and how many of the busy ones.
const CONNECTIONS: usize = 100;
const BUSY: usize = 8;

/// How many are slow, of each kind.
const SLOW: usize = 20;

/// With and without a token.
pub(super) async fn worst(target: Arc<Target>) -> Figures {
    let bodies = worst_bodies();
    let manners = Manner::ALL.into_iter().flat_map(|manner| {
        let connections = if manner == Manner::Busy { BUSY } else { CONNECTIONS };
        (0..connections).map(move |number| (manner, number))
    });
    let attacks = manners.map(|(manner, number)| {
        // Each has an endpoint and sends some of the bodies, beginning with another than its neighbours.
        let (method, path) = &target.json[number / 2 % target.json.len()];
        let token = (number % 2 == 0).then_some(target.users[0].access.as_str());
        let bodies = (0..4).map(|turn| &bodies[(number * 7 + turn * 11) % bodies.len()]);
        let requests = bodies.map(|body| with_body(method, path, token, body)).collect();
        send(manner, target.api_from(30), requests, target.until)
    });
    together(attacks).await
}

/// A byte a second, or no byte, of heads, bodies, uploads and answers.
pub(super) async fn slow(target: Arc<Target>) -> Figures {
    let (way, token) = (target.api_from(31), &target.users[1].access);
    let connected = Arc::new(Semaphore::new(0));
    let clients = (0..SLOW * Kind::ALL.len()).map(|number| {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let (target, connected) = (Arc::clone(&target), Arc::clone(&connected));
        async move {
            while target.is_attacked() {
                // It ends with the connection, which is lost in the end.
                let stay = slow::stay(kind, way, token.clone(), Arc::clone(&connected));
                let _ = timeout_at(target.until, stay).await;
            }
        }
    });
    join_all(clients).await;
    assert!(connected.available_permits() >= SLOW * Kind::ALL.len(), "not all were slow");
    Figures::default()
}
