//! Confirming an address: the email with the link, what the link does, and the end of accounts that nobody confirms.

use super::{personal_data, registration, security_changes};
use diesel::prelude::*;

use crate::{
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx, schema::users},
    error::{Error, Result, Way, refusals},
    ids::UserId,
    mail::{EmailAddress, EmailKind, emails},
    model::{
        audit::{self, Actor, audit_events},
        membership, rate_limit, sign_in,
        token::{self, UseAddress, VerifyEmail},
        user::{self, NewUser, User},
    },
    secret::{Secret, digest},
};

refusals! {
    /// The address on the account is only claimed yet.
    EMAIL_UNVERIFIED = (
        "email_unverified", 403,
        "Confirm your email address first. Open the link we sent to it, or have it sent again."
    ).redirect("/verify-email/needed", Way::RedirectWithNext);
    /// A confirmation link that did its work before.
    ALREADY_CONFIRMED = ("already_confirmed", 409, "That address is already confirmed. Sign in to continue.")
        .page("Already confirmed", "/login", "Sign in");
    /// Another account left this address lately and can take it back.
    ADDRESS_RESERVED = (
        "address_reserved", 409,
        "An account was moved away from this address a few days ago, and its owner can still undo that with a link in an \
         email. Until then nobody else can confirm it."
    ).titled("This address is not free yet");
}

audit_events! {
    /// An operator sent another link to confirm the address.
    ConfirmationSent {} => of("confirmation_sent"),
    /// The address is confirmed.
    EmailConfirmed {} => of("email_confirmed"),
    /// An unverified account ended, because another confirmed the address or its owner disowned it.
    UnverifiedAccountRemoved { disowned: bool } => of("unverified_account_removed"),
    /// Nobody confirmed the address in time.
    UnverifiedAccountExpired {} => of("unverified_account_expired"),
}

/// Tells whoever a claimed address belongs to, once, that the account ends unless it is confirmed. Says whether there was
/// anything to tell: an owner who has the address confirmed is not bothered.
pub(crate) fn warn_before_removal(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    if !user::mark_warned(tx, id)? || user::confirmed(tx.conn, &user.email)?.is_some() {
        return Ok(false);
    }
    if !rate_limit::try_consume_mail(tx, EmailKind::UnverifiedAccountEnds, &user.email)?
        || !rate_limit::try_consume_mail_to_unconfirmed(tx, &user.email, None, true)?
    {
        return Ok(false);
    }
    let config = tx.config;
    let rest = config.lifetimes.unconfirmed - config.lifetimes.unconfirmed_warning;
    token::revoke::<VerifyEmail>(tx, id)?;
    let secret = token::issue_with::<VerifyEmail>(tx, id, &user.email.normalized(), rest)?;
    let when = (tx.now + rest).exact();
    let start = start_link(tx, &user.email)?;
    let email =
        emails::unverified_account_ends(&config.site, &user.email, &when, secret.reveal(), start.reveal())?;
    tx.mail(Some(id), email)?;
    Ok(true)
}

/// Writes to whoever the address belongs to: its confirmed owner where there is one, else the unverified user. Where the address
/// got as many emails as it may in a day, none goes out and the older links stay good.
///
/// What the visitor is told is the same either way: strangers must not learn who is here.
pub(crate) fn send_link(tx: &mut Tx, actor: &Actor, user: &User) -> Result<()> {
    let config = tx.config;
    if let Some(owner) = user::confirmed(tx.conn, &user.email)? {
        // Made at the same cost; nobody ever sees it.
        token::issue::<VerifyEmail>(tx, &user.id, &user.email.normalized())?;
        token::dummy_issue::<UseAddress>(tx)?;
        // However often strangers sign up with it.
        if !rate_limit::try_consume_mail(tx, EmailKind::AlreadyRegistered, &owner.email)? {
            return Ok(());
        }
        let email = emails::already_registered(&config.site, &owner.email, &owner.name)?;
        return tx.mail(Some(&owner.id), email);
    }
    if !rate_limit::try_consume_mail_to_unconfirmed(tx, &user.email, actor.ip.as_deref(), true)? {
        token::dummy_issue::<UseAddress>(tx)?;
        return token::dummy_issue::<VerifyEmail>(tx);
    }
    let secret = token::issue::<VerifyEmail>(tx, &user.id, &user.email.normalized())?;
    let valid_for = span_in_words(config.lifetimes.verify_link);
    let start = start_link(tx, &user.email)?;
    let email = emails::verify_email(&config.site, &user.email, secret.reveal(), start.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), email)
}

/// A link by which the reader of an email to an address that nobody confirmed starts with that address, whatever becomes of
/// the account that the email is about.
pub(crate) fn start_link(tx: &mut Tx, to: &EmailAddress) -> Result<Secret<UseAddress>> {
    token::issue_unowned(tx, &digest(to.spelled()))
}

/// The same where nobody confirmed the address; elsewhere as much work for nothing.
pub(crate) fn start_link_where(
    tx: &mut Tx,
    to: &EmailAddress,
    is_unconfirmed: bool,
) -> Result<Option<Secret<UseAddress>>> {
    match is_unconfirmed {
        true => start_link(tx, to).map(Some),
        false => token::dummy_issue::<UseAddress>(tx).map(|()| None),
    }
}

/// Whether such a link would be good now. [`Error::DeadLink`] where it is dead or was sent to another address,
/// [`ALREADY_CONFIRMED`] where somebody has confirmed the address meanwhile.
pub(crate) fn can_start(
    conn: &mut Conn,
    link: &Secret<UseAddress>,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<()> {
    if token::peek_unowned(conn, link, now)? != digest(email.spelled()) {
        return Err(Error::DeadLink);
    }
    match user::confirmed(conn, email)? {
        Some(_) => Err(ALREADY_CONFIRMED.error()),
        None => Ok(()),
    }
}

/// Uses such a link: makes an account, confirms its address, and ends every other that waits for it. The same errors as
/// [`can_start`].
pub(crate) fn start(tx: &mut Tx, actor: &Actor, link: &Secret<UseAddress>, new: NewUser) -> Result<User> {
    let (normalized, spelled) = (new.email.normalized(), new.email.spelled().to_owned());
    tx.lock(&normalized)?;
    if token::redeem_unowned(tx, link)? != digest(&spelled) {
        return Err(Error::DeadLink);
    }
    let user = registration::register(tx, actor, new)?;
    confirm(tx, &actor.known_as(&user.id), &user.id, &normalized)?;
    user::by_id(tx.conn, &user.id)
}

/// How many accounts may wait for one address to be confirmed.
pub(crate) const MOST_UNVERIFIED: usize = 20;

/// Makes room for one more account at an address, which is locked. Where as many wait as may, the oldest ends of those
/// that began in the neighbourhood of the network where most of them did; the oldest of all where no network is known.
pub(crate) fn make_room(tx: &mut Tx, actor: &Actor, email: &EmailAddress) -> Result<()> {
    let mut waiting: Vec<UserId> = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_null())
        .filter(users::deletion_hold.is_null())
        .order((users::created_at, users::id))
        .select(users::id)
        .load(tx.conn)?;
    while waiting.len() >= MOST_UNVERIFIED {
        let networks = sign_in::first_networks(tx.conn, &waiting)?;
        let crowd = |id: &UserId| {
            let network = networks.get(id);
            networks.values().filter(|other| Some(*other) == network).count()
        };
        // Of several that are alike this takes the last; they are turned so that this is the oldest.
        let Some((oldest, _)) = waiting.iter().enumerate().rev().max_by_key(|(_, id)| crowd(id)) else {
            return Ok(());
        };
        let oldest = waiting.remove(oldest);
        // Whoever alone looks after others in an organisation stays.
        if membership::left_without_owner(tx.conn, &oldest)?.is_empty() {
            remove_unverified(tx, actor, &oldest, false)?;
        }
    }
    Ok(())
}

/// Proves `user`'s address and ends every other claim to it, with its sessions and links.
///
/// [`Error::DeadLink`] where `normalized` (what the link was sent for) is no longer this account's address,
/// [`ALREADY_CONFIRMED`] where it is confirmed already, here or by another account, [`ADDRESS_RESERVED`] where
/// another account left it and can take it back.
pub(crate) fn confirm(tx: &mut Tx, actor: &Actor, id: &UserId, normalized: &str) -> Result<()> {
    tx.lock(normalized)?;
    let holders: Vec<(UserId, Option<Timestamp>)> = users::table
        .filter(users::email_normalized.eq(normalized))
        .select((users::id, users::email_verified_at))
        .load(tx.conn)?;
    if !holders.iter().any(|(holder, _)| holder == id) {
        return Err(Error::DeadLink);
    }
    if holders.iter().any(|(_, verified)| verified.is_some()) {
        return Err(ALREADY_CONFIRMED.error());
    }
    if security_changes::is_reserved(tx.conn, normalized, Some(id), tx.now, tx.config.lifetimes.email_undo)? {
        return Err(ADDRESS_RESERVED.error());
    }
    // Whoever claimed it may have asked for its end; its owner has not.
    diesel::update(users::table.find(id))
        .set((
            users::email_verified_at.eq(tx.now),
            users::deletes_at.eq(None::<Timestamp>),
            users::warned_at.eq(None::<Timestamp>),
        ))
        .execute(tx.conn)?;
    audit::record(tx, actor, id, Event::EmailConfirmed {})?;
    for (other, _) in holders.iter().filter(|(holder, _)| holder != id) {
        remove_unverified(tx, actor, other, false)?;
    }
    Ok(())
}

/// Ends an account whose address was never proved, with everything that is held about it. A confirmed one is refused.
pub(crate) fn remove_unverified(tx: &mut Tx, actor: &Actor, id: &UserId, disowned: bool) -> Result<()> {
    // From here on nobody else confirms it.
    let ended = diesel::update(users::table.find(id).filter(users::email_verified_at.is_null()))
        .set(users::locked_at.eq(tx.now))
        .execute(tx.conn)?;
    if ended == 0 {
        return Err(ALREADY_CONFIRMED.error());
    }
    audit::record(tx, actor, id, Event::UnverifiedAccountRemoved { disowned })?;
    personal_data::erase(tx, id)
}

/// Ends a claim that nobody confirmed in time, with everything that is held about it. Says whether it did: whoever
/// confirms it, or asks for it to be deleted in their own time, a moment before wins.
pub(crate) fn expire_unverified(tx: &mut Tx, actor: &Actor, id: &UserId) -> Result<bool> {
    if user::find_locked(tx, id)?.is_none() {
        return Ok(false);
    }
    let unwanted = users::table
        .find(id)
        .filter(users::email_verified_at.is_null())
        .filter(users::deletes_at.is_null())
        .filter(users::deletion_hold.is_null())
        .filter(users::warned_at.is_not_null());
    if diesel::update(unwanted).set(users::locked_at.eq(tx.now)).execute(tx.conn)? == 0 {
        return Ok(false);
    }
    audit::record(tx, actor, id, Event::UnverifiedAccountExpired {})?;
    personal_data::erase(tx, id)?;
    Ok(true)
}
