//! Cross-origin writes are refused: a session cookie alone never proves that its owner pressed the button.

use actix_web::{
    HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::Next,
    web::Data,
};

use super::{bearer, directory_path::is_of_directory, error_response, gate_paths};
use crate::{app::App, error::refusals, urls};

refusals! {
    /// The request was sent by another site.
    CROSS_ORIGIN = (
        "cross_origin", 403,
        "This request came from another site, so nothing was changed. Go back and try again here."
    ).titled("Request blocked").warned();
}

// The writes that come from elsewhere by their nature. The first is bound to the browser that asked by a cookie of its own,
// and to the request that was sent; the second is signed by an identity provider, and reads no cookie; the third only asks.
const FROM_ELSEWHERE: [&str; 3] = ["/auth/saml/callback", "/auth/saml/logout", urls::OIDC_INITIATE];

// What applications ask reads no cookie; a request that one posts is kept until its browser comes by itself, and signing out looks
// for itself.
const OF_APPLICATIONS: [&str; 7] = [
    "/oauth/authorize",
    "/oauth/device_authorization",
    "/oauth/introspect",
    "/oauth/logout",
    "/oauth/revoke",
    "/oauth/token",
    "/oauth/userinfo",
];

// What a provider has posted is kept unjudged until its browser comes by itself, and a logout token is signed; no cookie is read.
const OIDC: [&str; 2] = ["/auth/oidc/callback/", "/auth/oidc/logout/"];

/// Refuses an unsafe method from another site (Fetch Metadata; `Origin` where a browser does not send it). No browser adds an
/// API key by itself.
pub(crate) async fn same_origin_writes(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    // At the host of a gate another origin is its own: what is asked there looks for itself. A key or token comes with nobody's cookie.
    let is_apart = FROM_ELSEWHERE.contains(&req.path())
        || OIDC.iter().any(|start| req.path().starts_with(start))
        || OF_APPLICATIONS.contains(&req.path())
        || gate_paths::is_for_proxies(req.path())
        || is_of_directory(req.path())
        || bearer::presented(req.request()).is_some()
        || bearer::access_token(req.request()).is_some();
    if !req.method().is_safe() && !is_apart && is_foreign(req.request()) {
        let answer = error_response::render(req.request(), &CROSS_ORIGIN.error());
        return Ok(req.into_response(answer));
    }
    next.call(req).await.map(ServiceResponse::map_into_boxed_body)
}

/// Whether another site made this request, as far as it can be told.
pub(crate) fn is_foreign(req: &HttpRequest) -> bool {
    let origin = req.app_data::<Data<App>>().map(|app| app.config().site.origin()).unwrap_or_default();
    let text = |headers: &HeaderMap, name| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match text(req.headers(), header::HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site != "same-origin" && site != "none",
        None => text(req.headers(), header::ORIGIN).is_some_and(|from| from != origin),
    }
}
