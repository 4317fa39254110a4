//! Browsers at the hosts of gates: each a child of the session that it came from, and gone with it.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, gate_sessions, sessions},
    },
    error::Result,
    ids::{ApplicationId, SessionId, UserId},
    secret::Secret,
};

/// What a cookie of a protected host opens: nothing but that host's check.
#[derive(Debug)]
pub(crate) enum GateSession {}

/// The secret in that cookie.
pub(crate) type GateSecret = Secret<GateSession>;

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "gate_sessions",
    title: "Applications that you are signed in to",
    why: "So that an application that uses your account here knows you until you sign out. It ends with the device's \
          sign-in, and after a day at most.",
    columns: &[
        ("hash", "a fingerprint of the secret in the cookie of the application's address"),
        ("session_id", "which of your devices it is"),
        ("application_id", "the application"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "gateSessions", is_list: true, read: exported }],
    erase: |tx, id, _| {
        let own = sessions::table.filter(sessions::user_id.eq(id)).select(sessions::id);
        diesel::delete(gate_sessions::table.filter(gate_sessions::session_id.eq_any(own)))
            .execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, Timestamp, Timestamp)> = gate_sessions::table
        .inner_join(sessions::table)
        .inner_join(applications::table)
        .filter(sessions::user_id.eq(owner))
        .order((gate_sessions::created_at, gate_sessions::hash))
        .offset(skip)
        .limit(most)
        .select((applications::name, gate_sessions::created_at, gate_sessions::expires_at))
        .load(conn)?;
    let told = found.into_iter().map(|(application, created_at, expires_at)| {
        json!({ "application": application, "createdAt": created_at, "expiresAt": expires_at })
    });
    Ok(told.collect())
}

// Then the browser comes for another, without a word.
const LIFE: TimeDelta = TimeDelta::hours(24);

// As long as requests with the secret before may be under way.
const OVERLAP: TimeDelta = TimeDelta::minutes(1);

/// Lets the browser of a session in at a host. Older secrets of it there end soon.
pub(crate) fn start(
    tx: &mut Tx,
    session: &SessionId,
    ends_at: Timestamp,
    application: &ApplicationId,
) -> Result<GateSecret> {
    let before = gate_sessions::table
        .filter(gate_sessions::session_id.eq(session))
        .filter(gate_sessions::application_id.eq(application))
        .filter(gate_sessions::created_at.le(tx.now - OVERLAP));
    diesel::delete(before).execute(tx.conn)?;
    let secret = GateSecret::random()?;
    diesel::insert_into(gate_sessions::table)
        .values((
            gate_sessions::hash.eq(secret.digest()),
            gate_sessions::session_id.eq(session),
            gate_sessions::application_id.eq(application),
            gate_sessions::created_at.eq(tx.now),
            gate_sessions::expires_at.eq(ends_at.min(tx.now + LIFE)),
        ))
        .execute(tx.conn)?;
    Ok(secret)
}

/// Ends what one secret opens. Harmless twice.
pub(crate) fn end(tx: &mut Tx, secret: &GateSecret) -> Result<()> {
    diesel::delete(gate_sessions::table.find(secret.digest())).execute(tx.conn)?;
    Ok(())
}

/// Removes up to `most` that have ended. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = gate_sessions::expires_at.le(tx.now);
    let old = gate_sessions::table.filter(gone).order(gate_sessions::expires_at).limit(most);
    let hashes: Vec<String> = old.select(gate_sessions::hash).load(tx.conn)?;
    Ok(diesel::delete(gate_sessions::table.filter(gate_sessions::hash.eq_any(hashes)).filter(gone))
        .execute(tx.conn)?)
}
