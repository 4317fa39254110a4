//! The metadata of a provider (OpenID Connect Discovery 1.0 §3): who it is, where it takes requests, how it signs.

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use url::Url;

use super::{Reason, Refusal, json};

/// The largest metadata, and the largest set of keys, that is read, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 1024 * 1024;

const MAX_ISSUER: usize = 1024;

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What a token may be signed with: never nothing, and never a secret that both sides know (RFC 8725 §3.2).
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// A provider, as its metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderMetadata {
    /// Its issuer, character for character; for Microsoft's shared tenants a template.
    pub issuer: String,
    /// Where browsers are sent (RFC 6749 §3.1).
    pub authorization_endpoint: String,
    /// Where a code is exchanged (RFC 6749 §3.2).
    pub token_endpoint: String,
    /// Where its keys are (RFC 7517).
    pub jwks_uri: String,
    /// Where it says more about a person, if it does.
    pub userinfo_endpoint: Option<String>,
    /// What it signs tokens with, of what is read here; at least one.
    pub algorithms: Vec<Algorithm>,
    /// How it takes us to authenticate, what is tried first before what is tried then; at least one.
    pub client_authentication: Vec<ClientAuthentication>,
    /// Whether every response of its names its issuer (RFC 9207 §3).
    pub names_issuer: bool,
    /// Whether it says when a person signed in there, so that it can be asked for step-up.
    pub says_auth_time: bool,
}

/// How a client shows that it is itself (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuthentication {
    /// `client_secret_basic`: in the header.
    Basic,
    /// `client_secret_post`: in the form.
    Post,
}

impl ClientAuthentication {
    const ALL: [Self; 2] = [Self::Basic, Self::Post];

    fn method(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// Whether addresses without TLS are taken. They are in development only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `https` only.
    Tls,
    /// `http` as well.
    Plain,
}

/// What an operator or an owner entered as an issuer, without the blanks around it; where its metadata is stands for it. [`Reason::BadIssuer`] where it is no
/// `https` address, or has a query, a fragment or credentials (OpenID Connect Discovery §3).
pub(crate) fn read_issuer(typed: &str, transport: Transport) -> Result<String, Reason> {
    let typed = typed.trim();
    let issuer = typed.strip_suffix(WELL_KNOWN).unwrap_or(typed);
    let is_plain = issuer.chars().all(|c| c.is_ascii_graphic() && !"?#{}\\\"<>".contains(c));
    let is_good = is_plain && issuer.len() <= MAX_ISSUER && is_usable(issuer, transport);
    if is_good { Ok(issuer.to_owned()) } else { Err(Reason::BadIssuer) }
}

/// Where an issuer's metadata is (OpenID Connect Discovery §4.1).
pub(crate) fn metadata_url(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// Reads the metadata of the provider that calls itself `issuer`. [`Reason::AnotherIssuer`] where it calls itself otherwise,
/// be it by a slash: what it calls itself is in [`Refusal::found`].
pub(crate) fn read_metadata(
    text: &str,
    issuer: &str,
    transport: Transport,
) -> Result<ProviderMetadata, Box<Refusal>> {
    let document = read_document(text, Reason::NotMetadata)?;
    let named = document.get("issuer").and_then(Value::as_str).ok_or(Reason::NotMetadata)?;
    if named != issuer {
        return Err(Refusal::with(Reason::AnotherIssuer, named));
    }
    let endpoint = |name: &str| match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(address)) if is_usable(address, transport) => Ok(Some(address.clone())),
        Some(_) => Err(Refusal::with(Reason::BadEndpoint, name)),
    };
    let required = |name: &str| endpoint(name)?.ok_or_else(|| Refusal::with(Reason::BadEndpoint, name));
    let listed = |name: &str| match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => Ok(Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>())),
        Some(_) => Err(Refusal::with(Reason::NotMetadata, name)),
    };
    // Every provider has to know RS256, and to list what it knows (§3). Some do not list it.
    let names = listed("id_token_signing_alg_values_supported")?.unwrap_or_else(|| vec!["RS256"]);
    let algorithms: Vec<_> = names.into_iter().filter_map(algorithm).collect();
    if algorithms.is_empty() {
        return Err(Reason::NoCommonAlgorithm.into());
    }
    let methods = listed("token_endpoint_auth_methods_supported")?;
    let takes = |method: &str| methods.as_ref().is_none_or(|methods| methods.contains(&method));
    let client_authentication: Vec<_> =
        ClientAuthentication::ALL.into_iter().filter(|way| takes(way.method())).collect();
    if client_authentication.is_empty() {
        return Err(Reason::NoCommonAuthentication.into());
    }
    Ok(ProviderMetadata {
        issuer: named.to_owned(),
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: required("token_endpoint")?,
        jwks_uri: required("jwks_uri")?,
        userinfo_endpoint: endpoint("userinfo_endpoint")?,
        algorithms,
        client_authentication,
        names_issuer: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
        says_auth_time: listed("claims_supported")?.is_some_and(|claims| claims.contains(&"auth_time")),
    })
}

/// The algorithm of this name, if tokens may be signed with it.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// A JSON object that a provider publishes.
pub(super) fn read_document(text: &str, otherwise: Reason) -> Result<Map<String, Value>, Reason> {
    if text.len() > MAX_DOCUMENT {
        return Err(Reason::TooLarge);
    }
    let text = text.trim_start_matches('\u{FEFF}').trim_start();
    if text.starts_with('<') {
        return Err(Reason::WebPage);
    }
    json::object(text.as_bytes()).ok_or(otherwise)
}

/// Whether an address can be asked, or a browser sent there: absolute, with a host, without credentials and fragment.
fn is_usable(address: &str, transport: Transport) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_safe = url.scheme() == "https" || url.scheme() == "http" && transport == Transport::Plain;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    is_safe && url.has_host() && !has_credentials && url.fragment().is_none()
}

#[cfg(test)]
mod tests;
