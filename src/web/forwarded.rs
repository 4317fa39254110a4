//! What a proxy says of the client that it passes on, and how far that is believed.
//!
//! Only a proxy that the settings name is believed, each about the hop before it. Where its word cannot be read, the client
//! is unknown: it has no address at all, least of all the proxy's.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Once,
};

use actix_web::{
    HttpRequest,
    dev::RequestHead,
    http::header::{self, HeaderMap},
    web::Data,
};
use ipnet::IpNet;

use crate::app::App;

/// The client's address: the socket's peer, or what a proxy named in the settings says of it. Nothing where that cannot be
/// read, or was not said.
pub(crate) fn ip(req: &HttpRequest) -> Option<IpAddr> {
    let proxies = req.app_data::<Data<App>>().map_or(&[][..], |app| &app.config().trusted_proxies);
    real_ip(req.head(), proxies)
}

/// The peer of the socket, where no proxy says that it passes this request on.
pub(crate) fn direct_peer(req: &HttpRequest) -> Option<IpAddr> {
    let peer = req.peer_addr()?.ip().to_canonical();
    is_direct(req.headers()).then_some(peer)
}

/// Whether no proxy says that it passes this request on.
pub(crate) fn is_direct(headers: &HeaderMap) -> bool {
    !headers.keys().any(|name| {
        PASSED_ON.contains(&name.as_str())
            || name.as_str().starts_with("x-forwarded")
            || name.as_str().starts_with("x-original")
    })
}

/// What proxies and content networks write beside `X-Forwarded-…` and `X-Original-…`.
const PASSED_ON: &[&str] = &[
    "via",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-scheme",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "cf-ray",
    "fly-client-ip",
    "ngrok-trace-id",
    "x-azure-clientip",
    "x-envoy-external-address",
    "x-proxyuser-ip",
];

fn real_ip(head: &RequestHead, proxies: &[IpNet]) -> Option<IpAddr> {
    let is_proxy = |ip: &IpAddr| proxies.iter().any(|network| network.contains(ip));
    let mut ip = head.peer_addr?.ip().to_canonical();
    if !is_proxy(&ip) {
        return Some(ip);
    }
    let lines: Vec<&[u8]> =
        head.headers().get_all(header::X_FORWARDED_FOR).map(|line| line.as_bytes()).collect();
    let hops = lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let hops: Vec<&[u8]> = hops.filter(|hop| !hop.is_empty()).collect();
    if hops.is_empty() {
        static ONCE: Once = Once::new();
        // A look at whether this node lives comes from the machine itself, and not through the proxy.
        let is_look = ["/healthz", "/readyz", "/metrics"].contains(&head.uri.path());
        if is_look {
            return None;
        }
        ONCE.call_once(|| {
            tracing::warn!(
                "a proxy of TRUSTED_PROXIES sends no X-Forwarded-For: its clients count as one unknown client"
            );
        });
        return None;
    }
    // From the nearest to the farthest: each proxy vouches for the one before it, a stranger for nobody.
    for hop in hops.iter().rev() {
        if !is_proxy(&ip) {
            break;
        }
        let Some(further) = hop_address(hop) else {
            static ONCE: Once = Once::new();
            ONCE.call_once(|| {
                tracing::warn!(
                    "a proxy of TRUSTED_PROXIES sends an X-Forwarded-For that holds no address: such clients count as one \
                     unknown client"
                );
            });
            return None;
        };
        ip = further.to_canonical();
    }
    Some(ip)
}

/// The address in one element of `X-Forwarded-For`, which has no grammar of its own: bare, in quotes, in brackets, with a
/// zone, with a port (as in RFC 7239 §6, and without its quotes).
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim();
    if let Some(rest) = bare.strip_prefix('[') {
        let (inside, behind) = rest.split_once(']')?;
        let is_fine = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
        return is_fine.then(|| address(inside)).flatten();
    }
    address(bare).or_else(|| {
        let (before, port) = bare.rsplit_once(':')?;
        is_port(port).then(|| address(before)).flatten()
    })
}

fn address(text: &str) -> Option<IpAddr> {
    if let Some((ip, zone)) = text.split_once('%') {
        let is_zone =
            !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        return is_zone.then(|| ip.parse::<Ipv6Addr>().ok()).flatten().map(IpAddr::V6);
    }
    text.parse().ok()
}

/// A port in digits, none behind its colon (RFC 3986 §3.2.3), or one that a proxy hides (RFC 7239 §6.2).
fn is_port(port: &str) -> bool {
    port.strip_prefix('_').is_some_and(|hidden| !hidden.is_empty())
        || port.is_empty()
        || port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, forwarded: &[&[u8]]) -> Option<String> {
        let mut request = TestRequest::get().peer_addr(format!("{peer}:4711").parse().unwrap());
        for value in forwarded {
            let value = header::HeaderValue::from_bytes(value).unwrap();
            request = request.append_header((header::X_FORWARDED_FOR, value));
        }
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        real_ip(request.to_http_request().head(), &proxies).map(|ip| ip.to_string())
    }

    #[test]
    fn a_stranger_cannot_say_who_they_are() {
        assert_eq!(seen("203.0.113.9", &[b"198.51.100.1"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen("203.0.113.9", &[b"rubbish"]).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn a_trusted_proxy_is_believed_about_its_own_client_only() {
        let chains: [(&[&[u8]], Option<&str>); 8] = [
            (&[b"198.51.100.1, 203.0.113.9"], Some("203.0.113.9")),
            (&[b"203.0.113.9, 10.0.0.3"], Some("203.0.113.9")),
            (&[b"198.51.100.1", b"203.0.113.9"], Some("203.0.113.9")),
            (&[b"rubbish, 203.0.113.9"], Some("203.0.113.9")),
            (&[b"\xff, 203.0.113.9"], Some("203.0.113.9")),
            (&[b"203.0.113.9, rubbish"], None),
            (&[b"\xff"], None),
            (&[], None),
        ];
        for (chain, address) in chains {
            assert_eq!(seen("10.0.0.2", chain).as_deref(), address, "{chain:?}");
        }
        assert_eq!(seen("[::ffff:10.0.0.2]", &[b"2001:db8::7"]).as_deref(), Some("2001:db8::7"));
    }
}
