use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The IP address that a request comes from. An IPv4 address in its IPv6 form, `::ffff:192.0.2.7`, is the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// That of a connection whose address nobody knows any more.
    pub const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    /// From that address, in either form.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// Whose it is.
    #[must_use]
    pub fn client(self) -> Client {
        Client(match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        })
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientAddress({self})")
    }
}

/// The bits of an IPv6 address that its holder doesn't choose.
const NETWORK: u128 = !(u64::MAX as u128);

/// What counts as one client: an IPv4 address, or an IPv6 /64, of which one holder has every address.
///
/// It is written as `192.0.2.7` or `2001:db8::/64`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(IpAddr);

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({self})")
    }
}

/// A text that names no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client")]
pub struct NotAClient;

impl FromStr for Client {
    type Err = NotAClient;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, NotAClient> {
        let address = text.strip_suffix("/64").unwrap_or(text).parse().map_err(|_| NotAClient)?;
        let client = ClientAddress::new(address).client();
        if client.to_string() == text { Ok(client) } else { Err(NotAClient) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(text: &str) -> Client {
        ClientAddress::new(text.parse().unwrap()).client()
    }

    #[rstest::rstest]
    #[case("192.0.2.7", "192.0.2.7")]
    #[case("::ffff:192.0.2.7", "192.0.2.7")]
    #[case("2001:db8::1", "2001:db8::/64")]
    #[case("2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64")]
    #[case("2001:db8:0:1::", "2001:db8:0:1::/64")]
    #[case("::1", "::/64")]
    // Only the mapped form is an IPv4 address: of the compatible one, `::192.0.2.7`, RFC 4291 says that it is history.
    #[case("::192.0.2.7", "::/64")]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network_of_64_bits(
        #[case] address: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(client(address).to_string(), expected);
    }

    #[test]
    fn an_ipv4_address_is_shown_as_one_in_either_form() {
        assert_eq!(ClientAddress::new("::ffff:192.0.2.7".parse().unwrap()).to_string(), "192.0.2.7");
    }

    #[rstest::rstest]
    #[case("")]
    #[case("example.com")]
    #[case("2001:db8::1/64")]
    #[case("2001:db8::")]
    #[case("192.0.2.7/64")]
    #[case("::ffff:192.0.2.7")]
    #[case("2001:DB8::/64")]
    fn what_is_written_otherwise_is_no_client(#[case] text: &str) {
        assert_eq!(text.parse::<Client>(), Err(NotAClient));
    }

    proptest! {
        #[test]
        fn a_client_is_read_back_as_it_was_written(address: IpAddr) {
            let client = ClientAddress::new(address).client();
            prop_assert_eq!(client.to_string().parse(), Ok(client));
        }

        #[test]
        fn no_two_clients_are_written_alike(one: IpAddr, other: IpAddr) {
            let (one, other) = (ClientAddress::new(one).client(), ClientAddress::new(other).client());
            prop_assert_eq!(one == other, one.to_string() == other.to_string());
        }
    }
}
