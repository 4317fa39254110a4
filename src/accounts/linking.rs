//! An account and its person's identity at a provider are connected.

use diesel::prelude::*;

use super::{containment, security_changes};
use crate::{
    db::{
        Tx,
        schema::{connections, identities},
    },
    error::Result,
    ids::OrganisationId,
    mail::emails,
    model::{
        audit::{self, Actor, Event},
        connection::Connection,
        domain, identity,
        security_change::Kind,
        user::User,
    },
    saml,
};

/// Connects an account that is there with an identity, on a device, and tells its owner. [`crate::error::Error::Conflict`]
/// where the identity is connected already.
pub fn link(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &saml::Name,
    user: &User,
    device: &str,
) -> Result<()> {
    identity::link(tx, actor, connection, name, &user.id)?;
    security_changes::note(tx, actor, &user.id, Kind::IdentityLinked, Some(connection.id.as_str()))?;
    let what = "Your account was connected with a sign-in elsewhere";
    let not_me = containment::way_back_from(tx, actor, user, what, device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let (to, called) = (&user.email, &user.name);
    let email =
        emails::identity_linked(site, to, called, &connection.name, (&when, device), not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// Disconnects the identities at organisations that do not speak for the account's address: whoever proves the mailbox has
/// said nothing of them.
pub fn forget_unproved(tx: &mut Tx, actor: &Actor, user: &User) -> Result<()> {
    let speaks = domain::verified(tx.conn, &user.email.domain())?.map(|domain| domain.organisation_id);
    let own = identities::table.inner_join(connections::table).filter(identities::user_id.eq(&user.id));
    let own: Vec<(String, OrganisationId)> =
        own.select((identities::id, connections::organisation_id)).load(tx.conn)?;
    let others = own.into_iter().filter(|(_, of)| speaks.as_ref() != Some(of));
    let gone: Vec<String> = others.map(|(id, _)| id).collect();
    match diesel::delete(identities::table.filter(identities::id.eq_any(gone))).execute(tx.conn)? {
        0 => Ok(()),
        count => audit::record(tx, actor, &user.id, Event::IdentitiesUnlinked { count }),
    }
}
