//! What an operator sees of the counters, and clears.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::throttles},
    error::Result,
};

// Counters removed by one statement.
const AT_ONCE: usize = 500;

/// A counter: what is counted for whom, how often it happened, and when it is forgotten.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct Counter {
    /// `what:digest`
    pub key: String,
    /// How often.
    pub count: i32,
    /// Until when.
    pub ends_at: Timestamp,
}

impl Counter {
    /// What is counted, and the digest of for whom.
    pub(crate) fn parts(&self) -> (&str, &str) {
        parts(&self.key)
    }
}

fn parts(key: &str) -> (&str, &str) {
    key.rsplit_once(':').unwrap_or((key, ""))
}

/// Up to `most` counters whose time is not up, in the order of their keys, after the one called `after`.
pub(crate) fn page(conn: &mut Conn, now: Timestamp, after: &str, most: i64) -> Result<Vec<Counter>> {
    let live = throttles::table.filter(throttles::ends_at.gt(now)).filter(throttles::key.gt(after));
    Ok(live
        .order(throttles::key)
        .limit(most)
        .select((throttles::key, throttles::count, throttles::ends_at))
        .load(conn)?)
}

/// Forgets what is counted for whom these are the digests. Returns how many counters that were.
pub(crate) fn forget_digests(tx: &mut Tx, digests: &BTreeSet<String>) -> Result<usize> {
    remove(tx, |key| digests.contains(parts(key).1))
}

/// Forgets what is counted for everybody. Returns how many counters that were.
pub(crate) fn forget_all(tx: &mut Tx) -> Result<usize> {
    remove(tx, |_| true)
}

fn remove(tx: &mut Tx, is_meant: impl Fn(&str) -> bool) -> Result<usize> {
    let live = throttles::table.filter(throttles::ends_at.gt(tx.now)).select(throttles::key);
    let keys: Vec<String> = live.load(tx.conn)?;
    let keys: Vec<String> = keys.into_iter().filter(|key| is_meant(key)).collect();
    let mut count = 0;
    for keys in keys.chunks(AT_ONCE) {
        count += diesel::delete(throttles::table.filter(throttles::key.eq_any(keys))).execute(tx.conn)?;
    }
    Ok(count)
}
