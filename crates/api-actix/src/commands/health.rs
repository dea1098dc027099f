use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Failure, say};
use roster_settings::{Host, ServiceAddress};

/// How long all of it may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// More than any answer's first line has.
const LONGEST_ANSWER: u64 = 1024;

/// Asks the service that runs with these settings whether it answers.
pub(super) fn run() -> Result<(), Failure> {
    let ServiceAddress { host, port } = ServiceAddress::load()?;
    let address = address(&host, port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = match runtime {
        Ok(runtime) => runtime.block_on(ask(&host, port)),
        Err(error) => Err(error.to_string()),
    };
    asked.map_err(|why| Failure::Unhealthy { address: address.clone(), why })?;
    say(&format!("http://{address} is healthy"))
}

/// Asks whether a service that listens there answers; why not, where it does not.
pub(super) async fn ask(host: &Host, port: u16) -> Result<(), String> {
    match timeout(DEADLINE, first_line(&reachable(host), port)).await {
        Err(_) => Err(format!("no answer in {} seconds", DEADLINE.as_secs())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(line)) if line.split(' ').nth(1) == Some("200") => Ok(()),
        Ok(Ok(line)) => Err(format!("it answers {line:?}")),
    }
}

fn address(host: &Host, port: u16) -> String {
    let host = reachable(host);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Where a service can be asked that listens on that host: one that listens everywhere, on loopback.
fn reachable(host: &Host) -> String {
    match host {
        Host::Address(IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Host::Address(IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        Host::Address(address) if address.to_canonical().is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        host => host.to_string(),
    }
}

/// The first line of what `/health` answers.
async fn first_line(host: &str, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("0.0.0.0", "127.0.0.1")]
    #[case("::", "::1")]
    #[case("::ffff:0.0.0.0", "127.0.0.1")]
    #[case("127.0.0.2", "127.0.0.2")]
    #[case("localhost", "localhost")]
    fn a_service_that_listens_everywhere_is_asked_on_loopback(#[case] host: &str, #[case] asked: &str) {
        assert_eq!(
            reachable(&host.parse().map_or_else(|_| Host::Name(host.to_owned()), Host::Address)),
            asked
        );
    }
}
