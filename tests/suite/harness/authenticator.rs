//! A passkey in software: what a phone and its browser do together, and what they would do if somebody bent them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vestibule::secret;

use super::TestApp;

/// One passkey.
#[derive(Clone)]
pub struct Authenticator {
    key: SigningKey,
    id: Vec<u8>,
    user: Vec<u8>,
    /// Where its browser says that it is.
    pub origin: String,
    /// The last that it counted; a passkey that does not count stays at 0.
    pub counter: u32,
    pub counts: bool,
    /// Whether it makes sure who holds it.
    pub verifies: bool,
    /// Whether a password manager has copied it elsewhere.
    pub is_synced: bool,
    /// Whether it says whose it is.
    pub names_user: bool,
}

impl Authenticator {
    pub fn new(app: &TestApp) -> Self {
        Self {
            key: SigningKey::from_slice(&random(32)).unwrap(),
            id: random(32),
            user: Vec::new(),
            origin: app.base_url.clone(),
            counter: 0,
            counts: true,
            verifies: true,
            is_synced: false,
            names_user: true,
        }
    }

    /// How it is called.
    pub fn id(&self) -> String {
        BASE64.encode(&self.id)
    }

    /// Answers `navigator.credentials.create` as JSON.
    pub fn create(&mut self, options: &Value) -> Value {
        self.user = BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
        let mut auth_data = self.auth_data(options["rp"]["id"].as_str().unwrap(), 0x40);
        auth_data.extend([0; 16]);
        auth_data.extend((self.id.len() as u16).to_be_bytes());
        auth_data.extend(&self.id);
        auth_data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": bytes}
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        attestation.extend((auth_data.len() as u16).to_be_bytes());
        attestation.extend(auth_data);
        json!({
            "id": self.id(), "rawId": self.id(), "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": { "credProps": { "rk": true } },
            "response": {
                "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", options)),
                "attestationObject": BASE64.encode(attestation),
                "transports": ["internal", "hybrid"],
                "publicKeyAlgorithm": -7,
            },
        })
    }

    /// Answers `navigator.credentials.get` as JSON.
    pub fn get(&mut self, options: &Value) -> Value {
        if self.counts {
            self.counter += 1;
        }
        let auth_data = self.auth_data(options["rpId"].as_str().unwrap(), 0);
        let client_data = self.client_data("webauthn.get", options);
        let signed = [auth_data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature: Signature = self.key.sign(&signed);
        let mut response = json!({
            "clientDataJSON": BASE64.encode(client_data),
            "authenticatorData": BASE64.encode(auth_data),
            "signature": BASE64.encode(signature.to_der().as_bytes()),
        });
        if self.names_user {
            response["userHandle"] = BASE64.encode(&self.user).into();
        }
        json!({
            "id": self.id(), "rawId": self.id(), "type": "public-key", "authenticatorAttachment": "platform",
            "clientExtensionResults": {}, "response": response,
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let told = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false,
        });
        told.to_string().into_bytes()
    }

    /// WebAuthn §6.1.
    fn auth_data(&self, rp_id: &str, more: u8) -> Vec<u8> {
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let flags = 0x01 | flag(self.verifies, 0x04) | 0x08 | flag(self.is_synced, 0x10) | more;
        let mut data = Sha256::digest(rp_id).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let mut key = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".to_vec();
        key.extend(point.x().unwrap());
        key.extend(b"\x22\x58\x20");
        key.extend(point.y().unwrap());
        key
    }
}

fn random(bytes: usize) -> Vec<u8> {
    BASE64.decode(secret::random_text(bytes).unwrap()).unwrap()
}
