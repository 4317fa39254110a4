//! Signing in with a link by mail.
//!
//! The link belongs to the browser that asked for it: there its page has a button. Anywhere else the page tells who
//! asked, and leaves two ways: the short code, typed where the link was asked for, or going on here, by a button. Opening
//! the link changes nothing, so neither scanners nor previews use it up.

pub(crate) mod verify;

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::magic_link::{self, Asker},
    app::App,
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{
        network,
        rate_limit::{self, Limit},
    },
    web::{
        Client, IncludingScheduledDeletion, Input, MagicLinkRequester, Query, Reply, input::tick, local_path,
    },
};

/// The form for a link.
#[derive(Template, Serialize)]
#[template(path = "magic_link.html")]
pub(crate) struct AskPage {
    email: String,
    remember: bool,
    next: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// What the browser that asked can do until the link arrives.
#[derive(Template, Serialize)]
#[template(path = "magic_link_sent.html")]
pub(crate) struct SentPage {
    email: String,
    #[serde(skip)]
    errors: Errors,
}

/// Who asks, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct AskForm {
    #[serde(default)]
    email: String,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
    next: Option<String>,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct ReturnQuery {
    #[serde(default)]
    email: String,
    next: Option<String>,
}

/// `GET /login/magic-link`
pub(crate) async fn form(
    _: MagicLinkRequester,
    me: Option<IncludingScheduledDeletion>,
    query: Query<ReturnQuery>,
) -> Result<Reply> {
    let next = local_path(query.next.as_deref());
    if me.is_some() {
        return Ok(Reply::on(next));
    }
    Ok(Reply::page(AskPage {
        email: query.into_inner().email,
        remember: false,
        next,
        errors: Errors::default(),
    }))
}

/// `POST /login/magic-link`. The same answer for every address.
pub(crate) async fn create(
    browser: MagicLinkRequester,
    client: Client,
    Input(form): Input<AskForm>,
    app: Data<App>,
) -> Result<Reply> {
    let AskForm { email, remember, next } = form;
    let next = local_path(next.as_deref());
    let page = AskPage { email: email.clone(), remember, next: next.clone(), errors: Errors::default() };
    let outcome = ask(browser, client, AskForm { email, remember, next }, app).await;
    Reply::or_again(outcome, |errors| AskPage { errors, ..page })
}

async fn ask(
    browser: MagicLinkRequester,
    client: Client,
    AskForm { email, remember, next }: AskForm,
    app: Data<App>,
) -> Result<Reply> {
    let email = match EmailAddress::parse(&email) {
        Ok(email) => email,
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let page = AskPage { email, remember, next, errors: errors.clone() };
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let message = format!(
        "If {} belongs to an account, a link to sign in is on its way to it. If you already have an email from us today, open \
         it.",
        email.spelled()
    );
    let asker = Asker {
        browser: browser.ask(&email)?,
        email,
        device: client.device().name(),
        ip: client.ip.clone(),
        remembered: remember,
        next,
    };
    app.write(move |tx| {
        let (network, most) = (network::client_network(&client.ip), tx.config.limits.signups_per_network);
        rate_limit::consume(tx, &Limit::new("magic-link", &network, most, TimeDelta::hours(1)))?;
        magic_link::ask(tx, &client.actor(), asker)
    })
    .await?;
    // The page says it itself.
    Reply::go("/login/magic-link/sent").with("message", message)
}

/// `GET /login/magic-link/sent`: where the browser that asked waits, with a field for the short code.
pub(crate) async fn sent(browser: MagicLinkRequester) -> Result<Reply> {
    let Some(held) = browser.state() else { return Ok(Reply::go("/login/magic-link")) };
    Ok(Reply::page(SentPage { email: held.email().spelled().to_owned(), errors: Errors::default() }))
}
