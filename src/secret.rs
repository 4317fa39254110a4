//! Secrets: random text, digests, keys derived from the secret key, sealing with key ids.
//!
//! Every key is derived by HKDF-SHA-256 (RFC 5869) from `SECRET_KEY`; sealing is XChaCha20-Poly1305 with a
//! random nonce. A sealed text names the key that made it, so an older key opens what it sealed until
//! `SECRET_KEY_PREVIOUS` drops it, and a newer one that `SECRET_KEY_NEXT` announces opens what other nodes seal already.

use std::{fmt, marker::PhantomData};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use chacha20poly1305::{
    Key as CipherKey, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};

/// A secret that does not print: no `Display`, no `Serialize`; `T` says what it opens.
#[derive(Deserialize)]
#[serde(transparent, bound = "")]
pub struct Secret<T>(String, #[serde(skip)] PhantomData<fn() -> T>);

impl<T> Secret<T> {
    /// 256 random bits, as text that fits in a URL and a cookie.
    pub(crate) fn random() -> Result<Self> {
        Ok(Self(random_text(32)?, PhantomData))
    }

    /// A secret that somebody presents.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into(), PhantomData)
    }

    /// The secret itself. The word to search for in a review.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored instead of the secret.
    pub(crate) fn digest(&self) -> String {
        digest(&self.0)
    }
}

impl<T> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> Default for Secret<T> {
    fn default() -> Self {
        Self(String::new(), PhantomData)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl<T> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// `bytes` random bytes from the operating system, as base64url.
pub fn random_text(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(Error::internal)?;
    Ok(BASE64.encode(buffer))
}

/// The SHA-256 of a random secret, as base64url: enough for 256 random bits, not for passwords.
pub fn digest(secret: &str) -> String {
    BASE64.encode(Sha256::digest(secret))
}

/// Whether a key is long enough to be one: at least 32 bytes.
pub(crate) fn is_strong_key(text: &str) -> bool {
    text.trim().len() >= 32
}

/// What a key is for, by the setting that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `SECRET_KEY`: it makes everything.
    Current,
    /// `SECRET_KEY_NEXT`: other nodes may make things with it already.
    Next,
    /// `SECRET_KEY_PREVIOUS`: it opens what it made before.
    Previous,
}

impl Role {
    /// The name of the setting.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Role::Current => "SECRET_KEY",
            Role::Next => "SECRET_KEY_NEXT",
            Role::Previous => "SECRET_KEY_PREVIOUS",
        }
    }
}

/// One secret key and what is derived from it.
#[derive(Clone)]
struct Key {
    role: Role,
    id: String,
    seal: Zeroizing<[u8; 32]>,
    pepper: Zeroizing<[u8; 32]>,
    lookup: Zeroizing<[u8; 32]>,
}

/// The configured keys: the current one makes everything, the next and the previous ones only open.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Derives the keys from the current secret and the ones before it.
    pub fn derive(current: &str, previous: &[String]) -> Result<Self> {
        let mut keys = Self(Vec::new());
        keys.add(Role::Current, current)?;
        previous.iter().try_for_each(|text| keys.add(Role::Previous, text))?;
        Ok(keys)
    }

    /// Adds the keys that are announced: they open what other nodes make with them, and are no older than the current one.
    pub(crate) fn with_next(mut self, next: &[String]) -> Result<Self> {
        next.iter().try_for_each(|text| self.add(Role::Next, text))?;
        Ok(self)
    }

    /// A key that is named twice is what it was named first.
    fn add(&mut self, role: Role, text: &str) -> Result<()> {
        let key = Key::derive(role, text.trim().as_bytes())?;
        if !self.0.iter().any(|known| known.id == key.id) {
            self.0.push(key);
        }
        Ok(())
    }

    /// The configured keys: what each is for, and its fingerprint. The current one comes first.
    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = (Role, &str)> {
        self.0.iter().map(|key| (key.role, key.id.as_str()))
    }

    /// The id of the key that makes things now.
    pub fn current_id(&self) -> &str {
        self.0.first().map_or("", |key| key.id.as_str())
    }

    /// Encrypts `text` for `purpose`: `keyid.base64url(nonce ‖ ciphertext)`.
    pub(crate) fn seal(&self, purpose: &str, text: &str) -> Result<String> {
        let key = self.0.first().ok_or_else(|| anyhow::anyhow!("there is no key"))?;
        let mut nonce = XNonce::default();
        getrandom::fill(&mut nonce).map_err(Error::internal)?;
        let payload = Payload { msg: text.as_bytes(), aad: purpose.as_bytes() };
        let sealed = key.cipher().encrypt(&nonce, payload).map_err(|_| anyhow::anyhow!("sealing failed"))?;
        Ok(format!("{}.{}", key.id, BASE64.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Whether the key called `id` is a previous one, so that what it made is to be made anew. Never the next one: a node
    /// that has it announced leaves alone what another node has moved to it.
    pub(crate) fn is_previous(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id == id && key.role == Role::Previous)
    }

    /// Whether a previous key sealed this.
    pub(crate) fn is_outdated(&self, sealed: &str) -> bool {
        sealed.split_once('.').is_some_and(|(id, _)| self.is_previous(id))
    }

    /// Opens what [`Keys::seal`] made for the same purpose; anything else is an error, never garbage.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Result<String> {
        let broken = || anyhow::anyhow!("sealed text for {purpose} does not open");
        let (id, body) = sealed.split_once('.').ok_or_else(broken)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(broken)?;
        let body = BASE64.decode(body).map_err(|_| broken())?;
        let (nonce, text) = body.split_at_checked(24).ok_or_else(broken)?;
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let text = key.cipher().decrypt(XNonce::from_slice(nonce), payload).map_err(|_| broken())?;
        String::from_utf8(text).map_err(|_| broken().into())
    }

    /// The keyed SHA-256 of a password by the key called `id`, as base64: 44 characters, no NUL, so bcrypt
    /// cuts nothing off, and a stolen table alone cannot be guessed at. `None` for a key that is gone.
    pub(crate) fn pepper(&self, id: &str, password: &str) -> Option<Zeroizing<String>> {
        let key = self.0.iter().find(|key| key.id == id)?;
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.pepper.as_slice()).ok()?;
        mac.update(password.as_bytes());
        Some(Zeroizing::new(BASE64.encode(mac.finalize().into_bytes())))
    }

    /// The keyed SHA-256 of a short secret under which its row is found, `keyid:base64url`, by each key: the current one
    /// first, which is the one to store. A stolen table alone cannot be guessed at.
    pub(crate) fn lookups(&self, purpose: &str, text: &str) -> Result<Vec<String>> {
        self.0.iter().map(|key| key.lookup(purpose, text)).collect()
    }
}

impl Key {
    fn derive(role: Role, secret: &[u8]) -> Result<Self> {
        let source = Hkdf::<Sha256>::new(Some(b"vestibule"), secret);
        let mut id = [0; 4];
        let mut key = Self {
            role,
            id: String::new(),
            seal: Zeroizing::new([0; 32]),
            pepper: Zeroizing::new([0; 32]),
            lookup: Zeroizing::new([0; 32]),
        };
        let outputs: [(&[u8], &mut [u8]); 4] = [
            (b"id", &mut id),
            (b"seal", key.seal.as_mut_slice()),
            (b"password", key.pepper.as_mut_slice()),
            (b"lookup", key.lookup.as_mut_slice()),
        ];
        for (label, output) in outputs {
            source.expand(label, output).map_err(|_| anyhow::anyhow!("key derivation failed"))?;
        }
        key.id = format!("{:08x}", u32::from_be_bytes(id));
        Ok(key)
    }

    fn lookup(&self, purpose: &str, text: &str) -> Result<String> {
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.lookup.as_slice()).map_err(Error::internal)?;
        // Neither holds a NUL, so no two pairs meet.
        mac.update(format!("{purpose}\0{text}").as_bytes());
        Ok(format!("{}:{}", self.id, BASE64.encode(mac.finalize().into_bytes())))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(CipherKey::from_slice(self.seal.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old key that is long enough to be one";
    const NEW: &str = "a new key that is also long enough to be one";

    #[test]
    fn an_older_key_still_opens_what_it_sealed() {
        let old = Keys::derive(OLD, &[]).unwrap();
        let sealed = old.seal("letter", "hello").unwrap();
        let both = Keys::derive(NEW, &[OLD.to_owned()]).unwrap();
        assert_eq!(both.open("letter", &sealed).unwrap(), "hello");
        assert!(!old.is_outdated(&sealed) && both.is_outdated(&sealed));
        assert_ne!(both.current_id(), old.current_id());
        assert!(Keys::derive(NEW, &[]).unwrap().open("letter", &sealed).is_err());
    }

    #[test]
    fn an_announced_key_opens_what_another_node_sealed_and_is_not_outdated() {
        let swapped = Keys::derive(NEW, &[OLD.to_owned()]).unwrap();
        let sealed = swapped.seal("letter", "hello").unwrap();
        let announced = Keys::derive(OLD, &[]).unwrap().with_next(&[NEW.to_owned()]).unwrap();
        assert_eq!(announced.open("letter", &sealed).unwrap(), "hello");
        assert!(!announced.is_outdated(&sealed), "it would be moved back");
        let left_over = swapped.clone().with_next(&[NEW.to_owned()]).unwrap();
        let fingerprints = |keys: &Keys| keys.fingerprints().map(|(_, id)| id.to_owned()).collect::<Vec<_>>();
        assert_eq!(fingerprints(&left_over), fingerprints(&swapped), "a key that is named twice is one key");
    }

    #[test]
    fn a_changed_byte_or_another_purpose_opens_nothing() {
        let keys = Keys::derive(OLD, &[]).unwrap();
        let sealed = keys.seal("letter", "hello").unwrap();
        assert!(keys.open("totp", &sealed).is_err());
        let mut bytes = sealed.clone().into_bytes();
        let last = bytes.len() - 1;
        bytes[last] = if bytes[last] == b'A' { b'B' } else { b'A' };
        assert!(keys.open("letter", &String::from_utf8(bytes).unwrap()).is_err());
        assert!(keys.open("letter", "").is_err());
    }

    #[test]
    fn sealing_twice_gives_two_texts() {
        let keys = Keys::derive(OLD, &[]).unwrap();
        assert_ne!(keys.seal("letter", "hello").unwrap(), keys.seal("letter", "hello").unwrap());
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::<()>::random().unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.reveal().len(), 43);
    }

    #[test]
    fn a_short_secret_is_found_again_after_the_key_changed() {
        let old = Keys::derive(OLD, &[]).unwrap().lookups("code", "abc").unwrap();
        let both = Keys::derive(NEW, &[OLD.to_owned()]).unwrap().lookups("code", "abc").unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both[1], old[0]);
        assert_ne!(Keys::derive(OLD, &[]).unwrap().lookups("other", "abc").unwrap(), old);
    }

    #[test]
    fn every_byte_of_a_password_counts() {
        let keys = Keys::derive(OLD, &[]).unwrap();
        let long = "x".repeat(200);
        let id = keys.current_id().to_owned();
        assert_ne!(keys.pepper(&id, &long), keys.pepper(&id, &format!("{long}y")));
        assert_ne!(keys.pepper(&id, "a\0b"), keys.pepper(&id, "a\0c"));
        assert_eq!(keys.pepper(&id, &long).unwrap().len(), 43);
        assert!(keys.pepper("gone", &long).is_none());
    }
}
