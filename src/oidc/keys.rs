//! The keys of a provider (RFC 7517), and the one that a token was signed with.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::{
    Reason,
    discovery::{algorithm, read_document},
};

const MAX_KEYS: usize = 100;
// NIST SP 800-131A rev. 2 §3 asks for so many; aws-lc takes no more.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys of a provider that can be used here.
#[derive(Debug, Clone)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    kid: Option<String>,
    family: Family,
    algorithm: Option<Algorithm>,
    // What it is made of, to tell it from others.
    material: Vec<u8>,
    decoding: DecodingKey,
}

/// What kind of key it is, and so what it can have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Family {
    fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => Some(Family::Rsa),
            Algorithm::ES256 => Some(Family::P256),
            Algorithm::ES384 => Some(Family::P384),
            Algorithm::EdDSA => Some(Family::Ed25519),
            _ => None,
        }
    }
}

/// Reads the document at `jwks_uri`: `{"keys": […]}`. Keys that are not for signatures, too weak or of an unknown kind are
/// left out (RFC 7517 §5), and so are private ones, which everybody knows by now. [`Reason::NoUsableKey`] where none is left.
pub(crate) fn read_keys(text: &str) -> Result<KeySet, Reason> {
    let document = read_document(text, Reason::NotKeys)?;
    let listed = document.get("keys").and_then(Value::as_array).ok_or(Reason::NotKeys)?;
    if listed.len() > MAX_KEYS {
        return Err(Reason::TooLarge);
    }
    let keys: Vec<_> = listed.iter().filter_map(Value::as_object).filter_map(read_key).collect();
    if keys.is_empty() { Err(Reason::NoUsableKey) } else { Ok(KeySet(keys)) }
}

fn read_key(key: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| BASE64.decode(text(name)?.trim_end_matches('=')).ok();
    if key.contains_key("d") || key.get("use").is_some_and(|purpose| purpose == "enc") {
        return None;
    }
    let operations = key.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|operations| !operations.iter().any(|operation| operation == "verify")) {
        return None;
    }
    let algorithm = match key.get("alg") {
        None | Some(Value::Null) => None,
        Some(name) => Some(algorithm(name.as_str()?)?),
    };
    let (family, material, decoding) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (modulus, exponent) = (without_zeros(bytes("n")?), without_zeros(bytes("e")?));
            let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
            if !RSA_BITS.contains(&bits) {
                return None;
            }
            let decoding = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            (Family::Rsa, [modulus, exponent].concat(), decoding)
        }
        ("EC", Some(curve)) => {
            let (family, length) = match curve {
                "P-256" => (Family::P256, 32),
                "P-384" => (Family::P384, 48),
                _ => return None,
            };
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != length || y.len() != length {
                return None;
            }
            let point = [&[4][..], &x, &y].concat();
            (family, point.clone(), DecodingKey::from_ec_der(&point))
        }
        ("OKP", Some("Ed25519")) => {
            let point = bytes("x").filter(|point| point.len() == 32)?;
            (Family::Ed25519, point.clone(), DecodingKey::from_ed_der(&point))
        }
        _ => return None,
    };
    // One for another kind of key would never fit.
    if algorithm.is_some_and(|algorithm| Family::of(algorithm) != Some(family)) {
        return None;
    }
    Some(Key { kid: text("kid").map(str::to_owned), family, algorithm, material, decoding })
}

/// Some write a number with a zero before it, as ASN.1 would have it.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

impl KeySet {
    /// The one key that fits the header of a token. [`Reason::UnknownKey`] where none does, and where two different ones do:
    /// then nobody can say which of them the provider meant.
    pub(super) fn key_for(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, Reason> {
        let mut fitting = self.0.iter().filter(|key| {
            (kid.is_none() || kid == key.kid.as_deref())
                && Some(key.family) == Family::of(algorithm)
                && key.algorithm.is_none_or(|only| only == algorithm)
        });
        let key = fitting.next().ok_or(Reason::UnknownKey)?;
        if fitting.any(|other| other.material != key.material) {
            return Err(Reason::UnknownKey);
        }
        Ok(&key.decoding)
    }
}

#[cfg(test)]
mod tests;
