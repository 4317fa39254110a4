//! Domains whose TXT record is looked at again: the proof lasts while it is there.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::Domain;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::domains},
    error::Result,
};

/// From one look at a TXT record to the next.
pub(crate) const CHECKED_EVERY: TimeDelta = TimeDelta::days(1);

/// How long a record may be gone until the proof is.
pub(crate) const GRACE: TimeDelta = TimeDelta::days(7);

/// Domains proved by their record that it is time to look at again, the longest unseen first.
pub(crate) fn due(conn: &mut Conn, now: Timestamp, most: i64) -> Result<Vec<Domain>> {
    Ok(domains::table
        .filter(domains::verified_by.eq("dns"))
        .filter(
            domains::checked_at
                .is_null()
                .or(domains::checked_at.le(now - CHECKED_EVERY))
                .or(domains::checked_at.gt(now.latest_start())),
        )
        .order(domains::checked_at)
        .limit(most)
        .select(Domain::as_select())
        .load(conn)?)
}

/// Takes the turn to look at a domain's record. Of many nodes at once, one does.
pub(crate) fn take_turn(tx: &mut Tx, domain: &Domain) -> Result<bool> {
    let row = domains::table.find(&domain.id);
    let set = domains::checked_at.eq(tx.now);
    let taken = match domain.checked_at {
        Some(at) => diesel::update(row.filter(domains::checked_at.eq(at))).set(set).execute(tx.conn)?,
        None => diesel::update(row.filter(domains::checked_at.is_null())).set(set).execute(tx.conn)?,
    };
    Ok(taken == 1)
}

/// The record is there.
pub(crate) fn note_found(tx: &mut Tx, domain: &Domain) -> Result<()> {
    let gone = domains::table.find(&domain.id).filter(domains::gone_since.is_not_null());
    diesel::update(gone).set(domains::gone_since.eq(None::<Timestamp>)).execute(tx.conn)?;
    Ok(())
}

/// What follows from a record that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was there the last time.
    Since,
    /// It is gone, and the proof stands yet.
    Still,
    /// It was gone for so long that the proof is to end too.
    TooLong,
}

/// The record is not there. The proof of one that is gone for too long stands until [`unverify`](super::unverify) ends it.
pub(crate) fn note_gone(tx: &mut Tx, domain: &Domain) -> Result<Gone> {
    // Removed since it was looked for: nothing is left to say.
    let found = domains::table.find(&domain.id).select(Domain::as_select()).get_result(tx.conn).optional()?;
    let Some(now) = found else { return Ok(Gone::Still) };
    match now.gone_since.filter(|since| *since <= tx.now.latest_start()) {
        _ if now.verified_at.is_none() => Ok(Gone::Still),
        None => {
            diesel::update(domains::table.find(&domain.id))
                .set(domains::gone_since.eq(tx.now))
                .execute(tx.conn)?;
            Ok(Gone::Since)
        }
        Some(since) if tx.now - since < GRACE => Ok(Gone::Still),
        Some(_) => Ok(Gone::TooLong),
    }
}
