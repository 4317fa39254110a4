//! A new password through a mailed link. It ends every session and link, and signs nobody in.

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        containment::{self, Occasion},
        email_verification, linking, second_factors, security_changes, sso_policy, unverified_account,
    },
    app::App,
    clock::{Timestamp, span_in_words},
    db::Tx,
    error::{Error, Errors, Result},
    ids::UserId,
    log,
    mail::{
        EmailAddress, EmailKind,
        emails::{self, ResetOccasion},
    },
    model::{
        audit::{self, Event},
        password::{
            Password, PasswordHash,
            policy::{Context, judge},
        },
        rate_limit::{self, Limit},
        security_change::Kind,
        sign_in,
        token::{self, ResetPassword},
        user::{self, User},
    },
    secret::Secret,
    web::{Client, Input, MaybeUser, Query, Reply, authentication},
};

/// The form for a link.
#[derive(Template, Serialize)]
#[template(path = "forgot_password.html")]
pub struct ForgotPage {
    email: String,
    #[serde(skip)]
    errors: Errors,
}

/// What is said to everybody alike.
#[derive(Template, Serialize)]
#[template(path = "notice.html")]
pub struct NoticePage {
    #[serde(skip)]
    title: &'static str,
    message: String,
    #[serde(skip)]
    href: Option<&'static str>,
    #[serde(skip)]
    label: Option<&'static str>,
}

/// The form for a new password.
#[derive(Template, Serialize)]
#[template(path = "reset_password.html")]
pub struct ResetPage {
    email: String,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    someone_else: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// Whose password is forgotten.
#[derive(Deserialize)]
pub struct ForgotForm {
    #[serde(default)]
    email: String,
}

/// The link, and the new password; a page asks for it twice.
#[derive(Deserialize)]
pub struct ResetForm {
    #[serde(default)]
    token: Secret<ResetPassword>,
    #[serde(default)]
    password: Password,
    repeat: Option<Password>,
}

/// The link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: Secret<ResetPassword>,
}

/// `GET /forgot-password`
pub async fn form() -> Result<Reply> {
    Ok(Reply::page(ForgotPage { email: String::new(), errors: Errors::default() }))
}

/// `POST /forgot-password`. The same answer for every address.
pub async fn create(client: Client, Input(form): Input<ForgotForm>, app: Data<App>) -> Result<Reply> {
    let email = match EmailAddress::parse(&form.email) {
        Ok(email) => email,
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let page = ForgotPage { email: form.email, errors: errors.clone() };
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let message = format!(
        "If {} belongs to an account, a link for a new password is on its way to it. If you already have an email from us \
         today, open it.",
        email.spelled()
    );
    let way = authentication::sso_login_url(&email);
    if app.write(move |tx| send_link(tx, &client, &email)).await? {
        return Err(Error::SsoRequired(way));
    }
    let page = NoticePage {
        title: "Look at your mail",
        message,
        href: Some("/login"),
        label: Some("Back to sign in"),
    };
    Ok(Reply::page(page))
}

/// The link goes to the account that has the address confirmed, else to its newest claim: whoever reads that mail
/// proves the address by using it.
///
/// Whether there is one or not, the same is counted and about the same is done: no mail goes unnoticed by the limits,
/// and the time that it takes tells nobody who is here.
///
/// Whether people of the domain sign in through their organisation only. They get no link, but for the owner who may
/// come in otherwise; all are told the same.
fn send_link(tx: &mut Tx, client: &Client, email: &EmailAddress) -> Result<bool> {
    let config = tx.config;
    let network = rate_limit::client_network(&client.ip);
    rate_limit::consume(
        tx,
        &Limit::new("forgot", &network, config.limits.signups_per_network, TimeDelta::hours(1)),
    )?;
    tx.lock(&email.normalized())?;
    let found = user::meant_by(tx.conn, email)?;
    let asked = found.as_ref().map(|user| user.id.clone());
    audit::record(tx, &client.actor(), asked.as_ref(), Event::ResetRequested {})?;
    let enforced = sso_policy::enforced(tx.conn, email)?;
    let is_open = match (&enforced, &found) {
        (Some(domain), Some(user)) => sso_policy::is_break_glass(tx.conn, domain, &user.id)?,
        _ => true,
    };
    let is_unconfirmed = is_open && found.as_ref().is_some_and(|user| !user.is_verified());
    // The answer is the same either way, so an email too many is simply not written.
    let has_room = rate_limit::try_consume_mail(tx, EmailKind::ResetPassword, email)?
        && rate_limit::try_consume_mail_to_unconfirmed(tx, email, Some(&client.ip), is_unconfirmed)?;
    if !has_room {
        return Ok(enforced.is_some());
    }
    let start = email_verification::start_link_where(tx, email, is_unconfirmed)?;
    let Some(user) = found.filter(|_| is_open) else {
        token::dummy_issue::<ResetPassword>(tx)?;
        return Ok(enforced.is_some());
    };
    let secret = token::issue::<ResetPassword>(tx, &user.id, &user.email.normalized())?;
    let valid_for = span_in_words(config.lifetimes.reset_link);
    let (site, to, link) = (&config.site, &user.email, secret.reveal());
    let message = match &start {
        Some(start) => emails::reset_password_unconfirmed(site, to, link, start.reveal(), &valid_for)?,
        None => emails::reset_password(site, to, &user.name, ResetOccasion::Asked, link, &valid_for)?,
    };
    tx.mail(Some(&user.id), message)?;
    Ok(enforced.is_some())
}

/// `GET /reset-password?token=`
pub async fn open(client: Client, visitor: MaybeUser, link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let secret = link.into_inner().token;
    let user = look_up(&app, &secret).await?;
    Ok(Reply::page(page(&user, &secret, &client, &visitor, Errors::default())))
}

/// `POST /reset-password`
pub async fn reset(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<ResetForm>,
    app: Data<App>,
) -> Result<Reply> {
    let user = look_up(&app, &form.token).await?;
    let (app_name, person) = (app.config().site.name.clone(), user.clone());
    let checked = log::spawn_blocking(move || (form.check(&person, &app_name), form)).await;
    let form = match checked.map_err(Error::internal)? {
        (Ok(()), form) => form,
        (Err(errors), form) => {
            let page = page(&user, &form.token, &client, &visitor, errors.clone());
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let counted = user.id.clone();
    app.write(move |tx| rate_limit::count_hash(tx, counted.as_str())).await?;
    let hash = app.hasher().hash(form.password).await?;
    let ends_own_session = client.holds_session_of(&user.id);
    let (id, known) = (user.id.clone(), client.known.clone());
    let known_from =
        app.write(move |tx| set(tx, &client, &form.token, &hash)).await.map_err(dead_reset_link)?;
    let done = Reply::done("/login", "Your new password is saved. Sign in with it.");
    // Whoever has just read the account's mail is not kept out by those who guess.
    let done = done.known_as(known.sparing(&id, known_from));
    Ok(if ends_own_session { done.signed_out() } else { done })
}

/// Returns the moment from which on the account knows browsers again.
fn set(
    tx: &mut Tx,
    client: &Client,
    secret: &Secret<ResetPassword>,
    hash: &PasswordHash,
) -> Result<Timestamp> {
    // The address first, as at every confirmation: see `verify_email::redeem`.
    let waiting = token::peek(tx.conn, secret)?;
    tx.lock(&waiting.claim)?;
    let (id, normalized): (UserId, String) = token::redeem(tx, secret)?;
    let user = user::by_id(tx.conn, &id)?;
    if sso_policy::required_connection(tx.conn, &user)?.is_some() {
        return Err(Error::SsoRequired(authentication::sso_login_url(&user.email)));
    }
    let actor = client.actor().known_as(&id);
    if !user.is_verified() {
        // The link came to the mailbox, so it proves the address as well.
        email_verification::confirm(tx, &actor, &id, &normalized)?;
        // Until now it was perhaps a stranger's account, or that of an organisation that only says so.
        sign_in::forget(tx, &id)?;
        unverified_account::detach_from_organisations(tx, &actor, &id)?;
    }
    user::set_password(tx, &id, hash)?;
    containment::end_access(tx, &actor, &id, Occasion::PasswordReset)?;
    linking::forget_unproved(tx, &actor, &user)?;
    // Strangers who guessed before must not keep out whoever has just read the account's mail.
    let streak = rate_limit::login_streak(tx.config, "any", &normalized);
    rate_limit::clear(tx, &streak)?;
    second_factors::clear_guesses(tx, &id, false)?;
    let key = security_changes::address_key(&normalized);
    security_changes::note(tx, &actor, &id, Kind::PasswordReset, Some(&key))?;
    let device = client.device().name();
    containment::tell_of_password(tx, &actor, &user, &device)?;
    audit::record(tx, &actor, &id, Event::PasswordReset {})?;
    user::known_from(tx, &id)
}

/// Whose link it is, where it still works.
async fn look_up(app: &App, secret: &Secret<ResetPassword>) -> Result<User> {
    let (now, secret) = (app.now(), secret.clone());
    app.read(move |conn| {
        let token = token::peek(conn, &secret)?;
        if !token.is_live(now) {
            return Err(Error::DeadResetLink);
        }
        user::by_id(conn, &token.user_id)
    })
    .await
    .map_err(dead_reset_link)
}

/// The link died, or its account ended, before this request or during it.
fn dead_reset_link(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => Error::DeadResetLink,
        other => other,
    }
}

fn page(
    user: &User,
    secret: &Secret<ResetPassword>,
    client: &Client,
    visitor: &MaybeUser,
    errors: Errors,
) -> ResetPage {
    let other = visitor.signed_in().filter(|_| !client.holds_session_of(&user.id));
    ResetPage {
        email: user.email.spelled().to_owned(),
        token: secret.reveal().to_owned(),
        someone_else: other.map(|me| me.user.email.spelled().to_owned()),
        errors,
    }
}

impl ResetForm {
    fn check(&self, user: &User, app_name: &str) -> Result<(), Errors> {
        let context = Context { address: user.email.spelled(), name: &user.name, app: app_name };
        judge("password", &self.password, self.repeat.as_ref(), &context)
    }
}
