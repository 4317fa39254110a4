//! Stopping the removal of one's second factors: by the link in the mail, or signed in.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{factor_reset, factors},
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::UserId,
    model::{
        token::{self, StopFactorReset},
        user::{self, User},
    },
    secret::Secret,
    web::{Client, CurrentUser, Input, Query, Reply},
};

/// What is under way, and what the button does.
#[derive(Template, Serialize)]
#[template(path = "factor_reset.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct StopPage {
    email: String,
    /// When it takes effect; nothing where it was stopped, or has.
    takes_effect_at: Option<Timestamp>,
    #[serde(skip)]
    is_partial: bool,
    #[serde(skip)]
    token: String,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<StopFactorReset>,
}

/// `GET /factor-reset/stop?token=`
pub(crate) async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (now, secret) = (app.now(), link.into_inner().token);
    let page = app
        .read(move |conn| {
            let user = owner(conn, &secret, now)?;
            let factors = factors::of(conn, &user.id)?;
            let (takes_effect_at, is_partial) = (factors.reset_at, factors.is_partial_reset);
            let email = user.email.spelled().to_owned();
            Ok(StopPage { email, takes_effect_at, is_partial, token: secret.reveal().to_owned() })
        })
        .await?;
    Ok(Reply::page(page))
}

/// `POST /factor-reset/stop`
pub(crate) async fn stop_by_link(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let is_stopped = app
        .write(move |tx| {
            let user = owner(tx.conn, &form.token, tx.now)?;
            factor_reset::stop(tx, &client.actor().known_as(&user.id), &user)
        })
        .await?;
    done("/login", is_stopped)
}

/// `POST /me/factor-reset/stop`. Needs no step-up: nothing is taken away by it.
pub(crate) async fn stop(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (actor, user) = (me.actor(), me.user.clone());
    let here = me.session.id.clone();
    let is_stopped = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            if !factor_reset::may_stop(tx.conn, &user.id, &here)? {
                let sentence = "You signed in here with what is to be removed, in a browser we didn't know before. To cancel, \
                                use the link in the email.";
                return Err(Error::Invalid(Errors::one("form", sentence)));
            }
            factor_reset::stop(tx, &actor, &user)
        })
        .await?;
    done("/me/security", is_stopped)
}

/// Whose link it is. It is not used up: what decides is whether anything is under way.
fn owner(conn: &mut Conn, secret: &Secret<StopFactorReset>, now: Timestamp) -> Result<User> {
    let token = token::peek(conn, secret)?;
    let id: &UserId = &token.user_id;
    if token.is_live(now) { user::by_id(conn, id) } else { Err(Error::DeadLink) }
}

fn done(to: &str, is_stopped: bool) -> Result<Reply> {
    let message = match is_stopped {
        true => "The reset is cancelled. Your two-step verification stays as it is.",
        false => "There is nothing to cancel: it was cancelled before, or it has taken effect already.",
    };
    Reply::done(to, message).with("stopped", is_stopped)
}
