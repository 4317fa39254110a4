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
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use url::{Position, Url, form_urlencoded};

use super::{
    access::{Access, Guard},
    app_of, bearer, forwarded, gate_cookies, negotiation,
};
use crate::{
    accounts::{gate_needs::Raised, gates},
    app::App,
    db::Tx,
    error::{Error, Result, refusals},
    log,
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
    is_as_sent: bool,
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

    /// Whether it is below one of these paths. One that was sent as no browser does never is: programs read it differently.
    pub(crate) fn is_open(&self, open: &[String]) -> bool {
        self.is_as_sent && gates::is_open(open, self.path())
    }

    /// Whether it may change something, or open a line that does.
    pub(crate) fn is_unsafe(&self) -> bool {
        !self.method.is_safe() || self.is_websocket
    }

    fn read(req: &HttpRequest, app: &App) -> Result<Self> {
        let headers = req.headers();
        let visitor = GateHost::read(req, app)?;
        let proto =
            once(headers, "x-forwarded-proto").filter(|it| ["http", "https", "ws", "wss"].contains(it));
        proto.ok_or_else(|| unreadable("X-Forwarded-Proto is not there once, as a scheme"))?;
        let scheme = app.config().site.base_url.scheme();
        let method = once(headers, "x-forwarded-method");
        let is_token = |it: &&str| {
            (1..=32).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        let method = method.filter(is_token).and_then(|it| Method::from_bytes(it.as_bytes()).ok());
        let method = method.ok_or_else(|| unreadable("X-Forwarded-Method is not there once, as a method"))?;
        let uri = once_bytes(headers, "x-forwarded-uri").and_then(|uri| path_at(uri, &visitor.host, scheme));
        let (uri, is_as_sent) =
            uri.ok_or_else(|| unreadable("X-Forwarded-Uri is not there once, as a path"))?;
        if let Some(request) = log::current() {
            request.set_asked(&visitor.host, uri.split('?').next().unwrap_or_default());
        }
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
            is_as_sent,
            raised,
        })
    }
}

/// The text of a header that is there exactly once.
fn once<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    str::from_utf8(once_bytes(headers, name)?).ok().filter(|text| text.is_ascii())
}

fn once_bytes<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name);
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value.as_bytes()).filter(|bytes| !bytes.is_empty())
}

/// A path with its query, every byte of it that an address cannot have percent-encoded (RFC 3986 §2.1), and whether the path was
/// sent so. Of a whole address (RFC 9112 §3.2.2) the path, where it is at this host; nothing where it is neither.
fn path_at(sent: &[u8], host: &str, scheme: &str) -> Option<(String, bool)> {
    let is_path = sent.starts_with(b"/");
    let path = match is_path {
        true => sent,
        false => {
            let after = sent.strip_prefix(b"http://").or_else(|| sent.strip_prefix(b"https://"))?;
            let end = after.iter().position(|byte| b"/?".contains(byte)).unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            let at = str::from_utf8(authority).ok().and_then(|text| parse_host(text, scheme));
            if at.as_deref() != Some(host) {
                return None;
            }
            path
        }
    };
    let encode = |bytes| percent_encode(bytes, UNSENDABLE).to_string();
    let before_query = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let is_as_sent = is_path && encode(before_query).as_bytes() == before_query;
    let encoded = encode(path);
    let encoded = if encoded.starts_with('/') { encoded } else { format!("/{encoded}") };
    Some((encoded, is_as_sent))
}

// What a browser encodes in every path and query (URL standard, "query percent-encode set").
const UNSENDABLE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

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
            let note = move |tx: &mut Tx| application::note_refused(tx, &found.id, &peer);
            app.note("who asked the gate", note).await;
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
