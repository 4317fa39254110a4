//! One answer with two faces: the struct that fills a page is its JSON.

use std::any::Any;

use actix_session::SessionExt;
use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
};
use askama::Template;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    chrome::Chrome,
    door::{Arrival, Ticket},
    pending, refuse,
};
use crate::{
    error::{Error, Result},
    model::token::PendingSignIn,
    secret::Secret,
};

// The flash waits in the short-lived cookie until the next page shows it.
const FLASH: &str = "flash";

/// A struct that is both a page and its JSON.
pub trait Page {
    /// The page.
    fn html(&self, values: &dyn askama::Values) -> askama::Result<String>;
    /// The same as JSON.
    fn json(&self) -> serde_json::Result<Vec<u8>>;
}

impl<T: Template + Serialize> Page for T {
    fn html(&self, values: &dyn askama::Values) -> askama::Result<String> {
        self.render_with_values(values)
    }

    fn json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// An answer. Browsers and programs get the face they asked for.
pub struct Reply {
    status: StatusCode,
    body: Body,
    session: SessionCookie,
}

enum Body {
    Page(Box<dyn Page>),
    Refused(Box<dyn Page>, Error),
    Done { to: String, message: Option<String>, more: Value },
}

enum SessionCookie {
    Keep,
    Set(Ticket),
    Pending(Secret<PendingSignIn>),
    Clear,
}

impl Reply {
    /// A page, or its JSON.
    pub fn page(page: impl Page + 'static) -> Self {
        Self::new(Body::Page(Box::new(page)))
    }

    /// The same form again, with what was typed and what is wrong with it.
    pub fn refused(page: impl Page + 'static, error: Error) -> Self {
        let status = status_of(&error);
        Self { status, ..Self::new(Body::Refused(Box::new(page), error)) }
    }

    /// A thing was done: a browser goes to `to` (303) and reads `message` there; a program gets `{"message"}`.
    pub fn done(to: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Body::Done { to: to.into(), message: Some(message.into()), more: json!({}) })
    }

    /// A browser goes to `to` without a word; a program gets what is added by [`Reply::with`].
    pub fn go(to: impl Into<String>) -> Self {
        Self::new(Body::Done { to: to.into(), message: None, more: json!({}) })
    }

    /// A program gets `value`, an object, as it is; a browser that asked for a page goes to `to`.
    pub fn data(to: impl Into<String>, value: Value) -> Self {
        Self::new(Body::Done { to: to.into(), message: None, more: value })
    }

    fn new(body: Body) -> Self {
        Self { status: StatusCode::OK, body, session: SessionCookie::Keep }
    }

    /// Adds a key to the JSON of something done.
    pub fn with(mut self, key: &str, value: impl Serialize) -> Result<Self> {
        if let Body::Done { more: Value::Object(more), .. } = &mut self.body {
            more.insert(key.to_owned(), serde_json::to_value(value)?);
        }
        Ok(self)
    }

    /// Another status than 200; browsers still get 303 for something done.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Hands the browser the session it arrived with.
    pub fn signed_in(self, ticket: Ticket) -> Self {
        Self { session: SessionCookie::Set(ticket), ..self }
    }

    /// What a first proof came to: the session, or the way to the second proof. There a browser is asked for it and then
    /// goes on to where this reply goes; a program gets `{"twoFactorRequired": true, "methods": […]}`.
    pub fn arrived(self, arrival: Arrival) -> Self {
        let waiting = match arrival {
            Arrival::In(ticket) => return self.signed_in(ticket),
            Arrival::Pending(waiting) => waiting,
        };
        let next = match self.body {
            Body::Done { to, .. } => to,
            _ => "/me".to_owned(),
        };
        let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
        let more = json!({ "twoFactorRequired": true, "methods": waiting.methods });
        let body = Body::Done { to: format!("/login/2fa?{query}"), message: None, more };
        Self { session: SessionCookie::Pending(waiting.secret), ..Self::new(body) }
    }

    /// Takes the session cookie back. No `Clear-Site-Data`: its `"cache"` holds browsers up for seconds, and no page for
    /// somebody signed in is ever kept (`Cache-Control: no-store`).
    pub fn signed_out(self) -> Self {
        Self { session: SessionCookie::Clear, ..self }
    }
}

/// Only someone who asks for `text/html` by name is a browser.
pub fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// The status of an error, as actix knows it.
pub fn status_of(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        match self.session {
            SessionCookie::Keep => {}
            SessionCookie::Pending(secret) => pending::keep(&req.get_session(), &secret),
            SessionCookie::Set(ticket) => {
                pending::forget(&req.get_session());
                for cookie in ticket.cookies(req) {
                    answer.cookie(cookie);
                }
            }
            SessionCookie::Clear => {
                pending::forget(&req.get_session());
                answer.cookie(super::door::no_cookie(req));
            }
        }
        if wants_html(req.headers()) {
            match self.body {
                Body::Page(page) | Body::Refused(page, _) => match html(req, page.as_ref()) {
                    Ok(text) => answer.content_type("text/html; charset=utf-8").body(text),
                    Err(error) => HttpResponse::from_error(error),
                },
                Body::Done { to, message, .. } => {
                    if let Some(message) = message {
                        set_flash(req, &message);
                    }
                    answer.status(StatusCode::SEE_OTHER).insert_header((header::LOCATION, to)).finish()
                }
            }
        } else {
            match self.body {
                Body::Page(page) => match page.json() {
                    Ok(text) => answer.content_type("application/json; charset=utf-8").body(text),
                    Err(cause) => HttpResponse::from_error(Error::from(cause)),
                },
                Body::Refused(_, error) => refuse::json(&mut answer, &error, None),
                Body::Done { message, mut more, .. } => {
                    if let (Some(message), Value::Object(more)) = (message, &mut more) {
                        more.insert("message".to_owned(), message.into());
                    }
                    answer.content_type("application/json; charset=utf-8").body(more.to_string())
                }
            }
        }
    }
}

/// The page inside the layout.
pub fn html(req: &HttpRequest, page: &dyn Page) -> Result<String> {
    html_within(&Chrome::around(req, take_flash(req))?, page)
}

/// The page inside the layout that `chrome` tells of.
pub fn html_within(chrome: &Chrome, page: &dyn Page) -> Result<String> {
    let values: (&str, &dyn Any) = ("chrome", chrome);
    Ok(page.html(&values)?)
}

/// Keeps a sentence for the next page.
pub fn set_flash(req: &HttpRequest, message: &str) {
    if let Err(cause) = req.get_session().insert(FLASH, message) {
        tracing::error!(%cause, "the flash could not be kept");
    }
}

fn take_flash(req: &HttpRequest) -> Option<String> {
    let session = req.get_session();
    let flash = session.get::<String>(FLASH).ok().flatten()?;
    session.remove(FLASH);
    if session.entries().is_empty() {
        session.purge();
    }
    Some(flash)
}

// As it goes out. Applications put their whole state into an address; a browser takes longer ones than this.
const LONGEST_PATH: usize = 8 * 1024;

/// Where to go afterwards: a path on this site, or nothing. What is not ASCII in it, as a person copies it, is
/// percent-encoded in UTF-8 (RFC 3987 §3.1).
pub fn local_path(next: Option<&str>) -> Option<String> {
    let typed = next?;
    // A browser reads `\` as `/` and drops tabs and newlines, so `/\evil` and `/<tab>/evil` leave this site. U+FFFD stands
    // for what could not be read.
    let is_strange = |c: char| c == '\\' || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    if !typed.starts_with('/')
        || typed.starts_with("//")
        || typed.len() > LONGEST_PATH
        || typed.contains(is_strange)
    {
        return None;
    }
    let mut path = String::with_capacity(typed.len());
    for c in typed.chars() {
        match c.is_ascii_graphic() {
            true => path.push(c),
            false => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| path += &format!("%{byte:02X}")),
        }
    }
    (path.len() <= LONGEST_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_on_this_site_is_a_place_to_go() {
        let long = format!("/app?state={}", "x".repeat(8_000));
        for fine in ["/", "/me", "/me/sessions?page=2", "/a//b", "/caf%C3%A9", "/a#b", "/%2F/b", &long] {
            assert_eq!(local_path(Some(fine)).as_deref(), Some(fine));
        }
        for (typed, sent) in
            [("/café", "/caf%C3%A9"), ("/a b", "/a%20b"), ("/日本?q=ü", "/%E6%97%A5%E6%9C%AC?q=%C3%BC")]
        {
            assert_eq!(local_path(Some(typed)).as_deref(), Some(sent));
        }
        let long = format!("/{}", "x".repeat(9_000));
        let long_when_encoded = format!("/{}", "日".repeat(2_000));
        for evil in [
            "",
            "me",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "https://evil.example",
            "/\t/evil",
            "/\r\nX: y",
            "javascript:alert(1)",
            "/caf\u{fffd}",
            "/a\u{85}b",
            "/\u{0}",
            " /me",
            &long,
            &long_when_encoded,
        ] {
            assert_eq!(local_path(Some(evil)), None, "{evil}");
        }
    }
}
