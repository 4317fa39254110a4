//! Domains of mail addresses: which organisation speaks for them, and whether its people sign in there only.
//!
//! Many may say that a domain is theirs; one has it proved, by a TXT record or by the operator.

mod upkeep;

use diesel::prelude::*;

use super::personal_data::{Erasure, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, domains, organisations},
    },
    error::{Error, Errors, Result, refusals},
    ids::{ConnectionId, DomainId, Id, OrganisationId, UserId},
    mail::EmailAddress,
    secret::random_text,
};

pub(crate) use upkeep::{GRACE, Gone, due, note_found, note_gone, take_turn};

refusals! {
    /// Another organisation has proved the domain.
    DOMAIN_TAKEN = ("domain_taken", 409, "Another organisation has verified this domain. Contact support.");
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "domains",
    title: "Domains you are the emergency owner of",
    why: "So that one owner can still sign in when an organisation's own sign-in fails.",
    columns: &[
        ("id", "a number that stands for the domain"),
        ("organisation_id", "the organisation"),
        ("connection_id", "its sign-in"),
        ("name", "the domain"),
        ("challenge", "what its record has to say"),
        ("verified_by", "how it was verified"),
        ("break_glass_id", "that you are its emergency owner"),
    ],
    erasure: Erasure::Anonymised,
    afterwards: "If you are an organisation's emergency owner, it will need a new one.",
    export: &[],
    erase: |tx, id, _| {
        diesel::update(domains::table.filter(domains::break_glass_id.eq(id)))
            .set(domains::break_glass_id.eq(None::<UserId>))
            .execute(tx.conn)?;
        Ok(())
    },
};

/// A domain that an organisation says is its own.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = domains)]
pub struct Domain {
    /// Opaque.
    pub id: DomainId,
    /// Whose it is said to be.
    pub organisation_id: OrganisationId,
    /// Where its people sign in.
    pub connection_id: Option<ConnectionId>,
    /// Folded, as A-labels.
    pub name: String,
    /// What the TXT record has to say.
    pub challenge: String,
    /// When it was proved.
    pub verified_at: Option<Timestamp>,
    /// `dns` or `operator`.
    pub verified_by: Option<String>,
    /// When the TXT record was last looked for.
    pub checked_at: Option<Timestamp>,
    /// Since when it is not there any more.
    pub gone_since: Option<Timestamp>,
    /// Whether its people sign in by the connection only.
    pub is_enforced: bool,
    /// The break-glass owner, exempt from enforcement.
    pub break_glass_id: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A domain's name as addresses have it, or a sentence about what is wrong with it.
pub(crate) fn parse(typed: &str) -> Result<String, String> {
    let typed = typed.trim().trim_start_matches('@');
    EmailAddress::parse(&format!("somebody@{typed}"))
        .map(|address| address.domain())
        .map_err(|_| "Write the domain like example.com.".to_owned())
}

/// Adds a domain, unproved.
pub(crate) fn add(
    tx: &mut Tx,
    organisation: &OrganisationId,
    connection: Option<&ConnectionId>,
    name: &str,
) -> Result<Domain> {
    let domain = Domain {
        id: Id::random()?,
        organisation_id: organisation.clone(),
        connection_id: connection.cloned(),
        name: name.to_owned(),
        challenge: format!("vestibule-domain={}", random_text(24)?),
        verified_at: None,
        verified_by: None,
        checked_at: None,
        gone_since: None,
        is_enforced: false,
        break_glass_id: None,
        created_at: tx.now,
    };
    tx.allow_unique_violation(|conn| diesel::insert_into(domains::table).values(&domain).execute(conn))?
        .ok_or_else(|| Error::Invalid(Errors::one("domain", "That domain is in your list already.")))?;
    Ok(domain)
}

impl Domain {
    /// Where the TXT record is looked for. A name of its own, so that nothing else is in the way and a wildcard never
    /// answers for it by accident.
    pub(crate) fn record_name(&self) -> String {
        format!("_vestibule.{}", self.name)
    }

    /// Whether the record is among those that were found.
    pub(crate) fn is_verified_by(&self, texts: &[String]) -> bool {
        texts.iter().any(|text| text.trim() == self.challenge)
    }
}

/// Marks a domain as proved. [`DOMAIN_TAKEN`] where another organisation has it proved: of many at once, one does.
pub(crate) fn verify(tx: &mut Tx, domain: &Domain, by: &'static str) -> Result<()> {
    let verification = (
        domains::verified_at.eq(tx.now),
        domains::verified_by.eq(by),
        domains::checked_at.eq(tx.now),
        domains::gone_since.eq(None::<Timestamp>),
    );
    let row = domains::table.find(&domain.id).filter(domains::verified_at.is_null());
    let verified = tx.allow_unique_violation(|conn| diesel::update(row).set(verification).execute(conn))?;
    if verified.ok_or(DOMAIN_TAKEN.error())? == 0 {
        // Removed, or proved already.
        return Err(Error::Conflict);
    }
    Ok(())
}

/// The proof no longer holds: the domain leads nobody and enforces nothing. Whether there was one.
pub(crate) fn unverify(tx: &mut Tx, domain: &Domain) -> Result<bool> {
    let verified = domains::table.find(&domain.id).filter(domains::verified_at.is_not_null());
    let gone = diesel::update(verified)
        .set((
            domains::verified_at.eq(None::<Timestamp>),
            domains::verified_by.eq(None::<String>),
            domains::gone_since.eq(None::<Timestamp>),
            domains::is_enforced.eq(false),
            domains::break_glass_id.eq(None::<UserId>),
        ))
        .execute(tx.conn)?;
    Ok(gone > 0)
}

/// An organisation's domains, by name.
pub(crate) fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<Domain>> {
    let own = domains::table.filter(domains::organisation_id.eq(organisation));
    Ok(own.order(domains::name).select(Domain::as_select()).load(conn)?)
}

/// A domain as it stands in the list of everybody who says that it is theirs.
pub(crate) fn listed(conn: &mut Conn, name: &str) -> Result<Vec<Domain>> {
    Ok(domains::table.filter(domains::name.eq(name)).select(Domain::as_select()).load(conn)?)
}

/// Who has a domain proved, if anybody has.
pub(crate) fn verified(conn: &mut Conn, name: &str) -> Result<Option<Domain>> {
    let found = domains::table.filter(domains::name.eq(name)).filter(domains::verified_at.is_not_null());
    Ok(found.select(Domain::as_select()).get_result(conn).optional()?)
}

/// The connection that an address is led to: that of its domain, where it is proved and has one that is in use, of an organisation that
/// does not wait to be deleted.
pub(crate) fn connection_for_email(conn: &mut Conn, email: &EmailAddress) -> Result<Option<ConnectionId>> {
    let led = verified(conn, &email.domain())?.and_then(|domain| domain.connection_id);
    let Some(led) = led else { return Ok(None) };
    let in_use = connections::table
        .inner_join(organisations::table)
        .filter(connections::id.eq(led))
        .filter(connections::is_paused.eq(false))
        .filter(organisations::deletes_at.is_null());
    Ok(in_use.select(connections::id).get_result(conn).optional()?)
}

/// Makes everyone else who decides about the people of this domain wait.
pub(crate) fn lock(tx: &mut Tx, name: &str) -> Result<()> {
    tx.lock(&format!("domain {name}"))
}

/// One of an organisation's domains.
pub(crate) fn owned(conn: &mut Conn, organisation: &OrganisationId, id: &DomainId) -> Result<Domain> {
    let own = domains::table.find(id).filter(domains::organisation_id.eq(organisation));
    Ok(own.select(Domain::as_select()).get_result(conn)?)
}

/// Takes a domain off the list, its proof and its rule with it.
pub(crate) fn remove(tx: &mut Tx, organisation: &OrganisationId, id: &DomainId) -> Result<Domain> {
    let domain = owned(tx.conn, organisation, id)?;
    diesel::delete(domains::table.find(id)).execute(tx.conn)?;
    Ok(domain)
}

/// Leads a domain's people to a connection, or to none.
pub(crate) fn set_connection(tx: &mut Tx, id: &DomainId, connection: Option<&ConnectionId>) -> Result<()> {
    diesel::update(domains::table.find(id)).set(domains::connection_id.eq(connection)).execute(tx.conn)?;
    Ok(())
}

/// [`Error::Invalid`] of the whole form.
pub(crate) fn unfit(sentence: &str) -> Error {
    Error::Invalid(Errors::one("form", sentence))
}

/// The domains whose people are led to a connection.
pub(crate) fn domains_of_connection(conn: &mut Conn, connection: &ConnectionId) -> Result<Vec<Domain>> {
    let led = domains::table.filter(domains::connection_id.eq(connection));
    Ok(led.order(domains::name).select(Domain::as_select()).load(conn)?)
}

/// The domain with this id, where it is still on a list.
pub(crate) fn by_id(conn: &mut Conn, id: &DomainId) -> Result<Option<Domain>> {
    Ok(domains::table.find(id).select(Domain::as_select()).get_result(conn).optional()?)
}
