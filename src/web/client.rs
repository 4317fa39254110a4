//! Who is at the other end of the wire.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Method, header},
};

use super::{
    BrowserBinding, forwarded, known_device,
    negotiation::{self, header_text, user_agent},
    pending, session_cookie, visitor,
};
use crate::{
    accounts::client_facts::{ClientFacts, ClientHints, short},
    error::{Error, Result},
};

/// The other end of the wire: what use cases know of it, and what only the answer depends on.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    facts: ClientFacts,
    /// Whether it asked for pages.
    pub is_browser: bool,
    /// Whether a person is going there: not a HEAD, a prefetch or a preview.
    pub is_navigation: bool,
}

impl Client {
    /// The same, with what its script told.
    pub(crate) fn with_hints(self, zone: &str, screen: &str) -> Self {
        Self { facts: self.facts.with_hints(zone, screen), ..self }
    }
}

impl Deref for Client {
    type Target = ClientFacts;

    fn deref(&self) -> &ClientFacts {
        &self.facts
    }
}

impl FromRequest for Client {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_speculative = ["sec-purpose", "purpose"].iter().any(|name| req.headers().contains_key(*name));
        let held = visitor::of(req);
        let user_agent = user_agent(req);
        ready(held.map(|held| Self {
            facts: ClientFacts {
                ip: forwarded::ip(req).map(|ip| ip.to_string()).unwrap_or_default(),
                language: short(&header_text(req, header::ACCEPT_LANGUAGE).unwrap_or_default()),
                hints: ClientHints::default(),
                presented: session_cookie::presented(req),
                known: known_device::of(req, &user_agent),
                user_agent,
                binding: BrowserBinding::digest(&req.get_session()),
                linking: pending::linking(&req.get_session()),
                current_session: held.map(|visitor| (visitor.user.id.clone(), visitor.session.id.clone())),
            },
            is_browser: negotiation::wants_html(req.headers()),
            is_navigation: req.method() != Method::HEAD && !is_speculative,
        }))
    }
}
