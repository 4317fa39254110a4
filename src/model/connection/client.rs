//! What a connection of OpenID Connect has in place of metadata: the issuer, and who this site is there.

use diesel::prelude::*;

use super::{Connection, blank, insert};
use crate::{
    clock::Timestamp,
    config::{ClientSecret, OfConnection, Provider},
    db::{Tx, schema::connections},
    error::{Error, Errors, Result},
    ids::{ConnectionId, OrganisationId},
    kinds::Protocol,
    secret::{Keys, Secret},
};

const SEAL: &str = "oidc_client_secret";

// The end of the year 9999: what a secret without an end is kept with.
const NEVER: i64 = 253_402_214_400;

/// What is asked for unless the owners say otherwise.
pub(crate) const USUAL_SCOPES: &str = "openid email profile";

/// What an owner sets of it.
#[derive(Debug, Clone)]
pub(crate) struct ClientSettings {
    /// What the identity provider calls itself, character for character; empty where that is to come later.
    pub issuer: String,
    /// What it calls this site; empty where that is to come later.
    pub client_id: String,
    /// The secret that it gave out; nothing keeps the one that is there.
    pub secret: Option<Secret<ClientSecret>>,
    /// When that expires, where it does.
    pub secret_expires_at: Option<Timestamp>,
    /// What is asked for, with blanks between.
    pub scopes: String,
}

/// When a secret counts as expired.
fn kept_expiry(expires_at: Option<Timestamp>) -> Timestamp {
    expires_at.unwrap_or_else(|| Timestamp::from_unix(NEVER))
}

/// Makes a connection with this id, of which the rest is still to be set; the organisation has to be locked. [`Error::Conflict`]
/// where the id is taken, [`Error::Invalid`] where the organisation has enough of them.
pub(crate) fn create(
    tx: &mut Tx,
    organisation: &OrganisationId,
    id: ConnectionId,
    name: String,
) -> Result<Connection> {
    let blank = blank(tx, organisation, id, name)?;
    let connection = Connection { protocol: Protocol::Oidc, expires_at: kept_expiry(None), ..blank };
    insert(tx, &connection)?;
    Ok(connection)
}

impl Connection {
    /// Whether it is one of OpenID Connect.
    pub(crate) fn is_oidc(&self) -> bool {
        self.protocol == Protocol::Oidc
    }

    /// When nobody can sign in by it any more: the last certificate expires, or the client secret; nothing where that has no end.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        Some(self.expires_at).filter(|at| at.unix() < NEVER)
    }

    /// The claim that identifies people.
    pub(crate) fn subject_claim(&self) -> String {
        self.identifier().unwrap_or_else(|| "sub".to_owned())
    }

    /// The identity provider as it is spoken to. [`Error::NotFound`] where it is none of OpenID Connect, or something of it is
    /// still to come.
    pub(crate) fn oidc_provider(&self, keys: &Keys) -> Result<Provider> {
        let (Some(client_id), Some(sealed)) = (&self.client_id, &self.secret_sealed) else {
            return Err(Error::NotFound);
        };
        if !self.is_oidc() || self.is_blank() {
            return Err(Error::NotFound);
        }
        let mapping = self.mapping()?;
        let [addresses, _, groups] = mapping.attribute_names(Protocol::Oidc);
        // Groups that give nobody a role are nobody's business.
        let groups = if mapping.roles.is_empty() { Vec::new() } else { groups };
        let of = OfConnection { id: self.id.clone(), subject_claim: self.subject_claim(), addresses, groups };
        let names = (self.name.as_str(), self.issuer.as_str(), client_id.as_str());
        let scopes = self.scopes.as_deref().unwrap_or(USUAL_SCOPES);
        Ok(Provider::of_connection(of, names, Secret::from_text(keys.open(SEAL, sealed)?), scopes))
    }
}

/// Sets what is there anew. Whether it is the same as before. [`Error::Invalid`] where the issuer is another one: its names
/// would mean other people.
pub(super) fn change(tx: &mut Tx, before: &Connection, new: ClientSettings) -> Result<bool> {
    let ClientSettings { issuer, client_id, secret, secret_expires_at, scopes } = new;
    if before.known_issuer().is_some_and(|known| known != issuer) {
        let sentence = "This is another identity provider, whose names may mean other people. Make a new connection for it.";
        return Err(Error::Invalid(Errors::one("issuer", sentence)));
    }
    let client_id = Some(client_id).filter(|id| !id.is_empty());
    let is_same = secret.is_none()
        && before.issuer == issuer
        && before.client_id == client_id
        && before.scopes.as_deref() == Some(scopes.as_str());
    let expires_at = kept_expiry(secret_expires_at);
    let sealed = match secret {
        Some(secret) => Some(tx.config.keys.seal(SEAL, secret.reveal())?),
        None => before.secret_sealed.clone(),
    };
    diesel::update(connections::table.find(&before.id))
        .set((
            connections::issuer.eq(issuer),
            connections::client_id.eq(client_id),
            connections::secret_sealed.eq(sealed),
            connections::scopes.eq(scopes),
            connections::expires_at.eq(expires_at),
            connections::warned_days.eq(before.warned_days.filter(|_| expires_at == before.expires_at)),
            connections::can_step_up.eq(before.can_step_up && is_same),
        ))
        .execute(tx.conn)?;
    Ok(is_same)
}

/// Lets a connection that nobody is known by become one to another identity provider.
pub(crate) fn forget_issuer(tx: &mut Tx, id: &ConnectionId) -> Result<()> {
    diesel::update(connections::table.find(id)).set(connections::issuer.eq("")).execute(tx.conn)?;
    Ok(())
}

/// Notes whether the identity provider said, at the last test, when its person had signed in there.
pub(crate) fn note_auth_time(tx: &mut Tx, id: &ConnectionId, came: bool) -> Result<()> {
    diesel::update(connections::table.find(id)).set(connections::can_step_up.eq(came)).execute(tx.conn)?;
    Ok(())
}
