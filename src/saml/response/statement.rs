//! What is presented, what is found in it, and what was checked.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    saml::{EMAIL_NAME, PERSISTENT_NAME, Reason, idp::IdentityProvider, key::ServiceKey},
};

/// A response as it came in, and all there is to hold it against. Nothing else is asked, not even the clock.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The `SAMLResponse` field (saml-bindings §3.5.4).
    pub response: String,
    /// Whom it should be from.
    pub provider: IdentityProvider,
    /// Who we are.
    pub service: Service,
    /// The request it should answer.
    pub request: Request,
    /// The names of the attributes that say who the person is: address and name, not groups. They may have one value.
    pub identity_attributes: Vec<String>,
    /// Now.
    pub now: Timestamp,
}

/// This service provider, as identity providers know it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Our entity ID.
    pub entity_id: String,
    /// The address of our callback (saml-profiles §4.1.6).
    pub acs_url: String,
    /// Our keys: the one in use first, then the one that is announced, or the one that was in use. May be empty.
    pub keys: Vec<ServiceKey>,
}

/// A request that was sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its ID.
    pub id: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Whether the person had to sign in again (saml-core §3.4.1, `ForceAuthn`).
    pub force_authn: bool,
}

/// What an identity provider said about a person, and signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// The entity ID of the identity provider.
    pub issuer: String,
    /// Whom it is about.
    pub name: Name,
    /// What else it says, in its order; attributes of one name are put together.
    pub attributes: Vec<Attribute>,
    /// The ID of the assertion. To be remembered, so that it is good for one sign-in only.
    pub assertion_id: String,
    /// Until when the assertion could be presented again.
    pub remember_until: Timestamp,
    /// When the person signed in at the identity provider; the earliest where it says several.
    pub authenticated_at: Timestamp,
    /// When the session must be over; the earliest where it says several (saml-core §2.7.2).
    pub session_ends_at: Option<Timestamp>,
    /// The identity provider's name for its session.
    pub session_index: Option<String>,
    /// The fingerprint of the certificate that signed.
    pub signed_by: String,
    /// Whether the assertion was encrypted.
    pub was_encrypted: bool,
    /// What was checked, all of it passed.
    pub checks: Vec<Check>,
}

/// The name of a person at an identity provider (saml-core §2.2.3). Compared letter for letter, with its format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Name {
    /// What kind of name it is.
    pub format: NameFormat,
    /// The name, without the blanks around it; 1 to 256 letters.
    pub value: String,
}

/// The kinds of names that mean the same person tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameFormat {
    /// `…:nameid-format:persistent` (saml-core §8.3.7).
    Persistent,
    /// `…:nameid-format:emailAddress` (saml-core §8.3.2).
    Email,
}

impl NameFormat {
    /// The name of the format in SAML.
    pub fn uri(self) -> &'static str {
        match self {
            NameFormat::Persistent => PERSISTENT_NAME,
            NameFormat::Email => EMAIL_NAME,
        }
    }

    /// The format that SAML calls this.
    pub fn from_uri(uri: &str) -> Option<Self> {
        [NameFormat::Persistent, NameFormat::Email].into_iter().find(|format| format.uri() == uri)
    }
}

/// An attribute of a person (saml-core §2.7.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// Its name, often a URI.
    pub name: String,
    /// Its name for people, if it has one.
    pub friendly_name: Option<String>,
    /// Its values, without the blanks around them.
    pub values: Vec<String>,
}

/// One check, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What should be so.
    pub says: &'static str,
    /// Why it is not so; none where it is.
    pub failed: Option<Reason>,
    /// What was found, or was expected and found. Text of the identity provider's.
    pub found: Option<String>,
}

/// A response that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Why: the first check that failed.
    pub reason: Reason,
    /// The checks that could be made, for a test sign-in.
    pub checks: Vec<Check>,
    /// What the identity provider said and signed, for a test sign-in; never to be acted on.
    pub attributes: Vec<Attribute>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, checks: Vec::new(), attributes: Vec::new() }
    }
}

/// Whom a response claims to be from and what to answer. Nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseOrigin {
    /// The entity ID of the claimed sender.
    pub issuer: Option<String>,
    /// The request that it claims to answer.
    pub in_response_to: Option<String>,
}

/// The checks so far.
#[derive(Default)]
pub struct Checks(pub Vec<Check>);

impl Checks {
    /// Notes one check, and passes on what it found.
    pub fn note<T>(
        &mut self,
        says: &'static str,
        outcome: Result<T, Reason>,
        found: Option<String>,
    ) -> Option<T> {
        self.0.push(Check { says, failed: outcome.as_ref().err().copied(), found });
        outcome.ok()
    }
}
