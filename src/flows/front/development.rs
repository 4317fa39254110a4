//! What a developer sees first: what runs here, where the mail is, who can sign in.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    config::DatabaseUrl,
    model::user,
    web::{Reply, local_visitor},
};

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

/// The page, for who sits at this machine.
pub(crate) async fn page(req: &HttpRequest, app: &Data<App>) -> Option<Reply> {
    local_visitor::only_here(req, app).ok()?;
    // This page says where everything is, also while the database is away.
    let people = app.read(user::seeded).await.unwrap_or_default();
    Some(Reply::page(DevFrontPage {
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
