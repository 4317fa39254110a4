//! Issuers: what providers say of themselves and the keys they sign with, as one node read them for all.
//!
//! Who reads anew takes the turn by a conditional UPDATE and asks outside of any transaction; everybody else goes by what is
//! there.

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::issuers},
    error::Result,
};

/// From one reading of a document that is there to the next.
pub(crate) const READ_EVERY: TimeDelta = TimeDelta::days(1);

/// How long whoever took the turn may take, and how soon a provider that did not answer is asked again.
pub(crate) const RETRY_AFTER: TimeDelta = TimeDelta::seconds(10);

/// From one reading of keys for the sake of an unknown one to the next: anybody can make tokens that name one.
pub(crate) const KEYS_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(5);

/// An issuer, as it was read last.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = issuers)]
pub(crate) struct Issuer {
    /// Its own name for itself, letter for letter.
    pub issuer: String,
    /// What it says of itself, as JSON (OpenID Connect Discovery §4.2); nothing until it answered once.
    pub document: Option<String>,
    /// Its keys, as JSON (RFC 7517 §5).
    pub keys: Option<String>,
    /// When both were read.
    pub read_at: Option<Timestamp>,
    /// When the keys were read.
    pub keys_read_at: Option<Timestamp>,
    /// Why they could not be read since.
    pub read_error: Option<String>,
}

impl Issuer {
    /// Whether it is time to read the document anew. What is there stays good until that is done.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.document.is_none()
            || self.read_at.is_none_or(|at| at <= now - READ_EVERY || at > now.latest_start())
    }
}

/// What is known of an issuer; nothing where nobody asked yet.
pub(crate) fn find(conn: &mut Conn, issuer: &str) -> Result<Option<Issuer>> {
    Ok(issuers::table.find(issuer).select(Issuer::as_select()).first(conn).optional()?)
}

/// Takes the turn to read what an issuer says of itself, with its keys. Of many at once one gets it, and nobody else does until
/// [`RETRY_AFTER`] is over.
pub(crate) fn take_turn(tx: &mut Tx, issuer: &str) -> Result<bool> {
    let first = (issuers::issuer.eq(issuer), issuers::tried_at.eq(tx.now));
    let made =
        tx.allow_unique_violation(|conn| diesel::insert_into(issuers::table).values(first).execute(conn))?;
    if made.is_some() {
        return Ok(true);
    }
    let is_free = issuers::tried_at
        .is_null()
        .or(issuers::tried_at.le(tx.now - RETRY_AFTER))
        .or(issuers::tried_at.gt(tx.now.latest_start()));
    let taken = diesel::update(issuers::table.find(issuer).filter(is_free)).set(issuers::tried_at.eq(tx.now));
    Ok(taken.execute(tx.conn)? == 1)
}

/// Takes the turn to read the keys of an issuer again, for a token names one that is not among them. Of many at once one gets
/// it, and no other until [`KEYS_AGAIN_AFTER`] is over; it counts as used whatever comes of it.
pub(crate) fn take_keys_turn(tx: &mut Tx, issuer: &str) -> Result<bool> {
    let is_free = issuers::keys_read_at
        .is_null()
        .or(issuers::keys_read_at.le(tx.now - KEYS_AGAIN_AFTER))
        .or(issuers::keys_read_at.gt(tx.now.latest_start()));
    let taken =
        diesel::update(issuers::table.find(issuer).filter(is_free)).set(issuers::keys_read_at.eq(tx.now));
    Ok(taken.execute(tx.conn)? == 1)
}

/// Keeps what an issuer says of itself, and its keys.
pub(crate) fn keep(tx: &mut Tx, issuer: &str, document: &str, keys: &str) -> Result<()> {
    diesel::update(issuers::table.find(issuer))
        .set((
            issuers::document.eq(document),
            issuers::keys.eq(keys),
            issuers::read_at.eq(tx.now),
            issuers::keys_read_at.eq(tx.now),
            issuers::read_error.eq(None::<String>),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Keeps its keys, read again.
pub(crate) fn keep_keys(tx: &mut Tx, issuer: &str, keys: &str) -> Result<()> {
    diesel::update(issuers::table.find(issuer))
        .set((issuers::keys.eq(keys), issuers::read_error.eq(None::<String>)))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes why it could not be read.
pub(crate) fn note_error(tx: &mut Tx, issuer: &str, why: &str) -> Result<()> {
    diesel::update(issuers::table.find(issuer)).set(issuers::read_error.eq(why)).execute(tx.conn)?;
    Ok(())
}
