//! The session at an identity provider, or at a provider of the settings, that a session here came from: as digests, and sealed.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    ids::{ConnectionId, ProviderIdentityId},
    saml::ProviderSession,
    secret::{self, Keys},
};

const SEAL: &str = "sso_session";

/// A session at an identity provider. What that calls it and its person is recognised by digests; it can be read only with
/// the secret key, to ask the identity provider to end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SsoSession {
    /// At which connection; of one at a provider, the id of the identity there.
    pub connection: ConnectionId,
    /// The digest of its person's NameID there.
    pub name_id_hash: String,
    /// The digest of the NameID and the session's index, where it has one.
    pub sid_hash: Option<String>,
    /// What the identity provider calls it, sealed.
    #[serde(default)]
    pub sealed: Option<String>,
}

impl SsoSession {
    /// The one of this NameID and index (saml-core §2.7.2).
    pub(crate) fn new(connection: &ConnectionId, name_id: &str, index: Option<&str>) -> Self {
        Self {
            connection: connection.clone(),
            name_id_hash: digest("name", connection.as_str(), &[name_id]),
            sid_hash: index.map(|index| digest("session", connection.as_str(), &[name_id, index])),
            sealed: None,
        }
    }

    /// The one of an identity at a provider, and of its session there where that has a name (`sid`).
    pub(crate) fn of_identity(id: &ProviderIdentityId, named: (&str, &str), sid: Option<&str>) -> Self {
        Self::of_subject(&ConnectionId::from_text(id.as_str()), named, sid)
    }

    /// The one of an issuer's subject at a connection of OpenID Connect, and of its session there where that has a name.
    pub(crate) fn of_subject(
        connection: &ConnectionId,
        (issuer, subject): (&str, &str),
        sid: Option<&str>,
    ) -> Self {
        Self {
            connection: connection.clone(),
            name_id_hash: digest("subject", issuer, &[subject]),
            sid_hash: sid.map(|sid| sid_hash(issuer, sid)),
            sealed: None,
        }
    }

    /// The one of this name, which can be read again.
    pub(crate) fn sealed(connection: &ConnectionId, there: &ProviderSession, keys: &Keys) -> Result<Self> {
        let sealed = keys.seal(SEAL, &serde_json::to_string(there)?)?;
        let digests = Self::new(connection, &there.name_id.value, there.index.as_deref());
        Ok(Self { sealed: Some(sealed), ..digests })
    }
}

/// What stands for a session at a provider, which names it with or without its person (OpenID Connect Back-Channel Logout
/// §2.4).
pub(crate) fn sid_hash(issuer: &str, sid: &str) -> String {
    digest("sid", issuer, &[sid])
}

fn digest(kind: &str, of: &str, parts: &[&str]) -> String {
    // Lengths first: no two lists of parts are one text.
    let parts: String = parts.iter().map(|part| format!("\n{} {part}", part.len())).collect();
    secret::digest(&format!("{kind} {of}{parts}"))
}

/// What an identity provider calls a session.
pub(crate) fn unseal(sealed: &str, keys: &Keys) -> Result<ProviderSession> {
    Ok(serde_json::from_str(&keys.open(SEAL, sealed)?)?)
}
