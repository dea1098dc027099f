use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::net::Shutdown;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::answer::{canned, reads_object, sent};
use crate::config::Config;
use crate::mode::{Canned, Mode, Modes, Upload};
use crate::path::Below;

/// How many connections may wait to be taken.
const BACKLOG: u32 = 1024;

/// A port that is kept for as long as this lives, whether somebody listens at it or not: the system gives it to nobody else.
pub(crate) struct Port(TcpSocket);

impl Port {
    pub(crate) fn reserve(address: SocketAddr) -> io::Result<Self> {
        bound(address).map(Self)
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// In a runtime, which takes the connections. By a socket of its own: the one that keeps the port never listens.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address()?)?.listen(BACKLOG)
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Beside the socket that keeps the port, and connections of the server before, which may not be forgotten yet.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A server on a thread of its own.
pub(crate) struct Running {
    /// The listening socket, once more.
    listener: OwnedFd,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(port: &Port, config: &Config, modes: &Modes) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            port.listen()?
        };
        let socket = listener.as_fd().try_clone_to_owned()?;
        let (service, below, modes) = (service(config)?, below(config), modes.clone());
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, service, below, modes) => {}
                    _ = ended => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { listener: socket, end: Some(end), thread: Some(thread) })
    }

    /// Ends it in the middle of whatever it does, and waits until its connections are closed.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        // Closing would not do: a process that another thread starts just now has a copy of the socket until it runs its program.
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
        // Where it panicked, the tests that used it have failed.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// S3 over the folder of that configuration, with its bucket.
pub(crate) fn service(config: &Config) -> io::Result<S3Service> {
    fs::create_dir_all(config.folder.join(&config.bucket))?;
    let files = FileSystem::new(&config.folder).map_err(|error| io::Error::other(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(files);
    service
        .set_auth(Key { id: config.access_key_id.clone(), secret: config.secret_access_key.as_str().into() });
    service.set_access(Access { folder: config.folder.clone() });
    Ok(service.build())
}

/// The path of that configuration.
pub(crate) fn below(config: &Config) -> Below {
    Below { path: config.path.clone(), secret: config.secret_access_key.clone() }
}

/// What is answered beside the path, as by a proxy that has nothing there.
const NOT_FOUND: Canned =
    Canned { status: 404, headers: &[("content-type", "text/html")], body: b"<html>not found</html>" };

/// Takes connections, and answers them; they end with this future.
pub(crate) async fn serve(listener: TcpListener, service: S3Service, below: Below, modes: Modes) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let (service, below, modes) = (service.clone(), below.clone(), modes.clone());
                let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (service, below, modes) = (service.clone(), below.clone(), modes.clone());
                    async move {
                        modes.before_request().await;
                        let Some(request) = below.strip(request) else { return Ok(canned(NOT_FOUND)) };
                        let mode = if reads_object(&request) { modes.now() } else { Mode::Well };
                        if let Mode::Instead(answer) = mode {
                            return Ok(canned(answer));
                        }
                        let request = request.map(|body| Body::http_body_unsync(Upload::new(body, modes)));
                        service.call(request).await.map(|answer| sent(answer, mode))
                    }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connections.spawn(connection);
            }
            // One that broke is its client's business.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The only key there is.
struct Key {
    id: String,
    secret: SecretKey,
}

#[async_trait]
impl S3Auth for Key {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        if id == self.id {
            Ok(self.secret.clone())
        } else {
            Err(s3_error!(InvalidAccessKeyId, "The key's id is not known here"))
        }
    }
}

/// Whoever has the key may do everything, in buckets that are there.
struct Access {
    folder: PathBuf,
}

#[async_trait]
impl S3Access for Access {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        match request.s3_path() {
            S3Path::Object { bucket, .. } if !self.folder.join(&**bucket).is_dir() => {
                Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
            }
            _ => Ok(()),
        }
    }
}
