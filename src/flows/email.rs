//! Another address. Nothing changes until the link sent to the new address is used; the old one is told, and can stop it.

pub(crate) mod confirm;
pub(crate) mod undo;

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{email_change::Event, security_changes, sso_policy},
    app::App,
    clock::span_in_words,
    db::Tx,
    error::{Error, Errors, Result},
    mail::{EmailAddress, EmailKind, emails},
    model::{
        audit::{self, Actor},
        rate_limit::{self, Limit},
        security_change::Kind,
        session,
        token::{self, AddressChange, ChangeEmail, RevertEmailChange},
        user::{self, User},
    },
    secret::Secret,
    web::{CurrentUser, Input, Reply, SteppedUpVerifiedUser},
};

/// The form for another address.
#[derive(Template, Serialize)]
#[template(path = "email.html")]
pub(crate) struct EmailPage {
    current: String,
    #[serde(skip)]
    email: String,
    pending: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// The new address.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    email: String,
}

/// A link.
#[derive(Deserialize)]
#[serde(bound = "")]
pub(crate) struct Link<P> {
    #[serde(default)]
    token: Secret<P>,
}

/// `GET /me/email`
pub(crate) async fn form(me: SteppedUpVerifiedUser, app: Data<App>) -> Result<Reply> {
    let (owner, now) = (me.user.id.clone(), me.now);
    let pending = app.read(move |conn| token::outstanding::<ChangeEmail>(conn, &owner, now)).await?;
    let pending = pending.map(|change| change.new.spelled().to_owned());
    let current = me.user.email.spelled().to_owned();
    Ok(Reply::page(EmailPage { current, email: String::new(), pending, errors: Errors::default() }))
}

/// `PUT POST /me/email`. The same answer whether or not the new address is somebody's.
pub(crate) async fn ask(
    me: SteppedUpVerifiedUser,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let (current, email) = (me.user.email.spelled().to_owned(), form.email.clone());
    let outcome = send(me, form, app).await;
    Reply::or_again(outcome, |errors| EmailPage { current, email, pending: None, errors })
}

async fn send(me: SteppedUpVerifiedUser, form: Form, app: Data<App>) -> Result<Reply> {
    let parsed = EmailAddress::parse_new(&form.email, !app.config().is_development())
        .map_err(|problem| problem.to_string());
    let new = match parsed.and_then(|new| differs(new, &me.user.email)) {
        Ok(new) => new,
        Err(problem) => return Ok(refuse(&me, form, Errors::one("email", problem))),
    };
    let (mover, target) = (me.user.clone(), new.clone());
    if let Err(errors) = app.read(move |conn| sso_policy::allows_move(conn, &mover, &target)).await? {
        return Ok(refuse(&me, form, errors));
    }
    let message =
        format!("We sent a link to {}. Your email address changes when it is opened.", new.spelled());
    let (user, actor, here) = (me.user.clone(), me.actor(), me.session.id.clone());
    // One account must not be a way to write to many strangers.
    let asking =
        Limit::new("email-change", user.id.as_str(), app.config().limits.mails_per_hour, TimeDelta::hours(1));
    app.write(move |tx| {
        tx.lock(&user.email.normalized())?;
        session::hold(tx, &here)?;
        rate_limit::consume(tx, &asking)?;
        let to = new.spelled().to_owned();
        let key = security_changes::address_key(&new.normalized());
        security_changes::note(tx, &actor, &user.id, Kind::EmailChangeAsked, Some(&key))?;
        send_links(tx, &actor, &user, new)?;
        audit::record(tx, &actor, &user.id, Event::EmailChangeRequested { to })
    })
    .await?;
    Ok(Reply::done("/me", message))
}

/// `POST /me/email/cancel`. Without a step-up: it takes nothing from anybody.
pub(crate) async fn cancel(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (actor, owner) = (me.actor(), me.user.id.clone());
    let was_asked = app
        .write(move |tx| {
            let Some(change) = token::outstanding::<ChangeEmail>(tx.conn, &owner, tx.now)? else {
                return Ok(false);
            };
            token::revoke::<ChangeEmail>(tx, &owner)?;
            let to = change.new.spelled().to_owned();
            audit::record(tx, &actor, &owner, Event::EmailChangeStopped { to })?;
            Ok(true)
        })
        .await?;
    let message = match was_asked {
        true => "Your email address stays as it is.",
        false => "There is no change of email address to cancel.",
    };
    Reply::done("/me", message).with("cancelled", was_asked)
}

fn refuse(me: &SteppedUpVerifiedUser, form: Form, errors: Errors) -> Reply {
    let current = me.user.email.spelled().to_owned();
    let page = EmailPage { current, email: form.email, pending: None, errors: errors.clone() };
    Reply::refused(page, Error::Invalid(errors))
}

fn differs(new: EmailAddress, current: &EmailAddress) -> Result<EmailAddress, String> {
    match new.spelled() == current.spelled() {
        true => Err("That is your address already.".to_owned()),
        false => Ok(new),
    }
}

fn send_links(tx: &mut Tx, actor: &Actor, user: &User, new: EmailAddress) -> Result<()> {
    let owner = user::confirmed(tx.conn, &new)?.filter(|owner| owner.id != user.id);
    // Whoever else had emails sent there keeps nobody from their own new address: an email too many is simply not written,
    // and the link before it stays good.
    let has_room = rate_limit::try_consume_mail(tx, EmailKind::ConfirmNewAddress, &new)?
        && rate_limit::try_consume_mail_to_unconfirmed(tx, &new, actor.ip.as_deref(), owner.is_none())?;
    if !has_room {
        return token::dummy_issue::<ChangeEmail>(tx);
    }
    let config = tx.config;
    let change = AddressChange { old: user.email.clone(), new };
    let confirm = token::issue::<ChangeEmail>(tx, &user.id, &change)?;
    let undo = token::issue_with::<RevertEmailChange>(tx, &user.id, &change, config.lifetimes.email_change)?;
    let valid_for = span_in_words(config.lifetimes.email_change);
    let email = match &owner {
        // Somebody has it confirmed: they are told what anybody is told who signs up with it.
        Some(owner) => emails::already_registered(&config.site, &owner.email, &owner.name)?,
        None => emails::confirm_new_address(&config.site, &change.new, confirm.reveal(), &valid_for)?,
    };
    tx.mail(owner.as_ref().map(|owner| &owner.id).or(Some(&user.id)), email)?;
    let new = change.new.spelled();
    let told =
        emails::address_change_asked(&config.site, &user.email, &user.name, new, undo.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), told)
}
