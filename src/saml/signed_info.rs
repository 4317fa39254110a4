//! Who signed: the signature over `SignedInfo` (XML Signature §3.2.2), verified before anything else of a document meets
//! a library in C. Whatever a reference costs, only the identity provider can cost it.

use openssl::{bn::BigNum, ecdsa::EcdsaSig, hash::MessageDigest, sign::Verifier, x509::X509};

use super::{
    engine,
    key::Certificate,
    key_kind::KeyKind,
    xml::{self, Element},
};

/// A way to sign that we take.
pub(super) struct Method {
    uri: &'static str,
    kind: KeyKind,
    digest: fn() -> MessageDigest,
}

static METHODS: [Method; 6] = [
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        kind: KeyKind::Rsa,
        digest: MessageDigest::sha256,
    },
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        kind: KeyKind::Rsa,
        digest: MessageDigest::sha384,
    },
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        kind: KeyKind::Rsa,
        digest: MessageDigest::sha512,
    },
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        kind: KeyKind::Ec,
        digest: MessageDigest::sha256,
    },
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        kind: KeyKind::Ec,
        digest: MessageDigest::sha384,
    },
    Method {
        uri: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        kind: KeyKind::Ec,
        digest: MessageDigest::sha512,
    },
];

/// What a signature signs, and the signature.
pub(super) struct SignedInfo {
    method: &'static Method,
    /// The element with the declarations around it.
    text: String,
    /// The prefixes that its canonical form keeps (Exclusive XML Canonicalization §3).
    prefixes: Vec<String>,
    value: Vec<u8>,
}

impl SignedInfo {
    /// Nothing where the element is longer than any honest one.
    pub(crate) fn new(
        element: &Element,
        method: &'static Method,
        prefixes: Vec<String>,
        value: Vec<u8>,
    ) -> Option<Self> {
        if element.source.is_empty() {
            return None;
        }
        let scope = element.scope.iter().map(|(prefix, uri)| (prefix.as_str(), &**uri));
        let text = xml::in_scope(&element.source, scope);
        Some(Self { method, text, prefixes, value })
    }

    /// The kind of key that makes such a signature.
    pub(crate) fn kind(&self) -> KeyKind {
        self.method.kind
    }

    /// The certificate whose key made the signature.
    pub(crate) fn signer<'a>(&self, certificates: &'a [Certificate]) -> Option<&'a Certificate> {
        let canonical = engine::canonical(&self.text, &self.prefixes)?;
        self.method.signer(&canonical, &self.value, certificates)
    }
}

impl Method {
    /// The one with this URI.
    pub(crate) fn from_uri(uri: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.uri == uri)
    }

    /// The certificate whose key signed these bytes.
    pub(crate) fn signer<'a>(
        &self,
        signed: &[u8],
        value: &[u8],
        certificates: &'a [Certificate],
    ) -> Option<&'a Certificate> {
        let mut fitting = certificates.iter().filter(|certificate| certificate.kind() == self.kind);
        fitting.find(|certificate| self.is_made_by(certificate, signed, value).unwrap_or(false))
    }

    fn is_made_by(
        &self,
        certificate: &Certificate,
        signed: &[u8],
        value: &[u8],
    ) -> Result<bool, openssl::error::ErrorStack> {
        let key = X509::from_der(certificate.der())?.public_key()?;
        let packed;
        let value = match self.kind {
            KeyKind::Rsa => value,
            // Two numbers of one length, one after the other (XML Signature 1.1 §6.4.3), where OpenSSL wants DER.
            KeyKind::Ec => {
                let (r, s) = value.split_at(value.len() / 2);
                let pair = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                packed = pair.to_der()?;
                &packed
            }
        };
        Verifier::new((self.digest)(), &key)?.verify_oneshot(value, signed)
    }
}
