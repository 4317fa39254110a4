//! Who is at the other end of the wire: address, device, and the session this browser already holds.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest,
    dev::{Payload, RequestHead},
    http::{Method, header},
    web::Data,
};
use ipnet::IpNet;

use super::{door, guard, known::KnownBrowser, pending, reply};
use crate::{
    app::App,
    db::{Conn, Id},
    error::{Error, Result},
    model::{
        audit::{Actor, ActorKind},
        device::Device,
        session::{Fingerprint, Session, SessionSecret},
        token::LinkIdentity,
        user::{self, User},
    },
    secret::Secret,
};

/// The other end of the wire, as it bears on signing in.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address on the network; empty where there is none.
    pub ip: String,
    /// What it calls itself.
    pub user_agent: String,
    /// The first language it asks for.
    pub language: String,
    /// What its script told, where it runs one.
    pub traits: Traits,
    /// The session secret it presents, live or not.
    pub presented: Option<SessionSecret>,
    /// The accounts that were let in from this browser before.
    pub known: KnownBrowser,
    /// What this browser is about to connect with the account that signs in, if anything.
    pub linking: Option<Secret<LinkIdentity>>,
    /// The session this browser holds, and whose.
    pub held: Option<(Id<User>, Id<Session>)>,
    /// Whether it asked for pages.
    pub is_browser: bool,
    /// Whether a person is going there: not a HEAD, a prefetch or a preview.
    pub is_navigation: bool,
}

/// What a small script tells of a browser, in hidden fields of the form. Empty without scripts.
#[derive(Debug, Clone, Default)]
pub struct Traits {
    /// The time zone's name.
    pub zone: String,
    /// The size of the screen.
    pub screen: String,
}

impl Client {
    /// The same, with what its script told.
    pub fn telling(self, zone: &str, screen: &str) -> Self {
        Self { traits: Traits { zone: short(zone), screen: short(screen) }, ..self }
    }

    /// What is kept of it with its session.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            user_agent: self.user_agent.clone(),
            language: self.language.clone(),
            time_zone: self.traits.zone.clone(),
            screen: self.traits.screen.clone(),
        }
    }

    /// The device, as its user agent tells.
    pub fn device(&self) -> Device {
        Device::of(&self.user_agent)
    }

    /// The visitor as an actor in the audit.
    pub fn actor(&self) -> Actor {
        let (user, session) = self.held.clone().unzip();
        Actor { kind: ActorKind::User, user, session, ip: Some(self.ip.clone()) }
    }

    /// Whether `user` was let in from this browser before, and stands by it.
    pub fn is_known_to(&self, conn: &mut Conn, user: &Id<User>) -> Result<bool> {
        let known_from = user::candidate(conn, user)?.browsers_known_from;
        Ok(self.known.knows(user, known_from))
    }

    /// Whether this browser is signed in as `user`.
    pub fn holds_session_of(&self, user: &Id<User>) -> bool {
        self.held.as_ref().is_some_and(|(held, _)| held == user)
    }
}

impl FromRequest for Client {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_speculative = ["sec-purpose", "purpose"].iter().any(|name| req.headers().contains_key(*name));
        ready(Ok(Self {
            ip: ip(req).map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: user_agent(req),
            language: short(&header_text(req, header::ACCEPT_LANGUAGE).unwrap_or_default()),
            traits: Traits::default(),
            presented: door::presented(req),
            known: KnownBrowser::of(req),
            linking: pending::linking(&req.get_session()),
            held: guard::visitor(req).map(|visitor| (visitor.user.id.clone(), visitor.session.id.clone())),
            is_browser: reply::wants_html(req.headers()),
            is_navigation: req.method() != Method::HEAD && !is_speculative,
        }))
    }
}

/// What the request's `User-Agent` says, as much of it as is kept with a session.
pub fn user_agent(req: &HttpRequest) -> String {
    let mut text = header_text(req, header::USER_AGENT).unwrap_or_default();
    let end = text.floor_char_boundary(Fingerprint::MAX);
    text.truncate(end);
    text
}

fn header_text(req: &HttpRequest, name: header::HeaderName) -> Option<String> {
    req.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The first word of a list, and not much of that.
fn short(text: &str) -> String {
    text.split([',', ';']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(60).collect()
}

/// The client's address: the socket's peer, or what a proxy named in the settings says of it.
pub fn ip(req: &HttpRequest) -> Option<IpAddr> {
    let proxies = req.app_data::<Data<App>>().map_or(&[][..], |app| &app.config().trusted_proxies);
    real_ip(req.head(), proxies)
}

/// Development only, from this very machine, and not through a proxy that runs on it; [`Error::NotFound`] otherwise.
pub fn only_here(req: &HttpRequest, app: &App) -> Result<()> {
    let is_loopback = req.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    match app.config().is_development() && is_loopback && is_direct(req) {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// Whether no proxy says that it passes this request on.
pub fn is_direct(req: &HttpRequest) -> bool {
    !req.headers().contains_key(header::X_FORWARDED_FOR) && !req.headers().contains_key(header::FORWARDED)
}

fn real_ip(head: &RequestHead, proxies: &[IpNet]) -> Option<IpAddr> {
    let is_proxy = |ip: &IpAddr| proxies.iter().any(|network| network.contains(ip));
    let mut ip = head.peer_addr?.ip().to_canonical();
    let chain: Vec<&str> = head
        .headers()
        .get_all(header::X_FORWARDED_FOR)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    // From the nearest to the farthest: each proxy vouches for the one before it, a stranger for nobody.
    for hop in chain.iter().rev() {
        if !is_proxy(&ip) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(further) => ip = further.to_canonical(),
            Err(_) => break,
        }
    }
    Some(ip)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut request = TestRequest::get().peer_addr(format!("{peer}:4711").parse().unwrap());
        for value in forwarded {
            request = request.append_header(("X-Forwarded-For", *value));
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        real_ip(request.to_http_request().head(), &proxies).unwrap().to_string()
    }

    #[test]
    fn a_stranger_cannot_say_who_they_are() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_about_its_own_client_only() {
        assert_eq!(seen("10.0.0.2", &["198.51.100.1, 203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.2", &["203.0.113.9, 10.0.0.3"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.2", &["198.51.100.1", "203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.2", &["rubbish"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.2", &[], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(seen("[::ffff:10.0.0.2]", &["2001:db8::7"], &["10.0.0.0/8"]), "2001:db8::7");
    }
}
