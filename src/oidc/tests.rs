//! A provider of the tests': its keys, its metadata, and tokens that it signs, honest and not.

use std::sync::OnceLock;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use jsonwebtoken::{Algorithm, EncodingKey};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
};
use serde_json::{Value, json};

use super::*;
use crate::clock::Timestamp;

pub(super) const ISSUER: &str = "https://id.example";
pub(super) const CLIENT: &str = "client one";
pub(super) const NONCE: &str = "n-0S6_WzA2Mj";

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix(1_795_269_900)
}

/// A key with its public half as a JWK.
pub(super) struct Signer {
    pub algorithm: Algorithm,
    pub key: EncodingKey,
    pub jwk: Value,
}

impl Signer {
    pub(super) fn rsa(kid: &str, bits: u32) -> Self {
        let key = Rsa::generate(bits).unwrap();
        let (n, e) = (BASE64.encode(key.n().to_vec()), BASE64.encode(key.e().to_vec()));
        Self {
            algorithm: Algorithm::RS256,
            key: EncodingKey::from_rsa_der(&key.private_key_to_der().unwrap()),
            jwk: json!({"kty": "RSA", "kid": kid, "use": "sig", "n": n, "e": e}),
        }
    }

    pub(super) fn ec(kid: &str, curve: Nid, name: &str, algorithm: Algorithm) -> Self {
        let group = EcGroup::from_curve_name(curve).unwrap();
        let key = EcKey::generate(&group).unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).unwrap();
        let length = (group.degree() as i32 + 7) / 8;
        let [x, y] = [x, y].map(|number| BASE64.encode(number.to_vec_padded(length).unwrap()));
        let der = PKey::from_ec_key(key).unwrap().private_key_to_pkcs8().unwrap();
        Self {
            algorithm,
            key: EncodingKey::from_ec_der(&der),
            jwk: json!({"kty": "EC", "crv": name, "kid": kid, "x": x, "y": y}),
        }
    }

    fn ed(kid: &str) -> Self {
        let key = PKey::generate_ed25519().unwrap();
        let x = BASE64.encode(key.raw_public_key().unwrap());
        Self {
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&key.private_key_to_pkcs8().unwrap()),
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x}),
        }
    }

    /// The same key, signing otherwise.
    pub(super) fn by(&self, algorithm: Algorithm) -> Self {
        Self { algorithm, key: self.key.clone(), jwk: self.jwk.clone() }
    }

    pub(super) fn header(&self) -> Value {
        json!({"alg": format!("{:?}", self.algorithm), "kid": self.jwk["kid"], "typ": "JWT"})
    }

    /// Signs what is given, whatever it is.
    pub(super) fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }
}

/// A provider with a key of every kind.
pub(super) struct Provider {
    pub rsa: Signer,
    pub p256: Signer,
    pub p384: Signer,
    pub ed: Signer,
    /// Nobody's.
    pub stranger: Signer,
    pub metadata: ProviderMetadata,
    pub keys: KeySet,
}

pub(super) fn provider() -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let (rsa, stranger) = (Signer::rsa("rsa", 2048), Signer::rsa("rsa", 2048));
        let p256 = Signer::ec("p256", Nid::X9_62_PRIME256V1, "P-256", Algorithm::ES256);
        let p384 = Signer::ec("p384", Nid::SECP384R1, "P-384", Algorithm::ES384);
        let ed = Signer::ed("ed");
        let keys = key_set(&[&rsa, &p256, &p384, &ed].map(|signer| signer.jwk.clone()));
        let metadata = read_metadata(&document().to_string(), ISSUER, Transport::Tls).unwrap();
        Provider { rsa, p256, p384, ed, stranger, metadata, keys }
    })
}

pub(super) fn key_set(keys: &[Value]) -> KeySet {
    read_keys(&json!({"keys": keys}).to_string()).unwrap()
}

/// Its metadata.
pub(super) fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example/authorize",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://id.example/keys",
        "userinfo_endpoint": "https://id.example/userinfo",
        "id_token_signing_alg_values_supported":
            ["none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "ES512"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["sub", "auth_time"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// What an honest ID token says.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "ada", "nonce": NONCE, "email": "ada@example.com", "sid": "s1",
        "iat": now().unix(), "exp": now().unix() + 300, "auth_time": now().unix(),
    })
}

/// A value with members changed; null takes one out.
pub(super) fn with(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
            change => value[name] = change.clone(),
        }
    }
    value
}

/// Texts that differ from an honest one in a few bytes, the same each time.
pub(super) fn bent(honest: &str, count: usize) -> impl Iterator<Item = String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let honest = honest.as_bytes().to_vec();
    (0..count).map(move |_| {
        let mut bytes = honest.clone();
        for _ in 0..=random(3) {
            if bytes.is_empty() {
                break;
            }
            let place = random(bytes.len());
            match random(4) {
                0 => bytes[place] = u8::try_from(random(256)).unwrap(),
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, b"{}[]\",:.=\\0e-_\xff"[random(15)]),
                _ => bytes.truncate(place + 1),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[test]
fn every_reason_has_a_name_and_a_sentence_of_its_own() {
    let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let sentences: std::collections::BTreeSet<_> =
        Reason::ALL.iter().map(|reason| reason.sentence()).collect();
    assert_eq!((codes.len(), sentences.len()), (Reason::ALL.len(), Reason::ALL.len()));
    for reason in Reason::ALL {
        assert!(reason.sentence().ends_with('.'), "{reason}");
        assert!(reason.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{reason}");
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
    }
}

#[test]
fn odd_bytes_are_refused_and_nothing_panics() {
    let provider = provider();
    let keys = json!({"keys": [provider.rsa.jwk, provider.p256.jwk, provider.ed.jwk]}).to_string();
    for text in bent(&document().to_string(), 3_000) {
        let _ = read_metadata(&text, ISSUER, Transport::Tls).map_err(|refusal| refusal.sentence());
    }
    for text in bent(&keys, 3_000) {
        if let Ok(keys) = read_keys(&text) {
            let _ = keys.key_for(Some("rsa"), Algorithm::RS256);
        }
    }
    let user = r#"{"id": 7, "login": "ada", "name": null}"#;
    for text in bent(user, 1_000) {
        let _ = (github::read_user(&text, "[]"), apple::name(&text));
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----");
        let _ = apple::AppleKey::read(&pem);
        let _ = read_userinfo(200, Some("application/json"), &text, "ada");
        let _ = read_token_response(200, None, &text).map_err(|refusal| refusal.sentence());
        let _ = read_token_response(200, Some("application/x-www-form-urlencoded"), &text);
        let _ = (read_issuer(&text, Transport::Plain), metadata_url(&text));
    }
}
