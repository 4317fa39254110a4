//! The token of a mailed link leaves the address at once: it waits in the short-lived cookie, and the browser goes on to a
//! clean address. So it stands in no history, no bookmark, no screenshot and no referrer (OWASP ASVS 5.0, V14.2.1).
//!
//! Programs, which keep no history, are answered as they ask.

use actix_session::SessionExt;
use actix_web::{
    HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
};
use url::form_urlencoded;

use super::{error_response, mailed_token::MailedToken, negotiation};
use crate::error::refusals;

refusals! {
    /// The page of a mailed link without its token.
    LINK_MISSING = (
        "link_missing", 400,
        "This page belongs to a link in an email. Open that link again, in this browser; it needs cookies."
    ).titled("Open the link in the email again");
}

/// The pages that mailed links lead to.
pub(crate) const PATHS: [&str; 12] = [
    "/cancel-deletion",
    "/factor-reset/stop",
    "/invitations/accept",
    "/hand-over",
    "/login/magic-link/verify",
    "/me/email/confirm",
    "/me/email/undo",
    "/not-me",
    "/reset-password",
    "/sso/setup",
    "/use-address",
    "/verify-email",
];

// What 256 bits are in base64url.
const LENGTH: usize = 43;

// Longer than any of ours. What is longer is no link, and the cookie has little room.
const LONGEST: usize = 128;

// Those of them that only somebody signed in opens: without a token they say so first.
const SIGNED_IN: [&str; 1] = ["/hand-over"];

/// Takes the token of a mailed link out of the address that a browser asks for, and keeps it for the page itself.
pub(crate) async fn keep_out_of_address(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let path = PATHS.into_iter().find(|path| *path == req.path());
    let is_read = [Method::GET, Method::HEAD].contains(req.method());
    if let Some(path) = path.filter(|_| is_read && negotiation::wants_html(req.headers())) {
        let (token, rest) = split(req.query_string());
        let key = format!("link {path}");
        if token.as_ref().is_some_and(|token| token.len() > LONGEST) {
            return Ok(next.call(req).await?.map_into_boxed_body());
        }
        if let Some(token) = token {
            req.get_session().insert(key, token)?;
            let to = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
            let answer = HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish();
            return Ok(req.into_response(answer));
        }
        let Some(token) = req.get_session().get::<String>(&key)? else {
            if SIGNED_IN.contains(&path) {
                return Ok(next.call(req).await?.map_into_boxed_body());
            }
            let answer = error_response::render(req.request(), &LINK_MISSING.error());
            return Ok(req.into_response(answer));
        };
        req.extensions_mut().insert(MailedToken(token));
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// A token as it was mailed, whatever became of it on the way: the full stop or bracket behind it, a blank or line break in
/// it, the `=3D` of quoted-printable before it (RFC 2045 §6.7).
fn clean(token: &str) -> String {
    let kept: String = token.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    match kept.strip_prefix("3D").filter(|rest| rest.len() == LENGTH) {
        Some(rest) => rest.to_owned(),
        None => kept,
    }
}

/// The token in a query, and the query without it.
fn split(query: &str) -> (Option<String>, String) {
    // A program that shows emails may have escaped the `&` once too often.
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| (name.trim_start_matches("amp;").to_owned(), value));
    let (tokens, others): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| name == "token");
    let token = tokens.into_iter().map(|(_, token)| clean(&token)).next();
    let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
    (token, rest)
}
