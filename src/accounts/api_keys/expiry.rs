//! Emails before a key ends: a week before, and on the day.

use chrono::TimeDelta;

use super::telling::{tell_owners, tell_person};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::ApiKeyId,
    mail::emails::KeyNews,
    model::{api_key, organisation, user},
};

/// How long before its end each email about a key goes out.
pub(crate) const SPANS: [TimeDelta; 2] = [TimeDelta::days(7), TimeDelta::days(1)];

/// Up to `most` keys whose owners are due an email about the end, after `after`: of those whose last day it is, or whose last
/// week.
pub(crate) fn to_remind(
    conn: &mut Conn,
    now: Timestamp,
    is_last_day: bool,
    after: &(Timestamp, ApiKeyId),
    most: i64,
) -> Result<Vec<(Timestamp, ApiKeyId)>> {
    let (span, emails) = due(is_last_day);
    api_key::expiring(conn, (now, now + span), emails, after, most)
}

/// Tells the owner of a key, once, that it is about to end. Says whether it did.
pub(crate) fn remind(tx: &mut Tx, id: &ApiKeyId, is_last_day: bool) -> Result<bool> {
    let (span, emails) = due(is_last_day);
    let by = tx.now + span;
    let Some(key) = api_key::note_emails(tx, id, by, emails)? else { return Ok(false) };
    match (&key.user_id, &key.organisation_id) {
        (Some(user), _) => {
            let user = user::by_id(tx.conn, user)?;
            // What is to be deleted, or is locked, needs no key.
            if user.is_leaving() || user::ensure_not_locked(&user).is_err() {
                return Ok(false);
            }
            tell_person(tx, None, &user, &key, KeyNews::Expires, "")?;
        }
        (None, Some(organisation)) => {
            let organisation = organisation::by_id(tx.conn, organisation)?;
            if organisation.is_leaving() {
                return Ok(false);
            }
            tell_owners(tx, &organisation, &key, KeyNews::Expires)?;
        }
        (None, None) => {}
    }
    Ok(true)
}

fn due(is_last_day: bool) -> (TimeDelta, i32) {
    if is_last_day { (SPANS[1], 2) } else { (SPANS[0], 1) }
}
