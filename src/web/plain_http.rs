//! What comes over plain http to a site that has https.

use actix_web::{
    HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web::Data,
};

use super::{bearer, error_response, negotiation, session_cookie};
use crate::{
    app::App,
    error::{Error, Particulars, Way, refusals},
};

refusals! {
    /// The request came over plain http to a site that has https.
    PLAIN_HTTP = (
        "https_required", 403,
        "This came over plain http, where others can read it, so nothing was done. Send it to {} instead."
    ).page("Not over plain http", "/", "Go there over https").way(Way::OtherOrigin).warned();
}

/// [`PLAIN_HTTP`], to a site at this origin.
fn plain_http(origin: String) -> Error {
    PLAIN_HTTP.with(Particulars::named(origin.as_str()).href(origin))
}

/// Refuses a write, or the secret of a session or an API key in a program's request, that came over plain http to a site that has https: by
/// the word of a trusted proxy. It is not led on to https: what sent it would do so each time, and be read each time.
pub(crate) async fn refuse_plain_http(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let (request, app) = (req.request(), req.app_data::<Data<App>>().cloned());
    if let Some(app) = app.filter(|app| came_over_plain_http(request, app)) {
        let has_secret =
            || !session_cookie::presented(request).is_empty() || bearer::presented(request).is_some();
        let is_api_call = || !negotiation::wants_html(request.headers()) && has_secret();
        if !request.method().is_safe() || is_api_call() {
            let answer = error_response::render(request, &plain_http(app.config().site.origin()));
            return Ok(req.into_response(answer));
        }
    }
    next.call(req).await.map(ServiceResponse::map_into_boxed_body)
}

fn came_over_plain_http(req: &HttpRequest, app: &App) -> bool {
    let peer = req.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_trusted =
        peer.is_some_and(|ip| app.config().trusted_proxies.iter().any(|network| network.contains(&ip)));
    // The first of several is the client's own: the others are how proxies speak with one another.
    let scheme = req.headers().get(header::X_FORWARDED_PROTO).map(|value| value.as_bytes());
    let scheme = scheme.and_then(|value| value.split(|byte| *byte == b',').next());
    app.config().site.is_https()
        && is_trusted
        && scheme.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"http"))
}
