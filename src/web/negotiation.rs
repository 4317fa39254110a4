//! What a request says of itself: the face that it asks for, and what it calls itself.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};

use super::directory_path::is_of_directory;
use crate::model::session::Fingerprint;

/// Only someone who asks for `text/html` by name is a browser.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// Whether the answer to a request is a page: a browser asks, and not for what is for programs alone.
pub(crate) fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    !FOR_PROGRAMS.contains(&path) && !is_of_directory(path) && wants_html(headers)
}

// Asked by programs alone, whatever they say they accept.
const FOR_PROGRAMS: [&str; 10] = [
    "/oauth/device_authorization",
    "/auth/check",
    "/auth/token",
    "/auth/token/refresh",
    "/auth/token/revoke",
    "/oauth/introspect",
    "/oauth/jwks",
    "/oauth/revoke",
    "/oauth/token",
    "/oauth/userinfo",
];

/// What the request's `User-Agent` says, as much of it as is kept with a session.
pub(crate) fn user_agent(req: &HttpRequest) -> String {
    let mut text = header_text(req, header::USER_AGENT).unwrap_or_default();
    let end = text.floor_char_boundary(Fingerprint::MAX);
    text.truncate(end);
    text
}

/// A header of the request as text; what is not UTF-8 in it is replaced.
pub(crate) fn header_text(req: &HttpRequest, name: HeaderName) -> Option<String> {
    req.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
