//! An identity whose person has an account here already: it waits until they sign in to that once the old way.

use serde::{Deserialize, Serialize};

use super::{linking, organisations, sso_policy};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{ConnectionId, UserId},
    kinds::Role,
    model::{
        audit::Actor,
        connection::{self, Connection},
        token::{self, LinkIdentity},
        user::{self, User},
    },
    saml,
    secret::{Keys, Secret},
};

const SEAL: &str = "saml_arrival";

/// An identity that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WaitingIdentity {
    /// At which connection.
    pub connection: ConnectionId,
    /// Its name there.
    pub name: saml::Name,
    /// The role that follows.
    pub role: Role,
}

impl WaitingIdentity {
    fn open(keys: &Keys, sealed: &str) -> Result<Self> {
        Ok(serde_json::from_str(&keys.open(SEAL, sealed)?)?)
    }
}

/// Lets an identity wait for `owner`.
pub(crate) fn offer(tx: &mut Tx, owner: &UserId, identity: &WaitingIdentity) -> Result<Secret<LinkIdentity>> {
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(identity)?)?;
    token::issue::<LinkIdentity>(tx, owner, &sealed)
}

/// Whom an identity waits for, and the connection that it is at. [`Error::DeadLink`] where it waits no longer.
pub(crate) fn find(
    conn: &mut Conn,
    keys: &Keys,
    secret: &Secret<LinkIdentity>,
    now: Timestamp,
) -> Result<(User, Connection)> {
    let waiting = token::peek(conn, secret)?;
    if !waiting.is_live(now) {
        return Err(Error::DeadLink);
    }
    let user = user::by_id(conn, &waiting.user_id)?;
    let identity = WaitingIdentity::open(keys, &waiting.claim)?;
    Ok((user, connection::by_id(conn, &identity.connection)?))
}

/// Connects an identity with the account of `user`, who has signed in to it and becomes a member of the connection's
/// organisation. [`Error::DeadLink`] where it waits no longer, or for somebody else, and as [`linking::link`] does.
pub(crate) fn accept(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    secret: &Secret<LinkIdentity>,
    device: &str,
) -> Result<()> {
    tx.lock(&user.email.normalized())?;
    let (owner, sealed) = token::redeem(tx, secret)?;
    if owner != user.id {
        return Err(Error::DeadLink);
    }
    let identity = WaitingIdentity::open(&tx.config.keys, &sealed)?;
    let connection = connection::by_id(tx.conn, &identity.connection)?;
    if sso_policy::is_out_of_use(tx.conn, &connection)? {
        return Err(Error::DeadLink);
    }
    linking::link(tx, actor, &connection, &identity.name, user, device)?;
    organisations::add_member(tx, actor, &connection.organisation_id, &user.id, identity.role)
}
