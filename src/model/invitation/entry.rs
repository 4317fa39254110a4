//! Invitations in nobody's name: those of a directory's entries that wait for their person.

use diesel::prelude::*;

use super::State;
use crate::{
    db::{Conn, schema::invitations},
    error::Result,
    ids::{DirectoryPersonId, InvitationId},
};

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
