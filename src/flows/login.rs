//! Signing in with a password.

use std::array;

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::sso_policy,
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    ids::UserId,
    kinds::AuthMethod,
    mail::EmailAddress,
    model::{
        audit::{self, Event},
        connection, domain,
        password::{Password, PasswordHash},
        sign_in::{self, Attempt, Outcome},
        throttle::{self, Limit},
        user::{self, Candidate, Candidates},
    },
    web::{
        BrowserMark, Client, EvenLeaving, Input, Query, Reply, door, input::tick, local_path, views::UserView,
    },
};

/// The form.
#[derive(Template, Serialize)]
#[template(path = "login.html")]
pub struct LoginPage {
    email: String,
    remember: bool,
    next: Option<String>,
    /// Whether the address alone is asked for, because it may lead to an organisation.
    #[serde(skip)]
    asks_address: bool,
    #[serde(skip)]
    errors: Errors,
}

/// The address leads to an organisation.
#[derive(Template, Serialize)]
#[template(path = "login_leave.html")]
#[serde(rename_all = "camelCase")]
pub struct LeavePage {
    email: String,
    sign_in: String,
    #[serde(skip)]
    next: Option<String>,
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

/// Who wants to sign in, how, and where to go afterwards.
#[derive(Deserialize)]
pub struct Whither {
    email: Option<String>,
    with: Option<String>,
    next: Option<String>,
}

/// `GET /login?email=&next=`. Where there is any organisation to sign in through, the address is asked for first, and
/// leads there where its domain does: whether there is such a person is not looked at.
pub async fn form(
    me: Option<EvenLeaving>,
    mark: BrowserMark,
    query: Query<Whither>,
    app: Data<App>,
) -> Result<Reply> {
    let Whither { email, with, next } = query.into_inner();
    let next = local_path(next.as_deref());
    if me.is_some() {
        return Ok(Reply::go(next.unwrap_or_else(|| "/me".to_owned())));
    }
    mark.given()?;
    let typed = email.unwrap_or_default();
    let page = LoginPage {
        email: typed.clone(),
        remember: false,
        next: next.clone(),
        asks_address: false,
        errors: Errors::default(),
    };
    if with.as_deref() == Some("password") {
        return Ok(Reply::page(page));
    }
    if typed.is_empty() {
        let asks_address = has_organisations(&app).await?;
        return Ok(Reply::page(LoginPage { asks_address, ..page }));
    }
    let email = match EmailAddress::parse(&typed) {
        Ok(email) => email,
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let asks_address = has_organisations(&app).await?;
            let page = LoginPage { asks_address, errors: errors.clone(), ..page };
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let asked = email.clone();
    match app.read(move |conn| domain::leads_to(conn, &asked)).await? {
        Some(_) => {
            let mut sign_in = door::way_through_organisation(&email);
            if let Some(next) = &next {
                let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
                sign_in = format!("{sign_in}&{query}");
            }
            Ok(Reply::page(LeavePage { email: typed, sign_in, next }))
        }
        None => Ok(Reply::page(page)),
    }
}

/// Whether there is any organisation to sign in through. Where the database does not tell, the whole form is shown.
async fn has_organisations(app: &App) -> Result<bool> {
    match app.read(connection::is_any).await {
        Err(Error::Unavailable(_) | Error::Busy) => Ok(false),
        told => told,
    }
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
    let closed = email.as_ref().map(door::way_through_organisation);
    let (candidates, is_closed) = match email {
        Some(email) => look_up(&app, &client, email).await?,
        None => (Candidates::default(), false),
    };
    let entrance = admit(&app, &client, &who, &candidates).await?;
    let hashes = entrance.hashes(&candidates);
    let verdict = app.hasher().verify(form.password.clone(), hashes).await?;
    let matched = verdict.matched.and_then(|index| candidates.get(index).cloned().flatten());
    let Some(matched) = matched else {
        note_failure(&app, &client, candidates).await?;
        // Right or wrong, there or not: people of such a domain are all told the same.
        if let Some(way) = closed.filter(|_| is_closed) {
            return Err(Error::SsoRequired(way));
        }
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
    let next = local_path(form.next.as_deref()).unwrap_or_else(|| "/me".to_owned());
    Ok(Reply::go(next).with("user", UserView::from(&user))?.arrived(arrival))
}

/// Who may hold the password, and whether people with this address sign in through their organisation only. Then it
/// opens nothing but the account of the owner who may come in otherwise, or one that is about to be connected.
async fn look_up(app: &App, client: &Client, email: EmailAddress) -> Result<(Candidates, bool)> {
    let (client, now) = (client.clone(), app.now());
    app.read(move |conn| {
        let mut candidates = user::candidates(conn, &email)?;
        let Some(domain) = sso_policy::enforced(conn, &email)? else { return Ok((candidates, false)) };
        let mut is_closed = true;
        for candidate in candidates.iter_mut().flatten() {
            let is_linking = door::is_about_to_link(conn, &client, &candidate.id, now);
            is_closed &= !is_linking;
            if !is_linking && !sso_policy::is_break_glass(conn, &domain, &candidate.id)? {
                candidate.password_hash = None;
            }
        }
        Ok((candidates, is_closed))
    })
    .await
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
    if !now.is(matched) {
        return Err(Error::WrongCredentials);
    }
    if let (Some(old), Some(new)) = (&matched.password_hash, stronger) {
        user::strengthen(tx, &client.actor().known_as(&matched.id), &matched.id, old, &new)?;
    }
    let user = user::by_id(tx.conn, &matched.id)?;
    let arrival = door::arrive(tx, client, &user, AuthMethod::Password, remember)?;
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
    fn hashes(&self, candidates: &Candidates) -> [Option<PasswordHash>; 3] {
        let is_looked_at = |index: usize| self.only.is_none_or(|only| only == index);
        array::from_fn(|index| candidates[index].as_ref().filter(|_| is_looked_at(index))?.usable_hash())
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
async fn admit(app: &App, client: &Client, who: &str, candidates: &Candidates) -> Result<Entrance> {
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
    let streak = throttle::login_streak(app.config(), door, whom);
    let counted = [per_network, per_address, streak.clone()];
    app.write(move |tx| counted.iter().try_for_each(|limit| throttle::admit(tx, limit))).await?;
    Ok(Entrance { streak, only })
}

/// Tells the owner once in a while that somebody keeps trying: a row for each try would let strangers fill the history.
async fn note_refusal(app: &App, client: &Client, who: &str, candidates: &Candidates) -> Result<()> {
    app.metrics().sign_in(AuthMethod::Password, false);
    let tried = tried(candidates).map(|candidate| candidate.id.clone());
    tracing::info!(
        user.id = tried.as_ref().map(UserId::as_str),
        client = client.ip,
        "a password sign-in was throttled"
    );
    let noting = Limit::new("login-refused", who, 1, app.config().limits.login_cool_down);
    let attempt = attempt(client, Outcome::Throttled);
    app.write(move |tx| match (throttle::admits(tx, &noting)?, tried) {
        (true, Some(tried)) => sign_in::note(tx, &tried, attempt),
        _ => Ok(()),
    })
    .await
}

/// Whose account is tried: theirs who have the address confirmed, or else its newest claim.
fn tried(candidates: &Candidates) -> Option<&Candidate> {
    candidates.iter().flatten().next()
}

fn attempt(client: &Client, outcome: Outcome) -> Attempt {
    let method = AuthMethod::Password;
    Attempt { ip: client.ip.clone(), device: client.device(), method, outcome, is_new_device: false }
}

async fn note_failure(app: &App, client: &Client, candidates: Candidates) -> Result<()> {
    app.metrics().sign_in(AuthMethod::Password, false);
    let actor = client.actor();
    let tried = tried(&candidates).cloned();
    let is_blocked = tried.as_ref().is_some_and(|tried| tried.password_blocked_at.is_some());
    let attempt = attempt(client, if is_blocked { Outcome::Blocked } else { Outcome::WrongPassword });
    // A row whoever exists: a failure costs the same, and is seen, either way.
    let noted = app.write(move |tx| {
        if let Some(candidate) = &tried {
            sign_in::note(tx, &candidate.id, attempt)?;
        }
        let event = Event::SignInFailed { method: AuthMethod::Password };
        audit::record(tx, &actor, tried.as_ref().map(|candidate| &candidate.id), event)
    });
    match noted.await {
        // The account ended while the password was hashed.
        Err(Error::SignIn) => Ok(()),
        noted => noted,
    }
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
        LoginPage {
            email: self.email.clone(),
            remember: self.remember,
            next: self.next.clone(),
            asks_address: false,
            errors,
        }
    }
}
