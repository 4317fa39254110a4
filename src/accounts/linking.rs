//! An account and its person's identity at a provider are connected.

use super::{containment, security_changes};
use crate::{
    db::Tx,
    error::Result,
    mail::letters,
    model::{audit::Actor, connection::Connection, identity, security_change::Kind, user::User},
    sso,
};

/// Connects an account that is there with an identity, on a device, and tells its owner. [`crate::error::Error::Conflict`]
/// where the identity is connected already.
pub fn link(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &sso::Name,
    user: &User,
    device: &str,
) -> Result<()> {
    identity::link(tx, actor, connection, name, &user.id)?;
    security_changes::note(tx, actor, &user.id, Kind::IdentityLinked, Some(connection.id.as_str()))?;
    let what = "Your account was connected with a sign-in elsewhere";
    let not_me = containment::way_back_from(tx, actor, user, what, device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let (to, called) = (&user.email, &user.name);
    let letter =
        letters::identity_linked(site, to, called, &connection.name, (&when, device), not_me.reveal())?;
    tx.mail(Some(&user.id), letter)
}
