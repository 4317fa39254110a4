//! The link in the old mailbox, which stops the move or takes the address back.

use actix_web::web::Data;
use askama::Template;
use serde::Serialize;

use super::Link;
use crate::{
    accounts::{
        containment::{self, Contained},
        email_change::{self, Event},
        email_verification::ADDRESS_RESERVED,
        security_changes,
    },
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    mail::emails::ResetOccasion,
    model::{
        audit, security_change,
        token::{self, AddressChange, ChangeEmail, ReportSignIn, ResetPassword, RevertEmailChange},
        user,
    },
    secret::Secret,
    urls,
    web::{Client, Input, Query, Reply},
};

/// What the reader of the old mailbox can do about it.
#[derive(Template, Serialize)]
#[template(path = "email_undo.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct UndoEmailPage {
    old: String,
    new: String,
    is_changed: bool,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    errors: Errors,
}

/// `GET /me/email/undo?token=`
pub(crate) async fn open(link: Query<Link<RevertEmailChange>>, app: Data<App>) -> Result<Reply> {
    let (now, secret) = (app.now(), link.into_inner().token);
    let page = app
        .read(move |conn| {
            let token = token::peek(conn, &secret)?;
            let user = user::by_id(conn, &token.user_id)?;
            if !token.is_live(now) {
                return Err(Error::DeadLink);
            }
            let is_changed = user.email.spelled() != token.claim.old.spelled();
            let (old, new) = (token.claim.old.spelled().to_owned(), token.claim.new.spelled().to_owned());
            Ok(UndoEmailPage {
                old,
                new,
                is_changed,
                token: secret.reveal().to_owned(),
                errors: Errors::default(),
            })
        })
        .await?;
    Ok(Reply::page(page))
}

/// `POST /me/email/undo`. Before the change: stops it. After: takes the old address back, signs everything out, and asks
/// for a new password.
pub(crate) async fn create(
    client: Client,
    Input(form): Input<Link<RevertEmailChange>>,
    app: Data<App>,
) -> Result<Reply> {
    let undone = app.write(move |tx| take_back(tx, &client, &form.token)).await?;
    Ok(match undone {
        Undone::Stopped(secret) => {
            let message = "The change is stopped. The address stays as it was.";
            Reply::done(urls::with_query("/not-me", [("token", secret.reveal())]), message)
        }
        Undone::FurtherBack => {
            let message = "Every device is signed out, and the address that the account had first is back. A link for a \
                           new password is on its way there.";
            Reply::done("/login", message)
        }
        Undone::OnlySecured => {
            let message = "Every device is signed out, and the password is blocked. The address belongs to another account \
                           by now, so it could not be taken back.";
            Reply::done("/login", message)
        }
        Undone::Back(secret) => {
            let message = "Your address is back, and every device is signed out. Choose a new password.";
            Reply::done(urls::with_query("/reset-password", [("token", secret.reveal())]), message)
        }
    })
}

/// What became of a move that was to be undone.
enum Undone {
    /// It had not happened yet. Whoever asked for it may still be signed in: the way back from that.
    Stopped(Secret<ReportSignIn>),
    /// The mailbox that pressed has its address back.
    Back(Secret<ResetPassword>),
    /// The address is somebody else's by now; the account is secured, and stays where it is.
    OnlySecured,
    /// The account had another address before, which outranks this one.
    FurtherBack,
}

fn take_back(tx: &mut Tx, client: &Client, secret: &Secret<RevertEmailChange>) -> Result<Undone> {
    let waiting = token::peek(tx.conn, secret)?;
    let id = waiting.user_id.clone();
    let user = containment::lock(tx, &id)?;
    let actor = client.actor().known_as(&id);
    let (asked, old) = (waiting.claim.new.clone(), waiting.claim.old.clone());
    if user.email.spelled() == old.spelled() {
        token::redeem(tx, secret)?;
        token::revoke::<ChangeEmail>(tx, &id)?;
        audit::record(tx, &actor, &id, Event::EmailChangeStopped { to: asked.spelled().to_owned() })?;
        let changes = security_change::list(tx.conn, &id)?;
        let asked = security_changes::asked(&changes, &waiting.claim);
        let session = asked.and_then(|asked| asked.by.as_ref()).map(|by| by.id.clone());
        let what = Some("Another address was asked for, and stopped");
        let way_back = containment::way_back(tx, &user, session, what, "", "")?;
        return Ok(Undone::Stopped(way_back));
    }
    if containment::was_here_before(tx, &user, waiting.created_at)? {
        return Err(Error::DeadLink);
    }
    // Whoever moved the address may know the password, have added a way in of their own before, and have asked for the
    // account's end.
    let doubt = containment::doubt_of_move(tx, &id, &waiting.claim, waiting.created_at)?;
    token::redeem(tx, secret)?;
    let Contained { user: secured, kept, .. } = containment::contain(tx, &actor, &id, &doubt)?;
    if secured.email.spelled() == user.email.spelled() {
        // What moved it was not noted, or was somebody's who was known.
        let back = AddressChange { old: user.email.clone(), new: old.clone() };
        match email_change::move_address(tx, &actor, &id, &back) {
            // Somebody else has it by now. Sessions, links and the password have ended all the same.
            Err(Error::DeadLink | Error::Refused(ADDRESS_RESERVED, _)) => {
                containment::tell_present_address(tx, &secured)?;
                return Ok(Undone::OnlySecured);
            }
            moved => moved?,
        }
        containment::spend_later(tx, &id, &back.new)?;
        let (from, to) = (back.old.spelled().to_owned(), back.new.spelled().to_owned());
        audit::record(tx, &actor, &id, Event::EmailChangeUndone { from, to })?;
    } else if secured.email.normalized() != old.normalized() {
        containment::send_reset(tx, &secured, ResetOccasion::Secured)?;
        containment::dispute(tx, &actor, &secured, kept, None)?;
        return Ok(Undone::FurtherBack);
    }
    let secured = user::by_id(tx.conn, &id)?;
    containment::dispute(tx, &actor, &secured, kept, None)?;
    token::issue::<ResetPassword>(tx, &id, &old.normalized()).map(Undone::Back)
}
