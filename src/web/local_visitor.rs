//! Whether a visitor sits at this machine: what is there for development is shown to nobody else.

use actix_web::{
    HttpRequest,
    http::{Version, header},
};
use url::Host;

use super::forwarded::direct_peer;
use crate::{
    app::App,
    error::{Error, Result},
};

/// Development only, from this very machine, by a name that means this machine, and not through a proxy that runs on it;
/// [`Error::NotFound`] otherwise. By the name, so that no site can let its own lead here (DNS rebinding). HTTP/1.0 is what
/// nginx passes on with, and no browser speaks it.
pub(crate) fn only_here(req: &HttpRequest, app: &App) -> Result<()> {
    let is_loopback = direct_peer(req).is_some_and(|peer| peer.is_loopback());
    let asked_for = req.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let is_called_so = asked_for.and_then(host).is_some_and(|host| {
        is_loopback_name(&host)
            || app.config().site.base_url.host().is_some_and(|own| own == host && is_local(&own))
    });
    let is_browsers = req.version() > Version::HTTP_10;
    match app.config().is_development() && is_loopback && is_called_so && is_browsers {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// The host of a `Host` header, without its port.
fn host(text: &str) -> Option<Host<String>> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match text.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => text,
    };
    Host::parse(name).ok()
}

/// `localhost` and the addresses of this machine, which no name server hands out.
fn is_loopback_name<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

/// The same, and names below `localhost`, which browsers look up on this machine (RFC 6761 §6.3).
fn is_local(host: &Host<&str>) -> bool {
    is_loopback_name(host) || matches!(host, Host::Domain(name) if name.ends_with(".localhost"))
}
