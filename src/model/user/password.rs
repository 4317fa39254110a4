//! What is stored of a password, and who may hold the one that is offered.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{sessions, users},
    },
    error::Result,
    ids::UserId,
    mail::EmailAddress,
    model::password::PasswordHash,
};

/// Somebody who may hold the password that is offered.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct PasswordCredential {
    /// Who.
    pub id: UserId,
    /// What is stored of their password.
    pub password_hash: Option<PasswordHash>,
    /// Since when it opens nothing: its owner said that somebody else uses it.
    pub password_blocked_at: Option<Timestamp>,
    /// Known-browser cookies from before this moment do not count.
    pub browsers_known_from: Timestamp,
}

impl PasswordCredential {
    /// Whether this is the same account with the same password as when `other` was read.
    pub(crate) fn is(&self, other: &PasswordCredential) -> bool {
        self.id == other.id && self.usable_hash() == other.usable_hash()
    }

    /// The hash that a password may be offered to.
    pub(crate) fn usable_hash(&self) -> Option<PasswordHash> {
        self.password_hash.clone().filter(|_| self.password_blocked_at.is_none())
    }
}

/// One user with what is stored of their password.
pub(crate) fn password_credential(conn: &mut Conn, id: &UserId) -> Result<PasswordCredential> {
    Ok(users::table.find(id).select(PasswordCredential::as_select()).first(conn)?)
}

/// Sets a password.
pub(crate) fn set_password(tx: &mut Tx, id: &UserId, hash: &PasswordHash) -> Result<()> {
    diesel::update(users::table.find(id))
        .set((users::password_hash.eq(hash), users::password_blocked_at.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    Ok(())
}

/// Leaves an account without a password.
pub(crate) fn drop_password(tx: &mut Tx, id: &UserId) -> Result<()> {
    diesel::update(users::table.find(id))
        .set((
            users::password_hash.eq(None::<PasswordHash>),
            users::password_blocked_at.eq(None::<Timestamp>),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Blocks the password until a new one is set.
pub(crate) fn block_password(tx: &mut Tx, id: &UserId) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::password_blocked_at.eq(tx.now)).execute(tx.conn)?;
    Ok(())
}

/// Replaces `old` by a stronger hash of the same password. Not where the password changed meanwhile: `false`.
pub(crate) fn rehash(tx: &mut Tx, id: &UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
    let changed = diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(tx.conn)?;
    Ok(changed > 0)
}

/// Who may sign in with an address: the account that has it confirmed, and its newest and oldest unverified ones. A
/// password is offered to so many hashes, whether there are so many accounts or none.
pub(crate) type PasswordCredentials = [Option<PasswordCredential>; 3];

/// Who may sign in with this address. Whoever signed up twice, with another password each time, comes in with either,
/// and those who sign up later never keep the first one out.
pub(crate) fn password_credentials(conn: &mut Conn, email: &EmailAddress) -> Result<PasswordCredentials> {
    let here = users::table.filter(users::email_normalized.eq(email.normalized()));
    // These first: one that is confirmed between the queries is found by both, and not by neither.
    let unverified = here.clone().filter(users::email_verified_at.is_null());
    let newest = unverified
        .clone()
        .order((users::created_at.desc(), users::id.desc()))
        .select(PasswordCredential::as_select())
        .first(conn)
        .optional()?;
    let oldest = unverified
        .order((users::created_at.asc(), users::id.asc()))
        .select(PasswordCredential::as_select())
        .first(conn)
        .optional()?;
    let confirmed = here
        .filter(users::email_verified_at.is_not_null())
        .select(PasswordCredential::as_select())
        .first(conn)
        .optional()?;
    let is_newest = |one: &PasswordCredential| {
        newest.as_ref().is_some_and(|newest: &PasswordCredential| newest.id == one.id)
    };
    let oldest = oldest.filter(|one| !is_newest(one));
    Ok([confirmed, newest, oldest])
}

/// The unverified account that this browser signed up before with this address: it holds a session of it, or began one.
/// One that an operator holds is let alone, and one that an organisation made, which has no password.
pub(crate) fn begun_in(
    conn: &mut Conn,
    email: &EmailAddress,
    binding: Option<&str>,
    held: Option<&UserId>,
) -> Result<Option<PasswordCredential>> {
    let own = sessions::table.filter(sessions::user_id.eq(users::id));
    let began_here = diesel::dsl::exists(own.filter(sessions::binding.eq(binding)));
    let found = users::table
        .filter(users::email_normalized.eq(email.normalized()))
        .filter(users::email_verified_at.is_null())
        .filter(users::deletion_hold.is_null())
        .filter(users::password_hash.is_not_null())
        .filter(began_here.or(users::id.nullable().eq(held)))
        .order((users::created_at.desc(), users::id))
        .select(PasswordCredential::as_select())
        .first(conn);
    Ok(found.optional()?)
}
