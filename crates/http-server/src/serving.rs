//! Serves an application over its listening sockets.

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::{Request, Response, ServiceConfig};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use tokio::time::sleep;

use crate::connection::Handler;
use crate::connections::{Connections, Meters, Patience};
use crate::head::Malformed;

/// How a server is to run.
#[derive(Clone)]
pub struct Config {
    /// What the log calls it.
    pub name: &'static str,
    /// How many threads serve.
    pub workers: usize,
    /// How many connections may be open.
    pub places: usize,
    /// How long they wait for their clients.
    pub patience: Patience,
    /// How long requests may take to end once it was told to stop.
    pub stops_within: Duration,
    /// What counts its connections.
    pub meters: Meters,
}

impl Config {
    /// How many connections a thread takes. One in eight more than its share: they come before those have gone whose places
    /// they get, and the threads need not have the same number.
    fn most_per_worker(&self) -> usize {
        let share = self.places.div_ceil(self.workers);
        share + share / 8 + 8
    }
}

/// The server that serves an application to whoever comes through these listeners. What is no request is answered by
/// `refuse`, which is given the address of its sender.
pub fn serve<F, A, S, B, R>(
    config: Config,
    listeners: Vec<TcpListener>,
    app: F,
    refuse: R,
) -> io::Result<Server>
where
    F: Fn() -> A + Send + Clone + 'static,
    A: IntoServiceFactory<S, Request> + 'static,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error>,
    S::InitError: Debug,
    S::Response: Into<Response<B>>,
    S::Service: 'static,
    B: MessageBody + 'static,
    R: Fn(Malformed, SocketAddr) -> Response<BoxBody> + Send + Clone + 'static,
{
    let mut server = Server::build()
        .workers(config.workers)
        .max_concurrent_connections(config.most_per_worker())
        .shutdown_timeout(config.stops_within.as_secs())
        .disable_signals();
    let Config { name, places, patience, meters, .. } = config;
    let connections = Arc::new(Connections::new(name, places, patience, meters));
    spawn(watch(Arc::downgrade(&connections), connections.look_every(), server.graceful_shutdown_signal()));
    for listener in listeners {
        let (app, refuse, connections) = (app.clone(), refuse.clone(), Arc::clone(&connections));
        server = server.listen(name, listener, move || {
            let (app, refuse, connections) = (app.clone(), refuse.clone(), Arc::clone(&connections));
            fn_factory(move || {
                let app = app().into_factory().new_service(AppConfig::default());
                let (refuse, connections) = (refuse.clone(), Arc::clone(&connections));
                async move {
                    let service = app.await.map_err(|error| {
                        tracing::error!(event = "not served", ?error, "a connection could not be served");
                    })?;
                    let refuse = Rc::new(refuse);
                    let handler = Rc::new(Handler { service, refuse, config: ServiceConfig::default() });
                    Ok::<_, ()>(fn_service(move |io| {
                        accept(Rc::clone(&handler), Arc::clone(&connections), io)
                    }))
                }
            })
        })?;
    }
    Ok(server.run())
}

/// Serves a connection to its end.
async fn accept<S, B>(handler: Rc<Handler<S>>, connections: Arc<Connections>, io: TcpStream) -> Result<(), ()>
where
    S: Service<Request>,
    S::Error: Into<actix_web::Error>,
    S::Response: Into<Response<B>>,
    B: MessageBody,
{
    let client = io.peer_addr().and_then(|client| io.set_nodelay(true).map(|()| client));
    match client {
        Ok(client) => handler.serve(io, client, connections.admit(client.ip())).await,
        // It has gone already.
        Err(error) => tracing::debug!(event = "client has gone", %error, "a connection ended early"),
    }
    Ok(())
}

/// Closes connections in time, as long as there is a server.
async fn watch(connections: Weak<Connections>, every: Duration, stopping: GracefulShutdownSignal) {
    let mut is_stopping = false;
    loop {
        tokio::select! {
            () = sleep(every) => {}
            () = stopping.notified(), if !is_stopping => is_stopping = true,
        }
        let Some(connections) = connections.upgrade() else { return };
        if is_stopping {
            connections.stop();
        }
        connections.look();
    }
}
