//! Letters that wait to be sent: written with the change they tell of, sealed, and wiped once they are gone.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    holding::{Fate, Holding, Section},
    user::User,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Id, Tx, schema::outbox},
    error::Result,
    mail::Letter,
    secret::Keys,
};

const SEAL: &str = "letter";

// A letter that could not be sent for this long, about three days, is parked for an operator to look at.
const LAST_ATTEMPT: i32 = 40;

/// What is held here about a person, and what becomes of it.
pub const HOLDING: Holding = Holding {
    table: "outbox",
    title: "Mail to you",
    why: "So that mail arrives even when a server fails. The words of a letter are encrypted while it waits and wiped \
          once it is sent; that it was sent is removed after a while: 90 days, unless the people who run this site chose \
          otherwise.",
    columns: &[
        ("id", "a number that stands for the letter"),
        ("user_id", "that it is to you"),
        ("kind", "what kind of letter it is"),
        ("sealed", "the letter, encrypted, while it waits"),
        ("last_error", "why it could not be sent, where it could not"),
    ],
    fate: Fate::Removed,
    afterwards: "One last letter tells you that it is done. It is wiped once it is sent.",
    export: &[Section { name: "mails", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(outbox::table.filter(outbox::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &Id<User>, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, Timestamp, Option<Timestamp>)> = outbox::table
        .filter(outbox::user_id.eq(owner))
        .order((outbox::created_at, outbox::id))
        .offset(skip)
        .limit(most)
        .select((outbox::kind, outbox::created_at, outbox::sent_at))
        .load(conn)?;
    let told = found.into_iter().map(
        |(kind, written_at, sent_at)| json!({ "kind": kind, "writtenAt": written_at, "sentAt": sent_at }),
    );
    Ok(told.collect())
}

/// Removes up to `most` letters that were sent, or given up, long ago. Returns how many there were.
pub fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let is_over = outbox::sent_at.is_not_null().or(outbox::parked_at.is_not_null());
    let old =
        outbox::table.filter(is_over).filter(outbox::created_at.lt(tx.now - tx.config.lifetimes.history));
    let ids: Vec<Id<Posted>> = old.order(outbox::created_at).limit(most).select(outbox::id).load(tx.conn)?;
    // Again: an operator may have put one back into the queue.
    Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(ids)).filter(is_over)).execute(tx.conn)?)
}

/// A letter in the outbox.
#[derive(Debug)]
pub struct Posted;

/// A letter that this node may send now.
#[derive(Debug, Clone, Queryable)]
pub struct Due {
    /// Its row; also what its Message-ID is made of.
    pub id: Id<Posted>,
    /// The letter, encrypted.
    pub sealed: Option<String>,
    /// How often it was tried before.
    pub attempts: i32,
}

impl Due {
    /// Opens the letter.
    pub fn open(&self, keys: &Keys) -> Result<Letter> {
        let sealed = self.sealed.as_deref().ok_or_else(|| anyhow::anyhow!("the letter is wiped"))?;
        Ok(serde_json::from_str(&keys.open(SEAL, sealed)?)?)
    }
}

/// A letter that was given up, as an operator sees it: without its words and its recipient.
#[derive(Debug, Clone, Serialize, Queryable)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Its row.
    pub id: Id<Posted>,
    /// What kind of letter.
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
pub struct Depth {
    /// Letters that wait.
    pub waiting: i64,
    /// When the oldest of them was written.
    pub oldest_at: Option<Timestamp>,
    /// Letters that were given up.
    pub parked: i64,
}

impl Tx<'_> {
    /// Posts a letter with this transaction: it is sent once the change is there, and never without it.
    pub fn mail(&mut self, to: Option<&Id<User>>, letter: Letter) -> Result<()> {
        let sealed = self.config.keys.seal(SEAL, &serde_json::to_string(&letter)?)?;
        diesel::insert_into(outbox::table)
            .values((
                outbox::id.eq(Id::<Posted>::random()?),
                outbox::user_id.eq(to),
                outbox::kind.eq(letter.kind.as_str()),
                outbox::sealed.eq(sealed),
                outbox::created_at.eq(self.now),
                outbox::due_at.eq(self.now),
                outbox::attempts.eq(0),
            ))
            .execute(self.conn)?;
        self.has_mail = true;
        Ok(())
    }
}

/// Takes up to `most` letters that are due. They are this node's until the lease ends; where the node dies,
/// another takes them then.
pub fn take_due(tx: &mut Tx, most: i64) -> Result<Vec<Due>> {
    let waiting = outbox::table
        .filter(outbox::sent_at.is_null())
        .filter(outbox::parked_at.is_null())
        .filter(outbox::due_at.le(tx.now));
    let ids: Vec<Id<Posted>> = waiting.order(outbox::due_at).limit(most).select(outbox::id).load(tx.conn)?;
    let mut taken = Vec::with_capacity(ids.len());
    for id in ids {
        // Of several nodes that saw it due, one moves `due_at` on and has it.
        let due = diesel::update(waiting.filter(outbox::id.eq(&id)))
            .set(outbox::due_at.eq(tx.now + tx.config.lifetimes.mail_lease))
            .returning((outbox::id, outbox::sealed, outbox::attempts))
            .get_result::<Due>(tx.conn)
            .optional()?;
        taken.extend(due);
    }
    Ok(taken)
}

/// Notes that a letter is gone, and wipes it.
pub fn sent(tx: &mut Tx, id: &Id<Posted>) -> Result<()> {
    diesel::update(outbox::table.find(id))
        .set((
            outbox::sent_at.eq(tx.now),
            outbox::sealed.eq(None::<String>),
            outbox::last_error.eq(None::<String>),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes that a letter could not be sent. It is tried again later, or parked: at once where the server refuses
/// it for good, else after about three days.
pub fn failed(tx: &mut Tx, due: &Due, is_permanent: bool, reason: &str) -> Result<()> {
    let attempts = due.attempts + 1;
    let parked_at = (is_permanent || attempts >= LAST_ATTEMPT).then_some(tx.now);
    let unsent = outbox::table.find(&due.id).filter(outbox::sent_at.is_null());
    diesel::update(unsent)
        .set((
            outbox::attempts.eq(attempts),
            outbox::due_at.eq(tx.now + backoff(attempts)),
            outbox::parked_at.eq(parked_at),
            outbox::last_error.eq(reason),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// 5 s, 10 s, 20 s … up to two hours.
fn backoff(attempts: i32) -> TimeDelta {
    let doublings = attempts.clamp(1, 12) - 1;
    TimeDelta::seconds((5_i64 << doublings).min(7_200))
}

/// How much waits, and how much was given up.
pub fn depth(conn: &mut Conn) -> Result<Depth> {
    let waiting = outbox::table.filter(outbox::sent_at.is_null()).filter(outbox::parked_at.is_null());
    Ok(Depth {
        waiting: waiting.count().get_result(conn)?,
        oldest_at: waiting.select(diesel::dsl::min(outbox::created_at)).first(conn)?,
        parked: outbox::table.filter(outbox::parked_at.is_not_null()).count().get_result(conn)?,
    })
}

/// The letters that were given up, oldest first.
pub fn parked(conn: &mut Conn) -> Result<Vec<Parked>> {
    Ok(outbox::table
        .filter(outbox::parked_at.is_not_null())
        .order(outbox::created_at)
        .select((outbox::id, outbox::kind, outbox::created_at, outbox::attempts, outbox::last_error))
        .load(conn)?)
}

/// Puts the letters that were given up back in the queue. Returns how many.
pub fn retry_parked(tx: &mut Tx) -> Result<usize> {
    Ok(diesel::update(outbox::table.filter(outbox::parked_at.is_not_null()))
        .set((outbox::parked_at.eq(None::<Timestamp>), outbox::attempts.eq(0), outbox::due_at.eq(tx.now)))
        .execute(tx.conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_two_hours() {
        let pauses: Vec<_> = (1..=13).map(|attempt| backoff(attempt).num_seconds()).collect();
        assert_eq!(pauses[..4], [5, 10, 20, 40]);
        assert_eq!(pauses[12], 7_200);
    }
}
