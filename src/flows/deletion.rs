//! Deleting an account: asking for it, thirty days to change one's mind, and what is held until then and afterwards.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{deletion, personal_data},
    app::App,
    clock::{Timestamp, span_in_words},
    error::{Error, Result},
    model::{
        personal_data::{Erasure, PersonalData},
        session,
        token::{self, CancelDeletion},
        user,
    },
    secret::Secret,
    web::{Client, IncludingScheduledDeletion, Input, Query, Reply, SteppedUpUser},
};

/// What a table holds, as its person reads it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalDataView {
    title: &'static str,
    why: &'static str,
    holds: Vec<&'static str>,
    when_deleted: Erasure,
    #[serde(skip_serializing_if = "str::is_empty")]
    afterwards: &'static str,
}

impl From<&PersonalData> for PersonalDataView {
    fn from(entry: &PersonalData) -> Self {
        Self {
            title: entry.title,
            why: entry.why,
            holds: entry.columns.iter().map(|(_, says)| *says).collect(),
            when_deleted: entry.erasure,
            afterwards: entry.afterwards,
        }
    }
}

fn all() -> Vec<PersonalDataView> {
    personal_data::ALL.iter().map(|entry| PersonalDataView::from(*entry)).collect()
}

/// What we hold about people.
#[derive(Template, Serialize)]
#[template(path = "privacy_data.html")]
#[serde(rename_all = "camelCase")]
pub struct PrivacyDataPage {
    #[serde(rename = "holdings")]
    personal_data: Vec<PersonalDataView>,
    #[serde(skip)]
    grace: String,
}

/// `GET /privacy/data`
pub async fn privacy_data(app: Data<App>) -> Result<Reply> {
    let grace = span_in_words(app.config().lifetimes.deletion_grace);
    Ok(Reply::page(PrivacyDataPage { personal_data: all(), grace }))
}

/// What somebody should know before they ask.
#[derive(Template, Serialize)]
#[template(path = "delete.html")]
#[serde(rename_all = "camelCase")]
pub struct DeletePage {
    delete_at: Timestamp,
    #[serde(skip)]
    grace: String,
    #[serde(skip)]
    email: String,
    #[serde(skip)]
    is_verified: bool,
    personal_data: Vec<PersonalDataView>,
}

impl DeletePage {
    fn with(&self, erasure: Erasure) -> impl Iterator<Item = &PersonalDataView> {
        self.personal_data.iter().filter(move |entry| entry.when_deleted == erasure)
    }
}

/// `GET /me/delete`
pub async fn form(me: SteppedUpUser, app: Data<App>) -> Result<Reply> {
    let grace = app.config().lifetimes.deletion_grace;
    Ok(Reply::page(DeletePage {
        delete_at: me.now + grace,
        grace: span_in_words(grace),
        email: me.user.email.spelled().to_owned(),
        is_verified: me.user.is_verified(),
        personal_data: all(),
    }))
}

/// `POST /me/delete`
pub async fn create(me: SteppedUpUser, app: Data<App>) -> Result<Reply> {
    let (actor, user, keep) = (me.actor(), me.user.clone(), me.session.id.clone());
    let grace = app.config().lifetimes.deletion_grace;
    // Counted from the moment of the change, which is a little later than the request.
    let (delete_at, days_left) = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            session::hold(tx, &keep)?;
            let delete_at = deletion::schedule(tx, &actor, &user, Some(&keep), grace)?;
            Ok((delete_at, deletion::days_left(delete_at, tx.now)))
        })
        .await?;
    let message = format!("Your account will be deleted on {}.", delete_at.exact());
    Reply::done("/me/delete/status", message)
        .with("scheduled", true)?
        .with("daysRemaining", days_left)?
        .with("deleteAt", delete_at)
}

/// Whether a deletion is under way, and until when it can be stopped.
#[derive(Template, Serialize)]
#[template(path = "deletion_status.html")]
#[serde(rename_all = "camelCase")]
pub struct StatusPage {
    scheduled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_remaining: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_at: Option<Timestamp>,
    #[serde(skip)]
    email: String,
}

/// `GET /me/delete/status`
pub async fn status(me: IncludingScheduledDeletion) -> Result<Reply> {
    let delete_at = me.user.deletes_at;
    Ok(Reply::page(StatusPage {
        scheduled: delete_at.is_some(),
        days_remaining: delete_at.map(|at| deletion::days_left(at, me.now)),
        delete_at,
        email: me.user.email.spelled().to_owned(),
    }))
}

/// `POST /me/delete/cancel`. Without a step-up: it takes nothing from anybody.
pub async fn cancel(me: IncludingScheduledDeletion, app: Data<App>) -> Result<Reply> {
    let (actor, user) = (me.actor(), me.user.clone());
    let message = match app.write(move |tx| deletion::cancel(tx, &actor, &user)).await? {
        true => "Your account stays, with everything in it.",
        false => "Your account was not going to be deleted.",
    };
    Reply::done("/me", message).with("scheduled", false)
}

/// What the link in the mail does.
#[derive(Template, Serialize)]
#[template(path = "deletion_cancel.html")]
#[serde(rename_all = "camelCase")]
pub struct CancelPage {
    email: String,
    delete_at: Timestamp,
    #[serde(skip)]
    token: String,
}

/// The link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: Secret<CancelDeletion>,
}

/// `GET /cancel-deletion?token=`
pub async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (now, secret) = (app.now(), link.into_inner().token);
    let page = app
        .read(move |conn| {
            let token = token::peek(conn, &secret)?;
            let user = user::find(conn, &token.user_id)?.filter(|_| token.is_live(now));
            let waiting = user.and_then(|user| Some((user.deletes_at?, user.email)));
            let (delete_at, email) = waiting.ok_or(Error::DeadLink)?;
            let (email, token) = (email.spelled().to_owned(), secret.reveal().to_owned());
            Ok(CancelPage { email, delete_at, token })
        })
        .await?;
    Ok(Reply::page(page))
}

/// `POST /cancel-deletion`. It keeps the account and signs nobody in.
pub async fn cancel_by_link(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let held = client.current_session.clone();
    let owner = app.write(move |tx| deletion::cancel_by_link(tx, &client.actor(), &form.token)).await?;
    let is_here = held.is_some_and(|(held, _)| held == owner);
    let (to, message) = match is_here {
        true => ("/me", "Your account stays, with everything in it."),
        false => ("/login", "Your account stays. Sign in to use it."),
    };
    Reply::done(to, message).with("scheduled", false)
}
