//! Whose words a response is: opened where it is encrypted, verified, and read from the verified bytes.

use super::statement::Presented;
use crate::{
    clock::Timestamp,
    sso::{
        ASSERTION, Reason, engine,
        gate::{self, Carried, Signed},
        key::Certificate,
        limits,
        sealed::Sealed,
        time::{has_begun, is_over},
        xml::{Element, Node},
    },
};

/// What is signed, read from the signed bytes.
pub(super) struct Believed {
    /// The response. Only where `response_is_signed` are these the identity provider's words.
    pub response: Element,
    pub response_is_signed: bool,
    pub assertion: Element,
    pub signed_by: String,
    pub was_encrypted: bool,
}

pub(super) const SHAPE: &str = "The document has the shape of a SAML response.";
pub(super) const OPENED: &str = "The encrypted assertion opens with our key.";
pub(super) const SIGNED: &str =
    "It is signed by the identity provider, with a certificate in its lifetime, and unchanged since.";

/// Which check a reason belongs to, before there is anything to believe.
pub(super) fn stage(reason: Reason) -> &'static str {
    match reason {
        Reason::NoDecryptionKey | Reason::Undecryptable => OPENED,
        Reason::Unsigned | Reason::NoSigningCertificate | Reason::KeyKind | Reason::BadSignature => SIGNED,
        Reason::CertificateNotYetValid | Reason::CertificateExpired | Reason::Broken => SIGNED,
        _ => SHAPE,
    }
}

/// Why nothing of a response is believed, and what was found instead.
pub(super) struct Fault {
    pub reason: Reason,
    pub found: Option<String>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self { reason, found: None }
    }
}

/// Finds what the identity provider vouches for, or why there is nothing.
pub(super) fn believe(presented: &Presented) -> Result<Believed, Fault> {
    let text = gate::decoded(&presented.response)?;
    let root = limits::read(&text)?;
    let admitted = gate::response(&root).map_err(|reason| {
        let found = (reason == Reason::StatusFailed).then(|| gate::status_words(&root));
        Fault { reason, found }
    })?;
    if presented.provider.certificates.is_empty() {
        return Err(Reason::NoSigningCertificate.into());
    }
    let verify = |text: &str, signed: &Signed| -> Result<(Element, Certificate), Reason> {
        let verified = engine::verified(text, signed.kind, &presented.provider.certificates)?;
        Ok((vouched(&verified.xml, signed)?, verified.certificate.clone()))
    };
    let open = |sealed: &Sealed| sealed.open(&presented.service.keys);

    let was_encrypted = matches!(admitted.assertion, Carried::Sealed(_));
    let (response, assertion, certificate) = match (&admitted.signature, &admitted.assertion) {
        (None, Carried::Open(None)) => return Err(Reason::Unsigned.into()),
        (None, Carried::Open(Some(signed))) => {
            let (assertion, certificate) = verify(&text, signed)?;
            (None, assertion, certificate)
        }
        // Nobody vouches for what is opened here but a signature inside.
        (None, Carried::Sealed(sealed)) => {
            let (assertion, certificate) = alone(&open(sealed)?, &verify)?;
            (None, assertion, certificate.ok_or(Reason::Unsigned)?)
        }
        (Some(outer), Carried::Open(Some(inner))) if outer.kind != inner.kind => {
            return Err(Reason::KeyKind.into());
        }
        (Some(signed), _) => {
            let (mut response, certificate) = verify(&text, signed)?;
            let assertion = match gate::response(&response)?.assertion {
                Carried::Open(_) => take_assertion(&mut response).ok_or(Reason::NoAssertion)?,
                Carried::Sealed(sealed) => alone(&open(&sealed)?, &verify)?.0,
            };
            (Some(response), assertion, certificate)
        }
    };
    lives(&certificate, presented.now)?;
    Ok(Believed {
        response_is_signed: response.is_some(),
        response: response.unwrap_or(root),
        assertion,
        signed_by: certificate.fingerprint,
        was_encrypted,
    })
}

/// The element that was digested, if it is the one that the signature lies on.
fn vouched(digested: &str, signed: &Signed) -> Result<Element, Reason> {
    let element = limits::read(digested)?;
    match signed.element.as_str() {
        "Response" => drop(gate::response(&element)?),
        _ => drop(gate::assertion(&element)?),
    }
    if element.attribute("ID") == Some(&signed.id) { Ok(element) } else { Err(Reason::BadSignature) }
}

/// An assertion that was encrypted, and who signed it if anybody did: what is signed is read from the signed bytes.
fn alone(
    text: &str,
    verify: &impl Fn(&str, &Signed) -> Result<(Element, Certificate), Reason>,
) -> Result<(Element, Option<Certificate>), Reason> {
    let root = limits::read(text)?;
    let Some(signed) = gate::assertion(&root)? else { return Ok((root, None)) };
    let (assertion, certificate) = verify(text, &signed)?;
    Ok((assertion, Some(certificate)))
}

fn take_assertion(response: &mut Element) -> Option<Element> {
    let is_it = |node: &Node| matches!(node, Node::Element(element) if element.is(ASSERTION, "Assertion"));
    let at = response.nodes.iter().position(is_it)?;
    match response.nodes.remove(at) {
        Node::Element(assertion) => Some(assertion),
        Node::Text(_) => None,
    }
}

fn lives(certificate: &Certificate, now: Timestamp) -> Result<(), Fault> {
    let (reason, found) = match certificate {
        one if !has_begun(one.not_before, now) => {
            (Reason::CertificateNotYetValid, format!("valid from {}", one.not_before.exact()))
        }
        one if is_over(one.not_after, now) => {
            (Reason::CertificateExpired, format!("valid until {}", one.not_after.exact()))
        }
        _ => return Ok(()),
    };
    Err(Fault { reason, found: Some(found) })
}
