//! Identities: who somebody is at an identity provider, and what follows from it when they arrive.
//!
//! An identity is (connection, NameID of a lasting format), never an address. What an identity provider says of
//! addresses counts only for domains that its organisation has proved.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, identities, memberships},
    },
    error::{Error, Result},
    ids::{ConnectionId, Id, OrganisationId, UserId},
    kinds::Protocol,
    saml,
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "identities",
    title: "How your organisations know you",
    why: "So that you can sign in through your organisation. It stays as long as the organisation's sign-in does.",
    columns: &[
        ("id", "a number that stands for the connection of the two accounts"),
        ("connection_id", "the organisation's sign-in"),
        ("format", "what kind of name it is"),
        ("name", "the name your organisation calls you by"),
        ("user_id", "that it is you"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "identities", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, String, Timestamp, Timestamp)> = identities::table
        .inner_join(connections::table)
        .filter(identities::user_id.eq(owner))
        .order((identities::created_at, identities::id))
        .offset(skip)
        .limit(most)
        .select((connections::name, identities::name, identities::created_at, identities::last_used_at))
        .load(conn)?;
    let told = found.into_iter().map(|(connection, name, created_at, last_used_at)| {
        json!({ "connection": connection, "name": name, "createdAt": created_at, "lastUsedAt": last_used_at })
    });
    Ok(told.collect())
}

/// Who somebody is at an identity provider.
#[derive(Debug)]
pub(crate) struct Identity;

/// Connects an identity, by its name and that name's format, with an account. [`Error::Conflict`] where it is connected
/// already.
pub(crate) fn insert(
    tx: &mut Tx,
    connection: &ConnectionId,
    (format, name): (&str, &str),
    user: &UserId,
) -> Result<()> {
    let row = (
        identities::id.eq(Id::<Identity>::random()?),
        identities::connection_id.eq(connection),
        identities::format.eq(format),
        identities::name.eq(name),
        identities::user_id.eq(user),
        identities::created_at.eq(tx.now),
        identities::last_used_at.eq(tx.now),
    );
    tx.allow_unique_violation(|conn| diesel::insert_into(identities::table).values(row).execute(conn))?
        .map(drop)
        .ok_or(Error::Conflict)
}

/// By which connections an account can be signed in to, with the name it has there, the oldest first.
pub(crate) fn list(conn: &mut Conn, owner: &UserId) -> Result<Vec<(String, String)>> {
    let own = identities::table.inner_join(connections::table).filter(identities::user_id.eq(owner));
    let own = own.order((identities::created_at, identities::id));
    Ok(own.select((connections::name, identities::name)).load(conn)?)
}

/// The account that this name stands for at this connection.
pub(crate) fn owner_of(
    conn: &mut Conn,
    connection: &ConnectionId,
    name: &saml::Name,
) -> Result<Option<UserId>> {
    Ok(row_of(connection, name).select(identities::user_id).get_result(conn).optional()?)
}

/// The member of an organisation whom one of its connections calls so, by a name of any format.
pub(crate) fn member_called(
    conn: &mut Conn,
    organisation: &OrganisationId,
    name: &str,
) -> Result<Option<UserId>> {
    let is_member = memberships::user_id
        .eq(identities::user_id)
        .and(memberships::organisation_id.eq(connections::organisation_id));
    let theirs = identities::table
        .inner_join(connections::table)
        .inner_join(memberships::table.on(is_member))
        .filter(connections::organisation_id.eq(organisation))
        .filter(identities::name.eq(name));
    Ok(theirs.order(identities::created_at).select(identities::user_id).first(conn).optional()?)
}

/// The connection that a person was connected with last, of those whose identity provider can be asked for a step-up.
pub(crate) fn newest_connection(conn: &mut Conn, user: &UserId) -> Result<Option<ConnectionId>> {
    let own = identities::table.inner_join(connections::table).filter(identities::user_id.eq(user));
    let newest = own
        .filter(connections::protocol.eq(Protocol::Saml).or(connections::can_step_up))
        .order((identities::created_at.desc(), identities::id.desc()));
    Ok(newest.select(identities::connection_id).first(conn).optional()?)
}

/// Forgets every identity of an account, and tells nobody.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::delete(identities::table.filter(identities::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

/// Forgets those at an organisation's connections. Returns how many there were.
pub(crate) fn forget_at(tx: &mut Tx, organisation: &OrganisationId, user: &UserId) -> Result<usize> {
    let theirs =
        connections::table.filter(connections::organisation_id.eq(organisation)).select(connections::id);
    let own = identities::table.filter(identities::user_id.eq(user));
    Ok(diesel::delete(own.filter(identities::connection_id.eq_any(theirs))).execute(tx.conn)?)
}

/// Forgets who came by a connection for the first time since a moment. Returns everyone who came by it since.
pub(crate) fn forget_since(tx: &mut Tx, connection: &ConnectionId, since: Timestamp) -> Result<Vec<UserId>> {
    let used = identities::table
        .filter(identities::connection_id.eq(connection))
        .filter(identities::last_used_at.ge(since));
    let people = used.select(identities::user_id).distinct().load(tx.conn)?;
    let first_seen = identities::table
        .filter(identities::connection_id.eq(connection))
        .filter(identities::created_at.ge(since));
    diesel::delete(first_seen).execute(tx.conn)?;
    Ok(people)
}

/// Whether a person is known by a connection, under any name.
pub(crate) fn is_known(conn: &mut Conn, connection: &ConnectionId, user: &UserId) -> Result<bool> {
    let own = identities::table
        .filter(identities::connection_id.eq(connection))
        .filter(identities::user_id.eq(user));
    Ok(diesel::select(diesel::dsl::exists(own.select(identities::id))).get_result(conn)?)
}

/// How many people are known by a connection.
pub(crate) fn count(conn: &mut Conn, connection: &ConnectionId) -> Result<i64> {
    let own = identities::table.filter(identities::connection_id.eq(connection));
    Ok(own.count().get_result(conn)?)
}

/// Notes that somebody came by a connection under this name.
pub(crate) fn mark_used(tx: &mut Tx, connection: &ConnectionId, name: &saml::Name) -> Result<()> {
    diesel::update(row_of(connection, name)).set(identities::last_used_at.eq(tx.now)).execute(tx.conn)?;
    Ok(())
}

/// The row of a name at a connection.
#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(connection: &'a ConnectionId, name: &'a saml::Name) -> _ {
    let format: &'static str = name.format.as_str();
    let value: &'a str = name.value.as_str();
    identities::table
        .filter(identities::connection_id.eq(connection))
        .filter(identities::format.eq(format))
        .filter(identities::name.eq(value))
}
