//! What several pages about single sign-on show, and leave to read.

use serde::Serialize;

use crate::{
    app::App,
    clock::Timestamp,
    config::Site,
    ids::ConnectionId,
    kinds::Protocol,
    model::{
        connection::{Connection, upkeep},
        organisation::Organisation,
    },
    oidc, urls,
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
    /// When nobody can sign in by it any more; nothing where that is not known to come.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) expires_in_days: Option<i64>,
    pub(super) tested_at: Option<Timestamp>,
    /// How many responses came that the identity provider had not signed.
    pub(super) unsigned_responses: i32,
    pub(super) created_at: Timestamp,
    /// Whether its metadata is still to come.
    pub(super) is_blank: bool,
    /// Whether a set-up link or somebody else changed it, and no owner has turned it on since.
    pub(super) is_paused: bool,
    pub(super) protocol: Protocol,
    /// Whether people can step up there, as the last test showed; always with SAML.
    pub(super) can_step_up: bool,
    /// What an OpenID provider has to know.
    #[serde(flatten)]
    pub(super) client: Option<ClientView>,
}

/// What an OpenID provider has to be told about this site, for one connection.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ClientView {
    /// The redirect URI (RFC 6749 §3.1.2).
    #[serde(rename = "callback")]
    pub(super) redirect_uri: String,
    /// Where it posts a logout (OpenID Connect Back-Channel Logout §2.2).
    pub(super) logout: String,
    /// Where a sign-in begins that begins there (OpenID Connect Core §4).
    pub(super) initiate: String,
}

impl ClientView {
    pub(super) fn of(site: &Site, id: &ConnectionId) -> Self {
        Self {
            redirect_uri: site.link(&urls::oidc_redirect(id.as_str())),
            logout: site.link(&urls::oidc_logout(id.as_str())),
            initiate: site.link(urls::OIDC_INITIATE),
        }
    }
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
    pub(super) fn new(connection: Connection, now: Timestamp, site: &Site) -> Self {
        let (is_oidc, ends_at) = (connection.is_oidc(), connection.ends_at());
        Self {
            protocol: connection.protocol,
            can_step_up: !is_oidc || connection.can_step_up,
            client: is_oidc.then(|| ClientView::of(site, &connection.id)),
            fingerprint: connection.fingerprint(),
            is_blank: connection.is_blank(),
            is_paused: connection.is_paused,
            expires_in_days: ends_at.map(|at| (at - now).num_days()),
            id: connection.id,
            name: connection.name,
            metadata_url: match is_oidc && !connection.issuer.is_empty() {
                true => Some(oidc::metadata_url(&connection.issuer)),
                false => connection.metadata_url,
            },
            issuer: connection.issuer,
            read_at: connection.read_at,
            read_error: connection.read_error,
            expires_at: ends_at,
            tested_at: connection.tested_at,
            unsigned_responses: connection.unsigned_responses,
            created_at: connection.created_at,
        }
    }

    /// What stops working when it expires.
    pub(super) fn what_ends(&self) -> &'static str {
        if self.client.is_some() { "client secret" } else { "last certificate" }
    }

    /// What its owners do about it.
    pub(super) fn mends(&self) -> &'static str {
        if self.client.is_some() { "Give it a new one" } else { "Give it new metadata" }
    }

    pub(super) fn is_expiring(&self) -> bool {
        !self.is_blank && self.expires_in_days.is_some_and(|days| days <= i64::from(upkeep::WARNINGS[0]))
    }

    pub(super) fn is_expired(&self, now: &Timestamp) -> bool {
        !self.is_blank && self.expires_at.is_some_and(|at| at <= *now)
    }
}
