//! Another address. Nothing changes until the link in the new mailbox is used; the old one is told, and can stop it.

use actix_web::web::Data;
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        containment::{self, Occasion},
        email_change, factors, security_changes, sso_policy,
    },
    app::App,
    clock::span_in_words,
    db::Tx,
    error::{Error, Errors, Result},
    ids::SessionId,
    mail::{
        EmailAddress, EmailKind,
        emails::{self, ResetOccasion},
    },
    model::{
        audit::{self, Actor, Event},
        password::Password,
        rate_limit::{self, Limit},
        security_change::{self, Kind},
        session,
        token::{self, AddressChange, ChangeEmail, ReportSignIn, ResetPassword, RevertEmailChange},
        user::{self, User},
    },
    secret::Secret,
    web::{Client, Input, MaybeUser, Query, Reply, SteppedUpVerifiedUser, authentication},
};

/// The form for another address.
#[derive(Template, Serialize)]
#[template(path = "email.html")]
pub struct EmailPage {
    current: String,
    #[serde(skip)]
    email: String,
    pending: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

/// What the reader of the new mailbox should know before anything changes.
#[derive(Template, Serialize)]
#[template(path = "email_confirm.html")]
pub struct ConfirmEmailPage {
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

/// What the reader of the old mailbox can do about it.
#[derive(Template, Serialize)]
#[template(path = "email_undo.html")]
#[serde(rename_all = "camelCase")]
pub struct UndoEmailPage {
    old: String,
    new: String,
    is_changed: bool,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    errors: Errors,
}

/// The new address.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    email: String,
}

/// A link.
#[derive(Deserialize)]
#[serde(bound = "")]
pub struct Link<P> {
    #[serde(default)]
    token: Secret<P>,
}

/// A link, and the account's password where it is asked for.
#[derive(Deserialize)]
pub struct ConfirmForm {
    #[serde(default)]
    token: Secret<ChangeEmail>,
    #[serde(default)]
    password: Password,
}

/// `GET /me/email`
pub async fn form(me: SteppedUpVerifiedUser, app: Data<App>) -> Result<Reply> {
    let (owner, now) = (me.user.id.clone(), me.now);
    let pending = app.read(move |conn| token::outstanding::<ChangeEmail>(conn, &owner, now)).await?;
    let pending = pending.map(|change| change.new.spelled().to_owned());
    let current = me.user.email.spelled().to_owned();
    Ok(Reply::page(EmailPage { current, email: String::new(), pending, errors: Errors::default() }))
}

/// `PUT POST /me/email`. The same answer whether or not the new address is somebody's.
pub async fn ask(me: SteppedUpVerifiedUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let parsed = EmailAddress::parse_new(&form.email, !app.config().is_development())
        .map_err(|problem| problem.to_string());
    let new = match parsed.and_then(|new| differs(new, &me.user.email)) {
        Ok(new) => new,
        Err(problem) => return Ok(refuse(&me, form, Errors::one("email", problem))),
    };
    let (mover, target) = (me.user.clone(), new.clone());
    if let Err(errors) = app.read(move |conn| sso_policy::allows_move(conn, &mover, &target)).await? {
        return Ok(refuse(&me, form, errors));
    }
    let message = format!("We sent a link to {}. Your address changes when it is opened.", new.spelled());
    let (user, actor, here) = (me.user.clone(), me.actor(), me.session.id.clone());
    // One account must not be a way to write to many strangers.
    let asking =
        Limit::new("email-change", user.id.as_str(), app.config().limits.mails_per_hour, TimeDelta::hours(1));
    app.write(move |tx| {
        tx.lock(&user.email.normalized())?;
        session::hold(tx, &here)?;
        rate_limit::consume(tx, &asking)?;
        let to = new.spelled().to_owned();
        let key = security_changes::address_key(&new.normalized());
        security_changes::note(tx, &actor, &user.id, Kind::EmailChangeAsked, Some(&key))?;
        send_links(tx, &actor, &user, new)?;
        audit::record(tx, &actor, &user.id, Event::EmailChangeRequested { to })
    })
    .await?;
    Ok(Reply::done("/me", message))
}

fn refuse(me: &SteppedUpVerifiedUser, form: Form, errors: Errors) -> Reply {
    let current = me.user.email.spelled().to_owned();
    let page = EmailPage { current, email: form.email, pending: None, errors: errors.clone() };
    Reply::refused(page, Error::Invalid(errors))
}

fn differs(new: EmailAddress, current: &EmailAddress) -> Result<EmailAddress, String> {
    match new.spelled() == current.spelled() {
        true => Err("That is your address already.".to_owned()),
        false => Ok(new),
    }
}

fn send_links(tx: &mut Tx, actor: &Actor, user: &User, new: EmailAddress) -> Result<()> {
    let owner = user::confirmed(tx.conn, &new)?.filter(|owner| owner.id != user.id);
    // Whoever else had emails sent there keeps nobody from their own new address: an email too many is simply not written,
    // and the link before it stays good.
    let has_room = rate_limit::try_consume_mail(tx, EmailKind::ConfirmNewAddress, &new)?
        && rate_limit::try_consume_mail_to_unconfirmed(tx, &new, actor.ip.as_deref(), owner.is_none())?;
    if !has_room {
        return token::dummy_issue::<ChangeEmail>(tx);
    }
    let config = tx.config;
    let change = AddressChange { old: user.email.clone(), new };
    let confirm = token::issue::<ChangeEmail>(tx, &user.id, &change)?;
    let undo = token::issue_with::<RevertEmailChange>(tx, &user.id, &change, config.lifetimes.email_change)?;
    let valid_for = span_in_words(config.lifetimes.email_change);
    let email = match &owner {
        // Somebody has it confirmed: they are told what anybody is told who signs up with it.
        Some(owner) => emails::already_registered(&config.site, &owner.email, &owner.name)?,
        None => emails::confirm_new_address(&config.site, &change.new, confirm.reveal(), &valid_for)?,
    };
    tx.mail(owner.as_ref().map(|owner| &owner.id).or(Some(&user.id)), email)?;
    let new = change.new.spelled();
    let told =
        emails::address_change_asked(&config.site, &user.email, &user.name, new, undo.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), told)
}

/// `GET /me/email/confirm?token=`
pub async fn open(
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
pub async fn confirm(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<ConfirmForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (user, change) = look_up(&app, &form.token).await?;
    let own_session = visitor.signed_in().filter(|me| me.user.id == user.id).map(|me| me.session.clone());
    if own_session.is_none() {
        let guessed = user.id.clone();
        app.write(move |tx| rate_limit::count_guess(tx, guessed.as_str())).await?;
        let id = user.id.clone();
        let candidate = app.read(move |conn| user::password_credential(conn, &id)).await?;
        let verdict = app.hasher().verify(form.password.clone(), [candidate.usable_hash()]).await?;
        if verdict.matched.is_none() {
            let errors =
                Errors::one("password", "Enter the password of the account that moves to this address.");
            let page = page(&user, &change, &form.token, &client, &visitor, errors.clone());
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
        // One proof moves no account that has two by now: its person signs in here first.
        let id = user.id.clone();
        if app.read(move |conn| factors::of(conn, &id)).await?.is_second_due() {
            return Err(Error::SignIn);
        }
    }
    let keep = own_session.as_ref().map(|session| session.id.clone());
    let issued = app
        .write(move |tx| {
            apply(tx, &client, &form.token, keep.as_ref())?;
            own_session.map(|session| authentication::rotate(tx, &session)).transpose()
        })
        .await?;
    let message = "Your address is changed. Every other device is signed out.";
    match issued {
        Some(issued) => Ok(Reply::done("/me", message).with("emailVerified", true)?.signed_in(issued)),
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

/// `GET /me/email/undo?token=`
pub async fn open_undo(link: Query<Link<RevertEmailChange>>, app: Data<App>) -> Result<Reply> {
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
pub async fn undo(
    client: Client,
    Input(form): Input<Link<RevertEmailChange>>,
    app: Data<App>,
) -> Result<Reply> {
    let undone = app.write(move |tx| take_back(tx, &client, &form.token)).await?;
    Ok(match undone {
        Undone::Stopped(secret) => {
            let query = serde_urlencoded::to_string([("token", secret.reveal())]).unwrap_or_default();
            let message = "The change is stopped. The address stays as it was.";
            Reply::done(format!("/not-me?{query}"), message)
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
            let query = serde_urlencoded::to_string([("token", secret.reveal())]).unwrap_or_default();
            let message = "Your address is back, and every device is signed out. Choose a new password.";
            Reply::done(format!("/reset-password?{query}"), message)
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
    let secured = containment::contain(tx, &actor, &id, &doubt)?.user;
    if secured.email.spelled() == user.email.spelled() {
        // What moved it was not noted, or was somebody's who was known.
        let back = AddressChange { old: user.email.clone(), new: old.clone() };
        match email_change::move_address(tx, &actor, &id, &back) {
            // Somebody else has it by now. Sessions, links and the password have ended all the same.
            Err(Error::DeadLink | Error::AddressReserved) => {
                containment::tell_present_address(tx, &secured)?;
                return Ok(Undone::OnlySecured);
            }
            moved => moved?,
        }
        token::revoke_since::<RevertEmailChange>(tx, &id, waiting.created_at)?;
        let (from, to) = (back.old.spelled().to_owned(), back.new.spelled().to_owned());
        audit::record(tx, &actor, &id, Event::EmailChangeUndone { from, to })?;
    } else if secured.email.normalized() != old.normalized() {
        containment::send_reset(tx, &secured, ResetOccasion::Secured)?;
        return Ok(Undone::FurtherBack);
    }
    token::issue::<ResetPassword>(tx, &id, &old.normalized()).map(Undone::Back)
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
    let holds_session = client.holds_session_of(&user.id);
    let other = visitor.signed_in().filter(|_| !holds_session).map(|me| me.user.email.spelled().to_owned());
    ConfirmEmailPage {
        old: change.old.spelled().to_owned(),
        new: change.new.spelled().to_owned(),
        token: secret.reveal().to_owned(),
        holds_session,
        someone_else: other,
        errors,
    }
}
