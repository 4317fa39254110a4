//! What leaves the record of what was done, and when: network addresses, and what happens at each sign-in. Whatever changed
//! something stays.

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::{
    db::{Tx, schema::audit},
    error::Result,
    ids::AuditEventId,
};

/// Forgets from where up to `most` things were done that are older than the history. Returns how many there were.
pub(crate) fn forget_networks(tx: &mut Tx, most: i64) -> Result<usize> {
    let old: Vec<AuditEventId> = audit::table
        .filter(audit::ip.is_not_null())
        .filter(audit::at.lt(tx.now - tx.config.lifetimes.history))
        .order(audit::at)
        .limit(most)
        .select(audit::id)
        .load(tx.conn)?;
    let rows = audit::table.filter(audit::id.eq_any(old));
    Ok(diesel::update(rows).set(audit::ip.eq(None::<String>)).execute(tx.conn)?)
}

/// Removes up to `most` events of these names that are older than `life`. Returns how many there were.
pub(crate) fn sweep<'a>(
    tx: &mut Tx,
    events: impl Iterator<Item = &'a str>,
    life: TimeDelta,
    most: i64,
) -> Result<usize> {
    let before = tx.now - life;
    let mut swept = 0;
    // One after the other: each is a stretch of an index.
    for event in events {
        let room = most - i64::try_from(swept).unwrap_or(most);
        let old = audit::table.filter(audit::event.eq(event)).filter(audit::at.lt(before));
        let ids: Vec<AuditEventId> = old.order(audit::at).limit(room).select(audit::id).load(tx.conn)?;
        swept += diesel::delete(audit::table.filter(audit::id.eq_any(ids))).execute(tx.conn)?;
    }
    Ok(swept)
}
