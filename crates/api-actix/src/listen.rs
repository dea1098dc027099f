//! The sockets that the server listens on.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use tokio::net::{TcpSocket, lookup_host};

use roster_settings::Host;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on every address of the host. Where any free port will do, all get the same.
///
/// An address that this machine does not have is passed over, as long as there is another: `localhost` often stands for
/// `::1` too where there is no IPv6.
pub(crate) async fn listen(host: &Host, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut listeners = Vec::new();
    let mut missing = None;
    for address in addresses(host).await? {
        match bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_missing_address(&error) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        return Err(missing.unwrap_or_else(|| io::Error::other("the name stands for no address")));
    }
    Ok(listeners)
}

async fn addresses(host: &Host) -> io::Result<Vec<IpAddr>> {
    match host {
        Host::Address(address) => Ok(vec![*address]),
        Host::Name(name) => {
            let found = lookup_host((name.as_str(), 0)).await?.map(|address| address.ip());
            // Whatever the machine's tables say, a name that counts as loopback opens nothing else.
            let mut addresses: Vec<_> =
                found.filter(|address| !host.is_loopback() || address.is_loopback()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            Ok(addresses)
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Without it, a restart would have to wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn is_missing_address(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        match text.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name(text.to_owned()),
        }
    }

    #[tokio::test]
    async fn any_free_port_is_one_port() {
        let listeners = listen(&host("localhost"), 0).await.unwrap();
        let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap().ip().is_loopback()));
    }

    #[tokio::test]
    async fn a_port_that_another_listens_on_is_not_shared() {
        let first = listen(&host("127.0.0.1"), 0).await.unwrap();
        let port = first[0].local_addr().unwrap().port();
        let error = listen(&host("127.0.0.1"), port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_told() {
        let error = listen(&host("192.0.2.1"), 0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
