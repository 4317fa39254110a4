//! Addresses on the network, and the clients and neighbourhoods that they stand for.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets};

/// The client that an address on the network stands for: itself, or its /64 in IPv6, where one household has many.
pub(crate) fn client_network(ip: &str) -> String {
    prefix(ip, 32, 64)
}

/// The neighbourhood of an address: its /24, or its /48 in IPv6.
pub(crate) fn network_prefix(ip: &str) -> String {
    prefix(ip, 24, 48)
}

/// The neighbourhood of an address, in the words of an email.
pub(crate) fn place(ip: &str) -> String {
    match ip.is_empty() {
        true => "a network that is not known".to_owned(),
        false => format!("the network {}", network_prefix(ip)),
    }
}

fn prefix(ip: &str, v4: u8, v6: u8) -> String {
    let Ok(ip) = ip.parse::<IpAddr>() else { return "unknown".to_owned() };
    let length = if ip.is_ipv4() { v4 } else { v6 };
    IpNet::new(ip, length).map_or_else(|_| ip.to_string(), |network| network.trunc().to_string())
}

/// A network as people write it: with a prefix or a mask, or one address, which may stand in brackets. Addresses of IPv4
/// within IPv6 (RFC 4291 §2.5.5.2) are those of IPv4.
pub(crate) fn parse(typed: &str) -> Result<IpNet, String> {
    let plain: String = typed.chars().filter(|c| !"[]".contains(*c)).collect();
    let net = match plain.split_once('/') {
        None => plain.parse::<IpAddr>().ok().map(IpNet::from),
        Some((ip, mask)) if mask.contains(['.', ':']) => {
            let parts = ip.parse::<IpAddr>().ok().zip(mask.parse::<IpAddr>().ok());
            parts.and_then(|(ip, mask)| IpNet::with_netmask(ip, mask).ok())
        }
        Some(_) => plain.parse().ok(),
    };
    net.map(canonical).ok_or_else(|| {
        let instead =
            instead_of(&plain).unwrap_or_else(|| "one such as 203.0.113.0/24 or 2001:db8::/32".to_owned());
        format!("{typed} isn't a network. Write {instead}.")
    })
}

fn canonical(net: IpNet) -> IpNet {
    let v4 = match net {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let v4 = v4.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map(IpNet::V4);
    v4.unwrap_or(net).trunc()
}

/// The networks that `10.0.0.*` or a range of IPv4 stands for, where they are few.
fn instead_of(typed: &str) -> Option<String> {
    if let Some((first, last)) = typed.split_once(['-', '–']) {
        let (first, last) = (first.parse::<Ipv4Addr>().ok()?, last.parse::<Ipv4Addr>().ok()?);
        let nets: Vec<String> = Ipv4Subnets::new(first, last, 0).take(5).map(|net| net.to_string()).collect();
        return (1..5).contains(&nets.len()).then(|| nets.join(", "));
    }
    let fixed = typed.split('.').take_while(|part| *part != "*").count();
    let ip: Ipv4Addr = typed.replace('*', "0").parse().ok()?;
    let length = u8::try_from(fixed).ok()?.checked_mul(8)?;
    Some(Ipv4Net::new(ip, length).ok()?.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_client() {
        assert_eq!(client_network("2001:db8:1:2:aaaa::1"), client_network("2001:db8:1:2:bbbb::9"));
        assert_ne!(client_network("2001:db8:1:2::1"), client_network("2001:db8:1:3::1"));
        assert_ne!(client_network("203.0.113.1"), client_network("203.0.113.2"));
        assert_eq!(network_prefix("203.0.113.1"), "203.0.113.0/24");
        assert_eq!(client_network("rubbish"), "unknown");
    }

    #[test]
    fn networks_are_read_as_people_write_them() {
        for (typed, net) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
            ("203.0.113.7", "203.0.113.7/32"),
            ("[2001:db8::1]", "2001:db8::1/128"),
            ("[2001:db8::]/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(parse(typed).map(|net| net.to_string()), Ok(net.to_owned()), "{typed}");
        }
        for (typed, instead) in [
            ("10.0.0.*", "10.0.0.0/24"),
            ("10.*.*.*", "10.0.0.0/8"),
            ("10.0.0.0-10.0.0.255", "10.0.0.0/24"),
            ("10.0.0.4-10.0.0.8", "10.0.0.4/30, 10.0.0.8/32"),
            ("10.0.0.9-10.0.0.1", "one such as 203.0.113.0/24 or 2001:db8::/32"),
            ("10.0.0.0/33", "one such as 203.0.113.0/24 or 2001:db8::/32"),
            ("10.0.0.0/255.0.255.0", "one such as 203.0.113.0/24 or 2001:db8::/32"),
            ("the-office", "one such as 203.0.113.0/24 or 2001:db8::/32"),
        ] {
            assert_eq!(parse(typed), Err(format!("{typed} isn't a network. Write {instead}.")));
        }
    }
}
