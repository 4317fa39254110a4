//! A document behind an address that somebody typed. The name is resolved once, every address of it has to be public, and
//! the connection goes to one of those addresses: a name that answers differently the second time changes nothing.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustls::{CertificateError, crypto::aws_lc_rs};
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    tls::{Certificate, RootCerts, TlsConfig},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::{Host, Url};

use super::{Outbound, PATIENCE};

const LONGEST_ADDRESS: usize = 2_048;
const LARGEST: usize = 1024 * 1024;
const TIME_LIMIT: Duration = Duration::from_secs(10);

// More than anybody needs; also what the client takes at most.
const MOST_ADDRESSES: usize = 16;

/// Why a document could not be read, in a sentence for whoever gave its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The operator switched this off.
    #[error("This site reads no metadata from links. Paste it instead.")]
    Off,
    /// No address of a document.
    #[error("Write the whole address, such as https://idp.example.com/metadata.")]
    BadAddress,
    /// Anybody on the way could change it.
    #[error("The address has to begin with https://.")]
    NotHttps,
    /// No such host, or nobody could say.
    #[error("The host in the address was not found.")]
    NoHost,
    /// It leads to a place that only we can reach.
    #[error("The address leads into a private network, where this site does not go.")]
    Private,
    /// It did not come within the time limit, or not over TLS.
    #[error("The address did not answer in ten seconds, or not over TLS.")]
    NoAnswer,
    /// The host's certificate does not prove that it is that host. Says why.
    #[error("The certificate of the host in the address {0}.")]
    BadCertificate(&'static str),
    /// Something else came. Holds its HTTP status.
    #[error("The address answered with the status {0} and not with a document.")]
    Status(u16),
    /// Over a mebibyte.
    #[error("What the address answers is larger than metadata of an identity provider is.")]
    TooLarge,
    /// Not UTF-8.
    #[error("What the address answers is not UTF-8 text.")]
    NotText,
}

impl Outbound {
    /// The document at an address, up to a mebibyte of UTF-8. Redirects are not followed.
    pub(crate) async fn fetch(&self, address: &str) -> Result<String, Unreadable> {
        if !self.may_fetch {
            return Err(Unreadable::Off);
        }
        let url = self.judge(address)?;
        let port = url.port_or_known_default().ok_or(Unreadable::BadAddress)?;
        let places: Vec<SocketAddr> =
            self.addresses(&url).await?.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        let may_be_private = self.may_be_private || self.own_origin == Some(url.origin());
        if !may_be_private && !places.iter().all(|place| is_public(place.ip())) {
            return Err(Unreadable::Private);
        }
        let fetched = tokio::task::spawn_blocking(move || fetch(url.as_str(), Only(places))).await;
        fetched.map_err(|_| Unreadable::NoAnswer)?
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

fn fetch(address: &str, places: Only) -> Result<String, Unreadable> {
    let config = Agent::config_builder()
        .tls_config(tls())
        .timeout_global(Some(TIME_LIMIT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // A proxy would resolve the name anew.
        .proxy(None)
        .user_agent("Vestibule")
        .accept("application/samlmetadata+xml, application/xml;q=0.9, */*;q=0.1")
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), places);
    let answer = agent.get(address).call().map_err(unanswered)?;
    if answer.status() != 200 {
        return Err(Unreadable::Status(answer.status().as_u16()));
    }
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    let bytes = answer.into_body().into_with_config().limit(limit).read_to_vec().map_err(unanswered)?;
    String::from_utf8(bytes).map_err(|_| Unreadable::NotText)
}

/// TLS by the authorities that this machine knows.
pub(super) fn tls() -> TlsConfig {
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect::<Vec<_>>();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build()
}

fn unanswered(cause: ureq::Error) -> Unreadable {
    tracing::debug!(%cause, "a document was not read");
    let tls = match &cause {
        ureq::Error::BodyExceedsLimit(_) => return Unreadable::TooLarge,
        ureq::Error::Rustls(cause) => Some(cause),
        // Most of the handshake happens at the first byte that is read or written.
        ureq::Error::Io(cause) => cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    match tls {
        Some(rustls::Error::InvalidCertificate(fault)) => Unreadable::BadCertificate(in_words(fault)),
        _ => Unreadable::NoAnswer,
    }
}

/// What is wrong with a certificate, after "The certificate".
fn in_words(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "was issued for another name"
        }
        CertificateError::UnknownIssuer => {
            "was issued by an authority that this machine does not know, or its chain is not sent along"
        }
        CertificateError::Revoked => "was revoked",
        _ => "is not valid",
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
        let strict = Outbound {
            dns_server: None,
            may_fetch: true,
            may_be_private: false,
            own_origin: None,
            may_be_plain: false,
        };
        assert!(strict.judge("https://idp.example/metadata?x=1#top").is_ok());
        assert_eq!(strict.judge("http://idp.example/metadata").unwrap_err(), Unreadable::NotHttps);
        for wrong in
            ["", "idp.example", "file:///etc/passwd", "ftp://idp.example", "https://me:pw@idp.example/"]
        {
            assert_eq!(strict.judge(wrong).unwrap_err(), Unreadable::BadAddress, "{wrong}");
        }
    }
}
