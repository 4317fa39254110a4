//! Users, and the rule that an address belongs to whoever proves it.
//!
//! Until it is confirmed, an address on an account is a claim: several accounts may claim it, at most one has
//! it confirmed. Confirming one claim ends the others.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    audit::{self, Actor, Event},
    password::PasswordHash,
    token::{self, AddressChange},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Id, Tx, schema::users},
    error::{Error, Result},
    mail::EmailAddress,
};

/// A person with an account.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub struct User {
    /// Opaque.
    pub id: Id<User>,
    /// The address as the person wrote it.
    pub email: EmailAddress,
    /// When the address was proved; until then it is a claim.
    pub email_verified_at: Option<Timestamp>,
    /// What they want to be called.
    pub name: String,
    /// When they signed up.
    pub created_at: Timestamp,
    /// The device they signed up from, in words.
    pub created_from: String,
    /// Whether a password opens the account: there is one, and it is not blocked.
    #[diesel(select_expression = users::password_hash.is_not_null().and(users::password_blocked_at.is_null()))]
    #[diesel(skip_insertion)]
    pub has_password: bool,
}

impl User {
    /// Whether the address is proved.
    pub fn is_verified(&self) -> bool {
        self.email_verified_at.is_some()
    }
}

/// What a person wants to be called: 1 to 80 characters, without line breaks. Attackers' text: escaped in pages,
/// left out of mails where it could be more than a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The most characters in a name.
    pub const MAX_CHARS: usize = 80;

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let name = typed.trim();
        if name.is_empty() {
            return Err("Say what you want to be called.".to_owned());
        }
        if name.chars().count() > Self::MAX_CHARS {
            return Err(format!("Use at most {} characters.", Self::MAX_CHARS));
        }
        if name.chars().any(char::is_control) {
            return Err("Use letters, without line breaks or control characters.".to_owned());
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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

/// What a stranger says of themselves.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The address they claim.
    pub email: EmailAddress,
    /// What they want to be called.
    pub name: Name,
    /// Their password, hashed.
    pub password_hash: PasswordHash,
    /// Their device, in words.
    pub created_from: String,
}

/// Makes an account whose address is a claim.
pub fn register(tx: &mut Tx, actor: &Actor, new: NewUser) -> Result<User> {
    let normalized = new.email.normalized();
    let user = User {
        id: Id::random()?,
        email: new.email,
        email_verified_at: None,
        name: new.name.0,
        created_at: tx.now,
        created_from: new.created_from,
        has_password: true,
    };
    diesel::insert_into(users::table)
        .values((
            &user,
            users::email_normalized.eq(normalized),
            users::password_hash.eq(&new.password_hash),
            users::browsers_known_from.eq(tx.now),
        ))
        .execute(tx.conn)?;
    audit::record(tx, &actor.known_as(&user.id), &user.id, Event::SignedUp {})?;
    Ok(user)
}

/// The user with this id.
pub fn by_id(conn: &mut Conn, id: &Id<User>) -> Result<User> {
    Ok(users::table.find(id).select(User::as_select()).first(conn)?)
}

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

/// One user with what is stored of their password.
pub fn candidate(conn: &mut Conn, id: &Id<User>) -> Result<Candidate> {
    Ok(users::table.find(id).select(Candidate::as_select()).first(conn)?)
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
    diesel::update(users::table.find(id)).set(users::email_verified_at.eq(tx.now)).execute(tx.conn)?;
    audit::record(tx, actor, id, Event::EmailConfirmed {})?;
    for (other, _) in holders.iter().filter(|(holder, _)| holder != id) {
        end_claim(tx, actor, other, false)?;
    }
    Ok(())
}

/// Ends an account whose address was never proved. A confirmed one is refused.
pub fn end_claim(tx: &mut Tx, actor: &Actor, id: &Id<User>, disowned: bool) -> Result<()> {
    // Sessions and tokens go with it.
    let gone =
        diesel::delete(users::table.find(id).filter(users::email_verified_at.is_null())).execute(tx.conn)?;
    if gone == 0 {
        return Err(Error::AlreadyConfirmed);
    }
    audit::record(tx, actor, id, Event::ClaimEnded { disowned })
}

/// Changes what a person wants to be called.
pub fn rename(tx: &mut Tx, actor: &Actor, id: &Id<User>, name: &Name) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::name.eq(name.as_str())).execute(tx.conn)?;
    audit::record(tx, actor, id, Event::Renamed {})
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

/// Forgets every known browser. The cookies tell whole seconds, so those of this very second are forgotten as well.
pub fn forget_browsers(tx: &mut Tx, id: &Id<User>) -> Result<()> {
    let from_now_on = tx.now + TimeDelta::seconds(1);
    diesel::update(users::table.find(id)).set(users::browsers_known_from.eq(from_now_on)).execute(tx.conn)?;
    Ok(())
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
