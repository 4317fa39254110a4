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
    web::{Anybody, Client, Input, Reply, door, input::tick, local_path, views::UserView},
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
    let entrance = admit(&app, &client, &who, &candidates).await?;
    let hashes = entrance.hashes(&candidates);
    let verdict = app.hasher().verify(form.password.clone(), hashes).await?;
    let matched = verdict.matched.and_then(|index| candidates.get(index).cloned().flatten());
    let Some(matched) = matched else {
        note_failure(&app, &client, candidates).await?;
        let errors = Errors::one("form", Error::WrongCredentials.to_string());
        return Ok(Reply::refused(form.again(errors), Error::WrongCredentials));
    };
    let stronger = match verdict.is_outdated {
        true => app.hasher().hash(form.password.clone()).await.ok(),
        false => None,
    };
    let remember = form.remember;
    let is_owner = verdict.matched == Some(0);
    let (user, arrival) = app
        .write(move |tx| {
            tx.lock(&who)?;
            entrance.succeeded(tx, is_owner)?;
            let_in(tx, &client, &matched, stronger, remember)
        })
        .await?;
    let next = local_path(form.next.as_deref()).unwrap_or("/me").to_owned();
    Ok(Reply::go(next).with("user", UserView::from(&user))?.arrived(arrival))
}

fn let_in(
    tx: &mut Tx,
    client: &Client,
    matched: &Candidate,
    stronger: Option<PasswordHash>,
    remember: bool,
) -> Result<(user::User, door::Arrival)> {
    // Read again inside the transaction: the password may have changed, or the account ended, while it was hashed.
    let now = user::candidate(tx.conn, &matched.id).map_err(|error| match error {
        Error::NotFound => Error::WrongCredentials,
        error => error,
    })?;
    if now.usable_hash() != matched.usable_hash() {
        return Err(Error::WrongCredentials);
    }
    if let (Some(old), Some(new)) = (&matched.password_hash, stronger) {
        user::strengthen(tx, &client.actor().known_as(&matched.id), &matched.id, old, &new)?;
    }
    let user = user::by_id(tx.conn, &matched.id)?;
    let arrival = door::arrive(tx, client, &user, Method::Password, remember)?;
    Ok((user, arrival))
}

/// The door that an attempt came through.
struct Entrance {
    /// What counts the failures in a row there.
    streak: Limit,
    /// The one candidate whose password is looked at; every one where there is none.
    only: Option<usize>,
}

impl Entrance {
    fn hashes(&self, candidates: &[Option<Candidate>; 2]) -> [Option<PasswordHash>; 2] {
        let is_looked_at = |index: usize| self.only.is_none_or(|only| only == index);
        let usable = |index: usize| candidates[index].as_ref().filter(|_| is_looked_at(index))?.usable_hash();
        [usable(0), usable(1)]
    }

    /// The failures in a row are over. Whoever signs in to a mere claim proves nothing to the account that has the
    /// address confirmed, so there only this one try is taken back, whether or not there is such an account.
    fn succeeded(&self, tx: &mut Tx, is_owner: bool) -> Result<()> {
        match is_owner || self.only.is_some() {
            true => throttle::clear(tx, &self.streak),
            false => throttle::give_back(tx, &self.streak),
        }
    }
}

/// Counts the attempt before it is looked at.
///
/// Strangers who fail ten times in a row close the door to everybody for a while. A browser that was let in before has
/// a second one, with counters of its own account, behind which only that account's password is looked at: nobody is
/// locked out by others, and the counters tell nobody who has an address confirmed.
async fn admit(
    app: &App,
    client: &Client,
    who: &str,
    candidates: &[Option<Candidate>; 2],
) -> Result<Entrance> {
    match enter(app, client, "any", who, None).await {
        Err(Error::TooManyAttempts(seconds)) => {
            let is_known = |one: &Candidate| client.known.knows(&one.id, one.browsers_known_from);
            let known = candidates.iter().enumerate().find(|(_, one)| one.as_ref().is_some_and(is_known));
            if let Some((index, Some(candidate))) = known {
                return enter(app, client, "known", candidate.id.as_str(), Some(index)).await;
            }
            note_refusal(app, client, who, candidates).await?;
            Err(Error::TooManyAttempts(seconds))
        }
        entrance => entrance,
    }
}

async fn enter(app: &App, client: &Client, door: &str, whom: &str, only: Option<usize>) -> Result<Entrance> {
    let limits = app.config().limits;
    let minute = TimeDelta::minutes(1);
    let network = throttle::client_network(&client.ip);
    let per_network = Limit::new("login-network", &network, limits.login_per_network, minute);
    let per_address = Limit::new(&format!("login-address-{door}"), whom, limits.login_per_address, minute);
    let streak = Limit::new(&format!("login-streak-{door}"), whom, limits.login_failures, TimeDelta::days(1));
    let streak = streak.cooling_down_for(limits.login_cool_down);
    let counted = [per_network, per_address, streak.clone()];
    app.write(move |tx| counted.iter().try_for_each(|limit| throttle::admit(tx, limit))).await?;
    Ok(Entrance { streak, only })
}

/// Tells the owner once in a while that somebody keeps trying: a row for each try would let strangers fill the history.
async fn note_refusal(
    app: &App,
    client: &Client,
    who: &str,
    candidates: &[Option<Candidate>; 2],
) -> Result<()> {
    app.metrics().sign_in(Method::Password, false);
    tracing::info!("a password sign-in was throttled");
    let noting = Limit::new("login-refused", who, 1, app.config().limits.login_cool_down);
    let (owner, attempt) = (candidates[0].clone(), attempt(client, Outcome::Throttled));
    app.write(move |tx| match (throttle::admits(tx, &noting)?, owner) {
        (true, Some(owner)) => sign_in::note(tx, &owner.id, attempt),
        _ => Ok(()),
    })
    .await
}

fn attempt(client: &Client, outcome: Outcome) -> Attempt {
    let method = Method::Password;
    Attempt { ip: client.ip.clone(), device: client.device(), method, outcome, is_new_device: false }
}

async fn note_failure(app: &App, client: &Client, candidates: [Option<Candidate>; 2]) -> Result<()> {
    app.metrics().sign_in(Method::Password, false);
    tracing::info!("a password sign-in failed");
    let actor = client.actor();
    let is_blocked = candidates[0].as_ref().is_some_and(|owner| owner.password_blocked_at.is_some());
    let attempt = attempt(client, if is_blocked { Outcome::Blocked } else { Outcome::WrongPassword });
    // A row whoever exists: a failure costs the same, and is seen, either way.
    app.write(move |tx| {
        // Only in the history of who has the address confirmed: that of a claim would tell a stranger who else tries,
        // and whether anybody has it.
        let tried = candidates[0].as_ref();
        if let Some(candidate) = tried {
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
