//! Step-up: before anything dangerous, in this session and for five minutes, "it is still you".

pub mod passkey;
mod proof;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::step_up::proof::prove;
use crate::{
    accounts::{
        second_factors::{self, Code},
        sso_policy,
    },
    app::App,
    error::{Error, Errors, Result},
    model::{
        audit::{self, Event},
        password::Password,
        throttle,
        token::Interrupted,
        user,
    },
    secret::Secret,
    web::{
        Client, CurrentUser, Input, Query, Reply,
        door::{self, Ticket},
        guard::SignedIn,
        interrupted, local_path,
    },
    webauthn::Assertion,
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
    /// Where one confirms through one's organisation.
    #[serde(skip)]
    sso: String,
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
    code: Option<Code>,
    next: Option<String>,
    resume: Option<String>,
    #[serde(flatten)]
    passkey: Option<Assertion>,
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
pub async fn form(me: CurrentUser, query: Query<Whither>, app: Data<App>) -> Result<Reply> {
    let Whither { next, resume } = query.into_inner();
    let next = local_path(next.as_deref());
    let methods = me.methods(&app).await?;
    Ok(Reply::page(ConfirmPage::new(methods, next, resume, Errors::default())))
}

/// `POST /auth/confirm`. The session gets a new secret; the window counts from now.
pub async fn create(
    me: CurrentUser,
    client: Client,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let until = me.now + app.config().lifetimes.step_up;
    if let Some(answer) = form.passkey.clone() {
        let (ticket, next) = (passkey::check(&me, client, answer, &app).await?, form.goes_on());
        let reply = Reply::go(&next).with("confirmedUntil", until)?.with("next", next)?;
        return Ok(reply.signed_in(ticket));
    }
    let proved = match form.code.clone() {
        Some(code) => by_code(&me, client, code, &app).await?,
        None => by_password(&me, &form.password, &app).await?,
    };
    let Some(ticket) = proved else { return refuse(&me, form, &app).await };
    Ok(Reply::go(form.goes_on()).with("confirmedUntil", until)?.signed_in(ticket))
}

async fn by_password(me: &SignedIn, password: &Password, app: &App) -> Result<Option<Ticket>> {
    let (id, guessed) = (me.user.id.clone(), me.user.id.clone());
    app.write(move |tx| throttle::admit_guess(tx, guessed.as_str())).await?;
    let (owner, address) = (me.user.clone(), me.user.email.clone());
    let (candidate, closed) = app
        .read(move |conn| {
            Ok((user::candidate(conn, &owner.id)?, sso_policy::required_connection(conn, &owner)?))
        })
        .await?;
    if closed.is_some() {
        return Err(Error::SsoRequired(door::way_through_organisation(&address)));
    }
    let verdict = app.hasher().verify(password.clone(), [candidate.usable_hash()]).await?;
    let (actor, address, current) = (me.actor(), me.user.email.normalized(), me.session.clone());
    if verdict.matched.is_none() {
        let failed = Event::StepUpFailed { with: "password" };
        app.write(move |tx| audit::record(tx, &actor, &id, failed)).await?;
        return Ok(None);
    }
    app.write(move |tx| {
        tx.lock(&address)?;
        // The password may have changed, or been blocked, while it was hashed.
        if user::candidate(tx.conn, &id)?.usable_hash() != candidate.usable_hash() {
            return Err(Error::SignIn);
        }
        throttle::clear_guesses(tx, id.as_str())?;
        audit::record(tx, &actor, &id, Event::SteppedUp { with: "password" })?;
        prove(tx, &current).map(Some)
    })
    .await
}

async fn by_code(me: &SignedIn, client: Client, code: Code, app: &App) -> Result<Option<Ticket>> {
    let (actor, user, current) = (me.actor(), me.user.clone(), me.session.clone());
    app.write(move |tx| {
        tx.lock(&user.email.normalized())?;
        let is_known = client.is_known_to(tx.conn, &user.id)?;
        second_factors::admit_guess(tx, &user.id, is_known)?;
        let Some(factor) = second_factors::take(tx, &actor, &user, &code)? else {
            audit::record(tx, &actor, &user.id, Event::StepUpFailed { with: "code" })?;
            return Ok(None);
        };
        second_factors::clear_guesses(tx, &user.id, is_known)?;
        audit::record(tx, &actor, &user.id, Event::SteppedUp { with: factor.as_str() })?;
        prove(tx, &current).map(Some)
    })
    .await
}

async fn refuse(me: &SignedIn, form: Form, app: &App) -> Result<Reply> {
    let (field, sentence) = match (&form.code, form.password.is_empty()) {
        (Some(_), _) => ("code", "That code is not right, or was used before."),
        (None, true) => ("password", "Enter your password."),
        (None, false) => ("password", "That is not your password."),
    };
    let errors = Errors::one(field, sentence);
    let methods = me.methods(app).await?;
    let page = ConfirmPage::new(methods, form.next, form.resume, errors.clone());
    Ok(Reply::refused(page, Error::Invalid(errors)))
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
        "/me/2fa/totp" => "Set up an authenticator app",
        "/me/2fa/totp/disable" => "Remove the authenticator app",
        "/me/2fa/recovery-codes" => "Make new recovery codes",
        path if path.starts_with("/me/passkeys/") && path.ends_with("/remove") => "Remove the passkey",
        "/me/delete" => "Delete your account",
        _ => "Go on",
    }
}

impl ContinuePage {
    /// What says something to a person. Which set of codes is to be replaced is for the program.
    fn told(&self) -> Vec<&(String, String)> {
        self.fields.iter().filter(|(name, _)| name != "replaces").collect()
    }
}

impl ConfirmPage {
    fn new(methods: Vec<&'static str>, next: Option<String>, resume: Option<String>, errors: Errors) -> Self {
        let goes_on = goes_on(resume.as_deref(), next.as_deref());
        let query = serde_urlencoded::to_string([("next", goes_on)]).unwrap_or_default();
        Self { methods, next, resume, sso: format!("/auth/saml/confirm?{query}"), errors }
    }
}

impl Form {
    fn goes_on(&self) -> String {
        goes_on(self.resume.as_deref(), self.next.as_deref())
    }
}

/// Where somebody goes who has confirmed.
fn goes_on(resume: Option<&str>, next: Option<&str>) -> String {
    match (resume, local_path(next)) {
        (Some(secret), _) => {
            let query = serde_urlencoded::to_string([("resume", secret)]).unwrap_or_default();
            format!("/auth/continue?{query}")
        }
        (None, Some(next)) => next,
        (None, None) => "/me/security".to_owned(),
    }
}
