//! Addresses on the network, and the clients and neighbourhoods that they stand for.

use std::net::IpAddr;

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
    ipnet::IpNet::new(ip, length).map_or_else(|_| ip.to_string(), |network| network.trunc().to_string())
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
}
