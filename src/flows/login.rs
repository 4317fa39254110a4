//! Signing in with a password.

use actix_web::web::{Data, Query};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{
        audit::{self, Event},
        password::{Password, PasswordHash},
        session::Method,
        sign_in::{self, Attempt, Outcome},
        throttle::{self, Limit},
        user::{self, Candidate},
    },
    web::{Anybody, Client, Input, Reply, door, local_path, views::UserView},
};

/// The form.
#[derive(Template, Serialize)]
#[template(path = "login.html")]
pub struct LoginPage {
    email: String,
    remember: bool,
    next: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// What somebody offers.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: Password,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
    next: Option<String>,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// A checkbox in a form is a word, in JSON a boolean.
fn tick<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tick {
        Bool(bool),
        Word(String),
    }
    Ok(match Tick::deserialize(deserializer)? {
        Tick::Bool(value) => value,
        Tick::Word(word) => matches!(word.as_str(), "true" | "on" | "1" | "yes"),
    })
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Whither {
    next: Option<String>,
}

/// `GET /login`
pub async fn form(visitor: Anybody, query: Query<Whither>) -> Result<Reply> {
    let next = local_path(query.next.as_deref()).map(str::to_owned);
    if visitor.signed_in().is_some() {
        return Ok(Reply::go(next.unwrap_or_else(|| "/me".to_owned())));
    }
    Ok(Reply::page(LoginPage { email: String::new(), remember: false, next, errors: Errors::default() }))
}

/// `POST /login`
pub async fn create(client: Client, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let errors = form.missing();
    if !errors.is_empty() {
        return Ok(Reply::refused(form.again(errors.clone()), Error::Invalid(errors)));
    }
    let client = client.telling(&form.zone, &form.screen);
    // An address that cannot exist costs as much and is told the same as one that does not.
    let email = EmailAddress::parse(&form.email).ok();
    let who = email.as_ref().map_or_else(|| form.email.clone(), EmailAddress::normalized);
    let candidates = match email {
        Some(email) => app.read(move |conn| user::candidates(conn, &email)).await?,
        None => [None, None],
    };
    let streak = admit(&app, &client, &who, &candidates).await?;
    let hashes = candidates.clone().map(|candidate| candidate.and_then(|candidate| candidate.usable_hash()));
    let verdict = app.hasher().verify(form.password.clone(), hashes).await?;
    let matched = verdict.matched.and_then(|index| candidates.get(index).cloned().flatten());
    let Some(matched) = matched else {
        note_failure(&app, &client, candidates).await?;
        let errors = Errors::one("form", Error::WrongCredentials.to_string());
        return Ok(Reply::refused(form.again(errors), Error::WrongCredentials));
    };
    let stronger = match verdict.is_outdated {
        true => Some(app.hasher().hash(form.password.clone()).await?),
        false => None,
    };
    let remember = form.remember;
    // Whoever signs in to a mere claim proves nothing to the account that has the address confirmed.
    let proves_owner = verdict.matched == Some(0) || candidates[0].is_none();
    let (user, ticket) = app
        .write(move |tx| {
            tx.lock(&who)?;
            if proves_owner {
                throttle::clear(tx, &streak)?;
            }
            let_in(tx, &client, &matched, stronger, remember)
        })
        .await?;
    let next = local_path(form.next.as_deref()).unwrap_or("/me").to_owned();
    Ok(Reply::go(next).with("user", UserView::from(&user))?.signed_in(ticket))
}

fn let_in(
    tx: &mut Tx,
    client: &Client,
    matched: &Candidate,
    stronger: Option<PasswordHash>,
    remember: bool,
) -> Result<(user::User, door::Ticket)> {
    // Read again inside the transaction: the password may have changed, or the account ended, while it was hashed.
    let now = user::candidate(tx.conn, &matched.id).map_err(|_| Error::WrongCredentials)?;
    if now.password_hash != matched.password_hash {
        return Err(Error::WrongCredentials);
    }
    if let (Some(old), Some(new)) = (&matched.password_hash, stronger) {
        user::strengthen(tx, &client.actor().known_as(&matched.id), &matched.id, old, &new)?;
    }
    let user = user::by_id(tx.conn, &matched.id)?;
    let ticket = door::arrive(tx, client, &user, Method::Password, remember)?;
    Ok((user, ticket))
}

/// Counts the attempt before it is looked at. Returns what counts the failures in a row.
///
/// Strangers who fail ten times in a row close the door to unknown browsers for a while; a browser that its owner
/// signed in from before has counters of its own, so nobody is locked out by others.
async fn admit(app: &App, client: &Client, who: &str, candidates: &[Option<Candidate>; 2]) -> Result<Limit> {
    let limits = app.config().limits;
    let owner = candidates.iter().flatten().next();
    let is_known = owner.is_some_and(|owner| client.known.knows(&owner.id, owner.browsers_known_from));
    let door = if is_known { "known" } else { "any" };
    let minute = TimeDelta::minutes(1);
    let network = throttle::client_network(&client.ip);
    let per_network = Limit::new("login-network", &network, limits.login_per_network, minute);
    let per_address = Limit::new(&format!("login-address-{door}"), who, limits.login_per_address, minute);
    let streak = Limit::new(&format!("login-streak-{door}"), who, limits.login_failures, TimeDelta::days(1));
    let streak = streak.cooling_down_for(limits.login_cool_down);
    let counted = [per_network, per_address, streak.clone()];
    app.write(move |tx| counted.iter().try_for_each(|limit| throttle::admit(tx, limit))).await.inspect_err(
        |_| {
            app.metrics().sign_in(Method::Password, false);
            tracing::info!("a password sign-in was throttled");
        },
    )?;
    Ok(streak)
}

async fn note_failure(app: &App, client: &Client, candidates: [Option<Candidate>; 2]) -> Result<()> {
    app.metrics().sign_in(Method::Password, false);
    tracing::info!("a password sign-in failed");
    let (actor, ip, device) = (client.actor(), client.ip.clone(), client.device());
    // A row whoever exists: a failure costs the same, and is seen, either way.
    app.write(move |tx| {
        let tried = candidates.iter().flatten().next();
        if let Some(candidate) = tried {
            let is_blocked = candidate.password_blocked_at.is_some();
            let outcome = if is_blocked { Outcome::Blocked } else { Outcome::WrongPassword };
            let attempt = Attempt { ip, device, method: Method::Password, outcome, is_new_device: false };
            sign_in::note(tx, &candidate.id, attempt)?;
        }
        let event = Event::SignInFailed { method: Method::Password };
        audit::record(tx, &actor, tried.map(|candidate| &candidate.id), event)
    })
    .await
}

impl Form {
    fn missing(&self) -> Errors {
        let mut errors = Errors::default();
        if self.email.trim().is_empty() {
            errors.add("email", "Enter your email address.");
        }
        if self.password.is_empty() {
            errors.add("password", "Enter your password.");
        }
        errors
    }

    fn again(&self, errors: Errors) -> LoginPage {
        LoginPage { email: self.email.clone(), remember: self.remember, next: self.next.clone(), errors }
    }
}
