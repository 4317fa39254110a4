//! Deliveries: what applications are still to be told, until they took it (OpenID Connect Back-Channel Logout 1.0 §2.5). What is
//! told is made anew for each try.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, deliveries},
    },
    error::Result,
    ids::{ApplicationId, DeliveryId, GrantId, UserId},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "deliveries",
    title: "Applications that are still to be told that you signed out",
    why: "So that an application signs you out where you signed out here, even if it does not answer at once. It is removed when the \
          application was told, and 30 days after it was given up.",
    columns: &[
        ("id", "a number"),
        ("application_id", "the application"),
        ("user_id", "that it is about you"),
        ("sid", "what the application calls your session here"),
        ("last_error", "why it did not arrive"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "deliveries", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(deliveries::table.filter(deliveries::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, Timestamp, i32, Option<Timestamp>)> = deliveries::table
        .inner_join(applications::table)
        .filter(deliveries::user_id.eq(owner))
        .order((deliveries::created_at, deliveries::id))
        .offset(skip)
        .limit(most)
        .select((applications::name, deliveries::created_at, deliveries::attempts, deliveries::parked_at))
        .load(conn)?;
    let told = found.into_iter().map(|(application, created_at, attempts, parked_at)| {
        json!({ "application": application, "createdAt": created_at, "attempts": attempts, "parkedAt": parked_at })
    });
    Ok(told.collect())
}

// How long until the next try, after each that failed: five tries in a quarter of an hour.
const PAUSES: [TimeDelta; 4] =
    [TimeDelta::seconds(15), TimeDelta::minutes(1), TimeDelta::minutes(4), TimeDelta::minutes(9)];

// As long as one node may take to send one before another may.
const LEASE: TimeDelta = TimeDelta::minutes(1);

// How long what was given up can be looked at.
const KEPT: TimeDelta = TimeDelta::days(30);

/// What an application is to be told.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub(crate) struct Delivery {
    /// Opaque.
    pub id: DeliveryId,
    /// Whom.
    pub application_id: ApplicationId,
    /// About whom.
    pub user_id: UserId,
    /// Which session ended, as the application calls it.
    pub sid: GrantId,
    attempts: i32,
}

/// Keeps that an application is to be told that a session ended.
pub(crate) fn insert(tx: &mut Tx, application: &ApplicationId, user: &UserId, sid: &GrantId) -> Result<()> {
    diesel::insert_into(deliveries::table)
        .values((
            deliveries::id.eq(DeliveryId::random()?),
            deliveries::application_id.eq(application),
            deliveries::user_id.eq(user),
            deliveries::sid.eq(sid),
            deliveries::created_at.eq(tx.now),
            deliveries::due_at.eq(tx.now),
            deliveries::attempts.eq(0),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Takes up to `most` that are due. Whoever dies with one leaves it to the next.
pub(crate) fn take_due(tx: &mut Tx, most: i64) -> Result<Vec<Delivery>> {
    let is_due = deliveries::parked_at.is_null().and(deliveries::due_at.le(tx.now));
    let due: Vec<Delivery> = deliveries::table
        .filter(is_due)
        .order(deliveries::due_at)
        .limit(most)
        .select(Delivery::as_select())
        .load(tx.conn)?;
    let ids: Vec<&DeliveryId> = due.iter().map(|one| &one.id).collect();
    diesel::update(deliveries::table.filter(deliveries::id.eq_any(ids)))
        .set(deliveries::due_at.eq(tx.now + LEASE))
        .execute(tx.conn)?;
    Ok(due)
}

/// What came of a try.
#[derive(Debug, Clone)]
pub(crate) enum Tried {
    /// The application took it.
    Told,
    /// It never will.
    Refused(u16),
    /// Perhaps later. Holds why.
    Failed(String),
}

/// Notes what came of a try.
pub(crate) fn note(tx: &mut Tx, delivery: &Delivery, tried: &Tried) -> Result<()> {
    let row = deliveries::table.find(&delivery.id);
    let why = match tried {
        Tried::Told => {
            diesel::delete(row).execute(tx.conn)?;
            return Ok(());
        }
        Tried::Refused(status) => format!("It answered {status}."),
        Tried::Failed(why) => why.clone(),
    };
    let pause = usize::try_from(delivery.attempts).ok().and_then(|tries| PAUSES.get(tries).copied());
    let pause = pause.filter(|_| !matches!(tried, Tried::Refused(_)));
    diesel::update(row)
        .set((
            deliveries::attempts.eq(delivery.attempts + 1),
            deliveries::due_at.eq(tx.now + pause.unwrap_or_default()),
            deliveries::parked_at.eq(pause.is_none().then_some(tx.now)),
            deliveries::last_error.eq(why),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// How many an application did not take.
pub(crate) fn parked(conn: &mut Conn, application: &ApplicationId) -> Result<i64> {
    let parked = deliveries::table
        .filter(deliveries::application_id.eq(application))
        .filter(deliveries::parked_at.is_not_null());
    Ok(parked.count().get_result(conn)?)
}

/// Removes what was given up long ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, _: i64) -> Result<usize> {
    Ok(diesel::delete(deliveries::table.filter(deliveries::parked_at.le(tx.now - KEPT))).execute(tx.conn)?)
}
