//! Emails that wait to be sent: written with the change they tell of, sealed, and wiped once they are gone.

mod operator;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::outbox},
    error::Result,
    ids::{EmailId, UserId},
    mail::{About, Email},
    secret::Keys,
};

pub(crate) use operator::{Depth, depth, latest_to, parked, retry_parked, troubles};

const SEAL: &str = "letter";

// An email that could not be sent for this long is parked for an operator to look at (RFC 5321 §4.5.4.1).
const KEPT_FOR: TimeDelta = TimeDelta::days(5);

// The longest pause between two attempts, and where the mail server takes nothing from us at all.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(2);
const LONGEST_SERVER_PAUSE: TimeDelta = TimeDelta::minutes(15);

// What `trouble` says: see the migration.
const SERVER: &str = "server";
const US: &str = "us";

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "outbox",
    title: "Emails to you",
    why: "So that mail arrives even when a server fails. The words of an email are encrypted while it waits and wiped \
          once it is sent; that it was sent is removed after {history}.",
    columns: &[
        ("id", "a number that stands for the email"),
        ("user_id", "that it is to you"),
        ("kind", "what kind of email it is"),
        ("sealed", "the email, encrypted, while it waits"),
        ("last_error", "why it could not be sent, where it could not"),
        ("destination", "the domain that it goes to, while it waits"),
        ("trouble", "whether the mail server refuses us, while it waits"),
    ],
    erasure: Erasure::Removed,
    afterwards: "One last email tells you that it is done. It is wiped once it is sent.",
    export: &[ExportSection { name: "mails", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(outbox::table.filter(outbox::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
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

/// Removes up to `most` emails that were sent, or given up, long ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let is_over = outbox::sent_at.is_not_null().or(outbox::parked_at.is_not_null());
    let old =
        outbox::table.filter(is_over).filter(outbox::created_at.lt(tx.now - tx.config.lifetimes.history));
    let ids: Vec<EmailId> = old.order(outbox::created_at).limit(most).select(outbox::id).load(tx.conn)?;
    // Again: an operator may have put one back into the queue.
    Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(ids)).filter(is_over)).execute(tx.conn)?)
}

/// An email that this node may send now.
#[derive(Debug, Clone, Queryable)]
pub struct Due {
    /// Its row; also what its Message-ID is made of.
    pub id: EmailId,
    /// The email, encrypted.
    pub sealed: Option<String>,
    /// How often it was tried before.
    pub attempts: i32,
    /// The domain that it goes to, as it was registered: names below it count as one.
    pub destination: String,
    created_at: Timestamp,
    requeued_at: Option<Timestamp>,
}

impl Due {
    /// Opens the email.
    pub(crate) fn open(&self, keys: &Keys) -> Result<Email> {
        let sealed = self.sealed.as_deref().ok_or_else(|| anyhow::anyhow!("the email is wiped"))?;
        Ok(serde_json::from_str(&keys.open(SEAL, sealed)?)?)
    }
}

impl Tx<'_> {
    /// Posts an email with this transaction: it is sent once the change is there, and never without it.
    pub fn mail(&mut self, to: Option<&UserId>, email: Email) -> Result<()> {
        let sealed = self.config.keys.seal(SEAL, &serde_json::to_string(&email)?)?;
        diesel::insert_into(outbox::table)
            .values((
                outbox::id.eq(EmailId::random()?),
                outbox::user_id.eq(to),
                outbox::kind.eq(email.kind.as_str()),
                outbox::sealed.eq(sealed),
                outbox::created_at.eq(self.now),
                outbox::due_at.eq(self.now),
                outbox::attempts.eq(0),
                outbox::destination.eq(email.to.registered_domain()),
            ))
            .execute(self.conn)?;
        self.has_mail = true;
        Ok(())
    }
}

/// Takes up to `room` emails that are due, the oldest first, but for one destination only so many that `most_for_one` are
/// under way, those in `under_way` included. They are this node's until the lease ends; where the node dies, another takes
/// them then.
pub fn take_due(
    tx: &mut Tx,
    room: usize,
    under_way: &BTreeMap<String, usize>,
    most_for_one: usize,
) -> Result<Vec<Due>> {
    let mut under_way = under_way.clone();
    let mut taken: Vec<Due> = Vec::new();
    while taken.len() < room {
        let full: Vec<&String> =
            under_way.iter().filter(|(_, count)| **count >= most_for_one).map(|(name, _)| name).collect();
        let candidates = candidates(tx, room - taken.len(), &full)?;
        if candidates.is_empty() {
            break;
        }
        for (id, destination) in candidates {
            let count = under_way.entry(destination).or_default();
            if *count < most_for_one
                && let Some(due) = take(tx, &id)?
            {
                *count += 1;
                taken.push(due);
            }
        }
    }
    Ok(taken)
}

fn candidates(tx: &mut Tx, most: usize, full: &[&String]) -> Result<Vec<(EmailId, String)>> {
    // What lies further ahead than any pause was written while the clock was wrong.
    let furthest = tx.now + LONGEST_PAUSE + tx.config.lifetimes.mail_lease;
    Ok(outbox::table
        .filter(outbox::sent_at.is_null())
        .filter(outbox::parked_at.is_null())
        .filter(outbox::due_at.le(tx.now).or(outbox::due_at.gt(furthest)))
        .filter(outbox::destination.ne_all(full))
        .order((outbox::due_at, outbox::created_at))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select((outbox::id, outbox::destination))
        .load(tx.conn)?)
}

/// One of several nodes that see an email due has it.
fn take(tx: &mut Tx, id: &EmailId) -> Result<Option<Due>> {
    let lease_ends = tx.now + tx.config.lifetimes.mail_lease;
    let furthest = lease_ends + LONGEST_PAUSE;
    Ok(diesel::update(outbox::table.find(id))
        .filter(outbox::sent_at.is_null())
        .filter(outbox::parked_at.is_null())
        .filter(outbox::due_at.le(tx.now).or(outbox::due_at.gt(furthest)))
        .set((outbox::due_at.eq(lease_ends), outbox::trouble.eq(None::<String>)))
        .returning((
            outbox::id,
            outbox::sealed,
            outbox::attempts,
            outbox::destination,
            outbox::created_at,
            outbox::requeued_at,
        ))
        .get_result(tx.conn)
        .optional()?)
}

/// Holds an email for another while that is being sent.
pub(crate) fn renew(tx: &mut Tx, id: &EmailId) -> Result<()> {
    diesel::update(outbox::table.find(id).filter(outbox::sent_at.is_null()))
        .set(outbox::due_at.eq(tx.now + tx.config.lifetimes.mail_lease))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes that an email is gone, and wipes it. Those that waited for the mail server to take anything at all are due.
pub(crate) fn sent(tx: &mut Tx, id: &EmailId) -> Result<()> {
    diesel::update(outbox::table.find(id))
        .set((
            outbox::sent_at.eq(tx.now),
            outbox::sealed.eq(None::<String>),
            outbox::last_error.eq(None::<String>),
            outbox::destination.eq(""),
            outbox::trouble.eq(None::<String>),
        ))
        .execute(tx.conn)?;
    // Those that a node is just trying have no trouble until that is over.
    diesel::update(waiting().filter(outbox::trouble.eq(SERVER)))
        .set((outbox::due_at.eq(tx.now), outbox::trouble.eq(None::<String>)))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes that an email could not be sent. Where nobody will ever take it, it is parked; otherwise it is tried again, for
/// days. Where the trouble is the mail server's, or with us as a whole, all that are due wait with it.
pub(crate) fn failed(tx: &mut Tx, due: &Due, about: About, reason: &str) -> Result<()> {
    let attempts = due.attempts.saturating_add(1);
    let waits_since = due.requeued_at.unwrap_or(due.created_at);
    let is_over = about == About::Email || tx.now - waits_since >= KEPT_FOR;
    let (trouble, longest) = match about {
        About::Server => (Some(SERVER), LONGEST_SERVER_PAUSE),
        About::Us => (Some(US), LONGEST_PAUSE),
        About::Moment | About::Email => (None, LONGEST_PAUSE),
    };
    let due_at = tx.now + backoff(attempts, longest);
    diesel::update(outbox::table.find(&due.id).filter(outbox::sent_at.is_null()))
        .set((
            outbox::attempts.eq(attempts),
            outbox::due_at.eq(due_at),
            outbox::parked_at.eq(is_over.then_some(tx.now)),
            outbox::last_error.eq(reason),
            outbox::trouble.eq(trouble.filter(|_| !is_over)),
        ))
        .execute(tx.conn)?;
    if about == About::Server {
        diesel::update(waiting().filter(outbox::due_at.le(tx.now)))
            .set((outbox::due_at.eq(due_at), outbox::last_error.eq(reason), outbox::trouble.eq(trouble)))
            .execute(tx.conn)?;
    }
    Ok(())
}

/// 5 s, 10 s, 20 s … up to `longest`.
fn backoff(attempts: i32, longest: TimeDelta) -> TimeDelta {
    let doublings = attempts.clamp(1, 12) - 1;
    TimeDelta::seconds(5_i64 << doublings).min(longest)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn waiting() -> _ {
    outbox::table.filter(outbox::sent_at.is_null()).filter(outbox::parked_at.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_the_longest() {
        let pauses = |longest| (1..=13).map(move |attempt| backoff(attempt, longest).num_seconds());
        assert_eq!(pauses(LONGEST_PAUSE).take(4).collect::<Vec<_>>(), [5, 10, 20, 40]);
        assert_eq!(pauses(LONGEST_PAUSE).next_back(), Some(7_200));
        assert_eq!(pauses(LONGEST_SERVER_PAUSE).next_back(), Some(900));
    }
}
