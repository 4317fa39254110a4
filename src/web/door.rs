//! The one way in. Every proof of who somebody is ends here; no flow starts a session by itself.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web::Data,
};

use super::{Client, known::KnownBrowser};
use crate::{
    app::App,
    db::Tx,
    error::Result,
    mail::{LetterKind, letters},
    model::{
        audit::{self, Event},
        session::{self, Current, Method, NewSession, SessionSecret},
        sign_in::{self, Attempt, Outcome},
        throttle,
        token::{self, NotMe, ToldSignIn},
        user::{self, User},
    },
};

/// A session secret that was just made, to be handed to its browser.
#[derive(Debug)]
pub struct Ticket {
    secret: SessionSecret,
    remembered: bool,
    // How somebody came in; nothing where a session only got a new secret.
    arrival: Option<(Method, KnownBrowser)>,
}

impl Ticket {
    /// The cookies that carry it, and the count of one more sign-in.
    pub fn cookies(self, req: &HttpRequest) -> Vec<Cookie<'static>> {
        let mut cookie = bare_cookie(req, self.secret.reveal().to_owned());
        let Some(app) = req.app_data::<Data<App>>() else { return vec![cookie] };
        if self.remembered {
            cookie.set_max_age(Duration::seconds(app.config().lifetimes.remembered.num_seconds()));
        }
        let Some((method, known)) = self.arrival else { return vec![cookie] };
        app.metrics().sign_in(method, true);
        match known.cookie(app.config()) {
            Ok(known) => vec![cookie, known],
            Err(error) => {
                tracing::error!(?error, "the browser is not remembered as known");
                vec![cookie]
            }
        }
    }
}

/// Lets `user` in after a proof: a fresh session with a fresh secret. The one that this browser held ends.
pub fn arrive(tx: &mut Tx, client: &Client, user: &User, method: Method, remembered: bool) -> Result<Ticket> {
    if let Some(held) = &client.presented {
        session::end_presented(tx, held)?;
    }
    let is_new_device = is_new(tx, client, user, method)?;
    let (device, ip) = (client.device(), client.ip.clone());
    let attempt =
        Attempt { ip: ip.clone(), device: device.clone(), method, outcome: Outcome::Success, is_new_device };
    sign_in::note(tx, &user.id, attempt)?;
    let new = NewSession { method, remembered, device, fingerprint: client.fingerprint(), ip };
    let (session, secret) = session::start(tx, &user.id, new)?;
    let actor = client.actor().known_as(&user.id);
    audit::record(tx, &actor, &user.id, Event::SignedIn { method, session: session.id })?;
    if is_new_device {
        ask_whether_it_was_them(tx, client, user)?;
    }
    let known = client.known.with(&user.id, tx.now);
    Ok(Ticket { secret, remembered, arrival: Some((method, known)) })
}

/// Gives the visitor's session a new secret; the old one is dead at once.
pub fn rotate(tx: &mut Tx, session: &Current) -> Result<Ticket> {
    Ok(Ticket { secret: session::rotate(tx, session)?, remembered: session.remembered, arrival: None })
}

/// Whether the owner should be asked about this browser. Never for the first sign-in after the sign-up, and never where
/// the address is only a claim: a stranger's mailbox is not a place for news about somebody's account.
fn is_new(tx: &mut Tx, client: &Client, user: &User, method: Method) -> Result<bool> {
    if method == Method::SignUp || !user.is_verified() {
        return Ok(false);
    }
    let known_from = user::candidate(tx.conn, &user.id)?.browsers_known_from;
    if client.known.knows(&user.id, known_from) || !sign_in::has_any(tx.conn, &user.id)? {
        return Ok(false);
    }
    Ok(!sign_in::is_familiar(tx.conn, &user.id, &client.ip, &client.device(), known_from)?)
}

fn ask_whether_it_was_them(tx: &mut Tx, client: &Client, user: &User) -> Result<()> {
    if !throttle::admits_letter(tx, LetterKind::NewSignIn, &user.email)? {
        return Ok(());
    }
    let device = client.device().name();
    let told = ToldSignIn { at: tx.now.unix(), device: device.clone(), ip: client.ip.clone() };
    let secret = token::issue::<NotMe>(tx, &user.id, &told)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let place = format!("the network {}", throttle::neighbourhood(&client.ip));
    let letter =
        letters::new_sign_in(site, &user.email, &user.name, &device, &when, &place, secret.reveal())?;
    tx.mail(Some(&user.id), letter)
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
