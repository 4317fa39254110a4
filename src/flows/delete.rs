//! Deleting an account: asking for it, and thirty days to change one's mind.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::deletion,
    app::App,
    clock::{Timestamp, span_in_words},
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{session, user::User},
    web::{IncludingScheduledDeletion, Input, Reply, SteppedUpUser, views::PersonalDataView},
};

/// What somebody should know before they ask.
#[derive(Template, Serialize)]
#[template(path = "delete.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletePage {
    delete_at: Timestamp,
    #[serde(skip)]
    grace: String,
    #[serde(skip)]
    email: String,
    #[serde(skip)]
    is_verified: bool,
    personal_data: Vec<PersonalDataView>,
    #[serde(skip)]
    typed: String,
    #[serde(skip)]
    errors: Errors,
}

/// The account's address once more, which the page asks for: nobody deletes an account with one press.
#[derive(Deserialize)]
pub(crate) struct Form {
    email: Option<String>,
}

/// `GET /me/delete`
pub(crate) async fn form(me: SteppedUpUser, app: Data<App>) -> Result<Reply> {
    Ok(Reply::page(page(&me, &app, String::new(), Errors::default())))
}

fn page(me: &SteppedUpUser, app: &App, typed: String, errors: Errors) -> DeletePage {
    let grace = app.config().lifetimes.deletion_grace;
    DeletePage {
        delete_at: me.now + grace,
        grace: span_in_words(grace),
        email: me.user.email.spelled().to_owned(),
        is_verified: me.user.is_verified(),
        personal_data: PersonalDataView::all(&app.config().lifetimes),
        typed,
        errors,
    }
}

/// `POST /me/delete`. It needs no body: a program has said what it means by the route.
pub(crate) async fn create(me: SteppedUpUser, form: Option<Input<Form>>, app: Data<App>) -> Result<Reply> {
    let typed = form.and_then(|Input(form)| form.email);
    if let Some(typed) = typed.filter(|typed| !is_address_of(&me.user, typed)) {
        let errors = Errors::one("email", "Enter the email address of this account to confirm.");
        return Ok(Reply::refused(page(&me, &app, typed, errors.clone()), Error::Invalid(errors)));
    }
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

fn is_address_of(user: &User, typed: &str) -> bool {
    EmailAddress::parse(typed).is_ok_and(|typed| typed.normalized() == user.email.normalized())
}

/// Whether a deletion is under way, and until when it can be stopped.
#[derive(Template, Serialize)]
#[template(path = "delete_status.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusPage {
    scheduled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_remaining: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_at: Option<Timestamp>,
    #[serde(skip)]
    email: String,
}

/// `GET /me/delete/status`
pub(crate) async fn status(me: IncludingScheduledDeletion) -> Result<Reply> {
    let delete_at = me.user.deletes_at;
    Ok(Reply::page(StatusPage {
        scheduled: delete_at.is_some(),
        days_remaining: delete_at.map(|at| deletion::days_left(at, me.now)),
        delete_at,
        email: me.user.email.spelled().to_owned(),
    }))
}

/// `POST /me/delete/cancel`. Without a step-up: it takes nothing from anybody.
pub(crate) async fn cancel(me: IncludingScheduledDeletion, app: Data<App>) -> Result<Reply> {
    let (actor, user) = (me.actor(), me.user.clone());
    let message = match app.write(move |tx| deletion::cancel(tx, &actor, &user)).await? {
        true => "Your account won't be deleted.",
        false => "Your account was not going to be deleted.",
    };
    Reply::on_saying(None, message).with("scheduled", false)
}
