//! "This wasn't me": the way out for whoever is told of a sign-in they know nothing of.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::containment::{self, Doubt},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    model::{
        token::{self, NotMe},
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
    what: Option<String>,
    when: Timestamp,
    device: String,
    ip: String,
    undone: Undone,
    #[serde(skip)]
    token: String,
}

/// What else the button takes back: what somebody else seems to have done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undone {
    passkeys: Vec<String>,
    authenticator_app: bool,
    identities: usize,
    // Shown to whoever reads the mailbox that had the account first.
    address: Option<String>,
    deletion: bool,
}

/// The link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: Secret<NotMe>,
}

/// `GET /not-me?token=`
pub async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (now, secret, keys) = (app.now(), link.into_inner().token, app.config().keys.clone());
    let page = app
        .read(move |conn| {
            let token = token::peek(conn, &secret)?;
            if !token.is_live(now) {
                return Err(Error::DeadLink);
            }
            let user = user::by_id(conn, &token.user_id)?;
            let told = token.claim;
            let when = Timestamp::from_unix(told.at);
            let doubt = Doubt::since(conn, &user.id, when, told.session, told.told_to.clone(), now)?;
            let judged = containment::judge(conn, &user, &doubt, &keys)?;
            let address = judged.address.as_ref().map(|address| address.spelled().to_owned());
            let undone = Undone {
                identities: judged.identities(),
                authenticator_app: judged.removes_app,
                deletion: judged.keeps_account,
                passkeys: judged.passkeys.into_iter().map(|(_, name)| name).collect(),
                address: address.filter(|_| told.told_to.as_deref() != Some(&user.email.normalized())),
            };
            // A mailbox that the account has left is not told where it is now.
            let is_theirs = told.told_to.as_ref().is_none_or(|told_to| *told_to == user.email.normalized());
            let email = if is_theirs { user.email.spelled() } else { "" }.to_owned();
            let (what, device, ip, token) = (told.what, told.device, told.ip, secret.reveal().to_owned());
            Ok(NotMePage { email, what, when, device, ip, undone, token })
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
    let id = token::peek(tx.conn, secret)?.user_id;
    containment::lock(tx, &id)?;
    let told = token::peek(tx.conn, secret)?.claim;
    let (moment, told_to) = (Timestamp::from_unix(told.at), told.told_to.clone());
    let doubt = Doubt::since(tx.conn, &id, moment, told.session, told_to, tx.now)?;
    token::redeem(tx, secret)?;
    let actor = client.actor().known_as(&id);
    let (user, has_moved) = containment::contain(tx, &actor, &id, &doubt)?;
    // Never to a mailbox that the account got since: it may be that of whoever moved it.
    if has_moved || told.told_to.is_none_or(|told_to| told_to == user.email.normalized()) {
        containment::send_reset(tx, &user)?;
    }
    Ok(id)
}
