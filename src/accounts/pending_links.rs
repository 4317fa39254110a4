//! An identity whose person has an account here already: it waits until they sign in to that once the old way.

use serde::{Deserialize, Serialize};

use super::{linking, organisations, provider_linking, sso_policy};
use crate::{
    clock::Timestamp,
    config::Config,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{ConnectionId, UserId},
    kinds::Role,
    model::{
        audit::Actor,
        connection,
        token::{self, LinkIdentity, PendingLink},
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
    token::issue::<LinkIdentity>(tx, owner, &PendingLink::Connection(sealed))
}

/// Whom an identity waits for, and what the connection or provider is called that it is at. [`Error::DeadLink`] where it waits no
/// longer.
pub(crate) fn find(
    conn: &mut Conn,
    config: &Config,
    secret: &Secret<LinkIdentity>,
    now: Timestamp,
) -> Result<(User, String)> {
    let waiting = token::peek(conn, secret)?;
    if !waiting.is_live(now) {
        return Err(Error::DeadLink);
    }
    let name = match &waiting.claim {
        PendingLink::Connection(sealed) => {
            let identity = WaitingIdentity::open(&config.keys, sealed)?;
            connection::by_id(conn, &identity.connection)?.name
        }
        PendingLink::Provider { provider } => {
            let (key, _) = provider_linking::waiting(&config.keys, provider)?;
            config.provider(&key).ok_or(Error::DeadLink)?.name.clone()
        }
    };
    Ok((user::by_id(conn, &waiting.user_id)?, name))
}

/// Connects an identity with the account of `user`, who has signed in to it; at a connection they become a member of its
/// organisation. Returns what the provider is called, where it is one of this site. [`Error::DeadLink`] where it waits no
/// longer, or for somebody else, and as [`linking::link`] and [`provider_linking::connect`] do.
pub(crate) fn accept(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    secret: &Secret<LinkIdentity>,
    device: &str,
) -> Result<Option<String>> {
    if let PendingLink::Provider { .. } = token::peek(tx.conn, secret)?.claim {
        return provider_linking::link_waiting(tx, actor, &user.id, secret, device).map(Some);
    }
    tx.lock(&user.email.normalized())?;
    let (owner, claim) = token::redeem(tx, secret)?;
    let PendingLink::Connection(sealed) = claim else { return Err(Error::DeadLink) };
    if owner != user.id {
        return Err(Error::DeadLink);
    }
    let identity = WaitingIdentity::open(&tx.config.keys, &sealed)?;
    let connection = connection::by_id(tx.conn, &identity.connection)?;
    if sso_policy::is_out_of_use(tx.conn, &connection)? {
        return Err(Error::DeadLink);
    }
    linking::link(tx, actor, &connection, &identity.name, user, device)?;
    organisations::add_member(tx, actor, &connection.organisation_id, &user.id, identity.role)?;
    Ok(None)
}
