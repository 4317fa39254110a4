//! The session at an identity provider that a session here came from, as digests.

use serde::{Deserialize, Serialize};

use crate::{ids::ConnectionId, secret};

/// A session at an identity provider. What that calls it and its person cannot be read from it, only recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsoSession {
    /// At which connection.
    pub connection: ConnectionId,
    /// The digest of its person's NameID there.
    pub name_id_hash: String,
    /// The digest of the NameID and the session's index, where it has one.
    pub sid_hash: Option<String>,
}

impl SsoSession {
    /// The one of this NameID and index (saml-core §2.7.2).
    pub fn new(connection: &ConnectionId, name_id: &str, index: Option<&str>) -> Self {
        let digest = |kind: &str, parts: &[&str]| {
            // Lengths first: no two lists of parts are one text.
            let parts: String = parts.iter().map(|part| format!("\n{} {part}", part.len())).collect();
            secret::digest(&format!("{kind} {connection}{parts}"))
        };
        Self {
            connection: connection.clone(),
            name_id_hash: digest("name", &[name_id]),
            sid_hash: index.map(|index| digest("session", &[name_id, index])),
        }
    }
}
