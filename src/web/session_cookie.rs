//! The cookie that holds a session's secret.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite},
    web::Data,
};

use super::cookies::Own;
use crate::{app::App, model::session::SessionSecret};

/// The session secrets that a request presents, by their shape: more than one where a neighbour's cookie has our name.
pub(crate) fn presented(req: &HttpRequest) -> Vec<SessionSecret> {
    // 256 bits in base64url. Anything else was never ours and is not worth a query.
    let is_ours = |value: &str| {
        value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    Own::Session.values(req, is_ours).map(SessionSecret::from_text).collect()
}

/// The cookie that takes the session cookie back.
pub(crate) fn removal(req: &HttpRequest) -> Cookie<'static> {
    let mut cookie = of(req, String::new());
    cookie.make_removal();
    cookie
}

/// The cookie with this value, which the browser keeps until it is closed.
pub(crate) fn of(req: &HttpRequest, value: String) -> Cookie<'static> {
    let is_https = req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
    Cookie::build(Own::Session.name(is_https), value)
        .path("/")
        .secure(is_https)
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}
