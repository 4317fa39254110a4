//! What a browser is handed with a new session secret.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, time::Duration},
    web::Data,
};

use super::{known_device, session_cookie};
use crate::{accounts::authentication::IssuedSession, app::App};

/// The cookies that carry a session, and the count of one more sign-in.
pub(crate) fn cookies(issued: IssuedSession, req: &HttpRequest) -> Vec<Cookie<'static>> {
    let mut cookie = session_cookie::of(req, issued.secret.reveal().to_owned());
    let Some(app) = req.app_data::<Data<App>>() else { return vec![cookie] };
    if issued.remembered {
        cookie.set_max_age(Duration::seconds(app.config().lifetimes.remembered.num_seconds()));
    }
    if let Some(method) = issued.method {
        app.metrics().sign_in(method, true);
    }
    let known = issued.known.and_then(|known| known_device::cookie_for(&known, req));
    [cookie].into_iter().chain(known).collect()
}
