use std::fmt;
use std::net::IpAddr;

use crate::error::{WrongValue, shown};

/// Where to listen: an IP address or a name that stands for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address, which may be the unspecified one.
    Address(IpAddr),
    /// A name, to be looked up.
    Name(String),
}

impl Host {
    pub(crate) fn parse(text: &str) -> Result<Self, WrongValue> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            Ok(Self::Address(address))
        } else if is_host_name(text) {
            Ok(Self::Name(text.to_ascii_lowercase()))
        } else {
            Err(WrongValue::new(
                format!("is {}, which is neither an IP address nor a host name", shown(text)),
                "give 127.0.0.1, 0.0.0.0, ::1 or the like, or a name such as localhost; PORT is a setting of its own",
            ))
        }
    }

    /// Whether this machine alone can reach it. Of names, only `localhost` counts: what another stands for may change.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// RFC 1123, 2.1; a last label of digits alone would be a mistyped IPv4 address.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253
        && text.split('.').all(is_label)
        && text.rsplit('.').next().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("127.0.0.1", true)]
    #[case("127.8.8.8", true)]
    #[case("::1", true)]
    #[case("[::1]", true)]
    #[case("::ffff:127.0.0.1", true)]
    #[case("localhost", true)]
    #[case("LOCALHOST", true)]
    #[case("0.0.0.0", false)]
    #[case("::", false)]
    #[case("192.168.0.2", false)]
    #[case("roster_app", false)]
    #[case("localhost.example.com", false)]
    fn a_host_is_an_address_or_a_name_and_loopback_is_told(#[case] text: &str, #[case] loopback: bool) {
        assert_eq!(Host::parse(text).unwrap().is_loopback(), loopback);
    }

    #[rstest::rstest]
    #[case("127.0.0.1:8000")]
    #[case("http://localhost")]
    #[case("300.1.1.1")]
    #[case("127.0.0")]
    #[case("two words")]
    #[case("-a.example")]
    #[case("a..example")]
    #[case("*")]
    fn what_is_neither_is_refused(#[case] text: &str) {
        let wrong = Host::parse(text).unwrap_err().to_string();
        assert!(wrong.contains(text), "{wrong}");
    }
}
