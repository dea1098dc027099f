//! The addresses that the server listens on.

use std::io;
use std::net::{IpAddr, TcpListener};

use tokio::net::lookup_host;

use roster_settings::Host;

/// Listens on every address of the host. Where any free port will do, all get the same.
pub(crate) async fn listen(host: &Host, port: u16) -> io::Result<Vec<TcpListener>> {
    roster_http_server::listen(&addresses(host).await?, port)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_counts_as_loopback_opens_nothing_else() {
        let listeners = listen(&Host::Name("localhost".to_owned()), 0).await.unwrap();
        assert!(!listeners.is_empty());
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap().ip().is_loopback()));
    }
}
