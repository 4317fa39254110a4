//! Users, and the rule that an address belongs to whoever proves it.
//!
//! Until it is confirmed, an address on an account is a claim: several accounts may claim it, at most one has
//! it confirmed. Confirming one claim ends the others.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    audit::{self, Actor, Event},
    holding::{self, Fate, Holding, Section},
    password::PasswordHash,
    session,
    token::{self, AddressChange},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Id, Tx, schema::users},
    error::{Error, Result},
    mail::EmailAddress,
};

/// What is held here about a person, and what becomes of it.
pub const HOLDING: Holding = Holding {
    table: "users",
    title: "Your account",
    why: "So that you can sign in, and we can write to you.",
    columns: &[
        ("id", "a number that stands for you here"),
        ("email", "your email address"),
        ("email_normalized", "your email address in the spelling that addresses are compared by"),
        ("name", "what you want to be called"),
        ("password_hash", "your password, scrambled so that nobody can read it"),
        ("created_from", "the device you signed up from, in words"),
        (
            "deletion_hold",
            "why the people who run this site may not delete your account yet, where that is so",
        ),
    ],
    fate: Fate::Removed,
    afterwards: "Nothing of it is left, and the address is free for a new account.",
    export: &[
        Section { name: "profile", is_list: false, read: profile },
        Section { name: "signInMethods", is_list: true, read: sign_in_methods },
    ],
    erase: |tx, id, _| {
        diesel::delete(users::table.find(id)).execute(tx.conn)?;
        Ok(())
    },
};

fn profile(conn: &mut Conn, id: &Id<User>, _: i64, _: i64) -> Result<Vec<Value>> {
    let user = by_id(conn, id)?;
    Ok(vec![json!({
        "id": user.id,
        "email": user.email.spelled(),
        "emailConfirmedAt": user.email_verified_at,
        "name": user.name,
        "createdAt": user.created_at,
        "createdFrom": user.created_from,
        "lockedAt": user.locked_at,
        "deleteAt": user.deletes_at,
    })])
}

fn sign_in_methods(conn: &mut Conn, id: &Id<User>, _: i64, _: i64) -> Result<Vec<Value>> {
    let candidate = candidate(conn, id)?;
    let password = json!({ "method": "password", "blockedAt": candidate.password_blocked_at });
    Ok(candidate.password_hash.map(|_| password).into_iter().collect())
}

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
    /// Since when an operator keeps everybody out.
    pub locked_at: Option<Timestamp>,
    /// From when it is purged; its person asked for that, and can still change their mind.
    pub deletes_at: Option<Timestamp>,
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

    /// Whether it waits to be deleted.
    pub fn is_leaving(&self) -> bool {
        self.deletes_at.is_some()
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
        locked_at: None,
        deletes_at: None,
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

/// Somebody who comes in by single sign-on for the first time.
#[derive(Debug, Clone)]
pub struct NewGuest {
    /// The address that is said of them. A claim, like any other.
    pub email: EmailAddress,
    /// What they want to be called, where that is said.
    pub name: Option<Name>,
    /// Their device, in words.
    pub created_from: String,
}

/// Makes an account without a password, whose address is a claim.
pub fn provision(tx: &mut Tx, actor: &Actor, new: NewGuest) -> Result<User> {
    let normalized = new.email.normalized();
    let user = User {
        id: Id::random()?,
        email: new.email,
        email_verified_at: None,
        name: new.name.map(|name| name.0).unwrap_or_else(|| "Guest".to_owned()),
        created_at: tx.now,
        created_from: new.created_from,
        locked_at: None,
        deletes_at: None,
        has_password: false,
    };
    diesel::insert_into(users::table)
        .values((&user, users::email_normalized.eq(normalized), users::browsers_known_from.eq(tx.now)))
        .execute(tx.conn)?;
    audit::record(tx, &actor.known_as(&user.id), &user.id, Event::Provisioned {})?;
    Ok(user)
}

/// The user with this id.
pub fn by_id(conn: &mut Conn, id: &Id<User>) -> Result<User> {
    Ok(users::table.find(id).select(User::as_select()).first(conn)?)
}

/// The user with this id, if there is one.
pub fn find(conn: &mut Conn, id: &Id<User>) -> Result<Option<User>> {
    Ok(users::table.find(id).select(User::as_select()).first(conn).optional()?)
}

/// The user with this id, if there is one, while everyone else who means their address waits.
pub fn find_locked(tx: &mut Tx, id: &Id<User>) -> Result<Option<User>> {
    let Some(user) = find(tx.conn, id)? else { return Ok(None) };
    tx.lock(&user.email.normalized())?;
    // Again: it may have changed while this one waited.
    find(tx.conn, id)
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

/// What somebody who proved who they are may do: come in, unless an operator locked the account. Whoever waits to be
/// deleted comes in as well, and finds only the page about that.
///
/// # Errors
/// [`Error::AccountLocked`].
pub fn may_enter(user: &User) -> Result<()> {
    if user.locked_at.is_some() { Err(Error::AccountLocked) } else { Ok(()) }
}

/// Keeps everybody out of an account and ends its sessions and links, or lets its person in again. Says whether that
/// changed anything.
pub fn lock(tx: &mut Tx, actor: &Actor, user: &User, is_locked: bool) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let changed = match is_locked {
        true => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_null()))
            .set(users::locked_at.eq(tx.now))
            .execute(tx.conn)?,
        false => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_not_null()))
            .set(users::locked_at.eq(None::<Timestamp>))
            .execute(tx.conn)?,
    };
    if changed == 0 {
        return Ok(false);
    }
    if is_locked {
        session::revoke_others(tx, actor, &user.id, None)?;
        token::revoke_all(tx, &user.id)?;
    }
    audit::record(
        tx,
        actor,
        &user.id,
        if is_locked { Event::UserLocked {} } else { Event::UserUnlocked {} },
    )?;
    Ok(true)
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

/// Up to `most` users, in the order of their ids, after the one called `after`.
pub fn page(conn: &mut Conn, after: &Id<User>, most: i64) -> Result<Vec<User>> {
    Ok(users::table
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(most)
        .select(User::as_select())
        .load(conn)?)
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
