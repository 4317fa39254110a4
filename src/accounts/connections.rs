//! Connections to identity providers, as far as more than their own table is concerned.

use diesel::prelude::*;

use super::{
    sso_changes::{self, Target},
    sso_policy,
};
use crate::{
    db::{Conn, Tx, schema::connections},
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId},
    mail::emails::SsoChange,
    model::{
        audit::{self, Actor, audit_events},
        connection::{
            self, Connection, NewConnection, client,
            upkeep::{self, Settings, Unfit},
        },
        domain,
        organisation::{self, Organisation},
    },
    saml::Reason,
};

audit_events! {
    /// An identity provider was connected.
    ConnectionMade { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("connection_made", "Connection created"),
    /// The settings of a connection changed.
    ConnectionChanged { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("connection_changed", "Connection changed"),
    /// An owner put a connection into use that a set-up link had changed.
    ConnectionSwitchedOn { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("connection_switched_on", "Connection switched on"),
    /// A connection ended.
    ConnectionRemoved { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("connection_removed", "Connection removed"),
}

/// Connects an identity provider. [`Reason`] where its metadata is not good enough, [`Error::Invalid`] where the
/// organisation has enough of them.
pub fn create(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    new: NewConnection,
) -> Result<Result<Connection, Reason>> {
    organisation::lock(tx, organisation)?;
    let made = connection::create(tx, organisation, new)?;
    if let Ok(made) = &made {
        let event = Event::ConnectionMade { organisation: organisation.clone(), connection: made.id.clone() };
        audit::record(tx, actor, None, event)?;
    }
    Ok(made)
}

/// The same as its owner wants it, set at once; every owner hears of it.
pub(crate) fn make(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    new: NewConnection,
    settings: Settings,
) -> Result<Result<Connection, Reason>> {
    let made = match create(tx, actor, organisation, new)? {
        Ok(made) => made,
        Err(reason) => return Ok(Err(reason)),
    };
    set(tx, actor, organisation, &made.id, settings)?;
    let change = SsoChange::Made { connection: &made.name };
    sso_changes::note(tx, actor, organisation, Target::Connection(&made.id), change)?;
    connection::by_id(tx.conn, &made.id).map(Ok)
}

/// The same for OpenID Connect, with an id that was reserved for it.
pub(crate) fn make_oidc(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: ConnectionId,
    settings: Settings,
) -> Result<Connection> {
    organisation::lock(tx, organisation)?;
    let made = client::create(tx, organisation, id, settings.name.clone())?;
    let event = Event::ConnectionMade { organisation: organisation.clone(), connection: made.id.clone() };
    audit::record(tx, actor, None, event)?;
    set(tx, actor, organisation, &made.id, settings)?;
    let change = SsoChange::Made { connection: &made.name };
    sso_changes::note(tx, actor, organisation, Target::Connection(&made.id), change)?;
    connection::by_id(tx.conn, &made.id)
}

/// Holds up whoever changes a connection until this is done. [`Error::Conflict`] where it was changed, or paused, since it was
/// read: whoever is about to be known by it was vouched for by another one.
pub(crate) fn hold(tx: &mut Tx, seen: &Connection) -> Result<()> {
    organisation::lock(tx, &seen.organisation_id)?;
    let found = connection::by_id(tx.conn, &seen.id)?;
    match !found.is_paused && found.fingerprint() == seen.fingerprint() {
        true => Ok(()),
        false => Err(Error::Conflict),
    }
}

/// Every connection with its organisation, by the organisation's slug.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<(Connection, Organisation)>> {
    let all = connection::all(conn)?.into_iter();
    all.map(|one| organisation::by_id(conn, &one.organisation_id).map(|whose| (one, whose))).collect()
}

/// Sets a connection anew. But for another name, it has to be tested again. [`Error::Invalid`] where people are known by
/// what identified them so far: by anything else they would be other people. Every owner hears of it.
pub(crate) fn change(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &ConnectionId,
    new: Settings,
) -> Result<()> {
    let before = connection::owned(tx.conn, organisation, id)?;
    let drops_second_factor = before.asks_second_factor && !new.asks_second_factor;
    if !set(tx, actor, organisation, id, new)? {
        return Ok(());
    }
    let change = match drops_second_factor {
        true => SsoChange::SecondFactorDropped { connection: &before.name },
        false => SsoChange::Settings { connection: &before.name },
    };
    sso_changes::note(tx, actor, organisation, Target::Connection(id), change)
}

/// The same, and nobody hears of it. Says whether it is set to anything else than before.
pub(crate) fn set(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &ConnectionId,
    new: Settings,
) -> Result<bool> {
    organisation::lock(tx, organisation)?;
    let is_new = upkeep::change(tx, organisation, id, new)?;
    note_changed(tx, actor, organisation, id).map(|()| is_new)
}

/// Replaces the metadata of a connection by what an owner gave, as [`set_metadata`] does; every owner hears of it.
pub(crate) fn replace_metadata(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    metadata: &str,
    url: Option<String>,
) -> Result<Result<(), Unfit>> {
    if let Err(unfit) = set_metadata(tx, actor, connection, metadata, url)? {
        return Ok(Err(unfit));
    }
    let change = SsoChange::Metadata { connection: &connection.name };
    let target = Target::Connection(&connection.id);
    sso_changes::note(tx, actor, &connection.organisation_id, target, change).map(Ok)
}

/// Replaces the metadata of a connection. It has to be tested again. Where the connection comes without an issuer, it may be
/// of any identity provider.
pub(crate) fn set_metadata(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    metadata: &str,
    url: Option<String>,
) -> Result<Result<(), Unfit>> {
    organisation::lock(tx, &connection.organisation_id)?;
    if let Err(unfit) = upkeep::replace(tx, connection, metadata, url)? {
        return Ok(Err(unfit));
    }
    note_changed(tx, actor, &connection.organisation_id, &connection.id).map(Ok)
}

/// Keeps what was read at a connection's address. Where it is not fit, the metadata from before stays, with the reason.
pub(crate) fn take_in(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    metadata: &str,
) -> Result<Result<(), Unfit>> {
    match upkeep::take_in(tx, connection, metadata)? {
        Ok(false) => Ok(Ok(())),
        Ok(true) => note_changed(tx, actor, &connection.organisation_id, &connection.id).map(Ok),
        Err(unfit) => Ok(Err(unfit)),
    }
}

fn note_changed(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, id: &ConnectionId) -> Result<()> {
    let event = Event::ConnectionChanged { organisation: organisation.clone(), connection: id.clone() };
    audit::record(tx, actor, None, event)
}

/// Ends a connection, and every identity that it vouched for.
pub fn remove(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, id: &ConnectionId) -> Result<()> {
    organisation::lock(tx, organisation)?;
    // Nobody must be kept to a way in that is gone, nor to the next one without its own test.
    for led in
        domain::domains_of_connection(tx.conn, id)?.iter().filter(|led| led.organisation_id == *organisation)
    {
        sso_policy::release(tx, actor, led)?;
    }
    let own = connections::table.find(id).filter(connections::organisation_id.eq(organisation));
    if diesel::delete(own).execute(tx.conn)? == 0 {
        return Err(Error::NotFound);
    }
    let event = Event::ConnectionRemoved { organisation: organisation.clone(), connection: id.clone() };
    audit::record(tx, actor, None, event)
}
