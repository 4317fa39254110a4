//! What a proxy asks before the host of a gate: about which request of whom.
//!
//! A proxy passes on whatever the visitor sent, so of what it says only four headers count, which every printed
//! configuration sets: `X-Forwarded-Host`, `-Method`, `-Proto` and `-Uri`, each exactly once. `Forwarded` never does.

use std::{net::IpAddr, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{
        Method,
        header::{self, HeaderMap},
    },
};
use url::{Position, Url, form_urlencoded};

use super::{
    access::{Access, Guard},
    app_of, bearer, forwarded, gate_cookies, negotiation,
};
use crate::{
    accounts::gate_needs::Raised,
    app::App,
    error::{Error, Result, refusals},
    model::{
        api_key::ApiKeySecret,
        application::{self, parse_host},
        gate_session::GateSecret,
    },
    secret::Secret,
};

refusals! {
    /// Whoever asked for a host is no trusted proxy, or did not say what it asks about.
    GATE_UNTRUSTED = (
        "gate_untrusted", 403,
        "Only a proxy that this site trusts may ask that. Its operator finds the reason in the log."
    );
}

/// [`GATE_UNTRUSTED`] for a reason that the log tells.
fn unreadable(reason: &'static str) -> Error {
    tracing::warn!(reason, "a proxy asked the gate in a way that cannot be read");
    GATE_UNTRUSTED.error()
}

/// A visitor of a host whom a trusted proxy passed on to this site.
#[derive(Debug, Clone)]
pub(crate) struct GateHost {
    /// The host.
    pub host: String,
    /// The proxy's own address.
    pub peer: String,
    /// Where the visitor's client is, as the proxy says.
    pub ip: Option<IpAddr>,
    /// What its cookie there holds.
    pub secrets: Vec<GateSecret>,
    /// The API key that it shows, right or wrong.
    pub key: Option<Secret<ApiKeySecret>>,
    /// What its browser calls itself.
    pub user_agent: String,
    /// Where the request came from, as far as a browser says: `Sec-Fetch-Site` and `Origin`.
    pub site: Option<String>,
    /// The same.
    pub origin: Option<String>,
    /// Whether it asks for pages.
    pub wants_html: bool,
}

/// A request to a host, of which a trusted proxy asks whether it goes through.
#[derive(Debug, Clone)]
pub(crate) struct GateRequest {
    /// Whose.
    pub visitor: GateHost,
    /// With which method.
    pub method: Method,
    /// To which path, with its query.
    pub uri: String,
    /// What the check asks for besides what the host does.
    pub raised: Raised,
    /// Whether a person waits for a page.
    pub is_page: bool,
    /// The path of the page whose form was sent, where one was.
    pub form_of: Option<String>,
    /// Whether it opens a WebSocket: this header is the only sign of one that every proxy passes on.
    pub is_websocket: bool,
    /// Whether a browser asks what another site may send (Fetch standard, CORS-preflight request).
    pub is_preflight: bool,
}

impl GateHost {
    /// Whether another site made the request: than this origin, or one of `others`.
    pub(crate) fn is_foreign(&self, own: &str, others: &[String]) -> bool {
        match (self.origin.as_deref(), self.site.as_deref()) {
            (Some(origin), _) if others.iter().any(|other| other == origin) => false,
            // A page that tells nobody where it is (Fetch standard, append a request `Origin` header).
            (Some("null"), Some("same-origin")) => false,
            (Some(origin), _) if origin != own => true,
            (_, site) => site.is_some_and(|site| site != "same-origin" && site != "none"),
        }
    }

    /// The page of the host that a form was sent from, as far as its browser says: its start where it says no more.
    fn page_of_form(&self, headers: &HeaderMap, app: &App) -> Option<String> {
        let own = format!("{}://{}", app.config().site.base_url.scheme(), self.host);
        let referer = headers.get(header::REFERER).and_then(|value| Url::parse(value.to_str().ok()?).ok());
        match referer.filter(|page| page.origin().ascii_serialization() == own) {
            Some(page) => Some(page[Position::BeforePath..Position::AfterQuery].to_owned()),
            None => (self.site.as_deref() == Some("same-origin")).then(|| "/".to_owned()),
        }
    }

    fn read(req: &HttpRequest, app: &App) -> Result<Self> {
        let scheme = app.config().site.base_url.scheme();
        let peer = req.peer_addr().map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
        let host = once(req.headers(), "x-forwarded-host").and_then(|host| parse_host(host, scheme));
        let host = host.ok_or_else(|| unreadable("X-Forwarded-Host is not there once, as a host"))?;
        let text = |name: &str| {
            req.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Ok(Self {
            host,
            peer,
            ip: forwarded::ip(req),
            secrets: gate_cookies::presented(req),
            key: bearer::presented(req),
            user_agent: negotiation::user_agent(req),
            site: text("sec-fetch-site"),
            origin: text("origin"),
            wants_html: negotiation::wants_html(req.headers()),
        })
    }
}

impl GateRequest {
    /// The path without its query.
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    /// Whether it may change something, or open a line that does.
    pub(crate) fn is_unsafe(&self) -> bool {
        !self.method.is_safe() || self.is_websocket
    }

    fn read(req: &HttpRequest, app: &App) -> Result<Self> {
        let headers = req.headers();
        let visitor = GateHost::read(req, app)?;
        let scheme =
            once(headers, "x-forwarded-proto").filter(|it| ["http", "https", "ws", "wss"].contains(it));
        scheme.ok_or_else(|| unreadable("X-Forwarded-Proto is not there once, as a scheme"))?;
        let method = once(headers, "x-forwarded-method");
        let is_token = |it: &&str| {
            (1..=32).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        let method = method.filter(is_token).and_then(|it| Method::from_bytes(it.as_bytes()).ok());
        let method = method.ok_or_else(|| unreadable("X-Forwarded-Method is not there once, as a method"))?;
        let uri = once(headers, "x-forwarded-uri").filter(|uri| uri.starts_with('/'));
        let uri = uri.ok_or_else(|| unreadable("X-Forwarded-Uri is not there once, as a path"))?.to_owned();
        let pairs: Vec<_> = form_urlencoded::parse(req.query_string().as_bytes()).collect();
        let raised = Raised::of_query(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        let raised =
            raised.ok_or_else(|| unreadable("a vestibule-… parameter of the check cannot be read"))?;
        let is_read = [Method::GET, Method::HEAD].contains(&method);
        let is_navigation = match headers.get("sec-fetch-mode") {
            Some(mode) => mode.as_bytes() == b"navigate",
            None => visitor.wants_html && !headers.contains_key("x-requested-with"),
        };
        let form_of = (is_navigation && !is_read).then(|| visitor.page_of_form(headers, app)).flatten();
        Ok(Self {
            is_page: is_read && is_navigation,
            form_of,
            is_websocket: headers.contains_key("sec-websocket-key"),
            is_preflight: method == Method::OPTIONS
                && headers.contains_key("access-control-request-method")
                && headers.contains_key(header::ORIGIN),
            visitor,
            method,
            uri,
            raised,
        })
    }
}

/// The text of a header that is there exactly once.
fn once<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let text = value.to_str().ok()?;
    (!text.is_empty()).then_some(text)
}

/// [`GATE_UNTRUSTED`] unless the peer of the socket is a proxy of `TRUSTED_PROXIES`. Whoever asks for a host that
/// there is without being one is kept in mind, for an operator.
async fn require_trust(req: &HttpRequest, app: &App) -> Result<()> {
    let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
    if peer.is_some_and(|peer| app.config().trusted_proxies.iter().any(|network| network.contains(&peer))) {
        return Ok(());
    }
    let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
    tracing::warn!(peer, "someone who is no proxy of TRUSTED_PROXIES asked the gate");
    let scheme = app.config().site.base_url.scheme();
    if let Some(host) = once(req.headers(), "x-forwarded-host").and_then(|host| parse_host(host, scheme)) {
        let found = app.read(move |conn| application::of_host(conn, &host)).await?;
        let found = found.filter(|found| application::needs_note(found.refused.as_ref(), &peer, app.now()));
        if let Some(found) = found {
            app.write(move |tx| application::note_refused(tx, &found.id, &peer)).await?;
        }
    }
    Err(GATE_UNTRUSTED.error())
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

fn read_trusted<T: 'static>(req: &HttpRequest, read: fn(&HttpRequest, &App) -> Result<T>) -> Reading<T> {
    let req = req.clone();
    Box::pin(async move {
        let app = app_of(&req)?;
        require_trust(&req, app).await?;
        read(&req, app)
    })
}

impl Guard for GateHost {
    const ACCESS: Access = Access::Anyone;
}

impl Guard for GateRequest {
    const ACCESS: Access = Access::Anyone;
}

impl FromRequest for GateHost {
    type Error = Error;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        read_trusted(req, Self::read)
    }
}

impl FromRequest for GateRequest {
    type Error = Error;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        read_trusted(req, Self::read)
    }
}
