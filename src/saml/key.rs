//! Certificates of identity providers, and our own key: read, made, and never printed.

use std::fmt;

use chrono::TimeDelta;
use openssl::{
    asn1::{Asn1Integer, Asn1Time, Asn1TimeRef},
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    nid::Nid,
    pkey::{Id, PKey, Private},
    rsa::Rsa,
    x509::{X509, X509Builder, X509NameBuilder},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Reason, key_kind::KeyKind};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    secret::Secret,
};

/// Bits of the RSA keys we make: NIST SP 800-57 part 1 rev. 5 §5.6.1 calls that 128 bits of strength.
const OUR_BITS: u32 = 3072;
const LEAST_BITS: u32 = 2048;

/// A certificate that an identity provider signs with. Nothing of it is trusted but the key, and its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    #[serde(skip)]
    der: Vec<u8>,
    #[serde(skip)]
    kind: KeyKind,
    /// The SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads a certificate (RFC 5280) in DER. [`Reason::BadCertificate`]; [`Reason::WeakCertificate`] below 2048
    /// bits of RSA, and for any key but RSA and NIST's curves.
    pub fn from_der(der: &[u8]) -> Result<Self, Reason> {
        let parsed = X509::from_der(der).map_err(|_| Reason::BadCertificate)?;
        let key = parsed.public_key().map_err(|_| Reason::BadCertificate)?;
        let kind = match key.id() {
            Id::RSA if key.bits() >= LEAST_BITS => KeyKind::Rsa,
            Id::EC => {
                let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
                match curve {
                    Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1) => KeyKind::Ec,
                    _ => return Err(Reason::WeakCertificate),
                }
            }
            _ => return Err(Reason::WeakCertificate),
        };
        let not_before = moment(parsed.not_before()).ok_or(Reason::BadCertificate)?;
        let not_after = moment(parsed.not_after()).ok_or(Reason::BadCertificate)?;
        let fingerprint = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { der: der.to_vec(), kind, fingerprint, not_before, not_after })
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What kind of key it holds.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }
}

/// A moment of a certificate, to the second.
fn moment(time: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(Timestamp::from_unix(i64::from(since.days) * 86_400 + i64::from(since.secs)))
}

/// A key of ours with its certificate: signs requests and metadata, opens what is encrypted to us.
#[derive(Clone)]
pub struct ServiceKey {
    private: PKey<Private>,
    certificate: Certificate,
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ServiceKey({})", self.certificate.fingerprint)
    }
}

impl ServiceKey {
    /// Makes an RSA key of 3072 bits and a certificate by itself for it, valid from `now` for `lifetime`. Costs up to
    /// some seconds of a core: not for a thread that answers requests.
    pub fn generate(name: &str, now: Timestamp, lifetime: TimeDelta) -> Result<Self> {
        let private = Rsa::generate(OUR_BITS).and_then(PKey::from_rsa).map_err(Error::internal)?;
        let certificate = self_signed(&private, name, now, now + lifetime).map_err(Error::internal)?;
        Self::of(private, &certificate.to_der().map_err(Error::internal)?)
    }

    /// Reads what [`ServiceKey::private_pem`] and [`ServiceKey::certificate_pem`] wrote, or an operator's own.
    pub fn from_pem(private: &Secret<ServiceKey>, certificate: &str) -> Result<Self> {
        let private = PKey::private_key_from_pem(private.reveal().as_bytes()).map_err(Error::internal)?;
        let certificate = X509::from_pem(certificate.as_bytes()).map_err(Error::internal)?;
        let is_pair = certificate.public_key().map_err(Error::internal)?.public_eq(&private);
        if !is_pair || private.id() != Id::RSA {
            return Err(
                anyhow::anyhow!("the certificate of the SAML key does not belong to an RSA key").into()
            );
        }
        Self::of(private, &certificate.to_der().map_err(Error::internal)?)
    }

    fn of(private: PKey<Private>, certificate: &[u8]) -> Result<Self> {
        let certificate = Certificate::from_der(certificate).map_err(Error::internal)?;
        Ok(Self { private, certificate })
    }

    /// The private key as PEM (PKCS #8), for sealing.
    pub fn private_pem(&self) -> Result<Secret<ServiceKey>> {
        let pem = self.private.private_key_to_pem_pkcs8().map_err(Error::internal)?;
        Ok(Secret::from_text(String::from_utf8(pem).map_err(Error::internal)?))
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> Result<String> {
        let pem = X509::from_der(self.certificate.der()).and_then(|certificate| certificate.to_pem());
        String::from_utf8(pem.map_err(Error::internal)?).map_err(Error::internal)
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) fn private(&self) -> &PKey<Private> {
        &self.private
    }
}

pub(super) fn self_signed(
    key: &PKey<Private>,
    name: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<X509, openssl::error::ErrorStack> {
    // A common name has room for 64 letters (RFC 5280, appendix A.1).
    let short: String = name.chars().take(64).collect();
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_text("CN", &short)?;
    let subject = subject.build();
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut certificate = X509Builder::new()?;
    certificate.set_version(2)?;
    certificate.set_serial_number(&*Asn1Integer::from_bn(&serial)?)?;
    certificate.set_subject_name(&subject)?;
    certificate.set_issuer_name(&subject)?;
    certificate.set_not_before(&*Asn1Time::from_unix(from.unix())?)?;
    certificate.set_not_after(&*Asn1Time::from_unix(until.unix())?)?;
    certificate.set_pubkey(key)?;
    certificate.sign(key, MessageDigest::sha256())?;
    Ok(certificate.build())
}
