//! Whose an address is: claimed by several, confirmed by one at most.

use diesel::prelude::*;

use super::{User, find_locked};
use crate::{
    clock::Timestamp,
    db::{Conn, Id, Tx, schema::users},
    error::{Error, Result},
    mail::EmailAddress,
    model::{
        audit::{self, Actor, Event},
        holding,
        token::AddressChange,
    },
};

/// The one account that has this address confirmed, if any.
pub fn confirmed(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    let found = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_not_null())
        .select(User::as_select())
        .first(conn);
    Ok(found.optional()?)
}

/// The newest account that claims this address, if any.
pub fn newest_claim(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    let found = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_null())
        .order(users::created_at.desc())
        .select(User::as_select())
        .first(conn);
    Ok(found.optional()?)
}

/// The account that somebody means who gives this address: the one that has it confirmed, else its newest claim.
pub fn meant_by(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    match confirmed(conn, email)? {
        Some(user) => Ok(Some(user)),
        None => newest_claim(conn, email),
    }
}

/// Proves `user`'s address and ends every other claim to it, with its sessions and links.
///
/// [`Error::DeadLink`] where `normalized` (what the link was sent for) is no longer this account's address,
/// [`Error::AlreadyConfirmed`] where it is confirmed already, here or by another account.
pub fn confirm_address(tx: &mut Tx, actor: &Actor, id: &Id<User>, normalized: &str) -> Result<()> {
    tx.lock(normalized)?;
    let holders: Vec<(Id<User>, Option<Timestamp>)> = users::table
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
        end_claim(tx, actor, other, false)?;
    }
    Ok(())
}

/// Ends an account whose address was never proved, with everything that is held about it. A confirmed one is refused.
pub fn end_claim(tx: &mut Tx, actor: &Actor, id: &Id<User>, disowned: bool) -> Result<()> {
    // From here on nobody else confirms it.
    let ended = diesel::update(users::table.find(id).filter(users::email_verified_at.is_null()))
        .set(users::locked_at.eq(tx.now))
        .execute(tx.conn)?;
    if ended == 0 {
        return Err(Error::AlreadyConfirmed);
    }
    audit::record(tx, actor, id, Event::ClaimEnded { disowned })?;
    holding::erase(tx, id)
}

/// Everybody with an address of this domain, claims included.
pub fn at_domain(conn: &mut Conn, domain: &str) -> Result<Vec<Id<User>>> {
    let theirs = users::table.filter(users::email_normalized.like(format!("%@{domain}")));
    Ok(theirs.order(users::id).select(users::id).load(conn)?)
}

/// Everybody with this address: who has it confirmed first, then its claims, the newest first.
pub fn all_with(conn: &mut Conn, email: &EmailAddress) -> Result<Vec<User>> {
    let mut found: Vec<User> = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .order((users::created_at.desc(), users::id))
        .select(User::as_select())
        .load(conn)?;
    found.sort_by_key(|user| !user.is_verified());
    Ok(found)
}

/// Where somebody stands in a list that is ordered by time.
pub type Place = (Timestamp, Id<User>);

/// Before everybody.
pub fn beginning() -> Place {
    (Timestamp::from_unix(0), Id::from_text(""))
}

/// Up to `most` claims made by `made_by`, in the order in which they were made, after `after`: those that were warned by
/// a moment, or (`None`) those that were not warned yet. Whoever asked to be deleted has a date of their own, and whom an
/// operator holds has none.
pub fn old_claims(
    conn: &mut Conn,
    made_by: Timestamp,
    warned_by: Option<Timestamp>,
    after: &Place,
    most: i64,
) -> Result<Vec<Place>> {
    let is_after =
        users::created_at.gt(after.0).or(users::created_at.eq(after.0).and(users::id.gt(&after.1)));
    let old = users::table
        .filter(users::email_verified_at.is_null())
        .filter(users::created_at.le(made_by))
        .filter(users::deletes_at.is_null())
        .filter(users::deletion_hold.is_null())
        .filter(is_after);
    let page = old.order((users::created_at, users::id)).limit(most).select((users::created_at, users::id));
    Ok(match warned_by {
        Some(by) => page.filter(users::warned_at.le(by)).load(conn)?,
        None => page.filter(users::warned_at.is_null()).load(conn)?,
    })
}

/// Ends a claim that nobody confirmed in time, with everything that is held about it. Says whether it did: whoever
/// confirms it, or asks for it to be deleted in their own time, a moment before wins.
pub fn expire_claim(tx: &mut Tx, actor: &Actor, id: &Id<User>) -> Result<bool> {
    if find_locked(tx, id)?.is_none() {
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
    holding::erase(tx, id)?;
    Ok(true)
}

/// Notes that a claim's person was told that its end is near; of many at once, one is told so.
pub fn warn_claim(tx: &mut Tx, id: &Id<User>) -> Result<bool> {
    let unwarned = users::table
        .find(id)
        .filter(users::email_verified_at.is_null())
        .filter(users::deletes_at.is_null())
        .filter(users::warned_at.is_null());
    Ok(diesel::update(unwarned).set(users::warned_at.eq(tx.now)).execute(tx.conn)? == 1)
}

/// Makes everyone else who means one of the two addresses wait. In the order of their names, so that two moves in
/// opposite directions take turns.
pub fn lock_both(tx: &mut Tx, change: &AddressChange) -> Result<()> {
    let mut names = [change.old.normalized(), change.new.normalized()];
    names.sort();
    names.iter().try_for_each(|name| tx.lock(name))
}

/// Moves `id` from one confirmed address to another, and ends the claims to the new one.
///
/// [`Error::DeadLink`] where the account is no longer at `change.old`, or the new address is confirmed by somebody
/// else by now: the two are told alike.
pub fn move_address(tx: &mut Tx, actor: &Actor, id: &Id<User>, change: &AddressChange) -> Result<()> {
    let (old, new) = (change.old.normalized(), change.new.normalized());
    lock_both(tx, change)?;
    let owner = confirmed(tx.conn, &change.new)?;
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
    let claims: Vec<Id<User>> = users::table
        .filter(users::email_normalized.eq(&new))
        .filter(users::email_verified_at.is_null())
        .select(users::id)
        .load(tx.conn)?;
    for claim in claims {
        end_claim(tx, actor, &claim, false)?;
    }
    Ok(())
}
