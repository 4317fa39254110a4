//! The last responses of a connection, for its owners: what came, what was checked, what came of it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::personal_data::{Erasure, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{attempts, connections, identities},
    },
    error::Result,
    ids::{AttemptId, ConnectionId, Id, OrganisationId, UserId},
    secret::Keys,
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "attempts",
    title: "What your organisation said when you signed in through it",
    why: "So that its owners see why a sign-in failed. The last sixty of each connection stay.",
    columns: &[
        ("id", "a number that stands for the attempt"),
        ("connection_id", "the organisation's sign-in"),
        ("user_id", "that you tried it"),
        ("outcome", "what came of it"),
        ("sealed", "what was said of you, encrypted"),
    ],
    erasure: Erasure::Removed,
    afterwards: "So is all that your organisations' sign-ins said lately, no matter whom it was about.",
    export: &[],
    erase: |tx, id, _| {
        // What is sealed names nobody: with somebody's identity goes all that its connection said lately.
        let theirs = identities::table.filter(identities::user_id.eq(id)).select(identities::connection_id);
        let mine = attempts::user_id.eq(id).assume_not_null();
        diesel::delete(attempts::table.filter(mine.or(attempts::connection_id.eq_any(theirs))))
            .execute(tx.conn)?;
        Ok(())
    },
};

const SEAL: &str = "attempt";

// So many are kept of each connection: of those that its identity provider signed, and of those that anybody can have
// sent, which must not push the others off the list.
const KEPT: i64 = 50;
const KEPT_UNSIGNED: i64 = 10;

/// A response that came.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub(crate) struct SsoAttempt {
    /// Opaque.
    pub id: AttemptId,
    /// At which connection.
    pub connection_id: ConnectionId,
    /// When.
    pub at: Timestamp,
    /// Whether it was a test, which lets nobody in.
    pub is_test: bool,
    /// `success`, or the code of the reason.
    pub outcome: String,
    /// Whether the identity provider signed it, or an owner tested; else anybody can have sent it.
    pub is_signed: bool,
    sealed: String,
}

/// What was said and checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Why it was refused, in a sentence.
    pub reason: Option<String>,
    /// What the person is known by.
    pub subject: Option<String>,
    /// The NameID.
    pub name_id: Option<String>,
    /// The format of the NameID.
    pub name_format: Option<String>,
    /// The address that was understood.
    pub email: Option<String>,
    /// The name that was understood.
    pub name: Option<String>,
    /// The role that follows.
    pub role: Option<String>,
    /// What would happen, or did.
    pub account: Option<String>,
    /// What was checked.
    pub checks: Vec<CheckDetail>,
    /// The attributes, each with its values.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// One check, in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckDetail {
    /// What should be so.
    pub says: String,
    /// Why it is not.
    pub failed: Option<String>,
    /// What should have come.
    pub expected: Option<String>,
    /// What came.
    pub found: Option<String>,
}

/// The number of an attempt that a person can read out: eight digits of its id.
pub(crate) fn reference(id: &AttemptId) -> String {
    let number =
        id.as_str().get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    format!("{:04}-{:04}", number / 10_000 % 10_000, number % 10_000)
}

impl SsoAttempt {
    /// What was said and checked.
    pub(crate) fn detail(&self, keys: &Keys) -> Result<Detail> {
        Ok(serde_json::from_str(&keys.open(SEAL, &self.sealed)?)?)
    }
}

/// Notes a response, of a test where it has a `tester`; the oldest beyond fifty are forgotten. Its id, for showing it.
pub fn note(
    tx: &mut Tx,
    connection: &ConnectionId,
    tester: Option<&UserId>,
    is_signed: bool,
    outcome: &str,
    detail: &Detail,
) -> Result<AttemptId> {
    insert(tx, connection, (tester.is_some(), tester), is_signed, outcome, detail)
}

/// The same of a test by the bearer of a set-up link.
pub(crate) fn note_by_link(
    tx: &mut Tx,
    connection: &ConnectionId,
    is_signed: bool,
    outcome: &str,
    detail: &Detail,
) -> Result<AttemptId> {
    insert(tx, connection, (true, None), is_signed, outcome, detail)
}

fn insert(
    tx: &mut Tx,
    connection: &ConnectionId,
    (is_test, tester): (bool, Option<&UserId>),
    is_signed: bool,
    outcome: &str,
    detail: &Detail,
) -> Result<AttemptId> {
    let id = Id::random()?;
    let is_signed = is_signed || tester.is_some();
    diesel::insert_into(attempts::table)
        .values((
            attempts::id.eq(&id),
            attempts::connection_id.eq(connection),
            attempts::user_id.eq(tester),
            attempts::at.eq(tx.now),
            attempts::is_test.eq(is_test),
            attempts::outcome.eq(outcome),
            attempts::is_signed.eq(is_signed),
            attempts::sealed.eq(sealed(tx, detail)?),
        ))
        .execute(tx.conn)?;
    if !is_signed {
        diesel::update(connections::table.find(connection))
            .set(connections::unsigned_responses.eq(connections::unsigned_responses + 1))
            .execute(tx.conn)?;
    }
    let own = attempts::table.filter(attempts::connection_id.eq(connection));
    let own = own.filter(attempts::is_signed.eq(is_signed));
    let most = if is_signed { KEPT } else { KEPT_UNSIGNED };
    let oldest: Option<Timestamp> = own
        .order((attempts::at.desc(), attempts::id))
        .offset(most - 1)
        .limit(1)
        .select(attempts::at)
        .get_result(tx.conn)
        .optional()?;
    if let Some(oldest) = oldest {
        diesel::delete(own.filter(attempts::at.lt(oldest))).execute(tx.conn)?;
    }
    Ok(id)
}

fn sealed(tx: &Tx, detail: &Detail) -> Result<String> {
    tx.config.keys.seal(SEAL, &serde_json::to_string(detail)?)
}

/// Says that a response which passed every check let nobody in after all, and why.
pub(crate) fn refuse(tx: &mut Tx, id: &AttemptId, outcome: &str, reason: &str) -> Result<()> {
    let row = attempts::table.find(id).select(SsoAttempt::as_select());
    let Some(row) = row.get_result::<SsoAttempt>(tx.conn).optional()? else { return Ok(()) };
    let detail =
        Detail { reason: Some(reason.to_owned()), account: None, role: None, ..row.detail(&tx.config.keys)? };
    let changed = (attempts::outcome.eq(outcome), attempts::sealed.eq(sealed(tx, &detail)?));
    diesel::update(attempts::table.find(id)).set(changed).execute(tx.conn)?;
    Ok(())
}

/// Says whom a response let in.
pub(crate) fn set_user(tx: &mut Tx, id: &AttemptId, user: &UserId) -> Result<()> {
    diesel::update(attempts::table.find(id)).set(attempts::user_id.eq(user)).execute(tx.conn)?;
    Ok(())
}

/// A connection's responses, the newest first.
pub(crate) fn of(conn: &mut Conn, connection: &ConnectionId) -> Result<Vec<SsoAttempt>> {
    Ok(attempts::table
        .filter(attempts::connection_id.eq(connection))
        .order((attempts::at.desc(), attempts::id))
        .limit(KEPT + KEPT_UNSIGNED)
        .select(SsoAttempt::as_select())
        .load(conn)?)
}

/// The tests at a connection by bearers of set-up links since `moment`, the newest first.
pub(crate) fn by_link(
    conn: &mut Conn,
    connection: &ConnectionId,
    moment: Timestamp,
) -> Result<Vec<SsoAttempt>> {
    Ok(attempts::table
        .filter(attempts::connection_id.eq(connection))
        .filter(attempts::is_test)
        .filter(attempts::user_id.is_null())
        .filter(attempts::at.ge(moment))
        .order((attempts::at.desc(), attempts::id))
        .limit(KEPT)
        .select(SsoAttempt::as_select())
        .load(conn)?)
}

/// The signed responses at an organisation's connections, the newest first.
pub(crate) fn seen_by(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<SsoAttempt>> {
    Ok(attempts::table
        .inner_join(connections::table)
        .filter(connections::organisation_id.eq(organisation))
        .filter(attempts::is_signed)
        .order((attempts::at.desc(), attempts::id))
        .limit(KEPT)
        .select(SsoAttempt::as_select())
        .load(conn)?)
}

/// One of them.
pub(crate) fn one(conn: &mut Conn, connection: &ConnectionId, id: &AttemptId) -> Result<SsoAttempt> {
    let row = attempts::table.find(id).filter(attempts::connection_id.eq(connection));
    Ok(row.select(SsoAttempt::as_select()).get_result(conn)?)
}
