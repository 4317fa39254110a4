//! The gate: what a response must look like before any library with C underneath may see it.
//!
//! It reads with a memory-safe parser and refuses what SAML never needs: too much of anything, document types,
//! instructions, a second assertion, signatures in odd places, references that lead away, algorithms nobody should
//! use. What passes has one shape, in which every parser finds the same signature on the same element.

use std::{collections::HashSet, ptr};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::{
    ASSERTION, DSIG, EXCLUSIVE, PROTOCOL, Reason, SUCCESS,
    encrypted_assertion::{self, EncryptedAssertion},
    limits::MAX_RESPONSE,
    signed_info::{Method, SignedInfo},
    xml::{self, Element},
};

const MAX_ATTRIBUTES: usize = 200;

/// The longest `PrefixList`, in prefixes and in characters: for each element each of them is looked up among all
/// declarations around it, before anybody knows who signed.
const MAX_PREFIX_LIST: (usize, usize) = (10, 200);

const DIGEST_METHODS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];
/// RSA-PSS with a hash in its name, or with parameters (RFC 9231 §2.3.9, §2.3.10).
const RSA_PSS: &str = "rsa-MGF1";
const RSA_PSS_WITH_PARAMETERS: &str = "rsa-pss";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// A signature in its place: whose it claims to be is for the engine to find out.
pub(super) struct Signed {
    /// The name of the element that carries the signature.
    pub element: String,
    /// Its ID, which the signature refers to.
    pub id: String,
    /// What is signed, and with what.
    pub info: SignedInfo,
}

/// A response that has the one shape.
pub(super) struct Prefiltered {
    pub signature: Option<Signed>,
    pub assertion: Assertion,
}

/// The one assertion of a response.
pub(super) enum Assertion {
    /// Readable, with its own signature if it has one.
    Plain(Option<Signed>),
    /// Encrypted.
    Encrypted(EncryptedAssertion),
}

/// The text of a `SAMLResponse` field (saml-bindings §3.5.4): base64, in which blanks do not count, of UTF-8.
pub(super) fn decoded(field: &str) -> Result<String, Reason> {
    if field.len() > MAX_RESPONSE {
        return Err(Reason::TooLarge);
    }
    String::from_utf8(base64(field).ok_or(Reason::NotBase64)?).map_err(|_| Reason::NotUtf8)
}

/// Base64 in which blanks do not count.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(packed).ok()
}

/// Holds a response (saml-core §3.3.3) against the one shape.
pub(super) fn response(root: &Element) -> Result<Prefiltered, Reason> {
    if !root.is(PROTOCOL, "Response") {
        return Err(Reason::NotAResponse);
    }
    is_version_2(root)?;
    let mut carried = root.elements().filter(|element| is_assertion(element));
    let assertion = match (carried.next(), carried.next()) {
        (Some(assertion), None) => assertion,
        (Some(_), Some(_)) => return Err(Reason::ManyAssertions),
        // A failure comes without an assertion: the failure is what to tell.
        (None, _) if status(root).is_some_and(|code| code != SUCCESS) => return Err(Reason::StatusFailed),
        (None, _) => return Err(Reason::NoAssertion),
    };
    if &*assertion.namespace != ASSERTION {
        return Err(Reason::MisplacedAssertion);
    }
    let is_open = assertion.name == "Assertion";
    let response_signature = signature_of(root)?;
    let signature = match is_open {
        true => signature_of(assertion)?,
        false => None,
    };
    let signatures = [response_signature.map(|(element, _)| element), signature.map(|(element, _)| element)];
    check_structure(root, Some(assertion), &signatures)?;
    let assertion = match is_open {
        true => {
            an_assertion(assertion)?;
            Assertion::Plain(parse_signature(signature)?)
        }
        false => Assertion::Encrypted(encrypted_assertion::parse(assertion)?),
    };
    Ok(Prefiltered { signature: parse_signature(response_signature)?, assertion })
}

/// Holds an assertion that was sealed, and stands alone now, against the one shape.
pub(super) fn assertion(root: &Element) -> Result<Option<Signed>, Reason> {
    if !root.is(ASSERTION, "Assertion") {
        return Err(Reason::NoAssertion);
    }
    let signature = signature_of(root)?;
    check_structure(root, Some(root), &[signature.map(|(element, _)| element)])?;
    an_assertion(root)?;
    parse_signature(signature)
}

/// The signature of a message without an assertion: a response that reports a failure, or a request for a logout.
pub(super) fn bare(root: &Element) -> Result<Option<Signed>, Reason> {
    let signature = signature_of(root)?;
    check_structure(root, None, &[signature.map(|(element, _)| element)])?;
    parse_signature(signature)
}

/// The status code of a response, the outer one (saml-core §3.2.2.2).
pub(super) fn status(response: &Element) -> Option<&str> {
    response.only(PROTOCOL, "Status")?.only(PROTOCOL, "StatusCode")?.attribute("Value")
}

fn an_assertion(assertion: &Element) -> Result<(), Reason> {
    is_version_2(assertion)?;
    if assertion.attribute("ID").is_none_or(str::is_empty) {
        return Err(Reason::MissingId);
    }
    Ok(())
}

fn is_version_2(element: &Element) -> Result<(), Reason> {
    if element.attribute("Version") == Some("2.0") { Ok(()) } else { Err(Reason::WrongVersion) }
}

/// By its name alone, whatever its namespace: a look-alike is no better than a second one.
fn is_assertion(element: &Element) -> bool {
    matches!(element.name.as_str(), "Assertion" | "EncryptedAssertion")
}

/// The one signature that is a direct child of `parent`, with its parent.
fn signature_of(parent: &Element) -> Result<Option<(&Element, &Element)>, Reason> {
    let mut found = parent.elements().filter(|element| element.name == "Signature");
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(signature), None) if &*signature.namespace == DSIG => Ok(Some((signature, parent))),
        _ => Err(Reason::MisplacedSignature),
    }
}

/// What must hold for every element: nothing that matters lies where it does not belong, and no ID is there twice.
fn check_structure(
    root: &Element,
    assertion: Option<&Element>,
    signatures: &[Option<&Element>],
) -> Result<(), Reason> {
    let is_one_of = |element: &Element, known: &[Option<&Element>]| {
        known.iter().flatten().any(|known| ptr::eq(*known, element))
    };
    let mut ids = HashSet::new();
    let mut attributes = 0;
    root.walk(&mut |element| {
        match element.name.as_str() {
            "Assertion" | "EncryptedAssertion" if !is_one_of(element, &[assertion]) => {
                return Err(Reason::MisplacedAssertion);
            }
            "Response" if !ptr::eq(element, root) => return Err(Reason::MisplacedAssertion),
            "Signature" if !is_one_of(element, signatures) => return Err(Reason::MisplacedSignature),
            "Object" | "Manifest" if &*element.namespace == DSIG => return Err(Reason::SignatureObject),
            // These name other places: only ones in this document, and none of them is ever followed.
            "RetrievalMethod" | "DataReference" | "KeyReference" | "CipherReference"
                if !element.attribute("URI").is_some_and(|uri| uri.starts_with('#')) =>
            {
                return Err(Reason::ForeignReference);
            }
            "Attribute" if &*element.namespace == ASSERTION => attributes += 1,
            _ => {}
        }
        if attributes > MAX_ATTRIBUTES {
            return Err(Reason::TooManyAttributes);
        }
        for attribute in element.attributes.iter().filter(|one| one.name.eq_ignore_ascii_case("id")) {
            // Prefixed ones are IDs to some parsers and none to others.
            if !attribute.namespace.is_empty() {
                return Err(Reason::MissingId);
            }
            if !ids.insert(attribute.value.as_str()) {
                return Err(Reason::DuplicateId);
            }
        }
        Ok(())
    })
}

/// Holds a signature against the shape of saml-core §5.4: one reference, to the element that carries it.
fn parse_signature(signature: Option<(&Element, &Element)>) -> Result<Option<Signed>, Reason> {
    let Some((signature, parent)) = signature else { return Ok(None) };
    let id = parent.attribute("ID").filter(|id| xml::is_name(id)).ok_or(Reason::MissingId)?;
    let mut parts = signature.elements();
    let info = parts.next().filter(|part| part.is(DSIG, "SignedInfo")).ok_or(Reason::SignatureShape)?;
    let value = parts.next().filter(|part| part.is(DSIG, "SignatureValue")).ok_or(Reason::SignatureShape)?;
    let key_info = parts.next();
    if parts.next().is_some() || !key_info.is_none_or(is_plain_key_info) {
        return Err(Reason::SignatureShape);
    }

    let mut parts = info.elements();
    let mut next = |name: &str| parts.next().filter(|part| part.is(DSIG, name)).ok_or(Reason::SignatureShape);
    let canonicalization = next("CanonicalizationMethod")?;
    let method = next("SignatureMethod")?;
    let reference = next("Reference")?;
    if parts.next().is_some() {
        return Err(Reason::SignatureShape);
    }
    if algorithm(canonicalization) != EXCLUSIVE || !has_short_prefix_list(canonicalization) {
        return Err(Reason::Canonicalization);
    }
    let known = Method::from_uri(algorithm(method));
    let known = known.ok_or_else(|| match algorithm(method) {
        uri if uri.contains(RSA_PSS) || uri.ends_with(RSA_PSS_WITH_PARAMETERS) => Reason::RsaPss,
        _ => Reason::SignatureAlgorithm,
    })?;
    if method.elements().next().is_some() {
        return Err(Reason::SignatureAlgorithm);
    }
    if reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(Reason::ForeignReference);
    }
    referenced(reference)?;
    // What is no base64 is a value that nobody made.
    let value = base64(&value.text().ok_or(Reason::SignatureShape)?).unwrap_or_default();
    let info = SignedInfo::new(info, known, prefix_list(canonicalization), value);
    let info = info.ok_or(Reason::SignatureShape)?;
    Ok(Some(Signed { element: parent.name.clone(), id: id.to_owned(), info }))
}

/// The transforms and the digest of a reference. The transforms are those of saml-core §5.4.4, each once: the signature
/// is taken out, then the element is made canonical. Another one would read again what the one before it wrote.
fn referenced(reference: &Element) -> Result<(), Reason> {
    let mut parts = reference.elements();
    let transforms = parts.next().filter(|part| part.is(DSIG, "Transforms")).ok_or(Reason::Transform)?;
    let mut steps = transforms.elements();
    let mut next = |uri: &str| {
        let found = steps.next().filter(|step| step.is(DSIG, "Transform") && algorithm(step) == uri);
        found.ok_or(Reason::Transform)
    };
    let (enveloped, exclusive) = (next(ENVELOPED)?, next(EXCLUSIVE)?);
    if steps.next().is_some() || enveloped.elements().next().is_some() || !has_short_prefix_list(exclusive) {
        return Err(Reason::Transform);
    }
    let digest = parts.next().filter(|part| part.is(DSIG, "DigestMethod")).ok_or(Reason::SignatureShape)?;
    if !DIGEST_METHODS.contains(&algorithm(digest)) || digest.elements().next().is_some() {
        return Err(Reason::DigestAlgorithm);
    }
    parts.next().filter(|part| part.is(DSIG, "DigestValue")).ok_or(Reason::SignatureShape)?;
    if parts.next().is_some() { Err(Reason::SignatureShape) } else { Ok(()) }
}

fn algorithm(element: &Element) -> &str {
    element.attribute("Algorithm").unwrap_or_default()
}

/// Whether nothing but a short list of prefixes lies inside (Exclusive XML Canonicalization §4).
fn has_short_prefix_list(element: &Element) -> bool {
    let mut inside = element.elements();
    let Some(list) = inside.next() else { return true };
    let prefixes = list.attribute("PrefixList").unwrap_or_default();
    let is_prefix = |word: &str| word == "#default" || xml::is_name(word);
    let (most, longest) = MAX_PREFIX_LIST;
    list.is(EXCLUSIVE, "InclusiveNamespaces")
        && list.nodes.is_empty()
        && inside.next().is_none()
        && prefixes.len() <= longest
        && prefixes.split_ascii_whitespace().count() <= most
        && prefixes.split_ascii_whitespace().all(is_prefix)
}

/// The prefixes that a canonical form keeps, of a list that is short.
fn prefix_list(method: &Element) -> Vec<String> {
    let lists = method.children(EXCLUSIVE, "InclusiveNamespaces");
    let prefixes = lists.filter_map(|list| list.attribute("PrefixList"));
    prefixes.flat_map(str::split_ascii_whitespace).map(str::to_owned).collect()
}

/// Whether the hint about the key is of a usual kind. It is never read.
fn is_plain_key_info(element: &Element) -> bool {
    let is_usual = |part: &Element| ["X509Data", "KeyName", "KeyValue"].contains(&part.name.as_str());
    element.is(DSIG, "KeyInfo") && element.elements().all(|part| &*part.namespace == DSIG && is_usual(part))
}

/// The status codes and the message of a response (saml-core §3.2.2), for people.
pub(super) fn status_words(response: &Element) -> String {
    let Some(status) = response.only(PROTOCOL, "Status") else { return "no status".to_owned() };
    let mut words = Vec::new();
    let mut code = status.only(PROTOCOL, "StatusCode");
    while let Some(here) = code {
        let value = here.attribute("Value").unwrap_or_default();
        words.push(value.rsplit(':').next().unwrap_or_default().to_owned());
        code = here.only(PROTOCOL, "StatusCode");
    }
    words.extend(status.only(PROTOCOL, "StatusMessage").map(Element::whole_text));
    words.join(", ")
}
