//! What is stored of a password, and who may hold the one that is offered.

use diesel::prelude::*;

use super::{User, forget_browsers};
use crate::{
    clock::Timestamp,
    db::{Conn, Id, Tx, schema::users},
    error::Result,
    mail::EmailAddress,
    model::{
        audit::{self, Actor, Event},
        password::PasswordHash,
        token,
    },
};

/// Somebody who may hold the password that is offered.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Candidate {
    /// Who.
    pub id: Id<User>,
    /// What is stored of their password.
    pub password_hash: Option<PasswordHash>,
    /// Since when it opens nothing: its owner said that somebody else uses it.
    pub password_blocked_at: Option<Timestamp>,
    /// Known-browser cookies from before this moment do not count.
    pub browsers_known_from: Timestamp,
}

impl Candidate {
    /// The hash that a password may be offered to.
    pub fn usable_hash(&self) -> Option<PasswordHash> {
        self.password_hash.clone().filter(|_| self.password_blocked_at.is_none())
    }
}

/// One user with what is stored of their password.
pub fn candidate(conn: &mut Conn, id: &Id<User>) -> Result<Candidate> {
    Ok(users::table.find(id).select(Candidate::as_select()).first(conn)?)
}

/// Sets a password; every outstanding link of the account dies with the old one.
pub fn set_password(tx: &mut Tx, id: &Id<User>, hash: &PasswordHash) -> Result<()> {
    diesel::update(users::table.find(id))
        .set((users::password_hash.eq(hash), users::password_blocked_at.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    token::revoke_all(tx, id)
}

/// Leaves an account without a password.
pub fn drop_password(tx: &mut Tx, id: &Id<User>) -> Result<()> {
    diesel::update(users::table.find(id))
        .set((
            users::password_hash.eq(None::<PasswordHash>),
            users::password_blocked_at.eq(None::<Timestamp>),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Blocks the password until a new one is set, and forgets every known browser.
pub fn block_password(tx: &mut Tx, id: &Id<User>) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::password_blocked_at.eq(tx.now)).execute(tx.conn)?;
    forget_browsers(tx, id)
}

/// Replaces `old` by a stronger hash of the same password, unless the password changed meanwhile.
pub fn strengthen(
    tx: &mut Tx,
    actor: &Actor,
    id: &Id<User>,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<()> {
    let changed = diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(tx.conn)?;
    if changed == 0 {
        return Ok(());
    }
    audit::record(tx, actor, id, Event::PasswordRehashed {})
}

/// Who may sign in with this address: first the account that has it confirmed, then its newest claim.
pub fn candidates(conn: &mut Conn, email: &EmailAddress) -> Result<[Option<Candidate>; 2]> {
    let here = users::table.filter(users::email_normalized.eq(email.normalized()));
    // The claim first: one that is confirmed between the two queries is found by both, and not by neither.
    let claim = here
        .clone()
        .filter(users::email_verified_at.is_null())
        .order(users::created_at.desc())
        .select(Candidate::as_select())
        .first(conn)
        .optional()?;
    let confirmed = here
        .filter(users::email_verified_at.is_not_null())
        .select(Candidate::as_select())
        .first(conn)
        .optional()?;
    Ok([confirmed, claim])
}
