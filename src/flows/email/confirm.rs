//! The link in the new mailbox, which moves the account.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use super::Link;
use crate::{
    accounts::{
        authentication,
        containment::{self, Occasion},
        email_change::{self, Event},
        factors, link_password, security_changes, sso_policy,
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    ids::SessionId,
    model::{
        audit,
        password::Password,
        token::{self, AddressChange, ChangeEmail},
        user::{self, User},
    },
    secret::Secret,
    web::{Client, Input, MaybeUser, Query, Reply},
};

/// What the reader of the new mailbox should know before anything changes.
#[derive(Template, Serialize)]
#[template(path = "email_confirm.html")]
pub(crate) struct ConfirmEmailPage {
    // Shown in the account's own browser only: a mistyped mailbox learns nobody's address.
    #[serde(skip)]
    old: String,
    new: String,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    holds_session: bool,
    #[serde(skip)]
    someone_else: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// A link, and the account's password where it is asked for.
#[derive(Deserialize)]
pub(crate) struct ConfirmForm {
    #[serde(default)]
    token: Secret<ChangeEmail>,
    #[serde(default)]
    password: Password,
}

/// `GET /me/email/confirm?token=`
pub(crate) async fn open(
    client: Client,
    visitor: MaybeUser,
    link: Query<Link<ChangeEmail>>,
    app: Data<App>,
) -> Result<Reply> {
    let secret = link.into_inner().token;
    let (user, change) = look_up(&app, &secret).await?;
    Ok(Reply::page(page(&user, &change, &secret, &client, &visitor, Errors::default())))
}

/// `POST /me/email/confirm`. In the account's own browser the link is enough; anywhere else the password as well, for
/// the link may have gone to a stranger's mailbox by a slip of the finger.
pub(crate) async fn create(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<ConfirmForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (user, change) = look_up(&app, &form.token).await?;
    let own_session = visitor.signed_in().filter(|me| me.user.id == user.id).map(|me| me.session.clone());
    let mut checked = None;
    if own_session.is_none() {
        checked = link_password::check(&app, &user.id, &form.password).await?;
        if checked.is_none() {
            let errors =
                Errors::one("password", "Enter the password of the account that moves to this address.");
            let page = page(&user, &change, &form.token, &client, &visitor, errors.clone());
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
        // One proof moves no account that has two by now: its person signs in here first.
        let id = user.id.clone();
        if app.read(move |conn| factors::of(conn, &id)).await?.is_second_due() {
            return Err(Error::Unauthenticated);
        }
    }
    let keep = own_session.as_ref().map(|session| session.id.clone());
    let issued = app
        .write(move |tx| {
            checked.iter().try_for_each(|checked| link_password::ensure_still_fits(tx, checked))?;
            apply(tx, &client, &form.token, keep.as_ref())?;
            own_session.map(|session| authentication::rotate(tx, &session)).transpose()
        })
        .await?;
    let message = "Your address is changed. Every other device is signed out.";
    match issued {
        Some(issued) => Ok(Reply::on_saying(None, message).with("emailVerified", true)?.signed_in(issued)),
        None => Reply::done("/login", "The address is changed. Sign in with it.").with("emailVerified", true),
    }
}

fn apply(tx: &mut Tx, client: &Client, secret: &Secret<ChangeEmail>, keep: Option<&SessionId>) -> Result<()> {
    let waiting = token::peek(tx.conn, secret)?;
    let actor = client.actor().known_as(&waiting.user_id);
    // Asked for before its organisation had a say, perhaps.
    let before = user::by_id(tx.conn, &waiting.user_id)?;
    sso_policy::allows_move(tx.conn, &before, &waiting.claim.new)?.map_err(Error::Invalid)?;
    // The addresses are locked before the link is used: two links to one address, used at once, take turns.
    email_change::move_address(tx, &actor, &waiting.user_id, &waiting.claim)?;
    let (id, change) = token::redeem(tx, secret)?;
    security_changes::note_move(tx, &actor, &id, &change)?;
    let user = user::by_id(tx.conn, &id)?;
    containment::end_access(tx, &actor, &id, Occasion::EmailChanged(keep))?;
    email_change::notify_previous_address(tx, &user, &change)?;
    let (from, to) = (change.old.spelled().to_owned(), change.new.spelled().to_owned());
    let event = Event::EmailChanged { from, to };
    audit::record(tx, &actor, &id, event)
}

/// Whose link it is and what it changes, where it still works.
async fn look_up(app: &App, secret: &Secret<ChangeEmail>) -> Result<(User, AddressChange)> {
    let (now, secret) = (app.now(), secret.clone());
    app.read(move |conn| {
        let token = token::peek(conn, &secret)?;
        let user = user::by_id(conn, &token.user_id)?;
        let still_there = user.email.normalized() == token.claim.old.normalized();
        match token.is_live(now) && still_there {
            true => Ok((user, token.claim)),
            false => Err(Error::DeadLink),
        }
    })
    .await
}

fn page(
    user: &User,
    change: &AddressChange,
    secret: &Secret<ChangeEmail>,
    client: &Client,
    visitor: &MaybeUser,
    errors: Errors,
) -> ConfirmEmailPage {
    ConfirmEmailPage {
        old: change.old.spelled().to_owned(),
        new: change.new.spelled().to_owned(),
        token: secret.reveal().to_owned(),
        holds_session: client.holds_session_of(&user.id),
        someone_else: visitor.other_than(&user.id),
        errors,
    }
}
