//! The one way in. Every proof of who somebody is ends here; no flow starts a session by itself.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web::Data,
};

use super::Client;
use crate::{
    app::App,
    db::{Id, Tx},
    error::Result,
    model::{
        audit::{self, Event},
        session::{self, Method, NewSession, Session, SessionSecret},
        user::User,
    },
};

/// A session that was just started, to be handed to its browser.
#[derive(Debug)]
pub struct Ticket {
    secret: SessionSecret,
    session: Id<Session>,
    method: Method,
    remembered: bool,
}

impl Ticket {
    /// The session that was started.
    pub fn session(&self) -> &Id<Session> {
        &self.session
    }

    /// The cookie that carries the secret, and the count of one more sign-in.
    pub fn cookie(self, req: &HttpRequest) -> Cookie<'static> {
        let mut cookie = bare_cookie(req, self.secret.reveal().to_owned());
        if let Some(app) = req.app_data::<Data<App>>() {
            app.metrics().sign_in(self.method, true);
            if self.remembered {
                cookie.set_max_age(Duration::seconds(app.config().lifetimes.remembered.num_seconds()));
            }
        }
        cookie
    }
}

/// Lets `user` in after a proof: a fresh session with a fresh secret. The one that this browser held ends.
pub fn arrive(
    tx: &mut Tx,
    client: &Client,
    user: &Id<User>,
    method: Method,
    remembered: bool,
) -> Result<Ticket> {
    if let Some((_, held)) = &client.held {
        session::end(tx, held)?;
    }
    let new = NewSession { method, remembered, device: client.device(), ip: client.ip.clone() };
    let (session, secret) = session::start(tx, user, new)?;
    let actor = client.actor().known_as(user);
    audit::record(tx, &actor, user, Event::SignedIn { method, session: session.id.clone() })?;
    Ok(Ticket { secret, session: session.id, method, remembered })
}

/// The session secret that a request presents, where it has the shape of one.
pub fn presented(req: &HttpRequest) -> Option<SessionSecret> {
    let cookie = req.cookie(cookie_name(req))?;
    // 256 bits in base64url. Anything else was never ours and is not worth a query.
    let is_ours = cookie.value().len() == 43
        && cookie.value().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    is_ours.then(|| SessionSecret::from_text(cookie.value()))
}

/// The cookie that takes the session cookie back.
pub fn no_cookie(req: &HttpRequest) -> Cookie<'static> {
    let mut cookie = bare_cookie(req, String::new());
    cookie.make_removal();
    cookie
}

fn bare_cookie(req: &HttpRequest, value: String) -> Cookie<'static> {
    Cookie::build(cookie_name(req), value)
        .path("/")
        .secure(is_https(req))
        .http_only(true)
        .same_site(SameSite::Lax)
        .finish()
}

// `__Host-` keeps a neighbouring subdomain from planting one; browsers take it over https only.
fn cookie_name(req: &HttpRequest) -> &'static str {
    if is_https(req) { "__Host-session" } else { "session" }
}

fn is_https(req: &HttpRequest) -> bool {
    req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https())
}
