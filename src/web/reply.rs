//! One answer with two faces: the struct that fills a page is its JSON.

use std::any::Any;

use actix_session::SessionExt;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Responder,
    body::BoxBody,
    http::{StatusCode, header},
};
use askama::Template;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    app_of,
    error_body::{self, status_of},
    flash, issued_session, known_device,
    layout::Layout,
    negotiation::wants_page,
    pending,
    pending_authorization::PendingAuthorization,
    session_cookie,
};
use crate::{
    accounts::{
        authentication::{IssuedSession, SignInOutcome},
        known_devices::KnownDevices,
    },
    error::{Error, Errors, Result},
    model::token::PendingSignIn,
    secret::Secret,
    urls,
};

/// A struct that is both a page and its JSON.
pub(crate) trait Page {
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
pub(crate) struct Reply {
    status: StatusCode,
    body: Body,
    session: SessionCookie,
    known: Option<KnownDevices>,
}

enum Body {
    Page(Box<dyn Page>),
    Refused(Box<dyn Page>, Error, Map<String, Value>),
    Done { to: To, message: Option<String>, more: Value },
    Data { to: String, json: Vec<u8> },
}

/// Where a browser goes that has done something.
enum To {
    Path(String),
    /// To where it wanted, else on to the application that waits for it, else to the account; by way of a page that asks for more.
    On {
        next: Option<String>,
        through: Option<&'static str>,
        is_told: bool,
    },
}

enum SessionCookie {
    Keep,
    Set(IssuedSession),
    Pending(Secret<PendingSignIn>),
    Clear,
}

impl Reply {
    /// A page, or its JSON.
    pub(crate) fn page(page: impl Page + 'static) -> Self {
        Self::new(Body::Page(Box::new(page)))
    }

    /// The same form again, with what was typed and what is wrong with it.
    pub(crate) fn refused(page: impl Page + 'static, error: Error) -> Self {
        let status = status_of(&error);
        Self { status, ..Self::new(Body::Refused(Box::new(page), error, Map::new())) }
    }

    /// What came of a form; where it was sent too often or at a bad moment, that form again with what was typed.
    pub(crate) fn or_again<P: Page + 'static>(
        outcome: Result<Self>,
        again: impl FnOnce(Errors) -> P,
    ) -> Result<Self> {
        let error = match outcome {
            Err(error) => error,
            done => return done,
        };
        match Errors::of_waiting(&error) {
            Some(errors) => Ok(Self::refused(again(errors), error)),
            None => Err(error),
        }
    }

    /// A thing was done: a browser goes to `to` (303) and reads `message` there; a program gets `{"message"}`.
    pub(crate) fn done(to: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Body::Done { to: To::Path(to.into()), message: Some(message.into()), more: json!({}) })
    }

    /// A browser goes to `to` without a word; a program gets what is added by [`Reply::with`].
    pub(crate) fn go(to: impl Into<String>) -> Self {
        Self::new(Body::Done { to: To::Path(to.into()), message: None, more: json!({}) })
    }

    /// A browser goes to `next`, a path here, else on to the application that waits for it, else to the account.
    pub(crate) fn on(next: Option<String>) -> Self {
        let to = To::On { next, through: None, is_told: false };
        Self::new(Body::Done { to, message: None, more: json!({}) })
    }

    /// The same, and reads `message` there; a program gets `{"message"}`.
    pub(crate) fn on_saying(next: Option<String>, message: impl Into<String>) -> Self {
        let to = To::On { next, through: None, is_told: false };
        Self::new(Body::Done { to, message: Some(message.into()), more: json!({}) })
    }

    /// A script goes there by itself: a program gets `next` as well.
    pub(crate) fn telling_next(mut self) -> Self {
        if let Body::Done { to: To::On { is_told, .. }, .. } = &mut self.body {
            *is_told = true;
        }
        self
    }

    /// A program gets `value` as it is; a browser that asked for a page goes to `to`.
    pub(crate) fn data(to: impl Into<String>, value: &impl Serialize) -> Result<Self> {
        Ok(Self::new(Body::Data { to: to.into(), json: serde_json::to_vec(value)? }))
    }

    fn new(body: Body) -> Self {
        Self { status: StatusCode::OK, body, session: SessionCookie::Keep, known: None }
    }

    /// Adds a key to the JSON of something done, or refused.
    pub(crate) fn with(mut self, key: &str, value: impl Serialize) -> Result<Self> {
        if let Body::Done { more: Value::Object(more), .. } | Body::Refused(_, _, more) = &mut self.body {
            more.insert(key.to_owned(), serde_json::to_value(value)?);
        }
        Ok(self)
    }

    /// Another status than 200; browsers still get 303 for something done.
    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Hands the browser the session it arrived with.
    pub(crate) fn signed_in(self, issued: IssuedSession) -> Self {
        Self { session: SessionCookie::Set(issued), ..self }
    }

    /// The browser is known as this cookie says.
    pub(crate) fn known_as(self, known: KnownDevices) -> Self {
        Self { known: Some(known), ..self }
    }

    /// What a first factor came to: the session, or the way to the second factor. There a browser is asked for it and then
    /// goes on to where this reply goes; a program gets `{"twoFactorRequired": true, "methods": […]}`.
    pub(crate) fn sign_in(self, outcome: SignInOutcome) -> Self {
        let waiting = match outcome {
            SignInOutcome::Complete(issued) => return self.signed_in(issued),
            SignInOutcome::SecondFactorRequired(waiting) => waiting,
        };
        let next = match self.body {
            Body::Done { to: To::Path(to), .. } => Some(to),
            Body::Done { to: To::On { next, .. }, .. } => next,
            _ => None,
        };
        let more = json!({ "twoFactorRequired": true, "methods": waiting.methods });
        let to = To::On { next, through: Some("/login/2fa"), is_told: false };
        let body = Body::Done { to, message: None, more };
        Self { session: SessionCookie::Pending(waiting.secret), ..Self::new(body) }
    }

    /// Takes the session cookie back. No `Clear-Site-Data`: its `"cache"` holds browsers up for seconds, and no page for
    /// somebody signed in is ever kept (`Cache-Control: no-store`).
    pub(crate) fn signed_out(self) -> Self {
        Self { session: SessionCookie::Clear, ..self }
    }
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        match self.session {
            SessionCookie::Keep => {}
            SessionCookie::Pending(secret) => pending::keep(&req.get_session(), &secret),
            SessionCookie::Set(issued) => {
                pending::forget(&req.get_session());
                for cookie in issued_session::cookies(issued, req) {
                    answer.cookie(cookie);
                }
            }
            SessionCookie::Clear => {
                pending::forget(&req.get_session());
                answer.cookie(session_cookie::removal(req));
            }
        }
        if let Some(cookie) = self.known.and_then(|known| known_device::cookie_for(&known, req)) {
            answer.cookie(cookie);
        }
        if let Body::Refused(_, error, _) = &self.body {
            error_body::log(req, error);
            error_body::put_headers(&mut answer, error);
        }
        if wants_page(req.path(), req.headers()) {
            match self.body {
                Body::Page(page) | Body::Refused(page, ..) => match html(req, page.as_ref()) {
                    Ok(text) => answer.content_type("text/html; charset=utf-8").body(text),
                    Err(error) => HttpResponse::from_error(error),
                },
                Body::Done { to, message, .. } => {
                    if let Some(message) = message {
                        flash::set(req, &message);
                    }
                    see_other(&mut answer, to.resolve(req))
                }
                Body::Data { to, .. } => see_other(&mut answer, to),
            }
        } else {
            match self.body {
                Body::Page(page) => match page.json() {
                    Ok(text) => answer.content_type(JSON).body(text),
                    Err(cause) => HttpResponse::from_error(Error::from(cause)),
                },
                Body::Refused(_, error, more) => error_body::json_with(&mut answer, &error, more),
                Body::Done { to, message, mut more } => {
                    if let (Some(message), Value::Object(more)) = (message, &mut more) {
                        more.insert("message".to_owned(), message.into());
                    }
                    if let To::On { is_told: true, .. } = to {
                        more["next"] = to.resolve(req).into();
                    }
                    answer.content_type(JSON).body(more.to_string())
                }
                Body::Data { json, .. } => answer.content_type(JSON).body(json),
            }
        }
    }
}

impl To {
    fn resolve(self, req: &HttpRequest) -> String {
        let (next, through) = match self {
            Self::Path(path) => return path,
            Self::On { next, through, .. } => (next, through),
        };
        let waiting = || {
            let now = app_of(req).ok()?.now();
            Some(PendingAuthorization::of(&req.get_session(), now)?.path())
        };
        let next = next.or_else(waiting).unwrap_or_else(|| "/me".to_owned());
        match through {
            Some(page) => urls::with_query(page, [("next", next)]),
            None => next,
        }
    }
}

const JSON: &str = "application/json; charset=utf-8";

fn see_other(answer: &mut HttpResponseBuilder, to: String) -> HttpResponse {
    answer.status(StatusCode::SEE_OTHER).insert_header((header::LOCATION, to)).finish()
}

/// The page inside the layout.
pub(crate) fn html(req: &HttpRequest, page: &dyn Page) -> Result<String> {
    html_within(&Layout::around(req, flash::take(req))?, page)
}

/// The page inside the layout that `chrome` tells of.
pub(crate) fn html_within(layout: &Layout, page: &dyn Page) -> Result<String> {
    let values: (&str, &dyn Any) = ("layout", layout);
    Ok(page.html(&values)?)
}
