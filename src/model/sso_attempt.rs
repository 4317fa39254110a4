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
pub const PERSONAL_DATA: PersonalData = PersonalData {
    table: "attempts",
    title: "What your organisation said when you signed in through it",
    why: "So that its owners see why a sign-in failed. The last fifty of each connection stay.",
    columns: &[
        ("id", "a number that stands for the attempt"),
        ("connection_id", "the organisation's sign-in"),
        ("user_id", "that you tried it"),
        ("outcome", "what came of it"),
        ("sealed", "what was said of you, encrypted"),
    ],
    erasure: Erasure::Removed,
    afterwards: "So is all that your organisations' sign-ins said lately, whoever it was about.",
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

// So many are kept of each connection.
const KEPT: i64 = 50;

/// A response that came.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub struct SsoAttempt {
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
    sealed: String,
}

/// What was said and checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Why it was refused, in a sentence.
    pub reason: Option<String>,
    /// The name of the person at the identity provider.
    pub subject: Option<String>,
    /// The address that was understood.
    pub email: Option<String>,
    /// The name that was understood.
    pub name: Option<String>,
    /// The role that follows.
    pub role: Option<String>,
    /// What would happen, or did.
    pub account: Option<String>,
    /// The checks: what should be so, and why it is not.
    pub checks: Vec<(String, Option<String>)>,
    /// The attributes, each with its values.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl SsoAttempt {
    /// What was said and checked.
    pub fn detail(&self, keys: &Keys) -> Result<Detail> {
        Ok(serde_json::from_str(&keys.open(SEAL, &self.sealed)?)?)
    }
}

/// Notes a response; the oldest beyond fifty are forgotten. Its id, for showing it.
pub fn note(
    tx: &mut Tx,
    connection: &ConnectionId,
    user: Option<&UserId>,
    is_test: bool,
    outcome: &str,
    detail: &Detail,
) -> Result<AttemptId> {
    let id = Id::random()?;
    diesel::insert_into(attempts::table)
        .values((
            attempts::id.eq(&id),
            attempts::connection_id.eq(connection),
            attempts::user_id.eq(user),
            attempts::at.eq(tx.now),
            attempts::is_test.eq(is_test),
            attempts::outcome.eq(outcome),
            attempts::sealed.eq(tx.config.keys.seal(SEAL, &serde_json::to_string(detail)?)?),
        ))
        .execute(tx.conn)?;
    let own = attempts::table.filter(attempts::connection_id.eq(connection));
    let oldest: Option<Timestamp> = own
        .order((attempts::at.desc(), attempts::id))
        .offset(KEPT - 1)
        .limit(1)
        .select(attempts::at)
        .get_result(tx.conn)
        .optional()?;
    if let Some(oldest) = oldest {
        diesel::delete(own.filter(attempts::at.lt(oldest))).execute(tx.conn)?;
    }
    Ok(id)
}

/// Says whom a response let in.
pub fn set_user(tx: &mut Tx, id: &AttemptId, user: &UserId) -> Result<()> {
    diesel::update(attempts::table.find(id)).set(attempts::user_id.eq(user)).execute(tx.conn)?;
    Ok(())
}

/// A connection's responses, the newest first.
pub fn of(conn: &mut Conn, connection: &ConnectionId) -> Result<Vec<SsoAttempt>> {
    Ok(attempts::table
        .filter(attempts::connection_id.eq(connection))
        .order((attempts::at.desc(), attempts::id))
        .limit(KEPT)
        .select(SsoAttempt::as_select())
        .load(conn)?)
}

/// The responses at an organisation's connections, the newest first.
pub fn seen_by(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<SsoAttempt>> {
    Ok(attempts::table
        .inner_join(connections::table)
        .filter(connections::organisation_id.eq(organisation))
        .order((attempts::at.desc(), attempts::id))
        .limit(KEPT)
        .select(SsoAttempt::as_select())
        .load(conn)?)
}

/// One of them.
pub fn one(conn: &mut Conn, connection: &ConnectionId, id: &AttemptId) -> Result<SsoAttempt> {
    let row = attempts::table.find(id).filter(attempts::connection_id.eq(connection));
    Ok(row.select(SsoAttempt::as_select()).get_result(conn)?)
}
