//! HTTP over connections of our own.
//!
//! It is what `actix_web::HttpServer` does, which takes no stream but its own.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::web;

use crate::connections::Connections;
use crate::http::{self, AppState};
use crate::stream::Metered;

/// How long a client may take to read the last answer while it still sends, or to close the connection then.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the server waits for a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// For the whole of the first request's head.
    pub(crate) head: Duration,
    /// For the next request to begin.
    pub(crate) keep_alive: Duration,
}

/// The server that serves the application to whoever comes through these listeners.
pub(crate) fn serve(
    builder: ServerBuilder,
    listeners: Vec<TcpListener>,
    state: &web::Data<AppState>,
    connections: &Arc<Connections>,
    deadlines: Deadlines,
) -> io::Result<Server> {
    let stopping = builder.graceful_shutdown_signal();
    let mut server = builder;
    for listener in listeners {
        let (state, connections, stopping) = (state.clone(), Arc::clone(connections), stopping.clone());
        server = server.listen("http", listener, move || {
            let (connections, stopping) = (Arc::clone(&connections), stopping.clone());
            let app = http::app(&state).into_factory().map_err(|error| error.error_response());
            let http = HttpService::build()
                .client_request_timeout(deadlines.head)
                .keep_alive(deadlines.keep_alive)
                .client_disconnect_timeout(LAST_WORDS)
                // A client that stops sending has gone: only so is it noticed that nobody waits for an answer any more.
                .h1_allow_half_closed(false)
                // Without it, connections that wait for a request would hold up the stop.
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .on_connect_ext(|stream: &Metered, extensions| {
                    extensions.insert(Arc::clone(stream.connection()));
                })
                .finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |io: TcpStream| {
                let client = io.peer_addr().ok();
                let stream = connections.open(io).map(|stream| (stream, Protocol::Http1, client));
                async move {
                    stream.map_err(|error| {
                        tracing::warn!(event = "connection refused", %error);
                        error.into()
                    })
                }
            })
            .and_then(http)
        })?;
    }
    Ok(server.run())
}
