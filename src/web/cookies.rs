//! The cookies of this site, read by bytes.
//!
//! A browser sends every cookie of a host name in one line, whatever program set it and on which port, parent domains
//! included (RFC 6265 §5.4, §8.5). What a neighbour wrote there, in whatever encoding and under whatever name, must not
//! take ours away: each of ours is looked for by its name, and every value of it is tried.

use actix_web::{
    HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{COOKIE, HeaderMap, HeaderValue},
    middleware::Next,
    web::Data,
};

use super::state_seal;
use crate::app::App;

/// A cookie of this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// The session's secret.
    Session,
    /// The accounts that were let in from this browser before.
    Known,
    /// What outlives one request and little more, encrypted.
    State,
    /// What binds a SAML request to this browser.
    Saml,
    /// What binds a request to an OpenID provider to this browser.
    Oidc,
    /// At the host of a gate: the secret that lets in there.
    Gate,
    /// At the host of a gate: what a browser that is on its way here comes back with, encrypted.
    GateStart,
}

// Of one name. A neighbour that sets more than this has every browser of the host in its hands anyway.
const MOST: usize = 8;

impl Own {
    const ALL: [Self; 7] =
        [Self::Session, Self::Known, Self::State, Self::Saml, Self::Oidc, Self::Gate, Self::GateStart];

    /// Its name. `__Host-` keeps a neighbouring subdomain from planting one; browsers take it over https only.
    pub(crate) const fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Session, true) => "__Host-session",
            (Self::Session, false) => "session",
            (Self::Known, true) => "__Host-known",
            (Self::Known, false) => "known",
            (Self::State, true) => "__Host-state",
            (Self::State, false) => "state",
            (Self::Saml, true) => "__Host-saml",
            (Self::Saml, false) => "saml",
            (Self::Oidc, true) => "__Host-oidc",
            (Self::Oidc, false) => "oidc",
            (Self::Gate, true) => "__Host-gate",
            (Self::Gate, false) => "gate",
            (Self::GateStart, true) => "__Host-gate-start",
            (Self::GateStart, false) => "gate-start",
        }
    }

    /// The values that a request presents under its name and that `is_ours` takes for one of ours, in the order in which
    /// they were sent: several where a neighbour uses the same name, at most eight.
    pub(crate) fn values<'a>(
        self,
        req: &'a HttpRequest,
        is_ours: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        let is_https = req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
        values(req.headers(), self.name(is_https)).filter(move |value| is_ours(value)).take(MOST)
    }
}

/// The well-formed values of the cookies of one name, over all `Cookie` headers.
fn values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(COOKIE).flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        (found.trim_ascii() == name.as_bytes()).then(|| octets(value.trim_ascii())).flatten()
    })
}

/// A value without its quotes, where it is made of what a cookie may be made of (RFC 6265 §4.1.1).
fn octets(value: &[u8]) -> Option<&str> {
    let bare = match value {
        [b'"', bare @ .., b'"'] => bare,
        bare => bare,
    };
    let is_octet = |byte: &u8| byte.is_ascii_graphic() && !b"\",;\\".contains(byte);
    bare.iter().all(is_octet).then(|| std::str::from_utf8(bare).ok()).flatten()
}

/// Leaves nothing in the request but the cookies of this site, and of those that share the name of the encrypted one the
/// one that it opens: what reads it looks at one only, and at none where any cookie in the line is not UTF-8.
pub(crate) async fn only_ours<B: MessageBody>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    if req.headers().contains_key(COOKIE) {
        let line = req.app_data::<Data<App>>().and_then(|app| own_line(req.headers(), app));
        match line {
            Some(line) => req.headers_mut().insert(COOKIE, line),
            None => req.headers_mut().remove(COOKIE),
        };
    }
    next.call(req).await
}

fn own_line(headers: &HeaderMap, app: &App) -> Option<HeaderValue> {
    let is_https = app.config().site.is_https();
    let mut line = String::new();
    for own in Own::ALL {
        let name = own.name(is_https);
        let mut found: Vec<&str> = values(headers, name).collect();
        if own == Own::State && found.len() > 1 {
            let keys = &app.config().keys;
            let opened = found.iter().take(MOST).copied().find(|value| state_seal::opens(keys, name, value));
            found = opened.into_iter().collect();
        }
        for value in found {
            let separator = if line.is_empty() { "" } else { "; " };
            line.extend([separator, name, "=", value]);
        }
    }
    HeaderValue::try_from(line).ok().filter(|line| !line.is_empty())
}
