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
pub(super) const SUCCEEDED: &str = "It reports a successful sign-in.";
pub(super) const SIGNED: &str =
    "It is signed by the identity provider, with a certificate in its lifetime, and unchanged since.";

/// Which check a reason belongs to, before there is anything to believe.
pub(super) fn stage(reason: Reason) -> &'static str {
    match reason {
        Reason::StatusFailed => SUCCEEDED,
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
    /// Whether the identity provider itself says so.
    pub is_signed: bool,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self { reason, found: None, is_signed: false }
    }
}

/// Finds what the identity provider vouches for, or why there is nothing.
pub(super) fn decrypt_and_verify(presented: &Presented) -> Result<VerifiedResponse, Fault> {
    let text = prefilter::decoded(&presented.response)?;
    let root = limits::read(&text)?;
    let certificates = &presented.provider.certificates;
    let prefiltered = prefilter::response(&root).map_err(|reason| match reason {
        Reason::StatusFailed => Fault {
            reason,
            found: Some(prefilter::status_words(&root)),
            is_signed: is_signed_failure(&text, &root, certificates),
        },
        reason => reason.into(),
    })?;
    if certificates.is_empty() {
        return Err(Reason::NoSigningCertificate.into());
    }
    let verify = |text: &str, signed: &Signed, inner: Option<&Signed>| -> Result<(Element, String), Fault> {
        let (element, by) = verify_with_any(text, signed, inner, certificates)?;
        by.iter().try_for_each(|certificate| check_certificate_validity(certificate, presented.now))?;
        let signed_by = by.first().map(|certificate| certificate.fingerprint.clone());
        Ok((element, signed_by.ok_or(Reason::BadSignature)?))
    };
    let open = |sealed: &EncryptedAssertion| sealed.open(&presented.service.keys);

    let was_encrypted = matches!(prefiltered.assertion, Assertion::Encrypted(_));
    let (response, assertion, signed_by) = match (&prefiltered.signature, &prefiltered.assertion) {
        (None, Assertion::Plain(None)) => return Err(Reason::Unsigned.into()),
        (None, Assertion::Plain(Some(signed))) => {
            let (assertion, signed_by) = verify(&text, signed, None)?;
            (None, assertion, signed_by)
        }
        // An encrypted assertion in an unsigned response must carry its own signature.
        (None, Assertion::Encrypted(sealed)) => {
            let (assertion, signed_by) = verify_detached(&open(sealed)?, &verify)?;
            (None, assertion, signed_by.ok_or(Reason::Unsigned)?)
        }
        (Some(outer), carried) => {
            let inner = match carried {
                Assertion::Plain(inner) => inner.as_ref(),
                Assertion::Encrypted(_) => None,
            };
            let (mut response, signed_by) = verify(&text, outer, inner)?;
            let assertion = match prefilter::response(&response)?.assertion {
                Assertion::Plain(_) => take_assertion(&mut response).ok_or(Reason::NoAssertion)?,
                Assertion::Encrypted(sealed) => verify_detached(&open(&sealed)?, &verify)?.0,
            };
            (Some(response), assertion, signed_by)
        }
    };
    Ok(VerifiedResponse {
        response_is_signed: response.is_some(),
        response: response.unwrap_or(root),
        assertion,
        signed_by,
        was_encrypted,
    })
}

/// The element that a signature lies on, read from the bytes that were digested, and who signed it. An `inner` signature
/// may be of another key: while keys change, response and assertion can be signed with one each.
fn verify_with_any<'a>(
    text: &str,
    signed: &Signed,
    inner: Option<&Signed>,
    certificates: &'a [Certificate],
) -> Result<(Element, Vec<&'a Certificate>), Reason> {
    let kind = signed.info.kind();
    let is_known = certificates.iter().any(|certificate| certificate.kind() == kind);
    // xmlsec breaks off at a key of another kind instead of trying the next.
    if !is_known || inner.is_some_and(|inner| inner.info.kind() != kind) {
        return Err(Reason::KeyKind);
    }
    // First of all: nothing that a stranger wrote is digested.
    let signers = [Some(signed), inner].into_iter().flatten().map(|one| one.info.signer(certificates));
    let mut by = signers.collect::<Option<Vec<_>>>().ok_or(Reason::BadSignature)?;
    by.dedup();
    Ok((reparse_signed(&engine::verified(text, &by)?, signed)?, by))
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

/// Whether a response that reports a failure, and carries nothing, is the identity provider's.
fn is_signed_failure(text: &str, root: &Element, certificates: &[Certificate]) -> bool {
    let Ok(Some(signed)) = prefilter::bare(root) else { return false };
    let by = signed.info.signer(certificates);
    by.is_some_and(|certificate| engine::verified(text, &[certificate]).is_ok())
}

/// An assertion that was encrypted, and who signed it if anybody did: what is signed is read from the signed bytes.
fn verify_detached(
    text: &str,
    verify: &impl Fn(&str, &Signed, Option<&Signed>) -> Result<(Element, String), Fault>,
) -> Result<(Element, Option<String>), Fault> {
    let root = limits::read(text)?;
    let Some(signed) = prefilter::assertion(&root)? else { return Ok((root, None)) };
    let (assertion, signed_by) = verify(text, &signed, None)?;
    Ok((assertion, Some(signed_by)))
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
    Err(Fault { reason, found: Some(found), is_signed: true })
}
