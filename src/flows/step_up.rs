//! Step-up: before anything dangerous, in this session and for five minutes, "it is still you".

use actix_web::web::{Data, Query};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::{Error, Errors, Result},
    model::{
        audit::{self, Event},
        password::Password,
        session::{self, Method},
        throttle,
        token::Interrupted,
        user,
    },
    secret::Secret,
    web::{Client, CurrentUser, Input, Reply, door, interrupted, local_path},
};

/// The proofs that this account can give.
#[derive(Template, Serialize)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    methods: Vec<&'static str>,
    #[serde(skip)]
    next: Option<String>,
    #[serde(skip)]
    resume: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// The interrupted form, filled.
#[derive(Template, Serialize)]
#[template(path = "continue.html")]
pub struct ContinuePage {
    path: String,
    what: &'static str,
    fields: Vec<(String, String)>,
}

/// A proof, and what goes on afterwards.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    password: Password,
    next: Option<String>,
    resume: Option<String>,
}

/// What goes on afterwards.
#[derive(Deserialize)]
pub struct Whither {
    next: Option<String>,
    resume: Option<String>,
}

/// The interrupted form's secret.
#[derive(Deserialize)]
pub struct Resume {
    #[serde(default)]
    resume: Secret<Interrupted>,
}

/// `GET /auth/confirm`
pub async fn form(me: CurrentUser, query: Query<Whither>) -> Result<Reply> {
    let Whither { next, resume } = query.into_inner();
    let next = local_path(next.as_deref()).map(str::to_owned);
    Ok(Reply::page(ConfirmPage { methods: me.methods(), next, resume, errors: Errors::default() }))
}

/// `POST /auth/confirm`. The session gets a new secret; the window counts from now.
pub async fn create(me: CurrentUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let (id, guessed) = (me.user.id.clone(), me.user.id.clone());
    app.write(move |tx| throttle::admit_guess(tx, guessed.as_str())).await?;
    let owner = id.clone();
    let candidate = app.read(move |conn| user::candidate(conn, &owner)).await?;
    let verdict = app.hasher().verify(form.password.clone(), [candidate.usable_hash()]).await?;
    let (actor, address) = (me.actor(), me.user.email.normalized());
    if verdict.matched.is_none() {
        app.write(move |tx| audit::record(tx, &actor, &id, Event::StepUpFailed { method: Method::Password }))
            .await?;
        return Ok(refuse(&me, form));
    }
    let current = me.session.clone();
    let ticket = app
        .write(move |tx| {
            tx.lock(&address)?;
            // The password may have changed, or been blocked, while it was hashed.
            if user::candidate(tx.conn, &id)?.usable_hash() != candidate.usable_hash() {
                return Err(Error::SignIn);
            }
            throttle::clear_guesses(tx, id.as_str())?;
            session::prove(tx, &current.id)?;
            audit::record(tx, &actor, &id, Event::SteppedUp { method: Method::Password })?;
            door::rotate(tx, &current)
        })
        .await?;
    let until = me.now + app.config().lifetimes.step_up;
    Ok(Reply::go(form.goes_on()).with("confirmedUntil", until)?.signed_in(ticket))
}

fn refuse(me: &CurrentUser, form: Form) -> Reply {
    let sentence = match form.password.is_empty() {
        true => "Enter your password.",
        false => "That is not your password.",
    };
    let errors = Errors::one("password", sentence);
    let page =
        ConfirmPage { methods: me.methods(), next: form.next, resume: form.resume, errors: errors.clone() };
    Reply::refused(page, Error::Invalid(errors))
}

/// `GET /auth/continue?resume=`: the interrupted form comes back filled, once.
pub async fn resume(me: CurrentUser, client: Client, query: Query<Resume>, app: Data<App>) -> Result<Reply> {
    if !client.is_navigation {
        return Err(Error::MethodNotAllowed);
    }
    let (session, secret) = (me.session.id.clone(), query.into_inner().resume);
    let form = app.write(move |tx| interrupted::take(tx, &session, &secret)).await?;
    Ok(Reply::page(ContinuePage { what: what(&form.path), path: form.path, fields: form.fields }))
}

fn what(path: &str) -> &'static str {
    match path {
        "/me/email" => "Change your address",
        "/me/password" => "Change your password",
        _ => "Go on",
    }
}

impl Form {
    fn goes_on(&self) -> String {
        match (&self.resume, local_path(self.next.as_deref())) {
            (Some(secret), _) => {
                let query = serde_urlencoded::to_string([("resume", secret)]).unwrap_or_default();
                format!("/auth/continue?{query}")
            }
            (None, Some(next)) => next.to_owned(),
            (None, None) => "/me/security".to_owned(),
        }
    }
}
