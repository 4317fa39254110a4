//! The front page. People who are signed in go on to their account; a developer sees what runs here.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    config::DatabaseUrl,
    error::Result,
    model::user,
    web::{IncludingScheduledDeletion, Reply, forwarded},
};

/// The front page has nothing of its own to say.
#[derive(Template, Serialize)]
#[template(path = "front.html")]
struct FrontPage {}

/// What a developer looks for first. In development only, and on this machine.
#[derive(Template, Serialize)]
#[template(path = "dev_front.html")]
struct DevFrontPage {
    version: &'static str,
    database: &'static str,
    mail: Option<String>,
    routes: &'static str,
    people: Vec<SeededView>,
}

/// One whom `vestibule seed` made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeededView {
    email: String,
    email_verified: bool,
}

/// `GET /`
pub async fn show(me: Option<IncludingScheduledDeletion>, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    if me.is_some() {
        return Ok(Reply::go("/me"));
    }
    if !cfg!(feature = "development") || forwarded::only_here(&req, &app).is_err() {
        return Ok(Reply::page(FrontPage {}));
    }
    // This page says where everything is, also while the database is away.
    let people = app.read(user::seeded).await.unwrap_or_default();
    Ok(Reply::page(DevFrontPage {
        version: env!("CARGO_PKG_VERSION"),
        database: match app.config().database {
            DatabaseUrl::Sqlite(_) => "SQLite",
            DatabaseUrl::Postgres(_) => "PostgreSQL",
        },
        mail: match app.catches_mail() {
            true => Some("/dev/mail".to_owned()),
            false => app.mail_shown_at().map(str::to_owned),
        },
        routes: "/dev/routes",
        people: people
            .into_iter()
            .map(|(email, is_verified)| SeededView { email, email_verified: is_verified })
            .collect(),
    }))
}
