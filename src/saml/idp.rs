//! The metadata of an identity provider (saml-metadata §2): who it is, where it takes requests, what it signs with.
//!
//! It comes from an owner's upload or from an address an owner gave, and never meets a parser but the memory-safe
//! one. Its own signature is not looked at: what vouches for it is how it came here.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use url::Url;

use super::{
    DSIG, METADATA, POST_BINDING, PROTOCOL, REDIRECT_BINDING, Reason,
    key::Certificate,
    time::instant,
    xml::{self, Element, Limits},
};
use crate::clock::Timestamp;

/// The largest metadata that is read, in bytes.
pub const MAX_METADATA: usize = 1024 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_METADATA,
    depth: 40,
    elements: 10_000,
    attributes: 40,
    declarations: 100,
    comments: true,
    absolute_namespaces: false,
};
const MAX_ENTITY_ID: usize = 1024;
const MAX_CERTIFICATES: usize = 10;

/// An identity provider, as its metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityProvider {
    /// Its entity ID, letter for letter.
    pub entity_id: String,
    /// Where it takes requests in the address (saml-bindings §3.4).
    pub redirect: Option<String>,
    /// Where it takes requests in a form (saml-bindings §3.5).
    pub post: Option<String>,
    /// What it signs with; one to ten.
    pub certificates: Vec<Certificate>,
    /// Whether it wants our requests signed.
    pub wants_signed_requests: bool,
    /// Until when this may be believed, if it says.
    pub valid_until: Option<Timestamp>,
}

impl IdentityProvider {
    /// The host of its sign-in address, as people know it.
    pub fn host(&self) -> Option<String> {
        let address = self.redirect.as_deref().or(self.post.as_deref())?;
        Url::parse(address).ok()?.host_str().map(str::to_owned)
    }
}

/// Reads the metadata of one identity provider: an `EntityDescriptor`, or an `EntitiesDescriptor` in which only one
/// entity is an identity provider.
pub fn read_provider(text: &str, now: Timestamp) -> Result<IdentityProvider, Reason> {
    let root = xml::read(text, &LIMITS)?;
    let mut entities = Vec::new();
    root.walk(&mut |element| {
        if element.is(METADATA, "EntityDescriptor") {
            entities.extend(role(element).map(|role| (element, role)));
        }
        Ok(())
    })?;
    let is_metadata = root.is(METADATA, "EntityDescriptor") || root.is(METADATA, "EntitiesDescriptor");
    let [(entity, role)] = entities.as_slice() else { return Err(Reason::NotMetadata) };
    if !is_metadata {
        return Err(Reason::NotMetadata);
    }

    let entity_id = entity.attribute("entityID").map(str::trim).unwrap_or_default();
    if entity_id.is_empty() || entity_id.chars().count() > MAX_ENTITY_ID {
        return Err(Reason::NoEntityId);
    }
    let ends = [&root, entity, role].map(|element| instant(element, "validUntil"));
    let ends = ends.into_iter().collect::<Result<Vec<_>, _>>()?;
    let valid_until = ends.into_iter().flatten().min();
    if valid_until.is_some_and(|until| now >= until) {
        return Err(Reason::MetadataExpired);
    }
    let (redirect, post) = (address(role, REDIRECT_BINDING), address(role, POST_BINDING));
    if redirect.is_none() && post.is_none() {
        return Err(Reason::NoSignInAddress);
    }
    Ok(IdentityProvider {
        entity_id: entity_id.to_owned(),
        redirect,
        post,
        certificates: certificates(role)?,
        wants_signed_requests: matches!(role.attribute("WantAuthnRequestsSigned"), Some("true" | "1")),
        valid_until,
    })
}

/// The entity's role as an identity provider of SAML 2.0 (saml-metadata §2.4.3).
fn role(entity: &Element) -> Option<&Element> {
    entity.children(METADATA, "IDPSSODescriptor").find(|role| {
        let protocols = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        protocols.split_ascii_whitespace().any(|protocol| protocol == PROTOCOL)
    })
}

/// The first address of a binding that a browser can be sent to.
fn address(role: &Element, binding: &str) -> Option<String> {
    let services = role.children(METADATA, "SingleSignOnService");
    let mut found = services.filter(|service| service.attribute("Binding") == Some(binding));
    found.find_map(|service| {
        let url = Url::parse(service.attribute("Location")?.trim()).ok()?;
        let is_usable =
            matches!(url.scheme(), "https" | "http") && url.has_host() && url.fragment().is_none();
        is_usable.then(|| url.into())
    })
}

/// The certificates for signing: those for this use, and those for any (saml-metadata §2.4.1.1).
fn certificates(role: &Element) -> Result<Vec<Certificate>, Reason> {
    let mut found: Vec<Certificate> = Vec::new();
    let keys = role.children(METADATA, "KeyDescriptor");
    for key in keys.filter(|key| matches!(key.attribute("use"), None | Some("" | "signing"))) {
        key.walk(&mut |element| {
            if !element.is(DSIG, "X509Certificate") {
                return Ok(());
            }
            let packed: String =
                element.whole_text().chars().filter(|one| !one.is_ascii_whitespace()).collect();
            let der = BASE64_STANDARD.decode(packed).map_err(|_| Reason::BadCertificate)?;
            let certificate = Certificate::from_der(&der)?;
            if !found.contains(&certificate) {
                found.push(certificate);
            }
            if found.len() > MAX_CERTIFICATES { Err(Reason::TooLarge) } else { Ok(()) }
        })?;
    }
    if found.is_empty() { Err(Reason::NoSigningCertificate) } else { Ok(found) }
}
