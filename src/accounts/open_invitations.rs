//! Invitations that wait for an answer end with the right to give what they promise: otherwise whoever was demoted, taken
//! out or shut out would keep a way back in.

use super::policy;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{OrganisationId, RoleId, UserId},
    kinds::{Permission, Role},
    model::{
        audit::{self, Actor, Event},
        held_role::HeldRole,
        invitation::{self, Invitation, Search, State},
        organisation::Named,
    },
};

/// Whether who sent an invitation may still send it.
pub(crate) fn is_backed(conn: &mut Conn, invitation: &Invitation) -> Result<bool> {
    let Some(by) = &invitation.invited_by else { return Ok(false) };
    let Some(by) = policy::membership(conn, Named::Id(&invitation.organisation_id), by)? else {
        return Ok(false);
    };
    match may_invite(conn, &by, &invitation.role) {
        Ok(()) => Ok(true),
        Err(Error::Forbidden(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// That `by` may invite people in this role: nobody gives what they do not have.
pub(crate) fn may_invite(conn: &mut Conn, by: &policy::Membership, role: &HeldRole) -> Result<()> {
    by.require(Permission::MembersInvite)?;
    by.require_change(conn, &HeldRole::BuiltIn(Role::Viewer), role)
}

/// Ends the open invitations of a member of an organisation, or of one who was, that they may send no more.
pub(crate) fn recheck(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    member: &UserId,
) -> Result<()> {
    let search = Search { organisation: Some(organisation), by: Some(member), ..Search::default() };
    for one in open(tx, search)? {
        if !is_backed(tx.conn, &one)? {
            revoke(tx, actor, &one)?;
        }
    }
    Ok(())
}

/// Ends the open invitations in a role of an organisation's own.
pub(crate) fn end_with_role(tx: &mut Tx, actor: &Actor, role: &RoleId) -> Result<()> {
    let found = open(tx, Search { role: Some(role), ..Search::default() })?;
    found.iter().try_for_each(|one| revoke(tx, actor, one))
}

/// Ends the open invitations that went out in somebody's name since a moment.
pub(crate) fn end_since(tx: &mut Tx, actor: &Actor, by: &UserId, since: Timestamp) -> Result<()> {
    let found = open(tx, Search { by: Some(by), ..Search::default() })?;
    found.iter().filter(|one| one.sent_at >= since).try_for_each(|one| revoke(tx, actor, one))
}

fn open(tx: &mut Tx, search: Search) -> Result<Vec<Invitation>> {
    invitation::list(tx.conn, &Search { open_at: Some(tx.now), ..search }, 0, i64::MAX)
}

/// Takes an invitation back, on record. [`Error::Conflict`] where it could be answered no more.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, invitation: &Invitation) -> Result<()> {
    if !invitation::end(tx, &invitation.id, State::Revoked)? {
        return Err(Error::Conflict);
    }
    let (organisation, invitation) = (invitation.organisation_id.clone(), invitation.id.clone());
    audit::record(tx, actor, None, Event::InvitationRevoked { organisation, invitation })
}
