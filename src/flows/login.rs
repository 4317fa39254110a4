//! Signing in with a password.

use actix_web::web::{Data, Query};
use askama::Template;
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
    // An address that cannot exist costs as much and is told the same as one that does not.
    let email = EmailAddress::parse(&form.email).ok();
    let candidates = match email {
        Some(email) => app.read(move |conn| user::candidates(conn, &email)).await?,
        None => [None, None],
    };
    let hashes = candidates.clone().map(|candidate| candidate.and_then(|candidate| candidate.password_hash));
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
    let (user, ticket) = app.write(move |tx| let_in(tx, &client, &matched, stronger, remember)).await?;
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
    let ticket = door::arrive(tx, client, &matched.id, Method::Password, remember)?;
    Ok((user::by_id(tx.conn, &matched.id)?, ticket))
}

async fn note_failure(app: &App, client: &Client, candidates: [Option<Candidate>; 2]) -> Result<()> {
    app.metrics().sign_in(Method::Password, false);
    tracing::info!(client.ip = client.ip, "a password sign-in failed");
    let actor = client.actor();
    // A row whoever exists: a failure costs the same, and is seen, either way.
    app.write(move |tx| {
        let tried = candidates.iter().flatten().next().map(|candidate| &candidate.id);
        audit::record(tx, &actor, tried, Event::SignInFailed { method: Method::Password })
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
