//! A link to set a new password, for whoever forgot theirs.

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{email_verification, passwords::Event, sso_policy},
    app::App,
    clock::span_in_words,
    db::Tx,
    error::{Error, Errors, Result},
    mail::{
        EmailAddress, EmailKind,
        emails::{self, ResetOccasion},
    },
    model::{
        audit, network,
        rate_limit::{self, Limit},
        token::{self, ResetPassword},
        user,
    },
    urls,
    web::{Client, IncludingScheduledDeletion, Input, Query, Reply},
};

/// The form for a link.
#[derive(Template, Serialize)]
#[template(path = "forgot_password.html")]
pub(crate) struct ForgotPage {
    email: String,
    #[serde(skip)]
    errors: Errors,
}

/// What is said to everybody alike.
#[derive(Template, Serialize)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage {
    #[serde(skip)]
    title: &'static str,
    message: String,
    #[serde(skip)]
    href: Option<&'static str>,
    #[serde(skip)]
    label: Option<&'static str>,
}

/// Whose password is forgotten.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    email: String,
}

/// `GET /forgot-password?email=`. Somebody who is signed in means their own.
pub(crate) async fn form(typed: Query<Form>, me: Option<IncludingScheduledDeletion>) -> Result<Reply> {
    let own = me.map(|me| me.user.email.spelled().to_owned());
    let email = Some(typed.into_inner().email).filter(|typed| !typed.is_empty()).or(own).unwrap_or_default();
    Ok(Reply::page(ForgotPage { email, errors: Errors::default() }))
}

/// `POST /forgot-password`. The same answer for every address.
pub(crate) async fn create(client: Client, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let email = form.email.clone();
    Reply::or_again(ask(client, form, app).await, |errors| ForgotPage { email, errors })
}

async fn ask(client: Client, form: Form, app: Data<App>) -> Result<Reply> {
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
    let way = urls::sso_login(email.spelled());
    if app.write(move |tx| send_link(tx, &client, &email)).await? {
        return Err(sso_policy::sso_required(way));
    }
    let page = NoticePage {
        title: "Check your email",
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
    let network = network::client_network(&client.ip);
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
