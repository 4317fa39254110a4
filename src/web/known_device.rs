//! The known-browser cookie: which accounts were let in from this browser before.
//!
//! It opens nothing. It only spares its owner the "new sign-in" mail and the cool-down that strangers cause. Sealed, so
//! that nobody makes one up; an account forgets all of them at once by moving its `browsers_known_from` on.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web::Data,
};
use serde::{Deserialize, Serialize};

use super::cookies::Own;
use crate::{app::App, clock::Timestamp, config::Config, error::Result, ids::UserId};

const SEAL: &str = "known_browser";

// A family at one computer. More would let the cookie grow.
const MOST: usize = 5;

// As long as browsers keep a cookie.
const LIFE: Duration = Duration::days(400);

/// The accounts that this browser is known to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct KnownDeviceCookie(Vec<Entry>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    user: UserId,
    at: i64,
    // When it was let in first; nothing in a cookie from before this was kept.
    #[serde(default)]
    first: Option<i64>,
    // Its person proved the mailbox here and was not let in yet: spared what strangers' guesses cause, and nothing else.
    #[serde(default)]
    is_spared: bool,
}

impl KnownDeviceCookie {
    /// What the request's cookie says; nothing where it is not ours.
    pub(crate) fn of(req: &HttpRequest) -> Self {
        let Some(app) = req.app_data::<Data<App>>() else { return Self::default() };
        let open = |value| serde_json::from_str(&app.config().keys.open(SEAL, value).ok()?).ok();
        Own::Known.values(req, |_| true).find_map(open).unwrap_or_default()
    }

    /// Whether `user` was let in here, or proved the mailbox here, and has not forgotten its browsers since.
    pub(crate) fn knows(&self, user: &UserId, known_from: Timestamp) -> bool {
        self.entry(user, known_from).is_some()
    }

    fn entry(&self, user: &UserId, known_from: Timestamp) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.user == *user && entry.at >= known_from.unix())
    }

    /// Since when `user` has been let in here, unless they forgot their browsers since.
    pub(crate) fn known_since(&self, user: &UserId, known_from: Timestamp) -> Option<Timestamp> {
        let entry = self.entry(user, known_from).filter(|entry| !entry.is_spared)?;
        Some(Timestamp::from_unix(entry.first.unwrap_or(entry.at)))
    }

    /// The same with `user`, let in at `now`, and `first` before that.
    pub(crate) fn with(&self, user: &UserId, now: Timestamp, first: Option<Timestamp>) -> Self {
        let first = Some(first.unwrap_or(now).unix());
        self.with_entry(Entry { user: user.clone(), at: now.unix(), first, is_spared: false })
    }

    /// The same with `user`, who proved the mailbox here at `now`.
    pub(crate) fn sparing(&self, user: &UserId, now: Timestamp) -> Self {
        self.with_entry(Entry { user: user.clone(), at: now.unix(), first: None, is_spared: true })
    }

    fn with_entry(&self, entry: Entry) -> Self {
        let user = &entry.user.clone();
        let mut entries = vec![entry];
        entries.extend(self.0.iter().filter(|entry| entry.user != *user).cloned());
        entries.truncate(MOST);
        Self(entries)
    }

    /// The cookie to keep, for this request's site.
    pub(crate) fn cookie_for(&self, req: &HttpRequest) -> Option<Cookie<'static>> {
        let app = req.app_data::<Data<App>>()?;
        self.cookie(app.config())
            .inspect_err(|error| tracing::error!(cause = error.cause(), "no cookie"))
            .ok()
    }

    /// The cookie to keep.
    pub(crate) fn cookie(&self, config: &Config) -> Result<Cookie<'static>> {
        let value = config.keys.seal(SEAL, &serde_json::to_string(self)?)?;
        let cookie = Cookie::build(Own::Known.name(config.site.is_https()), value)
            .path("/")
            .secure(config.site.is_https())
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(LIFE);
        Ok(cookie.finish())
    }
}
