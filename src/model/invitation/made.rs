//! An invitation is made, in whoever's name it is.

use diesel::prelude::*;

use super::State;
use crate::{
    clock::Timestamp,
    db::{Tx, schema::invitations},
    error::Result,
    ids::{DirectoryPersonId, Id, InvitationId, OrganisationId, UserId},
    mail::EmailAddress,
    model::held_role::HeldRole,
};

/// In whose name an invitation is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Inviter<'a> {
    /// A member's.
    Member(&'a UserId),
    /// Nobody's: an entry of the organisation's directory waits for its person.
    Directory(&'a DirectoryPersonId),
}

/// Notes an invitation whose first email goes out now. `None` where one to the same address is open.
pub(crate) fn insert(
    tx: &mut Tx,
    organisation: &OrganisationId,
    email: &EmailAddress,
    role: &HeldRole,
    by: Inviter,
    expires_at: Timestamp,
) -> Result<Option<InvitationId>> {
    let id = Id::random()?;
    let (member, person) = match by {
        Inviter::Member(user) => (Some(user), None),
        Inviter::Directory(person) => (None, Some(person)),
    };
    let row = (
        invitations::id.eq(&id),
        invitations::organisation_id.eq(organisation),
        invitations::email.eq(email.spelled()),
        invitations::email_normalized.eq(email.normalized()),
        invitations::role.eq(role.built_in()),
        invitations::role_id.eq(role.custom()),
        invitations::invited_by.eq(member),
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
