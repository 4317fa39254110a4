//! The headers that every answer carries.

use std::sync::LazyLock;

use actix_web::{
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Version,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::gate_paths::{STYLE, is_for_proxies};
use crate::app::App;

/// The policy of a page whose form goes to another site. It says nothing of forms: Chromium and Safari hold `form-action` against
/// every redirect that follows (w3c/webappsec-csp#8), and where that site leads its visitor is its own affair. The addresses of
/// such a page are registered ones, and nothing of it is written by whoever reads it.
pub(crate) fn policy_with_form_elsewhere() -> HeaderValue {
    HeaderValue::from_static(WITH_FORM_ELSEWHERE)
}

const WITH_FORM_ELSEWHERE: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp-reports; report-to csp";

/// The policy of a page that shows another one of this site in a frame.
#[cfg(feature = "development")]
pub(crate) fn policy_with_frames() -> HeaderValue {
    HeaderValue::from_static(WITH_FRAMES)
}

#[cfg(feature = "development")]
const WITH_FRAMES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp-reports; report-to csp";

const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp-reports; report-to csp";

// Everything a page here does not need; the WebAuthn rows stay with this site itself.
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), \
    publickey-credentials-create=(self), publickey-credentials-get=(self)";

// Checked by the compiler: a name or value that is no header does not build, and no answer looks at them again.
static ALWAYS: [(HeaderName, HeaderValue); 9] = [
    fixed("content-security-policy", CSP),
    // Where the policy's reports go; `report-uri` is for browsers that know no endpoints yet.
    fixed("reporting-endpoints", "csp=\"/csp-reports\""),
    fixed("x-content-type-options", "nosniff"),
    fixed("x-frame-options", "DENY"),
    // A token in a link never leaves this site.
    fixed("referrer-policy", "same-origin"),
    fixed("cross-origin-opener-policy", "same-origin"),
    fixed("cross-origin-resource-policy", "same-origin"),
    fixed("permissions-policy", PERMISSIONS),
    fixed("x-robots-tag", "noindex"),
];

const fn fixed(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// How browsers reach this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// By http.
    Plain,
    /// By https, which browsers remember.
    Https,
    /// The same, and the operator wants the domain on the lists that browsers are built with.
    Preloaded,
}

impl Transport {
    /// As the settings have it.
    pub(crate) fn of(app: &App) -> Self {
        match (app.config().site.is_https(), app.config().hsts_preload) {
            (false, _) => Self::Plain,
            (true, false) => Self::Https,
            (true, true) => Self::Preloaded,
        }
    }

    /// What `Strict-Transport-Security` says (RFC 6797 §6.1; hstspreload.org).
    fn policy(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Https => Some("max-age=63072000; includeSubDomains"),
            Self::Preloaded => Some("max-age=63072000; includeSubDomains; preload"),
        }
    }
}

/// Adds the headers to whatever the house answers, refusals included.
pub(crate) async fn secure<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let mut res = next.call(req).await?;
    if res.request().version() <= Version::HTTP_10 && res.response().body().size() == BodySize::Stream {
        // It knows no chunks: the end of the body is the end of the connection (RFC 9112 §6.3).
        let head = res.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    let transport = res.request().app_data::<Data<App>>().map_or(Transport::Plain, |app| Transport::of(app));
    if is_for_proxies(res.request().path())
        && let Some(policy) = policy_elsewhere()
    {
        res.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    put_all(res.headers_mut(), transport);
    Ok(res)
}

/// The policy of a page at the host of an application: its style stands in it, and is that one (CSP 3 §2.3.1).
fn policy_elsewhere() -> Option<HeaderValue> {
    static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let policy = CSP.replace("style-src 'self'", &format!("style-src 'sha256-{hash}'"));
        HeaderValue::from_str(&policy).ok()
    });
    POLICY.clone()
}

/// Adds the headers to those of one answer.
pub(crate) fn put_all(headers: &mut HeaderMap, transport: Transport) {
    for (name, value) in &ALWAYS {
        // A page whose form goes to an identity provider says so itself, and one that is shown in a frame.
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Some(policy) = transport.policy() {
        put(headers, header::STRICT_TRANSPORT_SECURITY, policy);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        // Nothing here is the same for the next person: forms carry what was typed, links carry tokens.
        put(headers, header::CACHE_CONTROL, "no-store");
    }
    if !headers.contains_key(header::VARY) {
        put(headers, header::VARY, "accept, cookie");
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
