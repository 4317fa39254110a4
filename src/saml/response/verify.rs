//! Whose words a response is: opened where it is encrypted, verified, and read from the verified bytes.

use super::statement::Presented;
use crate::{
    clock::Timestamp,
    saml::{
        ASSERTION, Reason,
        encrypted_assertion::EncryptedAssertion,
        engine,
        key::Certificate,
        limits,
        prefilter::{self, Assertion, Signed},
        time::{has_begun, is_over},
        xml::{Element, Node},
    },
};

/// What is signed, read from the signed bytes.
pub(super) struct VerifiedResponse {
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
pub(super) fn decrypt_and_verify(presented: &Presented) -> Result<VerifiedResponse, Fault> {
    let text = prefilter::decoded(&presented.response)?;
    let root = limits::read(&text)?;
    let prefiltered = prefilter::response(&root).map_err(|reason| {
        let found = (reason == Reason::StatusFailed).then(|| prefilter::status_words(&root));
        Fault { reason, found }
    })?;
    if presented.provider.certificates.is_empty() {
        return Err(Reason::NoSigningCertificate.into());
    }
    let verify = |text: &str, signed: &Signed| -> Result<(Element, Certificate), Reason> {
        let verified = engine::verified(text, signed.kind, &presented.provider.certificates)?;
        Ok((reparse_signed(&verified.xml, signed)?, verified.certificate.clone()))
    };
    let open = |sealed: &EncryptedAssertion| sealed.open(&presented.service.keys);

    let was_encrypted = matches!(prefiltered.assertion, Assertion::Encrypted(_));
    let (response, assertion, certificate) = match (&prefiltered.signature, &prefiltered.assertion) {
        (None, Assertion::Plain(None)) => return Err(Reason::Unsigned.into()),
        (None, Assertion::Plain(Some(signed))) => {
            let (assertion, certificate) = verify(&text, signed)?;
            (None, assertion, certificate)
        }
        // An encrypted assertion in an unsigned response must carry its own signature.
        (None, Assertion::Encrypted(sealed)) => {
            let (assertion, certificate) = verify_detached(&open(sealed)?, &verify)?;
            (None, assertion, certificate.ok_or(Reason::Unsigned)?)
        }
        (Some(outer), Assertion::Plain(Some(inner))) if outer.kind != inner.kind => {
            return Err(Reason::KeyKind.into());
        }
        (Some(signed), _) => {
            let (mut response, certificate) = verify(&text, signed)?;
            let assertion = match prefilter::response(&response)?.assertion {
                Assertion::Plain(_) => take_assertion(&mut response).ok_or(Reason::NoAssertion)?,
                Assertion::Encrypted(sealed) => verify_detached(&open(&sealed)?, &verify)?.0,
            };
            (Some(response), assertion, certificate)
        }
    };
    check_certificate_validity(&certificate, presented.now)?;
    Ok(VerifiedResponse {
        response_is_signed: response.is_some(),
        response: response.unwrap_or(root),
        assertion,
        signed_by: certificate.fingerprint,
        was_encrypted,
    })
}

/// The element that was digested, if it is the one that the signature lies on.
fn reparse_signed(digested: &str, signed: &Signed) -> Result<Element, Reason> {
    let element = limits::read(digested)?;
    match signed.element.as_str() {
        "Response" => drop(prefilter::response(&element)?),
        _ => drop(prefilter::assertion(&element)?),
    }
    if element.attribute("ID") == Some(&signed.id) { Ok(element) } else { Err(Reason::BadSignature) }
}

/// An assertion that was encrypted, and who signed it if anybody did: what is signed is read from the signed bytes.
fn verify_detached(
    text: &str,
    verify: &impl Fn(&str, &Signed) -> Result<(Element, Certificate), Reason>,
) -> Result<(Element, Option<Certificate>), Reason> {
    let root = limits::read(text)?;
    let Some(signed) = prefilter::assertion(&root)? else { return Ok((root, None)) };
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

fn check_certificate_validity(certificate: &Certificate, now: Timestamp) -> Result<(), Fault> {
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
