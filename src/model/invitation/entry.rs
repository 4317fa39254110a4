//! Invitations in nobody's name: those of a directory's entries that wait for their person.

use diesel::prelude::*;

use super::State;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::invitations},
    error::Result,
    ids::{DirectoryPersonId, Id, InvitationId, OrganisationId},
    mail::EmailAddress,
    model::held_role::HeldRole,
};

/// Notes one whose email goes out now. `None` where an invitation to the same address is open.
pub(crate) fn insert(
    tx: &mut Tx,
    organisation: &OrganisationId,
    email: &EmailAddress,
    role: &HeldRole,
    person: &DirectoryPersonId,
    expires_at: Timestamp,
) -> Result<Option<InvitationId>> {
    let id = Id::random()?;
    let row = (
        invitations::id.eq(&id),
        invitations::organisation_id.eq(organisation),
        invitations::email.eq(email.spelled()),
        invitations::email_normalized.eq(email.normalized()),
        invitations::role.eq(role.built_in()),
        invitations::role_id.eq(role.custom()),
        invitations::person_id.eq(person),
        invitations::state.eq(State::Open),
        invitations::emails_sent.eq(1),
        invitations::created_at.eq(tx.now),
        invitations::sent_at.eq(tx.now),
        invitations::expires_at.eq(expires_at),
    );
    let made =
        tx.allow_unique_violation(|conn| diesel::insert_into(invitations::table).values(row).execute(conn))?;
    Ok(made.map(|_| id))
}

/// The open ones of an entry.
pub(crate) fn of_person(conn: &mut Conn, person: &DirectoryPersonId) -> Result<Vec<InvitationId>> {
    let own = invitations::table.filter(invitations::person_id.eq(person));
    Ok(own.filter(invitations::state.eq(State::Open)).select(invitations::id).load(conn)?)
}

/// Of which entry one is, where it is of one.
pub(crate) fn person_of(conn: &mut Conn, id: &InvitationId) -> Result<Option<DirectoryPersonId>> {
    let row = invitations::table.find(id).select(invitations::person_id);
    Ok(row.get_result::<Option<DirectoryPersonId>>(conn).optional()?.flatten())
}
