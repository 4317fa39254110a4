//! The session at an identity provider that a session here came from: as digests, and sealed.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    ids::ConnectionId,
    saml::ProviderSession,
    secret::{self, Keys},
};

const SEAL: &str = "sso_session";

/// A session at an identity provider. What that calls it and its person is recognised by digests; it can be read only with
/// the secret key, to ask the identity provider to end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SsoSession {
    /// At which connection.
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
        let digest = |kind: &str, parts: &[&str]| {
            // Lengths first: no two lists of parts are one text.
            let parts: String = parts.iter().map(|part| format!("\n{} {part}", part.len())).collect();
            secret::digest(&format!("{kind} {connection}{parts}"))
        };
        Self {
            connection: connection.clone(),
            name_id_hash: digest("name", &[name_id]),
            sid_hash: index.map(|index| digest("session", &[name_id, index])),
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

/// What an identity provider calls a session.
pub(crate) fn unseal(sealed: &str, keys: &Keys) -> Result<ProviderSession> {
    Ok(serde_json::from_str(&keys.open(SEAL, sealed)?)?)
}
