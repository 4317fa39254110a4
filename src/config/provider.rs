//! A provider whose accounts people may sign in with.

use std::fmt;

use crate::{ids::ConnectionId, secret::Secret};

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderKind {
    /// OAuth 2.0 (RFC 6749) at fixed addresses.
    GitHub,
    /// OpenID Connect, with a claim for the Workspace domain.
    Google,
    /// OpenID Connect, with an issuer for each tenant.
    Microsoft,
    /// OpenID Connect, answered by POST, with a client secret that is made for each exchange.
    Apple,
    /// OpenID Connect.
    Oidc,
}

/// When an email address that a provider tells counts as verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressTrust {
    /// Where the provider says that it verified it.
    WhereVerified,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a client secret is: see [`Secret`].
#[derive(Debug)]
pub(crate) enum ClientSecret {}

/// How this site shows a provider that it is its client.
#[derive(Debug, Clone)]
pub(crate) enum ClientCredential {
    /// By a secret that the provider gave out.
    Secret(Secret<ClientSecret>),
    /// By a token that it signs itself, ES256.
    Apple {
        /// The team's id.
        team: String,
        /// The key's id.
        key_id: String,
        /// The private key, as PEM (PKCS #8).
        key: Secret<ClientSecret>,
    },
}

/// A provider that people may sign in with.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    /// What stands for it in addresses, in JSON and in the database: `github`, or a key of `OIDC_PROVIDERS`.
    pub key: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// What people call it.
    pub name: String,
    /// What its identities are kept under (OpenID Connect Core §2, `iss`); with [`TENANT`] in it where each tenant has its own.
    pub issuer: String,
    /// Who this site is there.
    pub client_id: String,
    /// How it shows that.
    pub credential: ClientCredential,
    /// What it asks for, with blanks between.
    pub scopes: String,
    /// When an address that it tells counts as verified.
    pub trust: AddressTrust,
    /// The Workspace domains whose people are let in; empty where all are.
    pub domains: Vec<String>,
    /// Which organisation's it is, and how that knows people; nothing for those of the settings.
    pub connection: Option<OfConnection>,
    // Where Microsoft is asked: `common`, `organizations`, `consumers` or a tenant's id.
    pub(super) tenant: String,
}

/// What a provider is that an organisation connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfConnection {
    /// The connection. It is the provider's key as well.
    pub id: ConnectionId,
    /// The claim that identifies people: `sub` unless its owners chose another one.
    pub subject_claim: String,
    /// The names of the claims that may hold an address, the best first.
    pub addresses: Vec<String>,
    /// Those that may hold groups; none where groups give nobody a role.
    pub groups: Vec<String>,
}

/// What stands for a tenant's id in Microsoft's issuer, as its metadata writes it.
pub(crate) const TENANT: &str = "{tenantid}";

impl Provider {
    /// The one of an organisation's connection. What it says of addresses is for the connection to judge.
    pub(crate) fn of_connection(
        connection: OfConnection,
        (name, issuer, client_id): (&str, &str, &str),
        secret: Secret<ClientSecret>,
        scopes: &str,
    ) -> Self {
        Self {
            key: connection.id.as_str().to_owned(),
            kind: ProviderKind::Oidc,
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            credential: ClientCredential::Secret(secret),
            scopes: scopes.to_owned(),
            trust: AddressTrust::Never,
            domains: Vec::new(),
            connection: Some(connection),
            tenant: String::new(),
        }
    }

    /// Where it describes itself (OpenID Connect Discovery §4); nothing of GitHub, which does not.
    pub(crate) fn metadata_url(&self) -> Option<String> {
        let base = match self.kind {
            ProviderKind::GitHub => return None,
            ProviderKind::Microsoft => microsoft_issuer(&self.tenant),
            ProviderKind::Google | ProviderKind::Apple | ProviderKind::Oidc => self.issuer.clone(),
        };
        Some(format!("{}/.well-known/openid-configuration", base.trim_end_matches('/')))
    }

    /// Whether identities of this issuer are its own, now.
    pub(crate) fn is_of(&self, issuer: &str) -> bool {
        match self.issuer.split_once(TENANT) {
            None => self.issuer == issuer,
            Some((before, after)) => {
                issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(is_guid)
            }
        }
    }

    /// Whether it ends sessions here that it ended itself (OpenID Connect Back-Channel Logout).
    pub(crate) fn may_log_out(&self) -> bool {
        self.kind == ProviderKind::Oidc
    }
}

/// The issuer of a Microsoft tenant.
pub(super) fn microsoft_issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// Whether it is a UUID (RFC 9562 §4), with its dashes.
pub(super) fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ProviderKind::GitHub => "github",
            ProviderKind::Google => "google",
            ProviderKind::Microsoft => "microsoft",
            ProviderKind::Apple => "apple",
            ProviderKind::Oidc => "oidc",
        })
    }
}
