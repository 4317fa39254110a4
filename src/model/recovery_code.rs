//! Recovery codes: ten on paper, each good once, for whoever has lost the second factor.
//!
//! Each is 60 random bits. What is stored is a keyed hash (NIST SP 800-63B §3.1.2.2), so a stolen table alone cannot be
//! guessed at.

use diesel::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    crockford,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::recovery_codes},
    error::Result,
    ids::UserId,
    secret::{self, Keys},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "recovery_codes",
    title: "Your recovery codes",
    why: "So that each can be checked once. They stay until you make new ones or remove your last second factor.",
    columns: &[("hash", "a fingerprint of a code, which nobody can read"), ("user_id", "that it is yours")],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "recoveryCodes", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(Timestamp, Option<Timestamp>)> = recovery_codes::table
        .filter(recovery_codes::user_id.eq(owner))
        .order((recovery_codes::created_at, recovery_codes::hash))
        .offset(skip)
        .limit(most)
        .select((recovery_codes::created_at, recovery_codes::used_at))
        .load(conn)?;
    let told = |(created_at, used_at)| json!({ "createdAt": created_at, "usedAt": used_at });
    Ok(found.into_iter().map(told).collect())
}

/// How many there are in a set.
pub(crate) const COUNT: usize = 10;

/// From here on down, their owner is told to make new ones.
pub(crate) const FEW: i64 = 3;

const LENGTH: usize = 12;

/// What a typed code is compared as, folded; `None` where it cannot be one.
pub(crate) fn read(typed: &str) -> Option<String> {
    let folded = crockford::fold(typed);
    crockford::is_code(&folded, LENGTH).then_some(folded)
}

/// A code as people read it best, from its plain letters: `xxxx-xxxx-xxxx`.
pub(crate) fn spelled(plain: &str) -> Zeroizing<String> {
    let parts = plain.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>();
    Zeroizing::new(parts.join("-"))
}

/// Makes ten new codes, as they are to be shown once: `xxxx-xxxx-xxxx`. All older ones are dead.
pub(crate) fn make(tx: &mut Tx, user: &UserId) -> Result<Vec<Zeroizing<String>>> {
    forget(tx, user)?;
    let mut codes = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let code = crockford::random(LENGTH)?;
        let hash = hashes(&tx.config.keys, user, &code)?.swap_remove(0);
        diesel::insert_into(recovery_codes::table)
            .values((
                recovery_codes::hash.eq(hash),
                recovery_codes::user_id.eq(user),
                recovery_codes::created_at.eq(tx.now),
            ))
            .execute(tx.conn)?;
        codes.push(spelled(&code));
    }
    Ok(codes)
}

// The owner is hashed along: two people may hold the same code.
fn hashes(keys: &Keys, user: &UserId, code: &str) -> Result<Vec<String>> {
    keys.lookups("recovery_code", &format!("{user}:{code}"))
}

/// Uses a code, and says how many are left; nothing where it was none. Of many at once, one succeeds.
pub(crate) fn take(tx: &mut Tx, user: &UserId, code: &str) -> Result<Option<i64>> {
    let hashes = hashes(&tx.config.keys, user, code)?;
    let unused = recovery_codes::table
        .filter(recovery_codes::hash.eq_any(hashes))
        .filter(recovery_codes::user_id.eq(user))
        .filter(recovery_codes::used_at.is_null());
    let taken = diesel::update(unused).set(recovery_codes::used_at.eq(tx.now)).execute(tx.conn)?;
    if taken == 0 {
        return Ok(None);
    }
    left(tx.conn, user).map(Some)
}

/// How many were not used yet.
pub(crate) fn left(conn: &mut Conn, user: &UserId) -> Result<i64> {
    let unused = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user))
        .filter(recovery_codes::used_at.is_null());
    Ok(unused.count().get_result(conn)?)
}

/// Names the set that `user` has now, used codes included, and tells nothing of the codes. Each new set has another
/// name.
pub(crate) fn edition(conn: &mut Conn, user: &UserId) -> Result<String> {
    let mut hashes: Vec<String> = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user))
        .select(recovery_codes::hash)
        .load(conn)?;
    hashes.sort();
    Ok(secret::digest(&hashes.concat()))
}

/// Removes all of them.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_in_three_parts() {
        assert_eq!(spelled("0110abcdefgh").as_str(), "0110-abcd-efgh");
    }
}
