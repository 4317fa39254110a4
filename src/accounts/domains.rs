//! Domains of organisations, as far as more than their own table is concerned: named, proved and led, on record.

use super::{
    sso_changes::{self, Target},
    sso_policy, suspensions,
};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{ConnectionId, DomainId, OrganisationId},
    mail::emails::SsoChange,
    model::{
        audit::{self, Actor, audit_events},
        connection,
        domain::{self, Domain, Gone},
        organisation::{self, Organisation},
    },
};

audit_events! {
    /// An organisation says that a domain is its own.
    DomainAdded { organisation: OrganisationId, domain: String }
        => of_organisation("domain_added", "Domain added"),
    /// A domain was verified.
    DomainVerified { organisation: OrganisationId, domain: String, by: &'static str }
        => of_organisation("domain_verified", "Domain verified"),
    /// A domain is no longer verified.
    DomainUnverified { organisation: OrganisationId, domain: String }
        => of_organisation("domain_unverified", "Domain no longer verified"),
    /// A domain was taken off an organisation's list.
    DomainRemoved { organisation: OrganisationId, domain: String }
        => of_organisation("domain_removed", "Domain removed"),
    /// The people of a domain are led to a connection, or to none.
    DomainLed { organisation: OrganisationId, domain: String, connection: Option<ConnectionId> }
        => of_organisation("domain_led", "Domain's connection changed"),
}

/// Adds a domain, unproved.
pub fn add(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    connection: Option<&ConnectionId>,
    name: &str,
) -> Result<Domain> {
    let domain = domain::add(tx, organisation, connection, name)?;
    let event = Event::DomainAdded { organisation: organisation.clone(), domain: name.to_owned() };
    audit::record(tx, actor, None, event)?;
    if let Some(connection) = connection {
        let connection = connection::by_id(tx.conn, connection)?;
        note_led(tx, actor, &domain, Some(&connection.name), None)?;
    }
    Ok(domain)
}

/// Marks a domain as proved. `DOMAIN_TAKEN` where another organisation has it proved:
/// of many at once, one does.
pub fn verify(tx: &mut Tx, actor: &Actor, domain: &Domain, by: &'static str) -> Result<()> {
    domain::verify(tx, domain, by)?;
    let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
    audit::record(tx, actor, None, Event::DomainVerified { organisation, domain: name, by })
}

/// Notes that a domain's record is not there. The proof of one that is gone for too long ends.
pub(crate) fn note_gone(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<Gone> {
    let gone = domain::note_gone(tx, domain)?;
    if gone == Gone::TooLong && domain::unverify(tx, domain)? {
        suspensions::end_at_domain(tx, actor, &domain.organisation_id, &domain.name)?;
        let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
        audit::record(tx, actor, None, Event::DomainUnverified { organisation, domain: name })?;
    }
    Ok(gone)
}

/// Everybody who says that a domain is theirs.
pub(crate) fn listed(conn: &mut Conn, name: &str) -> Result<Vec<(Domain, Organisation)>> {
    let listed = domain::listed(conn, name)?.into_iter();
    listed
        .map(|domain| organisation::by_id(conn, &domain.organisation_id).map(|whose| (domain, whose)))
        .collect()
}

/// Leads a domain's people to a connection of the organisation, or to none. Where they sign in there only, it has to be
/// one that was tested.
pub(crate) fn set_connection(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &DomainId,
    connection: Option<&ConnectionId>,
) -> Result<()> {
    organisation::lock(tx, organisation)?;
    let domain = domain::owned(tx.conn, organisation, id)?;
    let chosen = connection.map(|id| connection::owned(tx.conn, organisation, id)).transpose()?;
    let is_tested = chosen.as_ref().is_some_and(|chosen| chosen.tested_at.is_some() && !chosen.is_paused);
    if domain.is_enforced && !is_tested {
        return Err(domain::unfit(
            "Its people sign in there only: choose a connection that was tested since its last change.",
        ));
    }
    if domain.connection_id.as_ref() == connection {
        return Ok(());
    }
    lead(tx, actor, &domain, connection)?;
    let name = chosen.as_ref().map(|chosen| chosen.name.as_str());
    note_led(tx, actor, &domain, name, domain.connection_id.as_ref())
}

/// Leads a domain's people to a connection, or to none, whatever speaks against it; nobody hears of it.
pub(crate) fn lead(
    tx: &mut Tx,
    actor: &Actor,
    domain: &Domain,
    connection: Option<&ConnectionId>,
) -> Result<()> {
    domain::set_connection(tx, &domain.id, connection)?;
    let event = Event::DomainLed {
        organisation: domain.organisation_id.clone(),
        domain: domain.name.clone(),
        connection: connection.cloned(),
    };
    audit::record(tx, actor, None, event)
}

/// Notes that an owner led a domain's people to another connection than `before`.
fn note_led(
    tx: &mut Tx,
    actor: &Actor,
    domain: &Domain,
    connection: Option<&str>,
    before: Option<&ConnectionId>,
) -> Result<()> {
    let change = SsoChange::Led { domain: &domain.name, connection };
    sso_changes::note(tx, actor, &domain.organisation_id, Target::Led { domain: &domain.id, before }, change)
}

/// Takes a domain off the list, its proof and its rule with it.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &DomainId,
) -> Result<Domain> {
    let found = domain::owned(tx.conn, organisation, id)?;
    sso_policy::ensure_can_do_without(tx.conn, &found)?;
    let domain = domain::remove(tx, organisation, id)?;
    suspensions::end_at_domain(tx, actor, organisation, &domain.name)?;
    let event = Event::DomainRemoved { organisation: organisation.clone(), domain: domain.name.clone() };
    audit::record(tx, actor, None, event)?;
    if domain.is_enforced {
        let change = SsoChange::Released { domain: &domain.name };
        sso_changes::note(tx, actor, organisation, Target::Domain(id), change)?;
    }
    Ok(domain)
}
