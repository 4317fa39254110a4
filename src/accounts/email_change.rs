//! An account moves to another address.

use diesel::prelude::*;

use super::{
    email_verification::{self, ADDRESS_RESERVED},
    security_changes,
};
use crate::{
    clock::span_in_words,
    db::{Tx, schema::users},
    error::{Error, Result},
    ids::UserId,
    mail::emails,
    model::{
        audit::{Actor, audit_events},
        token::{self, AddressChange, RevertEmailChange},
        user::{self, User},
    },
};

audit_events! {
    /// Another address was asked for.
    EmailChangeRequested { to: String } => of("email_change_requested"),
    /// The address changed.
    EmailChanged { from: String, to: String } => of("email_changed"),
    /// A change of address was stopped.
    EmailChangeStopped { to: String } => of("email_change_stopped"),
    /// The old address was taken back.
    EmailChangeUndone { from: String, to: String } => of("email_change_undone"),
}

/// Moves `id` from one confirmed address to another, and ends the claims to the new one.
///
/// [`Error::DeadLink`] where the account is no longer at `change.old`, or the new address is confirmed by somebody
/// else by now: the two are told alike.
pub(crate) fn move_address(tx: &mut Tx, actor: &Actor, id: &UserId, change: &AddressChange) -> Result<()> {
    let (old, new) = (change.old.normalized(), change.new.normalized());
    user::lock_both(tx, [&change.old, &change.new])?;
    let kept = tx.config.lifetimes.email_undo;
    if security_changes::is_reserved(tx.conn, &new, Some(id), tx.now, kept)? {
        return Err(ADDRESS_RESERVED.error());
    }
    let owner = user::confirmed(tx.conn, &change.new)?;
    if owner.is_some_and(|owner| owner.id != *id) {
        return Err(Error::DeadLink);
    }
    let here = users::table.find(id).filter(users::email_normalized.eq(&old));
    let moved = diesel::update(here)
        .set((
            users::email.eq(&change.new),
            users::email_normalized.eq(&new),
            users::email_verified_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    if moved == 0 {
        return Err(Error::DeadLink);
    }
    let unverified: Vec<UserId> = users::table
        .filter(users::email_normalized.eq(&new))
        .filter(users::email_verified_at.is_null())
        .select(users::id)
        .load(tx.conn)?;
    for other in unverified {
        email_verification::remove_unverified(tx, actor, &other, false)?;
    }
    Ok(())
}

/// Tells the mailbox that an account had, which has moved away from it, with a link to take the address back.
pub(crate) fn notify_previous_address(tx: &mut Tx, user: &User, change: &AddressChange) -> Result<()> {
    let config = tx.config;
    let undo = token::issue_with::<RevertEmailChange>(tx, &user.id, change, config.lifetimes.email_undo)?;
    let (new, valid_for) = (change.new.spelled(), span_in_words(config.lifetimes.email_undo));
    let email =
        emails::address_changed(&config.site, &change.old, &user.name, new, undo.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), email)
}
