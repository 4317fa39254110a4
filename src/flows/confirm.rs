//! Step-up: before anything dangerous, in this session and for five minutes, "it is still you".

mod attempt;
pub(crate) mod passkey;
pub(crate) mod sso;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use self::attempt::{Attempt, Verdict};
use crate::{
    accounts::{
        factors,
        passkeys::UNKNOWN_PASSKEY,
        second_factors::{self, Code},
        sso_policy,
        step_up::{self, Missed, STEP_UPS_EXHAUSTED},
    },
    app::App,
    error::{Error, Errors, Result},
    kinds::{StepUpMethod, Strength},
    model::{
        connection, identity,
        password::{KnownDevice, Password},
        rate_limit, user,
    },
    urls,
    web::{Authenticated, Client, CurrentUser, Input, Query, Reply, local_path},
    webauthn::Assertion,
};

/// The methods of this account that are strong enough.
#[derive(Template, Serialize)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    methods: Vec<&'static str>,
    /// What one is about to do, where that is known.
    #[serde(skip)]
    act: Option<&'static str>,
    #[serde(skip)]
    next: Option<String>,
    #[serde(skip)]
    resume: Option<String>,
    #[serde(skip)]
    strength: Strength,
    /// Whether a second factor is due and none is left that works.
    #[serde(skip)]
    is_stuck: bool,
    /// Where one confirms through one's organisation.
    #[serde(skip)]
    sso: String,
    /// Where one confirms at a provider of the settings, and its name.
    #[serde(skip)]
    provider: Option<(String, String)>,
    #[serde(skip)]
    errors: Errors,
}

/// A proof, and what goes on afterwards.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    password: Password,
    code: Option<Code>,
    next: Option<String>,
    resume: Option<String>,
    strength: Option<String>,
    #[serde(flatten)]
    passkey: Option<Assertion>,
}

/// What goes on afterwards, and how strong a step-up it needs: as strong as a sign-in unless it says otherwise. What goes
/// on asks for its own strength; this one is for the page.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    next: Option<String>,
    resume: Option<String>,
    strength: Option<String>,
}

/// `GET /auth/confirm`
pub(crate) async fn form(me: CurrentUser, query: Query<ReturnQuery>, app: Data<App>) -> Result<Reply> {
    let ReturnQuery { next, resume, strength } = query.into_inner();
    let (next, strength) = (local_path(next.as_deref()), strength_of(strength.as_deref()));
    page(&me, &app, strength, next, resume, Errors::default()).await.map(Reply::page)
}

fn strength_of(word: Option<&str>) -> Strength {
    word.and_then(Strength::from_word).unwrap_or(Strength::Full)
}

/// `POST /auth/confirm`. The session gets a new secret; the window counts from now.
pub(crate) async fn create(
    me: CurrentUser,
    client: Client,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let (until, next) = (me.now + app.config().lifetimes.step_up, form.goes_on());
    let attempt = Attempt::of(&me, &client);
    let verdict = match (&form.passkey, &form.code) {
        (Some(answer), _) => passkey::check(attempt, answer.clone(), &app).await,
        (None, Some(Code::Nothing)) => return refuse(&me, form, &app).await,
        (None, Some(code)) => by_code(attempt, code.clone(), &app).await,
        (None, None) if form.password.is_empty() => return refuse(&me, form, &app).await,
        (None, None) => by_password(attempt, &form.password, &app).await,
    };
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(error) => match Errors::of_waiting(&error) {
            Some(errors) => {
                let strength = strength_of(form.strength.as_deref());
                let page = page(&me, &app, strength, form.next, form.resume, errors).await?;
                return Ok(Reply::refused(page, error));
            }
            None => return Err(error),
        },
    };
    match verdict {
        Ok(issued) => {
            let reply = Reply::go(&next).with("confirmedUntil", until)?;
            // A script goes there by itself.
            let reply = if form.passkey.is_some() { reply.with("next", next)? } else { reply };
            Ok(reply.signed_in(issued))
        }
        Err(Missed::Ended) => Err(STEP_UPS_EXHAUSTED.error()),
        Err(Missed::Again) if form.passkey.is_some() => Err(UNKNOWN_PASSKEY.error()),
        Err(Missed::Again) => refuse(&me, form, &app).await,
    }
}

async fn by_password(attempt: Attempt, password: &Password, app: &App) -> Result<Verdict> {
    let (owner, here) = (attempt.user.clone(), attempt.here.id.clone());
    app.write(move |tx| step_up::count_password(tx, &here)).await?;
    let (candidate, closed) = app
        .read(move |conn| {
            Ok((user::password_credential(conn, &owner.id)?, sso_policy::required_connection(conn, &owner)?))
        })
        .await?;
    if closed.is_some() {
        return Err(sso_policy::sso_required(urls::sso_login(attempt.user.email.spelled())));
    }
    let known = attempt.user.is_verified().then(|| KnownDevice {
        account: attempt.user.id.clone(),
        device: attempt.here.id.as_str().to_owned(),
    });
    let verdict = app.hasher().verify_known(known, password.clone(), [candidate.usable_hash()]).await?;
    if verdict.matched.is_none() {
        return app.write(move |tx| attempt.missed(tx, "password")).await;
    }
    app.write(move |tx| {
        tx.lock(&attempt.user.email.normalized())?;
        // The password may have changed, or been blocked, while it was hashed.
        if user::password_credential(tx.conn, &attempt.user.id)?.usable_hash() != candidate.usable_hash() {
            return Err(Error::Unauthenticated);
        }
        rate_limit::clear_guesses(tx, attempt.user.id.as_str())?;
        attempt.passed(tx, StepUpMethod::Password)
    })
    .await
}

async fn by_code(attempt: Attempt, code: Code, app: &App) -> Result<Verdict> {
    app.write(move |tx| {
        tx.lock(&attempt.user.email.normalized())?;
        match second_factors::take(tx, &attempt.actor, &attempt.user, &code, &attempt.device)? {
            Some(factor) => attempt.passed(tx, factor.into()),
            None => attempt.missed(tx, "code"),
        }
    })
    .await
}

async fn refuse(me: &Authenticated, form: Form, app: &App) -> Result<Reply> {
    let (field, sentence) = match (&form.code, form.password.is_empty()) {
        (Some(Code::Nothing), _) => ("code", "Enter a code."),
        (Some(_), _) => ("code", "That code isn't right or has already been used."),
        (None, true) => ("password", "Enter your password."),
        (None, false) => ("password", "That is not your password."),
    };
    let errors = Errors::one(field, sentence);
    let strength = strength_of(form.strength.as_deref());
    let page = page(me, app, strength, form.next, form.resume, errors.clone()).await?;
    Ok(Reply::refused(page, Error::Invalid(errors)))
}

async fn page(
    me: &Authenticated,
    app: &App,
    strength: Strength,
    next: Option<String>,
    resume: Option<String>,
    errors: Errors,
) -> Result<ConfirmPage> {
    let methods = me.methods(app, strength).await?;
    let id = me.user.id.clone();
    // A password that somebody sets then is none of the methods either.
    let config = app.clone();
    let (is_oidc, is_second_due, provider) = app
        .read(move |conn| {
            let newest = identity::newest_connection(conn, &id)?;
            let newest = newest.map(|newest| connection::by_id(conn, &newest)).transpose()?;
            let provider = step_up::provider_of(conn, config.config(), &id)?.cloned();
            let is_second_due = factors::of(conn, &id)?.is_second_due();
            Ok((newest.is_some_and(|newest| newest.is_oidc()), is_second_due, provider))
        })
        .await?;
    let is_stuck = methods.is_empty() && is_second_due;
    let goes_on = goes_on(resume.as_deref(), next.as_deref());
    let way = if is_oidc { "/auth/oidc/confirm" } else { "/auth/saml/confirm" };
    let provider = provider.map(|provider| {
        let query = [("provider", provider.key.as_str()), ("next", &goes_on)];
        (urls::with_query("/auth/oidc/confirm", query), provider.name)
    });
    let sso = urls::with_query(way, [("next", goes_on.as_str())]);
    let act = next.as_deref().and_then(act);
    Ok(ConfirmPage { methods, act, next, resume, strength, is_stuck, sso, provider, errors })
}

impl Form {
    fn goes_on(&self) -> String {
        goes_on(self.resume.as_deref(), self.next.as_deref())
    }
}

// After "Before you".
const ACTS: [(&str, &str); 8] = [
    ("/me/2fa/recovery-codes", "make new recovery codes"),
    ("/me/2fa", "change your authenticator app"),
    ("/me/passkeys", "change your passkeys"),
    ("/me/password", "change your password"),
    ("/me/email", "change your email address"),
    ("/me/delete", "delete your account"),
    ("/me/export", "download your data"),
    ("/organisations/", "change this organisation"),
];

/// What somebody is about to do who goes on to `path`.
fn act(path: &str) -> Option<&'static str> {
    ACTS.iter().find(|(below, _)| path.starts_with(below)).map(|(_, act)| *act)
}

/// Where somebody goes who has confirmed.
fn goes_on(resume: Option<&str>, next: Option<&str>) -> String {
    match (resume, local_path(next)) {
        (Some(secret), _) => urls::with_query("/auth/continue", [("resume", secret)]),
        (None, Some(next)) => next,
        (None, None) => "/me/security".to_owned(),
    }
}
