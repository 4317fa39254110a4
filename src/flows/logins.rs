//! The history of the door: who tried this account, from where, and what came of it.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    error::Result,
    ids::SignInId,
    model::sign_in,
    web::{CurrentUser, Query, Reply, views::LoginView},
};

const PAGE: usize = 50;

/// A page of the history.
#[derive(Template, Serialize)]
#[template(path = "logins.html")]
pub(crate) struct LoginsPage {
    logins: Vec<LoginView>,
    next: Option<String>,
}

/// Where to go on.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    cursor: Option<SignInId>,
}

/// `GET /me/logins`
pub(crate) async fn index(me: CurrentUser, query: Query<Cursor>, app: Data<App>) -> Result<Reply> {
    let (person, cursor) = (me.user.clone(), query.into_inner().cursor);
    // One more than a page tells whether there is another.
    let more = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let mut found = app
        .read(move |conn| sign_in::shown(conn, &person.id, person.is_verified(), cursor.as_ref(), more))
        .await?;
    let has_more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    Ok(Reply::page(LoginsPage { logins: found.into_iter().map(LoginView::from).collect(), next }))
}
