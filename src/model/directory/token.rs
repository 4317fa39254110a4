//! The tokens by which an identity provider writes into a directory: shown once, and their digests kept.

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{directories, directory_tokens, organisations},
    },
    direct,
    error::Result,
    ids::{DirectoryId, DirectoryTokenId, Id, UserId},
    model::{
        key_text,
        personal_data::{Erasure, ExportSection, PersonalData},
    },
    secret::Secret,
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "directory_tokens",
    title: "Tokens that you made for your organisation's identity provider",
    why: "So that its owners can see who made them. They are the organisation's, and stay until they end.",
    columns: &[
        ("hash", "the fingerprint of the token"),
        ("directory_id", "the directory of the organisation"),
        ("id", "a number that stands for the token"),
        ("name", "what you called it"),
        ("ending", "its last characters"),
        ("made_by", "that you made it"),
        ("last_used_ip", "the network from which your identity provider used it"),
    ],
    erasure: Erasure::Anonymised,
    afterwards: "The token works on, and nothing says any more that you made it.",
    export: &[ExportSection { name: "directoryTokens", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::update(directory_tokens::table.filter(directory_tokens::made_by.eq(id)))
            .set(directory_tokens::made_by.eq(None::<UserId>))
            .execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<DirectoryToken> = directory_tokens::table
        .filter(directory_tokens::made_by.eq(owner))
        .order((directory_tokens::created_at, directory_tokens::id))
        .offset(skip)
        .limit(most)
        .select(DirectoryToken::as_select())
        .load(conn)?;
    let told = |one: DirectoryToken| json!({ "name": one.name, "ending": one.ending, "createdAt": one.created_at, "expiresAt": one.expires_at });
    Ok(found.into_iter().map(told).collect())
}

/// What the secret of a token opens.
#[derive(Debug)]
pub(crate) enum DirectorySecret {}

/// What a secret begins with after `TOKEN_PREFIX`.
const SUFFIX: &str = "s_";

/// How many of its last characters are shown in lists.
const SHOWN: usize = 4;

impl Secret<DirectorySecret> {
    /// A new one; `own` is `TOKEN_PREFIX`.
    pub(crate) fn of_directory(own: &str) -> Result<Self> {
        key_text::random(&format!("{own}{SUFFIX}")).map(Self::from_text)
    }

    /// Whether it can be one: its length, its characters and its checksum are right.
    pub(crate) fn is_well_formed(&self) -> bool {
        key_text::suffix_of(self.reveal()) == Some(SUFFIX)
    }

    fn ending(&self) -> &str {
        let text = self.reveal();
        text.get(text.len().saturating_sub(SHOWN)..).unwrap_or_default()
    }
}

/// A token of a directory.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = directory_tokens)]
pub(crate) struct DirectoryToken {
    /// Opaque; not its secret.
    pub id: DirectoryTokenId,
    /// Of which directory.
    pub directory_id: DirectoryId,
    /// What its maker calls it.
    pub name: String,
    /// Its last four characters.
    pub ending: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From which network.
    pub last_used_ip: Option<String>,
}

impl DirectoryToken {
    /// Whether it works at `now`.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at > now
    }

    /// Whether its use at `now` is to be noted: once a minute.
    pub(crate) fn needs_noting(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| (now - at).num_seconds() >= 60)
    }
}

/// Makes one of a directory, which works until then.
pub(crate) fn insert(
    tx: &mut Tx,
    directory: &DirectoryId,
    (secret, name): (&Secret<DirectorySecret>, &str),
    by: Option<&UserId>,
    expires_at: Timestamp,
) -> Result<DirectoryTokenId> {
    let id = Id::random()?;
    diesel::insert_into(directory_tokens::table)
        .values((
            directory_tokens::hash.eq(secret.digest()),
            directory_tokens::directory_id.eq(directory),
            directory_tokens::id.eq(&id),
            directory_tokens::name.eq(name),
            directory_tokens::ending.eq(secret.ending()),
            directory_tokens::made_by.eq(by),
            directory_tokens::created_at.eq(tx.now),
            directory_tokens::expires_at.eq(expires_at),
        ))
        .execute(tx.conn)?;
    Ok(id)
}

/// Those of a directory, the oldest first.
pub(crate) fn of(conn: &mut Conn, directory: &DirectoryId) -> Result<Vec<DirectoryToken>> {
    let own = directory_tokens::table.filter(directory_tokens::directory_id.eq(directory));
    Ok(own
        .order((directory_tokens::created_at, directory_tokens::id))
        .select(DirectoryToken::as_select())
        .load(conn)?)
}

/// Ends one at once. Says whether it was there.
pub(crate) fn remove(tx: &mut Tx, directory: &DirectoryId, id: &DirectoryTokenId) -> Result<bool> {
    let one = directory_tokens::table
        .filter(directory_tokens::id.eq(id))
        .filter(directory_tokens::directory_id.eq(directory));
    Ok(diesel::delete(one).execute(tx.conn)? > 0)
}

/// The token with this secret, if it works at `now`, of a directory whose organisation does not wait to be deleted. One indexed
/// query, and none where the secret is of the wrong shape.
pub(crate) fn authenticate(
    conn: &mut Conn,
    secret: &Secret<DirectorySecret>,
    now: Timestamp,
) -> Result<Option<(DirectoryToken, super::Directory)>> {
    if !secret.is_well_formed() {
        return Ok(None);
    }
    let digest = secret.digest();
    let found = direct!(conn => directory_tokens::table
        .inner_join(directories::table.inner_join(organisations::table))
        .filter(directory_tokens::hash.eq(&digest))
        .filter(directory_tokens::expires_at.gt(now))
        .filter(organisations::deletes_at.is_null())
        .select((DirectoryToken::as_select(), super::Directory::as_select()))
        .get_result(conn));
    Ok(found.optional()?)
}

/// Notes that one is used from a network.
pub(crate) fn note_use(tx: &mut Tx, token: &DirectoryToken, network: &str) -> Result<()> {
    diesel::update(directory_tokens::table.filter(directory_tokens::id.eq(&token.id)))
        .set((directory_tokens::last_used_at.eq(tx.now), directory_tokens::last_used_ip.eq(network)))
        .execute(tx.conn)?;
    diesel::update(directories::table.find(&token.directory_id))
        .set(directories::last_call_at.eq(tx.now))
        .execute(tx.conn)?;
    Ok(())
}
