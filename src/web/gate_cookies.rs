//! The two cookies of a protected host: what lets in there, and what a browser on its way to this site comes back with.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web::Data,
};
use serde::{Deserialize, Serialize};

use super::cookies::Own;
use crate::{
    app::App,
    clock::Timestamp,
    error::Result,
    model::gate_session::GateSecret,
    secret::{self, Keys},
};

const SEAL: &str = "gate_start";

// Tabs that are on their way side by side.
const MOST_NONCES: usize = 3;

// How long somebody may take to sign in.
const LIFE_SECONDS: i64 = 600;

// A browser that comes back so soon, without the cookie that it was given, did not keep it.
const TOO_SOON_SECONDS: i64 = 60;

/// What is under way in a browser at one host.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Started {
    /// What it was sent off with, and when (Unix), the oldest first.
    nonces: Vec<(String, i64)>,
    /// When it last came in (Unix).
    entered_at: Option<i64>,
}

impl Started {
    /// What a request presents; nothing where it presents none that this site sealed.
    pub(crate) fn presented(req: &HttpRequest, keys: &Keys) -> Self {
        let opened = Own::GateStart.values(req, |_| true).find_map(|value| keys.open(SEAL, value).ok());
        opened.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Sends the browser off with another nonce.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Result<String> {
        let nonce = secret::random_text(16)?;
        self.nonces.retain(|(_, at)| is_within(*at, now, LIFE_SECONDS));
        self.nonces.push((nonce.clone(), now.unix()));
        let surplus = self.nonces.len().saturating_sub(MOST_NONCES);
        self.nonces.drain(..surplus);
        Ok(nonce)
    }

    /// The nonces that still count.
    pub(crate) fn nonces(&self, now: Timestamp) -> Vec<String> {
        let live = self.nonces.iter().filter(|(_, at)| is_within(*at, now, LIFE_SECONDS));
        live.map(|(nonce, _)| nonce.clone()).collect()
    }

    /// Whether the browser came in a moment ago.
    pub(crate) fn has_just_entered(&self, now: Timestamp) -> bool {
        self.entered_at.is_some_and(|at| is_within(at, now, TOO_SOON_SECONDS))
    }

    /// The browser came in with this nonce.
    pub(crate) fn enter(&mut self, nonce: &str, now: Timestamp) {
        self.nonces.retain(|(one, _)| one != nonce);
        self.entered_at = Some(now.unix());
    }

    /// The cookie that keeps it.
    pub(crate) fn cookie(&self, req: &HttpRequest, keys: &Keys) -> Result<Cookie<'static>> {
        let mut cookie = build(req, Own::GateStart, keys.seal(SEAL, &serde_json::to_string(self)?)?);
        cookie.set_max_age(Duration::seconds(LIFE_SECONDS));
        Ok(cookie)
    }
}

fn is_within(at: i64, now: Timestamp, seconds: i64) -> bool {
    (now.unix() - seconds..=now.latest_start().unix()).contains(&at)
}

/// The secrets that a request presents, by their shape.
pub(crate) fn presented(req: &HttpRequest) -> Vec<GateSecret> {
    let is_ours = |value: &str| {
        value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    Own::Gate.values(req, is_ours).map(GateSecret::from_text).collect()
}

/// The cookie that lets in, until the browser is closed.
pub(crate) fn entrance(req: &HttpRequest, secret: &GateSecret) -> Cookie<'static> {
    build(req, Own::Gate, secret.reveal().to_owned())
}

/// The cookies that take both back.
pub(crate) fn removals(req: &HttpRequest) -> [Cookie<'static>; 2] {
    [Own::Gate, Own::GateStart].map(|own| {
        let mut cookie = build(req, own, String::new());
        cookie.make_removal();
        cookie
    })
}

fn build(req: &HttpRequest, own: Own, value: String) -> Cookie<'static> {
    let is_https = req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
    Cookie::build(own.name(is_https), value)
        .path("/")
        .secure(is_https)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}
