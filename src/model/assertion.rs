//! Assertions that were used. An assertion is good for one sign-in, on whichever node it arrives (saml-profiles §4.1.4.5).

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Tx, schema::assertions},
    error::Result,
    ids::ConnectionId,
    secret,
};

/// Uses an assertion: the insert is the check. Of many at once, one succeeds; the others get `false`.
pub(crate) fn spend(
    tx: &mut Tx,
    connection: &ConnectionId,
    assertion: &str,
    until: Timestamp,
) -> Result<bool> {
    let row = (
        assertions::hash.eq(secret::digest(&format!("{connection}\n{assertion}"))),
        assertions::expires_at.eq(until),
    );
    let spent =
        tx.allow_unique_violation(|conn| diesel::insert_into(assertions::table).values(row).execute(conn))?;
    Ok(spent.is_some())
}

/// Forgets up to `most` assertions that are too old to be taken anyway. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let over = assertions::table.filter(assertions::expires_at.le(tx.now));
    let found: Vec<String> =
        over.order(assertions::expires_at).limit(most).select(assertions::hash).load(tx.conn)?;
    Ok(diesel::delete(assertions::table.filter(assertions::hash.eq_any(found))).execute(tx.conn)?)
}
