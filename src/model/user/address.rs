//! Whose an address is: claimed by several, confirmed by one at most.

use diesel::prelude::*;

use super::User;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::users},
    error::Result,
    ids::UserId,
    mail::EmailAddress,
};

/// The one account that has this address confirmed, if any.
pub(crate) fn confirmed(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    let found = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_not_null())
        .select(User::as_select())
        .first(conn);
    Ok(found.optional()?)
}

/// The newest account that claims this address, if any.
pub(crate) fn latest_unverified(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    let found = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_null())
        .order(users::created_at.desc())
        .select(User::as_select())
        .first(conn);
    Ok(found.optional()?)
}

/// The account that somebody means who gives this address: the one that has it confirmed, else its newest claim.
pub(crate) fn meant_by(conn: &mut Conn, email: &EmailAddress) -> Result<Option<User>> {
    match confirmed(conn, email)? {
        Some(user) => Ok(Some(user)),
        None => latest_unverified(conn, email),
    }
}

/// Everybody with an address of this domain, claims included.
pub(crate) fn at_domain(conn: &mut Conn, domain: &str) -> Result<Vec<UserId>> {
    let theirs = users::table.filter(users::email_normalized.like(format!("%@{domain}")));
    Ok(theirs.order(users::id).select(users::id).load(conn)?)
}

/// Everybody with this address: who has it confirmed first, then its claims, the newest first.
pub(crate) fn all_with(conn: &mut Conn, email: &EmailAddress) -> Result<Vec<User>> {
    let mut found: Vec<User> = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .order((users::created_at.desc(), users::id))
        .select(User::as_select())
        .load(conn)?;
    found.sort_by_key(|user| !user.is_verified());
    Ok(found)
}

/// Where somebody stands in a list that is ordered by time.
pub(crate) type Cursor = (Timestamp, UserId);

/// Up to `most` claims made by `made_by`, in the order in which they were made, after `after`: those that were warned by
/// a moment, or (`None`) those that were not warned yet. Whoever asked to be deleted has a date of their own, and whom an
/// operator holds has none.
pub(crate) fn stale_unverified(
    conn: &mut Conn,
    made_by: Timestamp,
    warned_by: Option<Timestamp>,
    after: &Cursor,
    most: i64,
) -> Result<Vec<Cursor>> {
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

/// Notes that a claim's person was told that its end is near; of many at once, one is told so.
pub(crate) fn mark_warned(tx: &mut Tx, id: &UserId) -> Result<bool> {
    let unwarned = users::table
        .find(id)
        .filter(users::email_verified_at.is_null())
        .filter(users::deletes_at.is_null())
        .filter(users::warned_at.is_null());
    Ok(diesel::update(unwarned).set(users::warned_at.eq(tx.now)).execute(tx.conn)? == 1)
}

/// Makes everyone else who means one of the two addresses wait. In the order of their names, so that two moves in
/// opposite directions take turns.
pub(crate) fn lock_both(tx: &mut Tx, addresses: [&EmailAddress; 2]) -> Result<()> {
    let mut names = addresses.map(EmailAddress::normalized);
    names.sort();
    names.iter().try_for_each(|name| tx.lock(name))
}
