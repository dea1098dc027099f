//! A network between a client and its server that can be made to fail.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::NoServer;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It arrives.
    Forwarding,
    /// What the server sends arrives that much later.
    Slow(Duration),
    /// It is lost, and nobody is told.
    Silent,
    /// Connections end as soon as anything is sent, and new ones at once.
    Closing,
    /// Of what the server sends half arrives, and then the connection ends.
    Cutting,
}

/// The mode now, and who waits for another.
type Shared = Arc<(Mutex<Mode>, Condvar)>;

/// Stands between a client and a server until the process ends.
pub struct Proxy {
    port: u16,
    mode: Shared,
}

impl Proxy {
    /// Forwards to that server, given as its host and port.
    pub fn before(server: String) -> Result<Self, NoServer> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(NoServer::while_doing("listening"))?;
        let port = listener.local_addr().map_err(NoServer::while_doing("listening"))?.port();
        let mode = Shared::new((Mutex::new(Mode::Forwarding), Condvar::new()));
        let shared = Arc::clone(&mode);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if now(&shared) == Mode::Closing {
                    continue;
                }
                // Without a server, or handles, the connection ends, as it does where the server is away.
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else { continue };
                let (there, back) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || forward(client, server, false, &there));
                thread::spawn(move || forward(from, to, true, &back));
            }
        });
        Ok(Self { port, mode })
    }

    /// Where a client finds the server, whatever that says of its own address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// From now on that becomes of what is sent.
    pub fn set(&self, mode: Mode) {
        *self.mode.0.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        self.mode.1.notify_all();
    }
}

fn now(shared: &Shared) -> Mode {
    *shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The mode in which something that has come goes on, once it may.
fn in_time(shared: &Shared, is_answer: bool) -> Mode {
    let (mode, changed) = &**shared;
    let mode = mode.lock().unwrap_or_else(PoisonError::into_inner);
    match *mode {
        Mode::Slow(delay) if is_answer => {
            let slow = *mode;
            let waited = changed.wait_timeout_while(mode, delay, |mode| *mode == slow);
            *waited.unwrap_or_else(PoisonError::into_inner).0
        }
        mode => mode,
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, is_answer: bool, shared: &Shared) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let sent = &buffer[..length];
        let goes_on = match in_time(shared, is_answer) {
            Mode::Forwarding | Mode::Slow(_) => to.write_all(sent).is_ok(),
            Mode::Cutting if !is_answer => to.write_all(sent).is_ok(),
            Mode::Silent => true,
            Mode::Closing => false,
            Mode::Cutting => {
                // It ends in any case.
                _ = to.write_all(&sent[..length / 2]);
                false
            }
        };
        if !goes_on {
            break;
        }
    }
    // The other direction ends with this one.
    _ = from.shutdown(Shutdown::Both);
    _ = to.shutdown(Shutdown::Both);
}
