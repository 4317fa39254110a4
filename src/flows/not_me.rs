//! "This wasn't me": the way out for whoever is told of a sign-in they know nothing of.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::second_factors,
    app::App,
    clock::{Timestamp, span_in_words},
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    mail::letters,
    model::{
        audit::{self, Event},
        identity, session,
        token::{self, NotMe, ResetPassword},
        user,
    },
    secret::Secret,
    web::{Client, Input, Query, Reply},
};

/// What was told of the sign-in, and what the button does.
#[derive(Template, Serialize)]
#[template(path = "not_me.html")]
pub struct NotMePage {
    email: String,
    when: Timestamp,
    device: String,
    ip: String,
    #[serde(skip)]
    token: String,
}

/// The link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: Secret<NotMe>,
}

/// `GET /not-me?token=`
pub async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (now, secret) = (app.now(), link.into_inner().token);
    let page = app
        .read(move |conn| {
            let token = token::peek(conn, &secret)?;
            if !token.is_live(now) {
                return Err(Error::DeadLink);
            }
            let email = user::by_id(conn, &token.user_id)?.email.spelled().to_owned();
            let when = Timestamp::from_unix(token.claim.at);
            let told = token.claim;
            Ok(NotMePage { email, when, device: told.device, ip: told.ip, token: secret.reveal().to_owned() })
        })
        .await?;
    Ok(Reply::page(page))
}

/// `POST /not-me`
pub async fn create(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let held = client.held.clone();
    let owner = app.write(move |tx| secure(tx, &client, &form.token)).await?;
    let message = "Every device is signed out and the password is blocked. We sent you a link for a new one.";
    let done = Reply::done("/login", message);
    Ok(if held.is_some_and(|(held, _)| held == owner) { done.signed_out() } else { done })
}

/// Signs everything out, blocks the password, and starts a reset.
fn secure(tx: &mut Tx, client: &Client, secret: &Secret<NotMe>) -> Result<UserId> {
    let waiting = token::peek(tx.conn, secret)?;
    let user = user::find_locked(tx, &waiting.user_id)?.ok_or(Error::NotFound)?;
    let (id, told) = token::redeem(tx, secret)?;
    let actor = client.actor().known_as(&id);
    token::revoke_all(tx, &id)?;
    session::revoke_others(tx, &actor, &id, None)?;
    user::block_password(tx, &id)?;
    let moment = Timestamp::from_unix(told.at);
    second_factors::remove_since(tx, &actor, &id, moment)?;
    identity::forget_since(tx, &actor, &id, moment)?;
    let reset = token::issue::<ResetPassword>(tx, &id, &user.email.normalized())?;
    let config = tx.config;
    let valid_for = span_in_words(config.lifetimes.reset_link);
    let letter = letters::reset_password(&config.site, &user.email, &user.name, reset.reveal(), &valid_for)?;
    tx.mail(Some(&id), letter)?;
    audit::record(tx, &actor, &id, Event::AccountSecured {})?;
    Ok(id)
}
