//! How the short-lived cookie is sealed, and whether a value is one that we sealed.

use actix_web::cookie::{Cookie, CookieJar, Key};

use crate::secret::Keys;

/// What it is sealed for.
pub(crate) const SEAL: &str = "state_cookie";

/// Whether the value of a cookie called `name` is one that we set.
pub(crate) fn opens(keys: &Keys, name: &str, value: &str) -> bool {
    let mut jar = CookieJar::new();
    let Ok(cookie) = Cookie::parse_encoded(format!("{name}={value}")) else { return false };
    jar.add_original(cookie.into_owned());
    jar.signed(&signature()).get(name).is_some_and(|signed| keys.open(SEAL, signed.value()).is_ok())
}

/// The middleware knows one key of its own and cannot change it without forgetting everybody. What it signs is
/// authenticated by the seal already, so this key is no secret.
pub(crate) fn signature() -> Key {
    Key::from(&[0; 64])
}
