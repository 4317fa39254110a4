//! The link in the mail about a deletion, which keeps the account.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::deletion,
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    model::{
        token::{self, CancelDeletion},
        user,
    },
    secret::Secret,
    web::{Client, Input, Query, Reply},
};

/// What the link in the mail does.
#[derive(Template, Serialize)]
#[template(path = "cancel_deletion.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelPage {
    email: String,
    delete_at: Timestamp,
    #[serde(skip)]
    token: String,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<CancelDeletion>,
}

/// `GET /cancel-deletion?token=`
pub(crate) async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
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
pub(crate) async fn create(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let held = client.current_session.clone();
    let owner = app.write(move |tx| deletion::cancel_by_link(tx, &client.actor(), &form.token)).await?;
    let is_here = held.is_some_and(|(held, _)| held == owner);
    let (to, message) = match is_here {
        true => ("/me", "Your account won't be deleted."),
        false => ("/login", "Your account stays. Sign in to use it."),
    };
    Reply::done(to, message).with("scheduled", false)
}
