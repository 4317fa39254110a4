//! Users, and the rule that an address belongs to whoever proves it.
//!
//! Until it is confirmed, an address on an account is a claim: several accounts may claim it, at most one has
//! it confirmed. Confirming one claim ends the others.

mod address;
mod known_devices;
mod password;

use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    password::PasswordHash,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::users},
    error::{Result, refusals},
    ids::{Id, OrganisationId, UserId},
    mail::EmailAddress,
};

#[cfg(feature = "development")]
pub(crate) use self::address::latest_unverified;
pub(crate) use self::{
    address::{Cursor, all_with, at_domain, confirmed, lock_both, mark_warned, meant_by, stale_unverified},
    known_devices::{forget_known_devices, known_from},
    password::{
        PasswordCredential, PasswordCredentials, begun_in, block_password, drop_password,
        password_credential, password_credentials, rehash, set_password,
    },
};
pub(crate) use super::name::Name;

refusals! {
    /// An operator locked the account.
    ACCOUNT_LOCKED = ("account_locked", 403, "This account is locked. Contact support to unlock it.")
        .titled("This account is locked");
    /// The organisation that speaks for the account's address says that its person has left.
    ACCOUNT_SUSPENDED = (
        "account_suspended", 403, "Your organisation has ended your access. Ask its administrator."
    ).titled("Your access has ended");
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
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
        ("factors_reset_only", "which of your second factors are about to be removed"),
        ("suspended_by", "the organisation that has ended your access, if one has"),
        ("deletes_for", "the organisation that has asked for your account to be deleted, if one has"),
        (
            "deletion_hold",
            "why the people who run this site may not delete your account yet, where that is so",
        ),
    ],
    erasure: Erasure::Removed,
    afterwards: "Nothing of it is left, and the address is free for a new account.",
    export: &[
        ExportSection { name: "profile", is_list: false, read: profile },
        ExportSection { name: "signInMethods", is_list: true, read: sign_in_methods },
    ],
    erase: |tx, id, _| {
        diesel::delete(users::table.find(id)).execute(tx.conn)?;
        Ok(())
    },
};

fn profile(conn: &mut Conn, id: &UserId, _: i64, _: i64) -> Result<Vec<Value>> {
    let user = by_id(conn, id)?;
    Ok(vec![json!({
        "id": user.id,
        "email": user.email.spelled(),
        "emailConfirmedAt": user.email_verified_at,
        "name": user.name,
        "createdAt": user.created_at,
        "createdFrom": user.created_from,
        "lockedAt": user.locked_at,
        "suspended": user.suspended_by.is_some(),
        "deleteAt": user.deletes_at,
    })])
}

fn sign_in_methods(conn: &mut Conn, id: &UserId, _: i64, _: i64) -> Result<Vec<Value>> {
    let candidate = password_credential(conn, id)?;
    let password = json!({ "method": "password", "blockedAt": candidate.password_blocked_at });
    Ok(candidate.password_hash.map(|_| password).into_iter().collect())
}

/// A person with an account.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = users)]
pub struct User {
    /// Opaque.
    pub id: UserId,
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
    /// The organisation that keeps its person out: its directory says that they have left.
    pub(crate) suspended_by: Option<OrganisationId>,
    /// From when it is purged; its person asked for that, and can still change their mind.
    pub deletes_at: Option<Timestamp>,
    /// Whether a password opens the account: there is one, and it is not blocked.
    #[diesel(select_expression = users::password_hash.is_not_null().and(users::password_blocked_at.is_null()))]
    #[diesel(skip_insertion)]
    pub has_password: bool,
}

impl User {
    /// Whether the address is proved.
    pub(crate) fn is_verified(&self) -> bool {
        self.email_verified_at.is_some()
    }

    /// What an email calls them: nothing where nobody confirmed the address, for a stranger may have typed the name.
    pub(crate) fn name_for_emails(&self) -> &str {
        if self.is_verified() { &self.name } else { "" }
    }

    /// Whether it waits to be deleted.
    pub(crate) fn is_leaving(&self) -> bool {
        self.deletes_at.is_some()
    }
}

/// What a stranger says of themselves.
#[derive(Debug, Clone)]
pub(crate) struct NewUser {
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
pub(crate) fn register(tx: &mut Tx, new: NewUser) -> Result<User> {
    let normalized = new.email.normalized();
    let user = User {
        id: Id::random()?,
        email: new.email,
        email_verified_at: None,
        name: new.name.into_string(),
        created_at: tx.now,
        created_from: new.created_from,
        locked_at: None,
        suspended_by: None,
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
    Ok(user)
}

/// Somebody who comes in by single sign-on for the first time.
#[derive(Debug, Clone)]
pub(crate) struct ProvisionedUser {
    /// The address that is said of them. A claim, like any other.
    pub email: EmailAddress,
    /// What they want to be called, where that is said.
    pub name: Option<Name>,
    /// Their device, in words.
    pub created_from: String,
}

/// Makes an account without a password, whose address is a claim.
pub(crate) fn provision(tx: &mut Tx, new: ProvisionedUser) -> Result<User> {
    let normalized = new.email.normalized();
    let user = User {
        id: Id::random()?,
        email: new.email,
        email_verified_at: None,
        name: new.name.map(Name::into_string).unwrap_or_else(|| "Guest".to_owned()),
        created_at: tx.now,
        created_from: new.created_from,
        locked_at: None,
        suspended_by: None,
        deletes_at: None,
        has_password: false,
    };
    diesel::insert_into(users::table)
        .values((&user, users::email_normalized.eq(normalized), users::browsers_known_from.eq(tx.now)))
        .execute(tx.conn)?;
    Ok(user)
}

/// The user with this id.
pub fn by_id(conn: &mut Conn, id: &UserId) -> Result<User> {
    Ok(users::table.find(id).select(User::as_select()).first(conn)?)
}

/// The user with this id, if there is one.
pub(crate) fn find(conn: &mut Conn, id: &UserId) -> Result<Option<User>> {
    Ok(users::table.find(id).select(User::as_select()).first(conn).optional()?)
}

/// The user with this id, if there is one, while everyone else who means their address waits.
pub(crate) fn find_locked(tx: &mut Tx, id: &UserId) -> Result<Option<User>> {
    let Some(user) = find(tx.conn, id)? else { return Ok(None) };
    tx.lock(&user.email.normalized())?;
    // Again: it may have changed while this one waited.
    find(tx.conn, id)
}

/// What somebody who proved who they are may do: come in, unless an operator locked the account or their organisation suspended
/// it. Whoever waits to be deleted comes in as well, and finds only the page about that.
///
/// # Errors
/// [`ACCOUNT_LOCKED`], [`ACCOUNT_SUSPENDED`].
pub(crate) fn ensure_not_locked(user: &User) -> Result<()> {
    match (user.locked_at, &user.suspended_by) {
        (Some(_), _) => Err(ACCOUNT_LOCKED.error()),
        (None, Some(_)) => Err(ACCOUNT_SUSPENDED.error()),
        (None, None) => Ok(()),
    }
}

/// [`ACCOUNT_SUSPENDED`] where an organisation keeps the account's person out.
pub(crate) fn ensure_not_suspended(user: &User) -> Result<()> {
    if user.suspended_by.is_some() { Err(ACCOUNT_SUSPENDED.error()) } else { Ok(()) }
}

/// Keeps an account's person out, as an organisation wants it. Says whether that changed anything: whoever an organisation keeps
/// out already stays its own.
pub(crate) fn suspend(tx: &mut Tx, id: &UserId, by: &OrganisationId) -> Result<bool> {
    let open = users::table.find(id).filter(users::suspended_by.is_null());
    let columns = (users::suspended_at.eq(tx.now), users::suspended_by.eq(by));
    Ok(diesel::update(open).set(columns).execute(tx.conn)? > 0)
}

/// Lets them in again. Says whether the organisation kept them out.
pub(crate) fn end_suspension(tx: &mut Tx, id: &UserId, by: &OrganisationId) -> Result<bool> {
    let suspended = users::table.find(id).filter(users::suspended_by.eq(by));
    let columns = (users::suspended_at.eq(None::<Timestamp>), users::suspended_by.eq(None::<OrganisationId>));
    Ok(diesel::update(suspended).set(columns).execute(tx.conn)? > 0)
}

/// Whom an organisation keeps out, at one domain or at any.
pub(crate) fn suspended(conn: &mut Conn, by: &OrganisationId, domain: Option<&str>) -> Result<Vec<User>> {
    let mut found = users::table.filter(users::suspended_by.eq(by)).into_boxed();
    if let Some(domain) = domain {
        found = found.filter(users::email_normalized.like(format!("%@{domain}")));
    }
    Ok(found.order(users::email_normalized).select(User::as_select()).load(conn)?)
}

/// Up to `most` users, in the order of their ids, after the one called `after`.
pub(crate) fn page(conn: &mut Conn, after: &UserId, most: i64) -> Result<Vec<User>> {
    Ok(users::table
        .filter(users::id.gt(after))
        .order(users::id)
        .limit(most)
        .select(User::as_select())
        .load(conn)?)
}

/// What stands for the device of people whom `vestibule seed` made.
#[cfg(feature = "development")]
pub(crate) const SEED: &str = "vestibule seed";

/// The few people whom `vestibule seed` made: their addresses, and whether these are confirmed. Development only: no index.
#[cfg(feature = "development")]
pub(crate) fn seeded(conn: &mut Conn) -> Result<Vec<(String, bool)>> {
    let seeded = users::table.filter(users::created_from.eq(SEED)).order(users::email_normalized).limit(10);
    Ok(seeded.select((users::email_normalized, users::email_verified_at.is_not_null())).load(conn)?)
}

/// Changes what a person wants to be called.
pub(crate) fn rename(tx: &mut Tx, id: &UserId, name: &Name) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::name.eq(name.as_str())).execute(tx.conn)?;
    Ok(())
}
