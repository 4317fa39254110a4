//! Members of organisations, as far as more than their own table is concerned.

use super::open_invitations;
use crate::{
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{OrganisationId, UserId},
    kinds::Role,
    model::{
        audit::{self, Actor, audit_events},
        directory::person,
        membership, organisation,
        user::{self, User},
    },
};

audit_events! {
    /// Somebody became a member.
    MemberAdded { organisation: OrganisationId, role: Role }
        => of_organisation("member_added", "Member added"),
    /// Somebody is no longer a member, and what their role was: built in, or by its name.
    MemberRemoved { organisation: OrganisationId, role: String }
        => of_organisation("member_removed", "Member removed"),
    /// A member got another role: built in, or by its name.
    RoleChanged { organisation: OrganisationId, from: String, to: String }
        => of_organisation("role_changed", "Member's role changed"),
}

/// Makes `user` a member, as [`membership::add`] does, and tells nobody. Whether they were none before. [`Error::Conflict`] where
/// the organisation waits to be deleted.
pub fn add(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<bool> {
    organisation::lock(tx, organisation)?;
    if organisation::by_id(tx.conn, organisation)?.is_leaving() {
        return Err(Error::Conflict);
    }
    let Some(role) = membership::add(tx, organisation, user, role)? else { return Ok(false) };
    audit::record(tx, actor, user, Event::MemberAdded { organisation: organisation.clone(), role })?;
    open_invitations::end_to(tx, actor, organisation, user)?;
    let member = user::by_id(tx.conn, user)?;
    if member.is_verified() {
        person::link_waiting(tx, organisation, user, &member.email.normalized())?;
    }
    Ok(true)
}

/// The owners of an organisation, in the order in which they came.
pub(crate) fn owners(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<User>> {
    membership::owners(conn, organisation)?.iter().map(|owner| user::by_id(conn, owner)).collect()
}
