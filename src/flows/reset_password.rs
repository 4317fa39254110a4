//! A new password through a mailed link. It ends every session and link, and signs nobody in.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        containment::{self, Occasion},
        email_verification, linking,
        passwords::Event,
        second_factors, security_changes, sso_policy, unverified_account,
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result, refusals},
    ids::UserId,
    log,
    model::{
        audit,
        password::{
            Password, PasswordHash,
            policy::{Context, judge},
        },
        rate_limit,
        security_change::Kind,
        sign_in,
        token::{self, ResetPassword},
        user::{self, User},
    },
    secret::Secret,
    urls,
    web::{Client, Input, MaybeUser, Query, Reply},
};

refusals! {
    /// A reset link that is unknown, used, expired, or replaced by a newer one.
    DEAD_RESET_LINK = (
        "dead_reset_link", 422, "That link has expired or was already used. Ask for a new one."
    ).page("This link no longer works", "/forgot-password", "Send me a new link");
}

/// The form for a new password.
#[derive(Template, Serialize)]
#[template(path = "reset_password.html")]
pub(crate) struct ResetPage {
    email: String,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    someone_else: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// The link, and the new password; a page asks for it twice.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    token: Secret<ResetPassword>,
    #[serde(default)]
    password: Password,
    repeat: Option<Password>,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<ResetPassword>,
}

/// `GET /reset-password?token=`
pub(crate) async fn open(visitor: MaybeUser, link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let secret = link.into_inner().token;
    let user = look_up(&app, &secret).await?;
    Ok(Reply::page(page(&user, &secret, &visitor, Errors::default())))
}

/// `POST /reset-password`
pub(crate) async fn create(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let user = look_up(&app, &form.token).await?;
    let (app_name, person) = (app.config().site.name.clone(), user.clone());
    let checked = log::spawn_blocking(move || (form.check(&person, &app_name), form)).await;
    let form = match checked.map_err(Error::internal)? {
        (Ok(()), form) => form,
        (Err(errors), form) => {
            let page = page(&user, &form.token, &visitor, errors.clone());
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
        return Err(sso_policy::sso_required(urls::sso_login(user.email.spelled())));
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
            return Err(DEAD_RESET_LINK.error());
        }
        user::by_id(conn, &token.user_id)
    })
    .await
    .map_err(dead_reset_link)
}

/// The link died, or its account ended, before this request or during it.
fn dead_reset_link(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => DEAD_RESET_LINK.error(),
        other => other,
    }
}

fn page(user: &User, secret: &Secret<ResetPassword>, visitor: &MaybeUser, errors: Errors) -> ResetPage {
    ResetPage {
        email: user.email.spelled().to_owned(),
        token: secret.reveal().to_owned(),
        someone_else: visitor.other_than(&user.id),
        errors,
    }
}

impl Form {
    fn check(&self, user: &User, app_name: &str) -> Result<(), Errors> {
        let context = Context { address: user.email.spelled(), name: &user.name, app: app_name };
        judge("password", &self.password, self.repeat.as_ref(), &context)
    }
}
