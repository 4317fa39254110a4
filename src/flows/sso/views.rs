//! What several pages about single sign-on show, and leave to read.

use serde::Serialize;

use crate::{
    app::App,
    clock::Timestamp,
    ids::ConnectionId,
    model::{
        connection::{Connection, upkeep},
        organisation::Organisation,
    },
};

/// The organisation that it is about.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OrganisationView {
    pub(super) name: String,
    pub(super) slug: String,
}

/// What an identity provider has to be told about this house.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceView {
    pub(super) entity_id: String,
    pub(super) acs_url: String,
    pub(super) logout_url: String,
    pub(super) metadata: String,
    pub(super) certificate: String,
}

/// A connection in the list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionView {
    pub(super) id: ConnectionId,
    pub(super) name: String,
    pub(super) issuer: String,
    /// Changes with what it means; turning it on takes the one that was shown.
    pub(super) fingerprint: String,
    pub(super) metadata_url: Option<String>,
    pub(super) read_at: Timestamp,
    pub(super) read_error: Option<String>,
    pub(super) expires_at: Timestamp,
    pub(super) expires_in_days: i64,
    pub(super) tested_at: Option<Timestamp>,
    /// How many responses came that the identity provider had not signed.
    pub(super) unsigned_responses: i32,
    pub(super) created_at: Timestamp,
    /// Whether its metadata is still to come.
    pub(super) is_blank: bool,
    /// Whether a set-up link or somebody else changed it, and no owner has turned it on since.
    pub(super) is_paused: bool,
}

impl From<&Organisation> for OrganisationView {
    fn from(organisation: &Organisation) -> Self {
        Self { name: organisation.name.clone(), slug: organisation.slug.clone() }
    }
}

impl ServiceView {
    pub(super) fn of(app: &App) -> Self {
        let link = |path| app.config().site.link(path);
        Self {
            entity_id: link("/auth/saml/metadata"),
            acs_url: link("/auth/saml/callback"),
            logout_url: link("/auth/saml/logout"),
            certificate: link("/auth/saml/certificate"),
            metadata: link("/auth/saml/metadata"),
        }
    }
}

impl ConnectionView {
    pub(super) fn new(connection: Connection, now: Timestamp) -> Self {
        Self {
            fingerprint: connection.fingerprint(),
            is_blank: connection.is_blank(),
            is_paused: connection.is_paused,
            expires_in_days: (connection.expires_at - now).num_days(),
            id: connection.id,
            name: connection.name,
            issuer: connection.issuer,
            metadata_url: connection.metadata_url,
            read_at: connection.read_at,
            read_error: connection.read_error,
            expires_at: connection.expires_at,
            tested_at: connection.tested_at,
            unsigned_responses: connection.unsigned_responses,
            created_at: connection.created_at,
        }
    }

    pub(super) fn is_expiring(&self) -> bool {
        !self.is_blank && self.expires_in_days <= i64::from(upkeep::WARNINGS[0])
    }

    pub(super) fn is_expired(&self, now: &Timestamp) -> bool {
        !self.is_blank && self.expires_at <= *now
    }
}
