//! Identities at providers, as far as more than their own table is concerned: connected with an account, and forgotten.

use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{ConnectionId, OrganisationId, UserId},
    model::{
        audit::{self, Actor, audit_events},
        identity,
        user::{self, User},
    },
    saml,
};

audit_events! {
    /// An identity was linked to the account.
    IdentityLinked { connection: ConnectionId } => of("identity_linked"),
    /// Identities were unlinked from the account.
    IdentitiesUnlinked { count: usize } => of("identities_unlinked"),
}

/// Connects an identity with an account; its person has proved both. [`Error::Conflict`](crate::error::Error::Conflict) where
/// it is connected already.
pub fn link(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    name: &saml::Name,
    user: &UserId,
) -> Result<()> {
    link_kept(tx, actor, connection, (name.format.as_str(), &name.value), user)
}

/// Connects an identity of which the format and the name are there as they were kept, as [`link`] does.
pub(crate) fn link_kept(
    tx: &mut Tx,
    actor: &Actor,
    connection: &ConnectionId,
    kept: (&str, &str),
    user: &UserId,
) -> Result<()> {
    identity::insert(tx, connection, kept, user)?;
    audit::record(tx, actor, user, Event::IdentityLinked { connection: connection.clone() })
}

/// Whoever this name stands for at this connection.
pub fn owner_of(conn: &mut Conn, connection: &ConnectionId, name: &saml::Name) -> Result<Option<User>> {
    let owner = identity::owner_of(conn, connection, name)?;
    owner.map(|id| user::by_id(conn, &id)).transpose()
}

/// Forgets the identities of an account at an organisation's connections.
pub(crate) fn forget_at(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<()> {
    match identity::forget_at(tx, organisation, user)? {
        0 => Ok(()),
        count => audit::record(tx, actor, user, Event::IdentitiesUnlinked { count }),
    }
}
