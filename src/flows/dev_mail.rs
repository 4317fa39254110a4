//! Development only: the mail that was caught, for whoever sits at this machine.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    mail::Caught,
    web::{Reply, forwarded},
};

/// What was caught, newest first.
#[derive(Template, Serialize)]
#[template(path = "dev_mail.html")]
#[serde(rename_all = "camelCase")]
struct DevMailPage {
    emails: Vec<CaughtView>,
    is_elsewhere: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown_at: Option<String>,
}

/// One email.
#[derive(Template, Serialize)]
#[template(path = "dev_mail_email.html")]
struct DevEmailPage {
    email: CaughtView,
}

/// A caught email, and the links in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CaughtView {
    id: u64,
    to: String,
    from: String,
    subject: String,
    text: String,
    html: String,
    links: Vec<String>,
    received_at: Timestamp,
}

impl From<Caught> for CaughtView {
    fn from(caught: Caught) -> Self {
        let is_link = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
        let mut links: Vec<String> =
            caught.text.split_whitespace().filter(is_link).map(str::to_owned).collect();
        links.dedup();
        Self {
            id: caught.id,
            to: caught.to,
            from: caught.from,
            subject: caught.subject,
            text: caught.text,
            html: caught.html,
            links,
            received_at: Timestamp::from_unix(caught.sent_at.map_or(0, |at| at.timestamp())),
        }
    }
}

/// `GET /dev/mail`
pub async fn index(req: HttpRequest, app: Data<App>) -> Result<Reply> {
    forwarded::only_here(&req, &app)?;
    let emails = app.catcher().map(|catcher| catcher.emails()).unwrap_or_default();
    let emails = emails.into_iter().map(CaughtView::from).collect();
    let shown_at = app.mail_shown_at().map(str::to_owned);
    Ok(Reply::page(DevMailPage { emails, is_elsewhere: app.catcher().is_none(), shown_at }))
}

/// `GET /dev/mail/{id}`
pub async fn show(req: HttpRequest, id: Path<u64>, app: Data<App>) -> Result<Reply> {
    forwarded::only_here(&req, &app)?;
    let email = app.catcher().and_then(|catcher| catcher.email(*id)).ok_or(Error::NotFound)?;
    Ok(Reply::page(DevEmailPage { email: email.into() }))
}
