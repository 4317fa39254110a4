//! Invitations that wait for an answer end with the right to give what they promise: otherwise whoever was demoted, taken
//! out or shut out would keep a way back in.

use std::collections::BTreeSet;

use super::policy::{self, FORBIDDEN};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{InvitationId, OrganisationId, RoleId, UserId},
    kinds::{Permission, Role},
    mail::EmailAddress,
    model::{
        audit::{self, Actor, audit_events},
        directory::person,
        held_role::HeldRole,
        invitation::{self, Invitation, Search, State},
        organisation::{Named, Organisation},
        security_change::{self, Kind},
        token::{self, Invite},
        user,
    },
    secret::Secret,
};

audit_events! {
    /// Somebody was invited, in a role: built in, or by its name.
    MemberInvited { organisation: OrganisationId, invitation: InvitationId, role: String }
        => of_organisation("member_invited", "Person invited"),
    /// An invitation was sent again.
    InvitationResent { organisation: OrganisationId, invitation: InvitationId }
        => of_organisation("invitation_resent", "Invitation sent again"),
    /// An invitation was taken back, or ended because whoever sent it may give that role no more.
    InvitationRevoked { organisation: OrganisationId, invitation: InvitationId }
        => of_organisation("invitation_revoked", "Invitation taken back"),
    /// Somebody who was invited joined.
    InvitationAccepted { organisation: OrganisationId, invitation: InvitationId }
        => of_organisation("invitation_accepted", "Invitation accepted"),
    /// Somebody who was invited did not want to join.
    InvitationDeclined { organisation: OrganisationId, invitation: InvitationId }
        => of_organisation("invitation_declined", "Invitation declined"),
}

/// Whether who sent an invitation may still send it.
pub(crate) fn is_backed(conn: &mut Conn, invitation: &Invitation) -> Result<bool> {
    let Some(by) = &invitation.invited_by else {
        // The organisation's directory did, as long as its entry waits.
        return match invitation::entry::person_of(conn, &invitation.id)? {
            Some(person) => person::is_waiting(conn, &person),
            None => Ok(false),
        };
    };
    if user::find(conn, by)?.is_none_or(|by| user::ensure_not_locked(&by).is_err()) {
        return Ok(false);
    }
    let Some(by) = policy::membership(conn, Named::Id(&invitation.organisation_id), by)? else {
        return Ok(false);
    };
    match may_invite(conn, &by, &invitation.role) {
        Ok(()) => Ok(true),
        Err(Error::Refused(FORBIDDEN, _)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// That `by` may invite people in this role: nobody gives what they do not have.
pub(crate) fn may_invite(conn: &mut Conn, by: &policy::Membership, role: &HeldRole) -> Result<()> {
    by.require(Permission::MembersInvite)?;
    by.require_change(conn, &HeldRole::BuiltIn(Role::Viewer), role)
}

/// The organisation that a link invited to, where `user` belongs to it, whatever became of the invitation.
pub(crate) fn joined(
    conn: &mut Conn,
    secret: &Secret<Invite>,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<Organisation>> {
    let claim = match token::peek_unowned(conn, secret, now) {
        Err(Error::DeadLink) => return Ok(None),
        claim => claim?,
    };
    let Some(found) = invitation::find(conn, &claim.invitation)? else { return Ok(None) };
    let mine = policy::membership(conn, Named::Id(&found.organisation_id), user)?;
    Ok(mine.map(|mine| mine.organisation))
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
            end(tx, actor, &one)?;
        }
    }
    Ok(())
}

/// Ends the open invitations in a role of an organisation's own.
pub(crate) fn end_with_role(tx: &mut Tx, actor: &Actor, role: &RoleId) -> Result<()> {
    let found = open(tx, Search { role: Some(role), ..Search::default() })?;
    found.iter().try_for_each(|one| end(tx, actor, one).map(drop))
}

/// Ends the open invitations that somebody sent: they end with their other links.
pub(crate) fn end_by(tx: &mut Tx, actor: &Actor, by: &UserId) -> Result<()> {
    let found = open(tx, Search { by: Some(by), ..Search::default() })?;
    found.iter().try_for_each(|one| end(tx, actor, one).map(drop))
}

/// Ends the open invitations to whoever joins an organisation or is taken out of it, at the address that they have and at
/// those that they had: nobody comes back by one that was sent before.
pub(crate) fn end_to(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    for address in addresses(tx, user)? {
        let search = Search { organisation: Some(organisation), to: Some(&address), ..Search::default() };
        for one in open(tx, search)? {
            end(tx, actor, &one)?;
        }
    }
    Ok(())
}

/// The addresses that an account has confirmed, and had, normalised. A mere claim speaks for none.
fn addresses(tx: &mut Tx, user: &UserId) -> Result<BTreeSet<String>> {
    let user = user::by_id(tx.conn, user)?;
    let mut addresses: BTreeSet<String> = BTreeSet::new();
    if !user.is_verified() {
        return Ok(addresses);
    }
    addresses.insert(user.email.normalized());
    for change in security_change::list(tx.conn, &user.id)? {
        if change.kind == Kind::EmailChanged {
            let before = change.before(&tx.config.keys)?.and_then(|before| EmailAddress::parse(&before).ok());
            addresses.extend(before.map(|before| before.normalized()));
        }
    }
    Ok(addresses)
}

fn open(tx: &mut Tx, search: Search) -> Result<Vec<Invitation>> {
    invitation::list(tx.conn, &Search { open_at: Some(tx.now), ..search }, 0, i64::MAX)
}

/// Takes an invitation back, on record. [`Error::Conflict`] where it could be answered no more.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, invitation: &Invitation) -> Result<()> {
    if end(tx, actor, invitation)? { Ok(()) } else { Err(Error::Conflict) }
}

/// The same where it may have been answered meanwhile. Says whether it ended now.
fn end(tx: &mut Tx, actor: &Actor, invitation: &Invitation) -> Result<bool> {
    if !invitation::end(tx, &invitation.id, State::Revoked)? {
        return Ok(false);
    }
    let (organisation, invitation) = (invitation.organisation_id.clone(), invitation.id.clone());
    audit::record(tx, actor, None, Event::InvitationRevoked { organisation, invitation }).map(|()| true)
}
