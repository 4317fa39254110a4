//! Domains of organisations, as far as more than their own table is concerned: named, proved and led, on record.

use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{ConnectionId, DomainId, OrganisationId},
    model::{
        audit::{self, Actor, Event},
        connection,
        domain::{self, Domain, Gone},
        organisation::{self, Organisation},
    },
};

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
    Ok(domain)
}

/// Marks a domain as proved. [`Error::DomainTaken`](crate::error::Error::DomainTaken) where another organisation has it proved:
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
    domain::set_connection(tx, id, connection)?;
    let event = Event::DomainLed {
        organisation: organisation.clone(),
        domain: domain.name,
        connection: connection.cloned(),
    };
    audit::record(tx, actor, None, event)
}

/// Takes a domain off the list, its proof and its rule with it.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &DomainId,
) -> Result<Domain> {
    let domain = domain::remove(tx, organisation, id)?;
    let event = Event::DomainRemoved { organisation: organisation.clone(), domain: domain.name.clone() };
    audit::record(tx, actor, None, event)?;
    Ok(domain)
}
