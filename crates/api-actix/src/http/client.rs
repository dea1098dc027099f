//! The client's address of a request, by the connection and `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use roster_domain::values::ClientAddress;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    trusted: Vec<IpNet>,
    /// Whether the log told of a header that nobody believes.
    told: AtomicBool,
}

impl Proxies {
    pub(super) fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, told: AtomicBool::new(false) }
    }

    /// The client's address: that of the connection, or what trusted proxies say of it.
    ///
    /// Each proxy adds at the right of the header whom it was asked by. So the header is read from the right, and no further
    /// than to the first address that isn't a trusted proxy's: whatever is left of that, the client itself may have written.
    pub(super) fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> ClientAddress {
        let Some(peer) = peer else { return ClientAddress::UNKNOWN };
        let mut client = ClientAddress::new(peer.ip());
        if !headers.contains_key(FORWARDED_FOR) {
            return client;
        }
        if !self.trusts(client) {
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    event = "forwarded header ignored",
                    %client,
                    "X-Forwarded-For is ignored: TRUSTED_PROXIES doesn't name {client}"
                );
            }
            return client;
        }
        let lines: Vec<_> = headers.get_all(FORWARDED_FOR).collect();
        for line in lines.iter().rev() {
            for entry in line.as_bytes().rsplit(|byte| *byte == b',') {
                // The last proxy that is known has asked for somebody of whom it can't say who.
                let Some(address) = address(entry) else { return client };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }

    fn trusts(&self, address: ClientAddress) -> bool {
        self.trusted.iter().any(|network| network.contains(&address.ip()))
    }
}

/// An entry's address. Some proxies add the port.
fn address(entry: &[u8]) -> Option<ClientAddress> {
    let text = str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(ClientAddress::new)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Proxies {
        Proxies::new(vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()])
    }

    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        proxies().client(Some(peer), &headers).to_string()
    }

    #[rstest::rstest]
    #[case::without_a_header("127.0.0.1", &[], "127.0.0.1")]
    #[case::of_nobody_who_is_trusted("192.0.2.1", &["203.0.113.9"], "192.0.2.1")]
    #[case::of_a_proxy("127.0.0.1", &["203.0.113.9"], "203.0.113.9")]
    #[case::of_a_proxy_in_ipv6("::ffff:127.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9")]
    #[case::forged_on_the_left("127.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9")]
    #[case::forged_as_a_proxy("127.0.0.1", &["10.0.0.1, 203.0.113.9"], "203.0.113.9")]
    #[case::through_two_proxies("127.0.0.1", &["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9")]
    #[case::over_two_lines("127.0.0.1", &["198.51.100.1, 203.0.113.9", "10.1.2.3,10.1.2.4"], "203.0.113.9")]
    #[case::of_a_proxy_itself("127.0.0.1", &["10.9.9.9"], "10.9.9.9")]
    #[case::of_ipv6("127.0.0.1", &["2001:db8::7"], "2001:db8::7")]
    #[case::with_a_port("127.0.0.1", &["203.0.113.9:50000"], "203.0.113.9")]
    #[case::of_ipv6_with_a_port("127.0.0.1", &["[2001:db8::7]:50000"], "2001:db8::7")]
    #[case::of_ipv6_in_brackets("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7")]
    #[case::malformed("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1")]
    #[case::malformed_behind_a_proxy("127.0.0.1", &["203.0.113.9, unknown, 10.1.2.3"], "10.1.2.3")]
    #[case::empty("127.0.0.1", &[""], "127.0.0.1")]
    #[case::ending_in_a_comma("127.0.0.1", &["203.0.113.9,"], "127.0.0.1")]
    fn a_header_is_believed_from_the_right_as_far_as_proxies_are_trusted(
        #[case] peer: &str,
        #[case] lines: &[&str],
        #[case] expected: &str,
    ) {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(client(peer, &lines), expected);
    }

    #[test]
    fn who_is_gone_already_has_no_address() {
        assert_eq!(proxies().client(None, &HeaderMap::new()), ClientAddress::UNKNOWN);
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_its_address_is_the_one_that_the_proxy_saw(
            forged in proptest::collection::vec(any::<u8>().prop_filter("a header's", |byte| matches!(byte, 32..=126 | 128..)), 0..60)
        ) {
            let mut line = forged;
            line.extend(b", 203.0.113.9");
            prop_assert_eq!(client("127.0.0.1", &[&line]), "203.0.113.9");
        }
    }
}
