//! The metadata of an identity provider (saml-metadata §2): who it is, where it takes requests, what it signs with.
//!
//! It comes from an owner's upload or from an address an owner gave, and never meets a parser but the memory-safe
//! one. Its own signature is not looked at: what vouches for it is how it came here. What is kept is written anew, with
//! nothing in it that is not used.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use url::Url;

use super::{
    DSIG, METADATA, POST_BINDING, PROTOCOL, REDIRECT_BINDING, Reason,
    key::Certificate,
    time::instant_or_date,
    xml::{self, Element, Limits, escaped},
};
use crate::clock::Timestamp;

/// The largest metadata that is read, in bytes.
pub(crate) const MAX_METADATA: usize = 1024 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_METADATA,
    depth: 40,
    elements: 50_000,
    attributes: 40,
    all_attributes: 200_000,
    declarations: 100,
    is_lenient: true,
    absolute_namespaces: false,
};
const MAX_ENTITY_ID: usize = 1024;
const MAX_CERTIFICATES: usize = 10;

const SIGN_IN: &str = "SingleSignOnService";
const LOGOUT: &str = "SingleLogoutService";

// The lines around a certificate (RFC 7468 §5).
const ARMOUR: &str = "-----BEGIN CERTIFICATE-----";
const ARMOUR_END: &str = "-----END CERTIFICATE-----";

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
    /// Where it takes our requests for a logout, in the address and in a form.
    pub logout: Endpoints,
    /// Where it takes our answers to its requests for a logout, which may be elsewhere (saml-metadata §2.2.2).
    pub logout_answers: Endpoints,
    /// What it signs with; one to ten.
    pub certificates: Vec<Certificate>,
    /// Whether it wants our requests signed.
    pub wants_signed_requests: bool,
    /// Until when this may be believed, if it says.
    pub valid_until: Option<Timestamp>,
    /// Why certificates beside those were left out.
    pub left_out: Vec<Reason>,
}

/// Where an identity provider takes messages of a kind: by redirect (saml-bindings §3.4), and by a form (§3.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// In the address.
    pub redirect: Option<String>,
    /// In a form.
    pub post: Option<String>,
}

impl Endpoints {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.redirect.is_none() && self.post.is_none()
    }

    /// Both, as far as there are any.
    pub(crate) fn both(&self) -> (Option<&str>, Option<&str>) {
        (self.redirect.as_deref(), self.post.as_deref())
    }
}

impl IdentityProvider {
    /// One that is told by hand: its entity ID, where it takes requests by redirect, and the certificate it signs with, as
    /// PEM or as base64.
    pub fn by_hand(entity_id: &str, sign_in: &str, certificate: &str) -> Result<Self, Reason> {
        Ok(Self {
            entity_id: checked_entity_id(entity_id)?,
            redirect: Some(usable(sign_in).ok_or(Reason::NoSignInAddress)?),
            post: None,
            logout: Endpoints::default(),
            logout_answers: Endpoints::default(),
            certificates: vec![read_certificate(certificate)?],
            wants_signed_requests: false,
            valid_until: None,
            left_out: Vec::new(),
        })
    }

    /// Its metadata, with nothing in it but what is used.
    pub fn metadata(&self) -> String {
        let keys: String = self
            .certificates
            .iter()
            .map(|certificate| {
                format!(
                    "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data>\
                     <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                    BASE64_STANDARD.encode(certificate.der())
                )
            })
            .collect();
        let services: String = [
            (LOGOUT, REDIRECT_BINDING, &self.logout.redirect, &self.logout_answers.redirect),
            (LOGOUT, POST_BINDING, &self.logout.post, &self.logout_answers.post),
            (SIGN_IN, REDIRECT_BINDING, &self.redirect, &None),
            (SIGN_IN, POST_BINDING, &self.post, &None),
        ]
        .into_iter()
        .filter_map(|(service, binding, address, answers)| {
            let other = answers.as_ref().filter(|answers| Some(*answers) != address.as_ref());
            let other = other.map(|answers| format!(" ResponseLocation=\"{}\"", escaped(answers)));
            let (address, other) = (escaped(address.as_ref()?), other.unwrap_or_default());
            Some(format!("<md:{service} Binding=\"{binding}\" Location=\"{address}\"{other}/>"))
        })
        .collect();
        let until = self.valid_until.map(|until| format!(" validUntil=\"{}\"", until.iso()));
        format!(
            "<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\"{}><md:IDPSSODescriptor \
             WantAuthnRequestsSigned=\"{}\" protocolSupportEnumeration=\"{PROTOCOL}\">{keys}{services}\
             </md:IDPSSODescriptor></md:EntityDescriptor>",
            escaped(&self.entity_id),
            until.unwrap_or_default(),
            self.wants_signed_requests,
        )
    }

    /// The host of its sign-in address, as people know it.
    pub(crate) fn host(&self) -> Option<String> {
        let address = self.redirect.as_deref().or(self.post.as_deref())?;
        Url::parse(address).ok()?.host_str().map(str::to_owned)
    }
}

/// Reads the metadata of one identity provider: an `EntityDescriptor`, or an `EntitiesDescriptor` in which only one
/// entity is an identity provider.
pub fn read_provider(text: &str, now: Timestamp) -> Result<IdentityProvider, Reason> {
    choose_provider(text, None, now)
}

/// Reads the one identity provider of a document, or of several the one with this entity ID.
pub fn choose_provider(text: &str, chosen: Option<&str>, now: Timestamp) -> Result<IdentityProvider, Reason> {
    let root = read_document(text)?;
    let entities = entities(&root)?;
    let is_chosen =
        |(entity, _): &&(&Element, &Element)| entity.attribute("entityID").map(str::trim) == chosen;
    let &(entity, role) = match entities.as_slice() {
        [] => return Err(what_else(&root)),
        [only] => only,
        several => several.iter().find(is_chosen).ok_or(Reason::ManyProviders)?,
    };
    let entity_id = checked_entity_id(entity.attribute("entityID").unwrap_or_default())?;
    let ends = [&root, entity, role].map(|element| instant_or_date(element, "validUntil"));
    let ends = ends.into_iter().collect::<Result<Vec<_>, _>>().map_err(|_| Reason::UnreadableValidUntil)?;
    let valid_until = ends.into_iter().flatten().min().map(|until| Timestamp::from_unix(until.unix()));
    if valid_until.is_some_and(|until| now >= until) {
        return Err(Reason::MetadataExpired);
    }
    let Endpoints { redirect, post } = endpoints(role, SIGN_IN, &["Location"]);
    if redirect.is_none() && post.is_none() {
        return Err(Reason::NoSignInAddress);
    }
    let (certificates, left_out) = certificates(role)?;
    Ok(IdentityProvider {
        entity_id,
        redirect,
        post,
        logout: endpoints(role, LOGOUT, &["Location"]),
        logout_answers: endpoints(role, LOGOUT, &["ResponseLocation", "Location"]),
        certificates,
        wants_signed_requests: matches!(role.attribute("WantAuthnRequestsSigned"), Some("true" | "1")),
        valid_until,
        left_out,
    })
}

/// The entity IDs of the identity providers in a document, to choose from.
pub fn provider_ids(text: &str) -> Result<Vec<String>, Reason> {
    let root = read_document(text)?;
    let ids = entities(&root)?.into_iter().filter_map(|(entity, _)| entity.attribute("entityID"));
    Ok(ids.map(|id| id.trim().to_owned()).collect())
}

fn read_document(text: &str) -> Result<Element, Reason> {
    if text.len() > MAX_METADATA {
        return Err(Reason::TooLarge);
    }
    let text = text.trim_start_matches('\u{FEFF}').trim();
    let begin = text.get(..16).unwrap_or(text).to_ascii_lowercase();
    if begin.starts_with("<!doctype html") || begin.starts_with("<html") {
        return Err(Reason::WebPage);
    }
    if text.starts_with(ARMOUR) {
        return Err(Reason::OnlyCertificate);
    }
    xml::read(text, &LIMITS)
}

/// The entities that are identity providers, each with its role as one.
fn entities(root: &Element) -> Result<Vec<(&Element, &Element)>, Reason> {
    let mut found = Vec::new();
    if !root.is(METADATA, "EntityDescriptor") && !root.is(METADATA, "EntitiesDescriptor") {
        return Err(Reason::NotMetadata);
    }
    root.walk(&mut |element| {
        if element.is(METADATA, "EntityDescriptor") {
            found.extend(role(element).map(|role| (element, role)));
        }
        Ok(())
    })?;
    Ok(found)
}

/// What metadata without an identity provider is about.
fn what_else(root: &Element) -> Reason {
    let looked = root.walk(&mut |element| match element.is(METADATA, "SPSSODescriptor") {
        true => Err(Reason::DescribesService),
        false => Ok(()),
    });
    looked.err().unwrap_or(Reason::NotMetadata)
}

fn checked_entity_id(text: &str) -> Result<String, Reason> {
    let entity_id = text.trim();
    let is_good = !entity_id.is_empty() && entity_id.chars().count() <= MAX_ENTITY_ID;
    if is_good { Ok(entity_id.to_owned()) } else { Err(Reason::NoEntityId) }
}

/// The entity's role as an identity provider of SAML 2.0 (saml-metadata §2.4.3).
fn role(entity: &Element) -> Option<&Element> {
    entity.children(METADATA, "IDPSSODescriptor").find(|role| {
        let protocols = role.attribute("protocolSupportEnumeration").unwrap_or_default();
        protocols.split_ascii_whitespace().any(|protocol| protocol == PROTOCOL)
    })
}

/// Of each binding the first address that a browser can be sent to, in the first of `places` that a service names.
fn endpoints(role: &Element, service: &str, places: &[&str]) -> Endpoints {
    let of = |binding| {
        let services = role.children(METADATA, service);
        let mut found = services.filter(|service| service.attribute("Binding") == Some(binding));
        found.find_map(|service| usable(places.iter().find_map(|place| service.attribute(place))?))
    };
    Endpoints { redirect: of(REDIRECT_BINDING), post: of(POST_BINDING) }
}

fn usable(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok()?;
    let is_usable = matches!(url.scheme(), "https" | "http") && url.has_host() && url.fragment().is_none();
    is_usable.then(|| url.into())
}

/// The certificates for signing: those for this use, and those for any (saml-metadata §2.4.1.1). One that is not good is
/// left out where another is.
fn certificates(role: &Element) -> Result<(Vec<Certificate>, Vec<Reason>), Reason> {
    let (mut found, mut left_out): (Vec<Certificate>, Vec<Reason>) = (Vec::new(), Vec::new());
    let keys = role.children(METADATA, "KeyDescriptor");
    for key in keys.filter(|key| matches!(key.attribute("use"), None | Some("" | "signing"))) {
        key.walk(&mut |element| {
            if !element.is(DSIG, "X509Certificate") {
                return Ok(());
            }
            match read_certificate(&element.whole_text()) {
                Ok(certificate) if found.contains(&certificate) => {}
                Ok(certificate) => found.push(certificate),
                Err(reason) => left_out.push(reason),
            }
            if found.len() + left_out.len() > MAX_CERTIFICATES {
                return Err(Reason::ManyCertificates);
            }
            Ok(())
        })?;
    }
    match found.is_empty() {
        true => Err(left_out.first().copied().unwrap_or(Reason::NoSigningCertificate)),
        false => Ok((found, left_out)),
    }
}

/// A certificate in base64, with the lines around it or without (RFC 7468 §5).
fn read_certificate(text: &str) -> Result<Certificate, Reason> {
    let bare = text.replace(ARMOUR, "").replace(ARMOUR_END, "");
    let packed: String = bare.chars().filter(|one| !one.is_ascii_whitespace()).collect();
    let der = BASE64_STANDARD.decode(packed).map_err(|_| Reason::BadCertificate)?;
    Certificate::from_der(&der)
}
