//! What tokens are signed with (RFC 7515, RFC 7518): made, written down, used. A key is called by its thumbprint (RFC 7638).

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    secret::Secret,
    text_enum,
};

text_enum! {
    /// How a token is signed.
    SigningAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256: what every application can check.
        Rs256 => "RS256",
        /// ECDSA with P-256 and SHA-256: short, and quick to make.
        Es256 => "ES256",
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

/// A key that signs.
pub(crate) struct SigningKey {
    pair: Pair,
    /// Its public half.
    pub public: PublicKey,
}

/// Its public half, as a JWK (RFC 7517 §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicKey {
    /// Its thumbprint.
    pub kid: String,
    /// How it signs.
    pub alg: SigningAlgorithm,
    #[serde(rename = "use")]
    purpose: String,
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    y: Option<String>,
}

fn broken() -> Error {
    anyhow::anyhow!("a signing key cannot be used").into()
}

impl SigningKey {
    /// A new key. Takes a moment for RSA: not while a connection is held.
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<Self> {
        let pair = match algorithm {
            SigningAlgorithm::Rs256 => {
                Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| broken())?)
            }
            SigningAlgorithm::Es256 => {
                let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Pair::P256(EcdsaKeyPair::generate(alg).map_err(|_| broken())?)
            }
        };
        Self::of(pair)
    }

    fn of(pair: Pair) -> Result<Self> {
        let text = |bytes: &[u8]| Some(BASE64.encode(bytes));
        let (alg, kty, n, e, crv, x, y) = match &pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = text(public.modulus().big_endian_without_leading_zero());
                let e = text(public.exponent().big_endian_without_leading_zero());
                (SigningAlgorithm::Rs256, "RSA", n, e, None, None, None)
            }
            Pair::P256(pair) => {
                // Uncompressed (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let (x, y) =
                    point.get(1..).and_then(|point| point.split_at_checked(32)).ok_or_else(broken)?;
                (SigningAlgorithm::Es256, "EC", None, None, Some("P-256".to_owned()), text(x), text(y))
            }
        };
        let mut public = PublicKey {
            kid: String::new(),
            alg,
            purpose: "sig".to_owned(),
            kty: kty.to_owned(),
            n,
            e,
            crv,
            x,
            y,
        };
        public.kid = public.thumbprint();
        Ok(Self { pair, public })
    }

    /// The private half (PKCS#8), in base64.
    pub(crate) fn private(&self) -> Result<Secret<Self>> {
        let bytes = match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der>::as_der(pair).map_err(|_| broken())?.as_ref().to_vec(),
            Pair::P256(pair) => pair.to_pkcs8v1().map_err(|_| broken())?.as_ref().to_vec(),
        };
        Ok(Secret::from_text(BASE64.encode(bytes)))
    }

    /// The same key again.
    pub(crate) fn from_private(algorithm: SigningAlgorithm, private: &Secret<Self>) -> Result<Self> {
        let bytes = BASE64.decode(private.reveal()).map_err(|_| broken())?;
        Self::of(match algorithm {
            SigningAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(&bytes).map_err(|_| broken())?),
            SigningAlgorithm::Es256 => {
                let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
                Pair::P256(EcdsaKeyPair::from_pkcs8(alg, &bytes).map_err(|_| broken())?)
            }
        })
    }

    /// A token (RFC 7515 §3.1) whose header calls it `kind`.
    pub(crate) fn sign(&self, kind: &str, claims: &impl Serialize) -> Result<String> {
        let header = json!({ "alg": self.public.alg, "kid": self.public.kid, "typ": kind });
        let text =
            format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(serde_json::to_vec(claims)?));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .map_err(|_| broken())?;
                signature
            }
            Pair::P256(pair) => pair.sign(&random, text.as_bytes()).map_err(|_| broken())?.as_ref().to_vec(),
        };
        Ok(format!("{text}.{}", BASE64.encode(signature)))
    }
}

impl PublicKey {
    fn thumbprint(&self) -> String {
        let own = |part: &Option<String>| part.clone().unwrap_or_default();
        // Its members in the order of the alphabet, without blanks (RFC 7638 §3).
        let text = match self.alg {
            SigningAlgorithm::Rs256 => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, own(&self.e), own(&self.n))
            }
            SigningAlgorithm::Es256 => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, own(&self.x), own(&self.y))
            }
        };
        BASE64.encode(Sha256::digest(text))
    }

    /// The claims of a token that this key signed, and that its header calls `kind`; nothing otherwise. What they say is for the
    /// caller to check.
    pub(crate) fn open(&self, token: &str, kind: &str) -> Option<Value> {
        let (text, signature) = token.rsplit_once('.')?;
        let (header, claims) = text.split_once('.')?;
        let header: Value = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        let signature = BASE64.decode(signature).ok()?;
        let is_ours = header["alg"] == self.alg.as_str() && header["kid"] == self.kid.as_str();
        if !is_ours || header["typ"] != kind || header.get("crit").is_some() {
            return None;
        }
        let part = |part: &Option<String>| BASE64.decode(part.as_deref()?).ok();
        match self.alg {
            SigningAlgorithm::Rs256 => {
                let key = RsaPublicKeyComponents { n: part(&self.n)?, e: part(&self.e)? };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature).ok()?;
            }
            SigningAlgorithm::Es256 => {
                let point = [vec![4], part(&self.x)?, part(&self.y)?].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(text.as_bytes(), &signature).ok()?;
            }
        }
        serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
    }

    /// The key that the header of a token names; nothing where it names none.
    pub(crate) fn kid_of(token: &str) -> Option<String> {
        let header = token.split('.').next()?;
        let header: Value = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
        Some(header["kid"].as_str()?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_the_one_of_the_standard() {
        // RFC 7638 §3.1.
        let public = PublicKey {
            kid: String::new(),
            alg: SigningAlgorithm::Rs256,
            purpose: "sig".to_owned(),
            kty: "RSA".to_owned(),
            n: Some(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst\
                 n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
                 pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
                    .to_owned(),
            ),
            e: Some("AQAB".to_owned()),
            crv: None,
            x: None,
            y: None,
        };
        assert_eq!(public.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_signs_survives_being_written_down_and_opens_nothing_else() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::generate(*algorithm).unwrap();
            let again = SigningKey::from_private(*algorithm, &key.private().unwrap()).unwrap();
            assert_eq!(again.public, key.public);
            let token = again.sign("at+jwt", &json!({ "sub": "ada" })).unwrap();
            let public: PublicKey =
                serde_json::from_value(serde_json::to_value(&key.public).unwrap()).unwrap();
            assert_eq!(public.open(&token, "at+jwt").unwrap()["sub"], "ada");
            assert_eq!(PublicKey::kid_of(&token), Some(key.public.kid.clone()));
            let other = SigningKey::generate(*algorithm).unwrap();
            let mut forged = other.public.clone();
            forged.kid = key.public.kid.clone();
            let parts: Vec<&str> = token.split('.').collect();
            let none =
                BASE64.encode(json!({ "alg": "none", "kid": key.public.kid, "typ": "at+jwt" }).to_string());
            assert!(forged.open(&token, "at+jwt").is_none(), "another key");
            assert!(public.open(&token, "JWT").is_none(), "another kind");
            assert!(public.open(&format!("{none}.{}.", parts[1]), "at+jwt").is_none(), "no signature");
            let claims = BASE64.encode(json!({ "sub": "eve" }).to_string());
            assert!(public.open(&format!("{}.{claims}.{}", parts[0], parts[2]), "at+jwt").is_none());
            for text in ["", ".", "..", "a.b.c", &token[1..]] {
                assert!(public.open(text, "at+jwt").is_none(), "{text}");
            }
        }
    }
}
