//! The known-browser cookie: which accounts were let in from this browser before. Sealed, so that nobody makes one up.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web::Data,
};

use super::cookies::Own;
use crate::{accounts::known_devices::KnownDevices, app::App, config::Config, error::Result};

const SEAL: &str = "known_browser";

// As long as browsers keep a cookie.
const LIFE: Duration = Duration::days(400);

/// What the request's cookie says; nothing where it is not ours.
pub(crate) fn of(req: &HttpRequest, user_agent: &str) -> KnownDevices {
    let Some(app) = req.app_data::<Data<App>>() else { return KnownDevices::default() };
    let open = |value| serde_json::from_str(&app.config().keys.open(SEAL, value).ok()?).ok();
    let found: KnownDevices = Own::Known.values(req, |_| true).find_map(open).unwrap_or_default();
    found.presented_by(user_agent)
}

/// The cookie to keep, for this request's site.
pub(crate) fn cookie_for(known: &KnownDevices, req: &HttpRequest) -> Option<Cookie<'static>> {
    let app = req.app_data::<Data<App>>()?;
    cookie(known, app.config())
        .inspect_err(|error| tracing::error!(cause = error.cause(), "the browser is not remembered as known"))
        .ok()
}

fn cookie(known: &KnownDevices, config: &Config) -> Result<Cookie<'static>> {
    let value = config.keys.seal(SEAL, &serde_json::to_string(known)?)?;
    let cookie = Cookie::build(Own::Known.name(config.site.is_https()), value)
        .path("/")
        .secure(config.site.is_https())
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(LIFE);
    Ok(cookie.finish())
}
