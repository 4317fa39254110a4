//! Where a request to the outside may lead (the SSRF guard). The name in an address is resolved once, every address that it
//! has is judged, and the connection goes to one of those: a name that answers differently the second time changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};
use url::{Host, Url};

use super::{
    client::{Outbound, PATIENCE},
    unreadable::Unreadable,
};
use crate::config::Provider;

const LONGEST_ADDRESS: usize = 2_048;

// More than anybody needs; also what the client takes at most.
const MOST_ADDRESSES: usize = 16;

/// Who answers for an address, which decides where it may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The operator, in the settings: it may lead into a private network, but not to what only this machine's link reaches.
    Operator,
    /// An owner of an organisation: it leads into a private network only with `SSO_PRIVATE_METADATA`.
    Owner,
}

impl NamedBy {
    /// Who named the addresses of a provider.
    pub(crate) fn of(provider: &Provider) -> Self {
        if provider.connection.is_some() { NamedBy::Owner } else { NamedBy::Operator }
    }
}

impl Outbound {
    /// What an address says, and where the connection may go. Fails where nothing may be asked there.
    pub(super) async fn locate(&self, named_by: NamedBy, address: &str) -> Result<(Url, Only), Unreadable> {
        if named_by == NamedBy::Owner && !self.may_fetch {
            return Err(Unreadable::Off);
        }
        let url = self.judge(address)?;
        let port = url.port_or_known_default().ok_or(Unreadable::BadAddress)?;
        let found = self.addresses(&url).await?;
        let may_be_private = self.may_be_private || self.own_origin == Some(url.origin());
        let may_reach = |ip: &IpAddr| {
            may_be_private || is_public(*ip) || (named_by == NamedBy::Operator && !is_link_local(*ip))
        };
        if !found.iter().all(may_reach) {
            return Err(Unreadable::Private);
        }
        Ok((url, Only(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())))
    }

    fn judge(&self, address: &str) -> Result<Url, Unreadable> {
        let mut url = Url::parse(address.trim()).map_err(|_| Unreadable::BadAddress)?;
        url.set_fragment(None);
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        if !url.has_host() || has_credentials || address.len() > LONGEST_ADDRESS {
            return Err(Unreadable::BadAddress);
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.may_be_plain => Ok(url),
            "http" => Err(Unreadable::NotHttps),
            _ => Err(Unreadable::BadAddress),
        }
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, Unreadable> {
        let name = match url.host().ok_or(Unreadable::BadAddress)? {
            Host::Ipv4(ip) => return Ok(vec![ip.into()]),
            Host::Ipv6(ip) => return Ok(vec![ip.into()]),
            Host::Domain(name) => format!("{}.", name.trim_end_matches('.')),
        };
        let resolver = self.resolver().map_err(|_| Unreadable::NoHost)?;
        let asked = tokio::time::timeout(PATIENCE, resolver.lookup_ip(name)).await;
        let found = asked.map_err(|_| Unreadable::NoHost)?.map_err(|_| Unreadable::NoHost)?;
        let found: Vec<IpAddr> = found.iter().take(MOST_ADDRESSES).collect();
        if found.is_empty() { Err(Unreadable::NoHost) } else { Ok(found) }
    }
}

/// The addresses that were looked at, and no others.
#[derive(Debug)]
pub(super) struct Only(pub Vec<SocketAddr>);

impl Resolver for Only {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        self.0.iter().for_each(|place| found.push(*place));
        Ok(found)
    }
}

/// Whether an address is everybody's: neither private, loopback, link-local nor otherwise set apart (RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let set_apart = match ip.octets() {
        // This network, this machine, private use, shared by a carrier, link-local.
        [0 | 10 | 127, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => {
            true
        }
        // Protocols, documentation, relays, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            true
        }
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !set_apart
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocols such as Teredo, documentation, and tunnels that carry another address inside.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All that is handed out so far.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

/// Whether only machines on the same link reach an address (RFC 3927, RFC 4291 §2.5.6): there, clouds tell a machine its secrets.
fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_can_reach_is_public() {
        for public in ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "172.15.0.1", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_address_is_whole_and_carries_no_password() {
        let strict = Outbound { may_be_plain: false, ..Outbound::in_tests() };
        assert!(strict.judge("https://idp.example/metadata?x=1#top").is_ok());
        assert_eq!(strict.judge("http://idp.example/metadata").unwrap_err(), Unreadable::NotHttps);
        for wrong in
            ["", "idp.example", "file:///etc/passwd", "ftp://idp.example", "https://me:pw@idp.example/"]
        {
            assert_eq!(strict.judge(wrong).unwrap_err(), Unreadable::BadAddress, "{wrong}");
        }
    }

    #[actix_web::test]
    async fn who_named_an_address_decides_whether_it_may_be_private() {
        let outbound = Outbound::in_tests();
        for (address, operator, owner) in [
            ("https://1.1.1.1/", true, true),
            ("https://10.1.2.3/", true, false),
            ("https://127.0.0.1/", true, false),
            ("https://[fd12::1]/", true, false),
            // Where clouds tell a machine its secrets.
            ("http://169.254.169.254/latest/meta-data", false, false),
            ("http://[::ffff:169.254.169.254]/", false, false),
            ("http://2852039166/", false, false),
            ("http://[fe80::1]/", false, false),
        ] {
            for (named_by, is_admitted) in [(NamedBy::Operator, operator), (NamedBy::Owner, owner)] {
                let admitted = outbound.locate(named_by, address).await.map(|_| ());
                let expected = if is_admitted { Ok(()) } else { Err(Unreadable::Private) };
                assert_eq!(admitted, expected, "{named_by:?} {address}");
            }
        }
        let open = Outbound { may_be_private: true, ..Outbound::in_tests() };
        assert!(open.locate(NamedBy::Owner, "https://10.1.2.3/").await.is_ok());
        let own_origin = Url::parse("http://127.0.0.1:8080/").unwrap().origin();
        let here = Outbound { own_origin: Some(own_origin), ..Outbound::in_tests() };
        assert!(here.locate(NamedBy::Owner, "http://127.0.0.1:8080/dev/idp/metadata").await.is_ok());
        assert!(here.locate(NamedBy::Owner, "http://127.0.0.1:8081/").await.is_err());
    }
}
