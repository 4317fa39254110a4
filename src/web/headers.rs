//! The headers that every answer carries.

use actix_web::{
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};

use crate::app::App;

const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// Everything a page here does not need; the WebAuthn rows stay with this site itself.
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), \
    publickey-credentials-create=(self), publickey-credentials-get=(self)";

const ALWAYS: [(&str, &str); 8] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    // A token in a link never leaves this site.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", PERMISSIONS),
    ("x-robots-tag", "noindex"),
];

/// Adds the headers to whatever the house answers, refusals included.
pub async fn secure<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let mut res = next.call(req).await?;
    let is_https = res.request().app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
    let headers = res.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_https {
        put(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        // Nothing here is the same for the next person: forms carry what was typed, links carry tokens.
        put(headers, header::CACHE_CONTROL, "no-store");
    }
    if !headers.contains_key(header::VARY) {
        put(headers, header::VARY, "accept, cookie");
    }
    Ok(res)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
