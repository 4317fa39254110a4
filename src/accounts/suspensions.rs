//! An organisation keeps people out: those whose accounts are at its own domains. An operator's lock is a different thing.

use super::{
    containment::occasion::{Occasion, end_access},
    provisioned_address::speaks_for,
};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{OrganisationId, UserId},
    model::{
        audit::{self, Actor, audit_events},
        user::{self, User},
    },
};

audit_events! {
    /// The organisation that speaks for an account keeps its person out.
    AccountSuspended { organisation: OrganisationId }
        => of_organisation("account_suspended", "Access ended"),
    /// It does so no more.
    AccountUnsuspended { organisation: OrganisationId }
        => of_organisation("account_unsuspended", "Access given back"),
}

/// Whether an organisation speaks for an account: the address is confirmed, and its domain the organisation's.
pub(crate) fn is_spoken_for(conn: &mut Conn, organisation: &OrganisationId, user: &User) -> Result<bool> {
    Ok(user.is_verified() && speaks_for(conn, organisation, &user.email.domain())?)
}

/// Keeps an account's person out: every session, waiting sign-in, link, key and grant ends now. Its address is locked.
pub(crate) fn suspend(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<()> {
    if user::suspend(tx, user, organisation)? {
        let event = Event::AccountSuspended { organisation: organisation.clone() };
        audit::record(tx, actor, user, event)?;
    }
    end_access(tx, actor, user, Occasion::MembershipEnded { has_spoken: true }).map(drop)
}

/// Lets them in again. Says whether the organisation kept them out.
pub(crate) fn end(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<bool> {
    if !user::end_suspension(tx, user, organisation)? {
        return Ok(false);
    }
    let event = Event::AccountUnsuspended { organisation: organisation.clone() };
    audit::record(tx, actor, user, event).map(|()| true)
}

/// The same for everybody at a domain that the organisation has proved no more.
pub(crate) fn end_at_domain(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    domain: &str,
) -> Result<()> {
    let suspended = user::suspended(tx.conn, organisation, Some(domain))?;
    suspended.iter().try_for_each(|user| end(tx, actor, organisation, &user.id).map(drop))
}
