//! What binds a request to an identity provider to the browser that asked: a nonce in a cookie of its own, of which the
//! request keeps the digest. All tabs of a browser share it.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use chrono::TimeDelta;

use super::cookies::Own;
use crate::{app::App, error::Result, secret};

/// The nonces that a request presents: several where a neighbour uses the same name.
#[derive(Debug, Clone)]
pub(crate) struct RequestBinding(Vec<String>);

impl RequestBinding {
    /// Those in a cookie.
    pub(crate) fn of(req: &HttpRequest, cookie: Own) -> Self {
        Self(cookie.values(req, |value| value.len() == 43).map(str::to_owned).collect())
    }

    /// The one that the browser holds, or a new one.
    pub(crate) fn nonce(self) -> Result<String> {
        match self.0.into_iter().next() {
            Some(nonce) => Ok(nonce),
            None => secret::random_text(32),
        }
    }

    /// Whether this is the browser that asked: `browser` is the digest that its request kept.
    pub(crate) fn is_of(&self, browser: &str) -> bool {
        self.0.iter().any(|nonce| secret::digest(nonce) == browser)
    }
}

/// The cookie that holds a nonce for so long.
pub(crate) fn cookie(
    app: &App,
    cookie: Own,
    same_site: SameSite,
    life: TimeDelta,
    nonce: String,
) -> Cookie<'static> {
    let is_https = app.config().site.is_https();
    Cookie::build(cookie.name(is_https), nonce)
        .path("/")
        .secure(is_https)
        .http_only(true)
        .same_site(same_site)
        .max_age(Duration::seconds(life.num_seconds()))
        .finish()
}
