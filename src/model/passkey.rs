//! Passkeys (WebAuthn): a person may have several, each with a name.
//!
//! A passkey that verifies its person is two proofs in one. One whose counter went back has been copied, and opens
//! nothing until its owner removes it.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::passkeys},
    error::{Error, Result, refusals},
    ids::{Id, PasskeyId, UserId},
    webauthn::{Credential, RelyingParty, Use},
};

refusals! {
    /// The passkey belongs to an account already.
    PASSKEY_TAKEN = (
        "passkey_taken", 409, "That passkey is in use already. Choose another device to keep a new one on."
    ).page("That passkey was not added", "/me/passkeys", "Go to your passkeys");
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "passkeys",
    title: "Your passkeys",
    why: "So that you can sign in with them. Each stays until you remove it.",
    columns: &[
        ("id", "a number that stands for the passkey"),
        ("user_id", "that it is yours"),
        ("credential_id", "the passkey's own number"),
        ("credential", "the half of its key that is no secret"),
        ("rp_id", "the site it was made for"),
        ("name", "what you call it"),
    ],
    erasure: Erasure::Removed,
    afterwards: "Your devices may still offer it; it then opens nothing.",
    export: &[ExportSection { name: "passkeys", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<Passkey> = passkeys::table
        .filter(passkeys::user_id.eq(owner))
        .order((passkeys::created_at, passkeys::id))
        .offset(skip)
        .limit(most)
        .select(Passkey::as_select())
        .load(conn)?;
    let told = found.into_iter().map(|passkey| {
        json!({
            "id": passkey.id,
            "name": passkey.name,
            "synced": passkey.is_synced,
            "createdAt": passkey.created_at,
            "lastUsedAt": passkey.last_used_at,
            "copiedAt": passkey.copied_at,
        })
    });
    Ok(told.collect())
}

/// How many one person may have.
pub(crate) const MOST: i64 = 20;

/// A passkey.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = passkeys)]
pub(crate) struct Passkey {
    /// Opaque.
    pub id: PasskeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// The host it was made for.
    pub rp_id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whether a password manager keeps it on several devices.
    pub is_synced: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last opened something.
    pub last_used_at: Option<Timestamp>,
    /// When its counter went back: there is a copy of it, and it opens nothing since.
    pub copied_at: Option<Timestamp>,
    credential: String,
}

impl Passkey {
    /// Its public half.
    pub(crate) fn credential(&self) -> Result<Credential> {
        Ok(serde_json::from_str(&self.credential)?)
    }
}

/// What a passkey is called: 1 to 60 characters, without line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasskeyName(String);

impl PasskeyName {
    /// The most characters in a name.
    pub(crate) const MAX_CHARS: usize = 60;

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let name = typed.trim();
        if name.is_empty() {
            return Err("Give this passkey a name.".to_owned());
        }
        if name.chars().count() > Self::MAX_CHARS {
            return Err(format!("Use at most {} characters.", Self::MAX_CHARS));
        }
        if name.chars().any(char::is_control) {
            return Err("Use letters, without line breaks or control characters.".to_owned());
        }
        Ok(Self(name.to_owned()))
    }
}

/// Keeps a new passkey, made for the host `rp_id`. [`PASSKEY_TAKEN`] where it belongs to anybody already, its own owner included.
pub(crate) fn add(
    tx: &mut Tx,
    user: &UserId,
    rp_id: &str,
    credential: &Credential,
    name: PasskeyName,
) -> Result<Passkey> {
    let passkey = Passkey {
        id: Id::random()?,
        user_id: user.clone(),
        rp_id: rp_id.to_owned(),
        name: name.0,
        is_synced: credential.is_synced(),
        created_at: tx.now,
        last_used_at: None,
        copied_at: None,
        credential: serde_json::to_string(credential)?,
    };
    let row = (
        passkeys::id.eq(&passkey.id),
        passkeys::user_id.eq(&passkey.user_id),
        passkeys::rp_id.eq(&passkey.rp_id),
        passkeys::name.eq(&passkey.name),
        passkeys::is_synced.eq(passkey.is_synced),
        passkeys::created_at.eq(passkey.created_at),
        passkeys::credential_id.eq(credential.id()),
        passkeys::credential.eq(&passkey.credential),
        passkeys::counter.eq(credential.counter()),
    );
    tx.allow_unique_violation(|conn| diesel::insert_into(passkeys::table).values(row).execute(conn))?
        .ok_or(PASSKEY_TAKEN.error())?;
    Ok(passkey)
}

/// `owner`'s passkeys, the oldest first.
pub(crate) fn list(conn: &mut Conn, owner: &UserId) -> Result<Vec<Passkey>> {
    let own = passkeys::table.filter(passkeys::user_id.eq(owner));
    Ok(own.order((passkeys::created_at, passkeys::id)).select(Passkey::as_select()).load(conn)?)
}

/// Those of `owner`'s passkeys that open something at this host.
pub(crate) fn usable(conn: &mut Conn, owner: &UserId, party: &RelyingParty) -> Result<Vec<Credential>> {
    let id = party.id()?;
    let own = list(conn, owner)?;
    own.iter().filter(|one| one.copied_at.is_none() && one.rp_id == id).map(Passkey::credential).collect()
}

/// The passkey that its authenticator calls `credential_id`.
pub(crate) fn by_credential(conn: &mut Conn, credential_id: &str) -> Result<Option<Passkey>> {
    let found = passkeys::table.filter(passkeys::credential_id.eq(credential_id));
    Ok(found.select(Passkey::as_select()).first(conn).optional()?)
}

/// Notes that a passkey was used. False where it is gone, or has counted as far by now: there is a copy of it (WebAuthn
/// §6.1.1).
pub(crate) fn used(tx: &mut Tx, id: &PasskeyId, told: &Use) -> Result<bool> {
    // One that does not count stays at 0.
    let is_newer = passkeys::counter.lt(told.counter.max(1));
    let fit = passkeys::table.find(id).filter(passkeys::copied_at.is_null()).filter(is_newer);
    let noted = diesel::update(fit)
        .set((
            passkeys::counter.eq(told.counter),
            passkeys::credential.eq(serde_json::to_string(&told.credential)?),
            passkeys::is_synced.eq(told.is_synced),
            passkeys::last_used_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(noted == 1)
}

/// Calls one of `owner`'s passkeys something else. Nobody learns whether an id belongs to somebody else.
pub(crate) fn rename(tx: &mut Tx, owner: &UserId, id: &PasskeyId, name: &PasskeyName) -> Result<()> {
    let own = passkeys::table.find(id).filter(passkeys::user_id.eq(owner));
    let renamed = diesel::update(own).set(passkeys::name.eq(&name.0)).execute(tx.conn)?;
    if renamed == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Removes all of them, and tells nobody.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::delete(passkeys::table.filter(passkeys::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

/// The hosts other than this one that there are passkeys for. They do not work here.
pub(crate) fn elsewhere(conn: &mut Conn, party: &RelyingParty) -> Result<Vec<(String, i64)>> {
    let others = passkeys::table.filter(passkeys::rp_id.ne(party.id().unwrap_or_default().to_owned()));
    let counted = others.group_by(passkeys::rp_id).select((passkeys::rp_id, diesel::dsl::count_star()));
    Ok(counted.order(passkeys::rp_id).load(conn)?)
}
