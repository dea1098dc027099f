use std::net::IpAddr;

use ipnet::IpNet;

use super::error::{WrongValue, shown};

const REMEDY: &str =
    "give the addresses and networks of your proxies, parted by commas: 127.0.0.1,10.1.0.0/16,fd00::/8";

/// The networks of a comma-separated list of addresses and networks.
pub(super) fn parse(text: &str) -> Result<Vec<IpNet>, WrongValue> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(network).collect()
}

fn network(text: &str) -> Result<IpNet, WrongValue> {
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    let network: IpNet = address.or_else(|_| text.parse()).map_err(|_| {
        WrongValue::new(format!("has {}, which is neither an IP address nor a network", shown(text)), REMEDY)
    })?;
    if network.prefix_len() == 0 {
        let problem =
            format!("has {}, which lets everybody choose the address they seem to have", shown(text));
        return Err(WrongValue::new(problem, REMEDY));
    }
    if network.addr().to_canonical() != network.addr() {
        let problem = format!("has {}, a network of IPv4 addresses in IPv6", shown(text));
        return Err(WrongValue::new(problem, "give the IPv4 network, such as 10.1.0.0/16"));
    }
    Ok(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks_parted_by_commas() {
        let networks = parse(" 127.0.0.1, 10.1.2.3/16,,::1,fd00::/8,::ffff:192.0.2.7").unwrap();
        let networks: Vec<_> = networks.iter().map(IpNet::to_string).collect();
        assert_eq!(networks, ["127.0.0.1/32", "10.1.0.0/16", "::1/128", "fd00::/8", "192.0.2.7/32"]);
        assert!(parse("").unwrap().is_empty());
    }

    #[rstest::rstest]
    #[case("proxy.example.com", "neither")]
    #[case("10.1.0.0/33", "neither")]
    #[case("127.0.0.1:8080", "neither")]
    #[case("*", "neither")]
    #[case("0.0.0.0/0", "everybody")]
    #[case("::/0", "everybody")]
    #[case("::ffff:10.1.0.0/112", "IPv4")]
    fn what_is_none_or_everybody_is_refused(#[case] text: &str, #[case] problem: &str) {
        let wrong = parse(text).unwrap_err().to_string();
        assert!(wrong.contains(text) && wrong.contains(problem), "{wrong}");
    }
}
