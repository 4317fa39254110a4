//! Consents: what somebody allowed an application that is not the operator's own, so that they are asked once.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, consents},
    },
    error::Result,
    ids::{ApplicationId, UserId},
    oauth::Scopes,
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "consents",
    title: "What you allowed applications",
    why: "So that you are asked once what an application of someone else may know. It is removed when you end its access.",
    columns: &[
        ("user_id", "that you allowed it"),
        ("application_id", "the application"),
        ("scopes", "what it may know"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "consents", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(consents::table.filter(consents::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, String, Timestamp)> = consents::table
        .inner_join(applications::table)
        .filter(consents::user_id.eq(owner))
        .order((consents::created_at, consents::application_id))
        .offset(skip)
        .limit(most)
        .select((applications::name, consents::scopes, consents::created_at))
        .load(conn)?;
    let told = found.into_iter().map(|(application, scopes, created_at)| {
        json!({ "application": application, "scopes": scopes, "createdAt": created_at })
    });
    Ok(told.collect())
}

/// What `user` allowed an application.
pub(crate) fn of(conn: &mut Conn, user: &UserId, application: &ApplicationId) -> Result<Option<Scopes>> {
    let scopes: Option<String> =
        consents::table.find((user, application)).select(consents::scopes).first(conn).optional()?;
    Ok(scopes.map(|text| Scopes::parse(&text).unwrap_or_default()))
}

/// Keeps what `user` allows an application now, in place of what they did before.
pub(crate) fn keep(tx: &mut Tx, user: &UserId, application: &ApplicationId, scopes: &Scopes) -> Result<()> {
    forget(tx, user, application)?;
    let row = (
        consents::user_id.eq(user),
        consents::application_id.eq(application),
        consents::scopes.eq(scopes.text()),
        consents::created_at.eq(tx.now),
    );
    // Whoever was there first in another tab allowed as much.
    tx.allow_unique_violation(|conn| diesel::insert_into(consents::table).values(row).execute(conn))?;
    Ok(())
}

/// Forgets it. `false` where there is nothing.
pub(crate) fn forget(tx: &mut Tx, user: &UserId, application: &ApplicationId) -> Result<bool> {
    Ok(diesel::delete(consents::table.find((user, application))).execute(tx.conn)? > 0)
}
