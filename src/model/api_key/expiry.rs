//! Keys that end by themselves.

use diesel::prelude::*;

use super::{ApiKey, KEPT, find};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::api_keys},
    error::Result,
    ids::ApiKeyId,
};

/// Up to `most` keys that end by `by`, and of which fewer than so many emails went out, in the order of their ends, after
/// `after`.
pub(crate) fn expiring(
    conn: &mut Conn,
    (now, by): (Timestamp, Timestamp),
    emails: i32,
    after: &(Timestamp, ApiKeyId),
    most: i64,
) -> Result<Vec<(Timestamp, ApiKeyId)>> {
    let end = api_keys::expires_at.assume_not_null();
    let later = end.gt(after.0).or(end.eq(after.0).and(api_keys::id.gt(&after.1)));
    Ok(api_keys::table
        .filter(api_keys::expires_at.is_not_null())
        .filter(end.le(by))
        .filter(end.gt(now))
        .filter(api_keys::expiry_emails.lt(emails))
        .filter(api_keys::suspended_at.is_null())
        .filter(later)
        .order((end, api_keys::id))
        .limit(most)
        .select((end, api_keys::id))
        .load(conn)?)
}

/// Notes that so many emails about its end went out. The key; nothing where they had, or it was suspended or rolled since.
pub(crate) fn note_emails(tx: &mut Tx, id: &ApiKeyId, by: Timestamp, emails: i32) -> Result<Option<ApiKey>> {
    let waiting = api_keys::table
        .find(id)
        .filter(api_keys::expires_at.le(by))
        .filter(api_keys::expires_at.gt(tx.now))
        .filter(api_keys::suspended_at.is_null())
        .filter(api_keys::expiry_emails.lt(emails));
    match diesel::update(waiting).set(api_keys::expiry_emails.eq(emails)).execute(tx.conn)? {
        0 => Ok(None),
        _ => find(tx.conn, id),
    }
}

/// Removes up to `most` keys that expired a while ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let over = api_keys::table.filter(api_keys::expires_at.le(tx.now - KEPT));
    let ids: Vec<ApiKeyId> =
        over.order(api_keys::expires_at).limit(most).select(api_keys::id).load(tx.conn)?;
    let gone =
        api_keys::table.filter(api_keys::id.eq_any(ids)).filter(api_keys::expires_at.le(tx.now - KEPT));
    Ok(diesel::delete(gone).execute(tx.conn)?)
}
