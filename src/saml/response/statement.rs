//! What is presented, what is found in it, and what was checked.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    saml::{EMAIL_NAME, PERSISTENT_NAME, Reason, idp::IdentityProvider, key::ServiceKey},
    text_enum,
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
    /// The attribute that identifies people; the NameID where none does.
    pub identifier: Option<String>,
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
    /// The address of our single logout service (saml-profiles §4.4).
    pub logout_url: String,
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
    /// The NameID, whether or not it identifies the person.
    pub name_id: Option<NameId>,
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

/// What identifies a person at an identity provider. Compared letter for letter, with its format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// What kind of name it is.
    pub format: NameFormat,
    /// The name, without the blanks around it; 1 to 256 letters.
    pub value: String,
}

/// A `NameID` as it came (saml-core §2.2.3), whatever it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameId {
    /// The URI of its format.
    pub format: String,
    /// The name, without the blanks around it.
    pub value: String,
    /// Where the name was made, if it says.
    pub qualifier: Option<String>,
    /// For whom it was made, if it says.
    pub service_qualifier: Option<String>,
}

text_enum! {
    /// The kinds of names that mean the same person tomorrow.
    NameFormat {
        /// `…:nameid-format:persistent` (saml-core §8.3.7).
        Persistent => "persistent",
        /// `…:nameid-format:emailAddress` (saml-core §8.3.2).
        Email => "email",
        /// The value of the attribute that its connection identifies people by.
        Attribute => "attribute",
        /// The claim that identifies people at a connection of OpenID Connect.
        Subject => "subject",
    }
}

impl NameFormat {
    /// The format of a `NameID` that SAML calls this.
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        match uri {
            PERSISTENT_NAME => Some(NameFormat::Persistent),
            EMAIL_NAME => Some(NameFormat::Email),
            _ => None,
        }
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
    /// What should have come, where that is one thing.
    pub expected: Option<String>,
    /// What came. Text of the identity provider's.
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
    /// Whether the identity provider signed what came; otherwise anybody can have written it.
    pub is_signed: bool,
    /// The NameID that came signed.
    pub name_id: Option<NameId>,
    /// What the identity provider said and signed, for a test sign-in; never to be acted on.
    pub attributes: Vec<Attribute>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, checks: Vec::new(), is_signed: false, name_id: None, attributes: Vec::new() }
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
pub(crate) struct Checks(pub Vec<Check>);

impl Checks {
    /// Notes one check, and passes on what it found.
    pub(crate) fn note<T>(
        &mut self,
        says: &'static str,
        outcome: Result<T, Reason>,
        expected: Option<String>,
        found: Option<String>,
    ) -> Option<T> {
        self.0.push(Check { says, failed: outcome.as_ref().err().copied(), expected, found });
        outcome.ok()
    }
}
