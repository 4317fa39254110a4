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
use crate::{app::App, clock::Timestamp, config::Config, error::Result, ids::UserId, model::device::Device};

const SEAL: &str = "known_browser";

// A family at one computer. More would let the cookie grow.
const MOST: usize = 8;

// As long as browsers keep a cookie.
const LIFE: Duration = Duration::days(400);

/// The accounts that this browser is known to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KnownDeviceCookie {
    entries: Vec<Entry>,
    // What presents it now.
    #[serde(skip)]
    user_agent: String,
}

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
    // When it was let in first, whatever was forgotten since.
    #[serde(default)]
    seen: Option<i64>,
    // The system it was given to, as `Device` names it. A copy on another one tells nothing.
    #[serde(default)]
    os: Option<String>,
}

impl KnownDeviceCookie {
    /// What the request's cookie says; nothing where it is not ours.
    pub(crate) fn of(req: &HttpRequest, user_agent: &str) -> Self {
        let Some(app) = req.app_data::<Data<App>>() else { return Self::default() };
        let open = |value| serde_json::from_str(&app.config().keys.open(SEAL, value).ok()?).ok();
        let found: Self = Own::Known.values(req, |_| true).find_map(open).unwrap_or_default();
        Self { user_agent: user_agent.to_owned(), ..found }
    }

    /// Whether `user` was let in here, or proved the mailbox here, and has not forgotten its browsers since.
    pub(crate) fn knows(&self, user: &UserId, known_from: Timestamp) -> bool {
        self.entry(user).is_some_and(|entry| entry.at >= known_from.unix())
    }

    /// The entry of `user` on this system. A copy on another one tells nothing.
    fn entry(&self, user: &UserId) -> Option<&Entry> {
        let os = self.os();
        let is_here = |entry: &&Entry| entry.os.as_ref().is_none_or(|given| *given == os);
        self.entries.iter().filter(|entry| entry.user == *user).find(is_here)
    }

    /// Since when `user` has been let in here, unless they forgot their browsers since.
    pub(crate) fn known_since(&self, user: &UserId, known_from: Timestamp) -> Option<Timestamp> {
        let entry = self.entry(user).filter(|entry| !entry.is_spared && entry.at >= known_from.unix())?;
        Some(Timestamp::from_unix(entry.first.unwrap_or(entry.at)))
    }

    /// Since when `user` has been let in here, whether or not they forgot their browsers since.
    pub(crate) fn seen_since(&self, user: &UserId) -> Option<Timestamp> {
        let entry = self.entry(user)?;
        let let_in = entry.first.unwrap_or(entry.at);
        entry.seen.or((!entry.is_spared).then_some(let_in)).map(Timestamp::from_unix)
    }

    /// The same with `user`, let in at `now`, and `first` before that.
    pub(crate) fn with(&self, user: &UserId, now: Timestamp, first: Option<Timestamp>) -> Self {
        let first = Some(first.unwrap_or(now).unix());
        self.with_entry(user, now, first, false)
    }

    /// The same with `user`, who proved the mailbox here at `now`.
    pub(crate) fn sparing(&self, user: &UserId, now: Timestamp) -> Self {
        self.with_entry(user, now, None, true)
    }

    fn os(&self) -> String {
        Device::of(&self.user_agent).os
    }

    fn with_entry(&self, user: &UserId, now: Timestamp, first: Option<i64>, is_spared: bool) -> Self {
        let os = Some(self.os());
        let seen = self.seen_since(user).or((!is_spared).then_some(now)).map(|seen| seen.unix());
        // One for each system: a phone that asked for the desktop site is still the phone.
        let is_another = |entry: &&Entry| entry.user != *user || (entry.os.is_some() && entry.os != os);
        let mut entries = vec![];
        entries.extend(self.entries.iter().filter(is_another).cloned());
        entries.insert(0, Entry { user: user.clone(), at: now.unix(), first, is_spared, seen, os });
        entries.truncate(MOST);
        Self { entries, user_agent: self.user_agent.clone() }
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
