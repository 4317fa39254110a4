//! Refresh tokens (RFC 6749 §1.5): each use gives the next generation. The spent one keeps what was answered, sealed, as long as
//! the same answer may be given again.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{grants, refresh_tokens},
    },
    error::Result,
    ids::{GrantId, UserId},
    secret::{Secret, random_text},
};

/// What the answer to a spent one is sealed for.
pub(crate) const SEAL: &str = "refresh_answer";

/// What a refresh token opens.
#[derive(Debug)]
pub(crate) enum RefreshSecret {}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "refresh_tokens",
    title: "What applications stay signed in with",
    why: "So that an application need not ask you again, and a copy of what it holds is noticed. It is removed with what you allowed \
          the application, or when it ends.",
    columns: &[
        ("hash", "a fingerprint of what the application holds"),
        ("grant_id", "what you allowed it"),
        ("next_hash", "a fingerprint of the one that followed"),
        ("answer", "what the application was last given, encrypted, for a minute"),
        ("scopes", "what the application may know with it"),
        ("audience", "for whom the application's tokens are"),
        ("acr", "how strongly you showed who you are"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "refreshTokens", is_list: true, read: exported }],
    erase: |tx, id, _| {
        let own = grants::table.filter(grants::user_id.eq(id)).select(grants::id);
        diesel::delete(refresh_tokens::table.filter(refresh_tokens::grant_id.eq_any(own)))
            .execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    type Found = (GrantId, i32, Timestamp, Timestamp, Option<Timestamp>);
    let found: Vec<Found> = refresh_tokens::table
        .inner_join(grants::table)
        .filter(grants::user_id.eq(owner))
        .order((refresh_tokens::created_at, refresh_tokens::hash))
        .offset(skip)
        .limit(most)
        .select((
            refresh_tokens::grant_id,
            refresh_tokens::generation,
            refresh_tokens::created_at,
            refresh_tokens::expires_at,
            refresh_tokens::spent_at,
        ))
        .load(conn)?;
    let told = found.into_iter().map(|(grant, generation, created_at, expires_at, spent_at)| {
        json!({ "grant": grant, "generation": generation, "createdAt": created_at, "expiresAt": expires_at, "spentAt": spent_at })
    });
    Ok(told.collect())
}

/// A refresh token, by its digest.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = refresh_tokens)]
pub(crate) struct RefreshToken {
    /// The digest.
    pub hash: String,
    /// What it refreshes.
    pub grant_id: GrantId,
    /// How many came before it.
    pub generation: i32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub spent_at: Option<Timestamp>,
    /// The digest of the one that it was used for.
    pub next_hash: Option<String>,
    /// What was answered then, sealed.
    pub answer: Option<String>,
    /// What it was given for.
    #[diesel(embed)]
    pub given_for: GivenFor,
}

/// What a refresh token was given for, and those that follow it. Its grant may say more since.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = refresh_tokens)]
pub(crate) struct GivenFor {
    /// What was allowed, between blanks.
    pub scopes: String,
    /// For whom its access tokens are.
    pub audience: String,
    /// How strongly somebody showed who they are.
    pub acr: String,
    /// When they did.
    pub auth_time: Timestamp,
}

/// A new one; `own` is `TOKEN_PREFIX`.
pub(crate) fn make(own: &str) -> Result<Secret<RefreshSecret>> {
    Ok(Secret::from_text(format!("{own}r_{}", random_text(32)?)))
}

/// Keeps one.
pub(crate) fn insert(
    tx: &mut Tx,
    secret: &Secret<RefreshSecret>,
    (grant, generation): (&GrantId, i32),
    given_for: GivenFor,
    expires_at: Timestamp,
) -> Result<()> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(secret.digest()),
            refresh_tokens::grant_id.eq(grant),
            refresh_tokens::generation.eq(generation),
            refresh_tokens::created_at.eq(tx.now),
            refresh_tokens::expires_at.eq(expires_at),
            given_for,
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// The one with this digest, spent or not.
pub(crate) fn find(conn: &mut Conn, digest: &str) -> Result<Option<RefreshToken>> {
    Ok(refresh_tokens::table.find(digest).select(RefreshToken::as_select()).first(conn).optional()?)
}

/// Spends one for the next, with the sealed answer. Of many at once, one does: `true`.
pub(crate) fn spend(tx: &mut Tx, digest: &str, next: &Secret<RefreshSecret>, answer: &str) -> Result<bool> {
    let unspent = refresh_tokens::table.find(digest).filter(refresh_tokens::spent_at.is_null());
    let spent = diesel::update(unspent.filter(refresh_tokens::expires_at.gt(tx.now)))
        .set((
            refresh_tokens::spent_at.eq(tx.now),
            refresh_tokens::next_hash.eq(next.digest()),
            refresh_tokens::answer.eq(answer),
        ))
        .execute(tx.conn)?;
    Ok(spent == 1)
}

/// Forgets up to `most` answers that are not given again, and removes as many tokens that have ended. Returns how many of the
/// larger there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let is_late = refresh_tokens::spent_at.le(tx.now - tx.config.lifetimes.refresh_grace);
    let told = refresh_tokens::table.filter(refresh_tokens::answer.is_not_null()).filter(is_late).limit(most);
    let hashes: Vec<String> = told.select(refresh_tokens::hash).load(tx.conn)?;
    let forgotten = diesel::update(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(hashes)))
        .set(refresh_tokens::answer.eq(None::<String>))
        .execute(tx.conn)?;
    let gone = refresh_tokens::expires_at.le(tx.now);
    let old = refresh_tokens::table.filter(gone).order(refresh_tokens::expires_at).limit(most);
    let hashes: Vec<String> = old.select(refresh_tokens::hash).load(tx.conn)?;
    let removed =
        diesel::delete(refresh_tokens::table.filter(refresh_tokens::hash.eq_any(hashes)).filter(gone))
            .execute(tx.conn)?;
    Ok(forgotten.max(removed))
}
