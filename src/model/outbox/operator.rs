//! What an operator sees of the emails that wait or were given up, and starts again.

use diesel::prelude::*;
use serde::Serialize;

use super::waiting;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::outbox},
    error::Result,
    ids::{EmailId, UserId},
};

/// An email that was given up, as an operator sees it: without its words and its recipient.
#[derive(Debug, Clone, Serialize, Queryable)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parked {
    /// Its row.
    pub id: EmailId,
    /// What kind of email.
    pub kind: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i32,
    /// What the mail server said last.
    pub last_error: Option<String>,
}

/// How much waits.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Depth {
    /// Emails that wait.
    pub waiting: i64,
    /// When the oldest of them was written.
    pub oldest_at: Option<Timestamp>,
    /// Emails that were given up.
    pub parked: i64,
    /// Of those that wait, how many do because the mail server takes nothing from us, or cannot be reached.
    pub refused: i64,
}

/// Why emails wait that were tried, and how many do for this reason.
#[derive(Debug, Clone, Serialize, Queryable)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trouble {
    /// What the mail server said last.
    pub last_error: Option<String>,
    /// `server` where it takes nothing from us, `us` where it does not for these recipients; nothing where it is about them.
    pub refuses: Option<String>,
    /// How many emails wait for this reason.
    pub count: i64,
}

/// How much waits, how much was given up, and how much the mail server refuses.
pub(crate) fn depth(conn: &mut Conn) -> Result<Depth> {
    Ok(Depth {
        waiting: waiting().count().get_result(conn)?,
        oldest_at: waiting().select(diesel::dsl::min(outbox::created_at)).first(conn)?,
        parked: outbox::table.filter(outbox::parked_at.is_not_null()).count().get_result(conn)?,
        refused: waiting().filter(outbox::trouble.is_not_null()).count().get_result(conn)?,
    })
}

/// Why emails wait that were tried, the commonest reason first.
pub(crate) fn troubles(conn: &mut Conn) -> Result<Vec<Trouble>> {
    Ok(waiting()
        .filter(outbox::last_error.is_not_null())
        .group_by((outbox::last_error, outbox::trouble))
        .select((outbox::last_error, outbox::trouble, diesel::dsl::count_star()))
        .order((diesel::dsl::count_star().desc(), outbox::last_error))
        .load(conn)?)
}

/// The emails that were given up, oldest first.
pub(crate) fn parked(conn: &mut Conn) -> Result<Vec<Parked>> {
    Ok(outbox::table
        .filter(outbox::parked_at.is_not_null())
        .order(outbox::created_at)
        .select((outbox::id, outbox::kind, outbox::created_at, outbox::attempts, outbox::last_error))
        .load(conn)?)
}

/// The last `most` emails to an account, the newest first: kind, when it was written, and what became of it.
pub(crate) fn latest_to(
    conn: &mut Conn,
    user: &UserId,
    most: i64,
) -> Result<Vec<(String, Timestamp, &'static str)>> {
    type Row = (String, Timestamp, Option<Timestamp>, Option<Timestamp>);
    let found: Vec<Row> = outbox::table
        .filter(outbox::user_id.eq(user))
        .order((outbox::created_at.desc(), outbox::id))
        .limit(most)
        .select((outbox::kind, outbox::created_at, outbox::sent_at, outbox::parked_at))
        .load(conn)?;
    let told = |(kind, at, sent, parked): Row| {
        let state = match (sent, parked) {
            (Some(_), _) => "sent",
            (None, Some(_)) => "given up",
            (None, None) => "waiting",
        };
        (kind, at, state)
    };
    Ok(found.into_iter().map(told).collect())
}

/// Puts the emails that were given up back in the queue, and lets those be tried now that the mail server refused.
/// Returns how many there are of both.
pub(crate) fn retry_parked(tx: &mut Tx) -> Result<usize> {
    let again = diesel::update(outbox::table.filter(outbox::parked_at.is_not_null()))
        .set((
            outbox::parked_at.eq(None::<Timestamp>),
            outbox::attempts.eq(0),
            outbox::due_at.eq(tx.now),
            outbox::requeued_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    let refused = diesel::update(waiting().filter(outbox::trouble.is_not_null()))
        .set(outbox::due_at.eq(tx.now))
        .execute(tx.conn)?;
    Ok(again + refused)
}
