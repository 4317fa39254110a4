//! Development only: the mail that was caught, for whoever sits at this machine.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header,
    web::{Data, Path},
};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    mail::Caught,
    web::{Reply, headers, local_visitor},
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
pub(crate) async fn index(req: HttpRequest, app: Data<App>) -> Result<Reply> {
    local_visitor::only_here(&req, &app)?;
    let emails = app.catcher().map(|catcher| catcher.emails()).unwrap_or_default();
    let emails = emails.into_iter().map(CaughtView::from).collect();
    let shown_at = app.mail_shown_at().map(str::to_owned);
    Ok(Reply::page(DevMailPage { emails, is_elsewhere: app.catcher().is_none(), shown_at }))
}

// Of a page that a frame shows by itself: styles as emails have them, and nothing else.
const FRAMED: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'; sandbox allow-popups allow-top-navigation-by-user-activation";

/// `GET /dev/mail/{id}/html`. Its links open in the window around the frame.
pub(crate) async fn html(req: HttpRequest, id: Path<u64>, app: Data<App>) -> Result<HttpResponse> {
    local_visitor::only_here(&req, &app)?;
    let email = app.catcher().and_then(|catcher| catcher.email(*id)).ok_or(Error::NotFound)?;
    let framed = email.html.replacen("<head>", "<head><base target=\"_top\">", 1);
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, FRAMED))
        .insert_header((header::X_FRAME_OPTIONS, "SAMEORIGIN"))
        .body(framed))
}

/// `GET /dev/mail/{id}/source`: headers and all, as it came.
pub(crate) async fn source(req: HttpRequest, id: Path<u64>, app: Data<App>) -> Result<HttpResponse> {
    local_visitor::only_here(&req, &app)?;
    let email = app.catcher().and_then(|catcher| catcher.email(*id)).ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(email.source))
}

/// `GET /dev/mail/{id}`, with the HTML in a frame.
pub(crate) async fn show(req: HttpRequest, id: Path<u64>, app: Data<App>) -> Result<HttpResponse> {
    local_visitor::only_here(&req, &app)?;
    let email = app.catcher().and_then(|catcher| catcher.email(*id)).ok_or(Error::NotFound)?;
    let mut answer = Reply::page(DevEmailPage { email: email.into() }).respond_to(&req);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, headers::policy_with_frames());
    Ok(answer)
}
