//! Confirming an address: the email with the link, what the link does, and the end of accounts that nobody confirms.

use super::personal_data;
use diesel::prelude::*;

use crate::{
    clock::{Timestamp, span_in_words},
    db::{Tx, schema::users},
    error::{Error, Result},
    ids::UserId,
    mail::{LetterKind, letters},
    model::{
        audit::{self, Actor, Event},
        throttle,
        token::{self, VerifyEmail},
        user::{self, User},
    },
};

/// Tells whoever a claimed address belongs to, once, that the account ends unless it is confirmed. Says whether there was
/// anything to tell: an owner who has the address confirmed is not bothered.
pub fn warn_before_removal(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    if !user::warn_claim(tx, id)? || user::confirmed(tx.conn, &user.email)?.is_some() {
        return Ok(false);
    }
    if !throttle::admits_letter(tx, LetterKind::ClaimEnds, &user.email)? {
        return Ok(false);
    }
    let config = tx.config;
    let rest = config.lifetimes.unconfirmed - config.lifetimes.unconfirmed_warning;
    token::revoke::<VerifyEmail>(tx, id)?;
    let secret = token::issue_another::<VerifyEmail>(tx, id, &user.email.normalized(), rest)?;
    let when = (tx.now + rest).exact();
    let letter = letters::claim_ends(&config.site, &user.email, &user.name, &when, secret.reveal())?;
    tx.mail(Some(id), letter)?;
    Ok(true)
}

/// Writes to whoever the address belongs to: its confirmed owner where there is one, else the claimant.
///
/// What the visitor is told is the same either way: strangers must not learn who is here.
pub fn send_link(tx: &mut Tx, user: &User) -> Result<()> {
    let config = tx.config;
    // Made in both cases, at the same cost; of a taken address nobody ever sees it.
    let secret = token::issue::<VerifyEmail>(tx, &user.id, &user.email.normalized())?;
    if let Some(owner) = user::confirmed(tx.conn, &user.email)? {
        // However often strangers sign up with it.
        if !throttle::admits_letter(tx, LetterKind::AlreadyRegistered, &owner.email)? {
            return Ok(());
        }
        let letter = letters::already_registered(&config.site, &owner.email, &owner.name)?;
        return tx.mail(Some(&owner.id), letter);
    }
    let valid_for = span_in_words(config.lifetimes.verify_link);
    let letter = letters::verify_email(&config.site, &user.email, &user.name, secret.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), letter)
}

/// Proves `user`'s address and ends every other claim to it, with its sessions and links.
///
/// [`Error::DeadLink`] where `normalized` (what the link was sent for) is no longer this account's address,
/// [`Error::AlreadyConfirmed`] where it is confirmed already, here or by another account.
pub fn confirm(tx: &mut Tx, actor: &Actor, id: &UserId, normalized: &str) -> Result<()> {
    tx.lock(normalized)?;
    let holders: Vec<(UserId, Option<Timestamp>)> = users::table
        .filter(users::email_normalized.eq(normalized))
        .select((users::id, users::email_verified_at))
        .load(tx.conn)?;
    if !holders.iter().any(|(holder, _)| holder == id) {
        return Err(Error::DeadLink);
    }
    if holders.iter().any(|(_, verified)| verified.is_some()) {
        return Err(Error::AlreadyConfirmed);
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
pub fn remove_unverified(tx: &mut Tx, actor: &Actor, id: &UserId, disowned: bool) -> Result<()> {
    // From here on nobody else confirms it.
    let ended = diesel::update(users::table.find(id).filter(users::email_verified_at.is_null()))
        .set(users::locked_at.eq(tx.now))
        .execute(tx.conn)?;
    if ended == 0 {
        return Err(Error::AlreadyConfirmed);
    }
    audit::record(tx, actor, id, Event::ClaimEnded { disowned })?;
    personal_data::erase(tx, id)
}

/// Ends a claim that nobody confirmed in time, with everything that is held about it. Says whether it did: whoever
/// confirms it, or asks for it to be deleted in their own time, a moment before wins.
pub fn expire_unverified(tx: &mut Tx, actor: &Actor, id: &UserId) -> Result<bool> {
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
    audit::record(tx, actor, id, Event::ClaimExpired {})?;
    personal_data::erase(tx, id)?;
    Ok(true)
}
