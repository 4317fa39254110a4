//! An account and its person's identity at a provider are connected.

use diesel::prelude::*;

use super::{
    connections::hold,
    containment,
    identity_links::{self, Event},
    security_changes,
};
use crate::{
    db::{
        Conn, Tx,
        schema::{connections, identities},
    },
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId, UserId},
    mail::{EmailAddress, emails},
    model::{
        audit::{self, Actor},
        connection::{self, Connection},
        domain, membership, organisation,
        security_change::Kind,
        user::User,
    },
    saml,
};

/// What an organisation has to do with an address, or with the account that has it confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It speaks for the domain of the address.
    Speaks,
    /// It does not, and neither does another; the person is its member.
    Member,
    /// Another organisation speaks for the domain.
    AnotherDomain,
    /// People of the domain sign in through another of its connections only.
    AnotherConnection,
    /// Nothing.
    Stranger,
}

/// Whether people at an address may come in by a connection: `owner` has the address confirmed.
pub(crate) fn admission(
    conn: &mut Conn,
    connection: &Connection,
    email: &EmailAddress,
    owner: Option<&UserId>,
) -> Result<Admission> {
    if let Some(domain) = domain::verified(conn, &email.domain())? {
        if domain.organisation_id != connection.organisation_id {
            return Ok(Admission::AnotherDomain);
        }
        let is_elsewhere = domain.is_enforced && domain.connection_id.is_some_and(|way| way != connection.id);
        return Ok(if is_elsewhere { Admission::AnotherConnection } else { Admission::Speaks });
    }
    let is_member = match owner {
        Some(owner) => membership::role_of(conn, &connection.organisation_id, owner)?.is_some(),
        None => false,
    };
    Ok(if is_member { Admission::Member } else { Admission::Stranger })
}

/// That an account may be connected with an identity at a connection, while nobody is taken out of its organisation.
/// [`Error::DeadLink`] where it may not.
fn require_admission(tx: &mut Tx, connection: &Connection, user: &User) -> Result<()> {
    organisation::lock(tx, &connection.organisation_id)?;
    match admission(tx.conn, connection, &user.email, Some(&user.id))? {
        Admission::Speaks | Admission::Member => Ok(()),
        Admission::AnotherDomain | Admission::AnotherConnection | Admission::Stranger => Err(Error::DeadLink),
    }
}

/// Connects an account that is there with an identity, on a device, and tells its owner. [`Error::Conflict`]
/// where the identity is connected already, or the connection has changed since it was read, [`Error::DeadLink`] where the
/// organisation has nothing to do with the account.
pub(crate) fn link(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &saml::Name,
    user: &User,
    device: &str,
) -> Result<()> {
    hold(tx, connection)?;
    require_admission(tx, connection, user)?;
    identity_links::link(tx, actor, &connection.id, name, &user.id)?;
    tell(tx, actor, &connection.id, &connection.name, user, device)
}

/// The same for an identity that was there before: its connection, and its format and name as they were kept.
/// [`Error::NotFound`] where that connection has ended, or its organisation has nothing to do with the account any more.
pub(crate) fn link_again(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    kept: (&str, &str),
    user: &User,
    device: &str,
) -> Result<()> {
    let connection = connection::by_id(tx.conn, connection)?;
    require_admission(tx, &connection, user).map_err(|error| match error {
        Error::DeadLink => Error::NotFound,
        error => error,
    })?;
    identity_links::link_kept(tx, actor, &connection.id, kept, &user.id)?;
    tell(tx, actor, &connection.id, &connection.name, user, device)
}

fn tell(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    name: &str,
    user: &User,
    device: &str,
) -> Result<()> {
    security_changes::note(tx, actor, &user.id, Kind::IdentityLinked, Some(connection.as_str()))?;
    let what = "Your account was connected with a sign-in elsewhere";
    let not_me = containment::way_back_from(tx, actor, user, what, device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let (to, called) = (&user.email, &user.name);
    let email = emails::identity_linked(site, to, called, name, (&when, device), not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// The identities at organisations that do not speak for the account's address: their ids, and their connections' names.
pub(crate) fn unproved(conn: &mut Conn, user: &User) -> Result<Vec<(String, String)>> {
    let speaks = domain::verified(conn, &user.email.domain())?.map(|domain| domain.organisation_id);
    let own = identities::table.inner_join(connections::table).filter(identities::user_id.eq(&user.id));
    let own: Vec<(String, String, OrganisationId)> =
        own.select((identities::id, connections::name, connections::organisation_id)).load(conn)?;
    let others = own.into_iter().filter(|(.., of)| speaks.as_ref() != Some(of));
    Ok(others.map(|(id, name, _)| (id, name)).collect())
}

/// Disconnects them: whoever proves the mailbox has said nothing of them.
pub(crate) fn forget_unproved(tx: &mut Tx, actor: &Actor, user: &User) -> Result<()> {
    let gone: Vec<String> = unproved(tx.conn, user)?.into_iter().map(|(id, _)| id).collect();
    match diesel::delete(identities::table.filter(identities::id.eq_any(gone))).execute(tx.conn)? {
        0 => Ok(()),
        count => audit::record(tx, actor, &user.id, Event::IdentitiesUnlinked { count }),
    }
}
