//! Encrypted assertions (saml-core §2.3.4, XML Encryption 1.1): AES-128 and AES-256 in CBC and GCM, the key by
//! RSA-OAEP only.
//!
//! samael knows only the shorter keys, takes PKCS#1 v1.5 and panics at short texts, so this is done here. CBC proves
//! nothing about who wrote a text; whatever comes out is only believed once its signature was verified, and whoever
//! presented it must not learn whether it failed before or after that.

use base64::prelude::{BASE64_STANDARD, Engine};
use openssl::{
    encrypt::Decrypter,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Padding,
    symm::{self, Cipher, Crypter, Mode},
};

use super::{
    DSIG, ENCRYPTION, ENCRYPTION_11, Reason,
    key::ServiceKey,
    limits,
    xml::{self, Element},
};

/// Keys for as many recipients are tried, no more.
const MAX_KEYS: usize = 4;

/// An encrypted assertion whose algorithms are all ones we use.
#[derive(Debug)]
pub(super) struct EncryptedAssertion {
    method: Method,
    text: Vec<u8>,
    keys: Vec<EncryptedKey>,
    /// Declarations that the text inside may lean on.
    scope: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Method {
    uri: &'static str,
    key_length: usize,
    is_gcm: bool,
}

const METHODS: [Method; 4] = [
    Method { uri: "http://www.w3.org/2001/04/xmlenc#aes128-cbc", key_length: 16, is_gcm: false },
    Method { uri: "http://www.w3.org/2001/04/xmlenc#aes256-cbc", key_length: 32, is_gcm: false },
    Method { uri: "http://www.w3.org/2009/xmlenc11#aes128-gcm", key_length: 16, is_gcm: true },
    Method { uri: "http://www.w3.org/2009/xmlenc11#aes256-gcm", key_length: 32, is_gcm: true },
];

/// The methods in the order we like them, for our metadata.
pub(super) const PREFERRED: [&str; 6] = [
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
    OAEP,
    OAEP_11,
];

const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

/// A content key, encrypted to somebody.
#[derive(Debug)]
struct EncryptedKey {
    text: Vec<u8>,
    digest: Hash,
    mask: Hash,
}

/// A hash inside OAEP, where SHA-1 is the usual one and does no harm: nothing there rests on collisions.
#[derive(Debug, Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn digest(self) -> MessageDigest {
        match self {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        }
    }
}

/// Holds an `EncryptedAssertion`, or an `EncryptedID`, against what we can open, without opening it.
pub(super) fn parse(element: &Element) -> Result<EncryptedAssertion, Reason> {
    let data = element.only(ENCRYPTION, "EncryptedData").ok_or(Reason::EncryptionShape)?;
    let method = data.only(ENCRYPTION, "EncryptionMethod").and_then(|method| method.attribute("Algorithm"));
    let method =
        METHODS.into_iter().find(|known| Some(known.uri) == method).ok_or(Reason::EncryptionAlgorithm)?;
    // Beside the data or in its KeyInfo: both are used (saml-core §2.3.4, saml-core errata E43).
    let inside = data.only(DSIG, "KeyInfo");
    let inside = inside.iter().flat_map(|info| info.children(ENCRYPTION, "EncryptedKey"));
    let keys: Vec<&Element> = inside.chain(element.children(ENCRYPTION, "EncryptedKey")).collect();
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(Reason::EncryptionShape);
    }
    Ok(EncryptedAssertion {
        method,
        text: cipher_value(data)?,
        keys: keys.into_iter().map(encrypted_key).collect::<Result<_, _>>()?,
        scope: element.scope.iter().map(|(prefix, uri)| (prefix.clone(), uri.to_string())).collect(),
    })
}

fn encrypted_key(key: &Element) -> Result<EncryptedKey, Reason> {
    let method = key.only(ENCRYPTION, "EncryptionMethod").ok_or(Reason::EncryptionShape)?;
    if method.children(ENCRYPTION, "OAEPparams").any(|label| !label.whole_text().is_empty()) {
        return Err(Reason::KeyTransport);
    }
    let digest = method.only(DSIG, "DigestMethod").and_then(|digest| digest.attribute("Algorithm"));
    let digest = match digest {
        None | Some("http://www.w3.org/2000/09/xmldsig#sha1") => Hash::Sha1,
        Some("http://www.w3.org/2001/04/xmlenc#sha256") => Hash::Sha256,
        Some("http://www.w3.org/2001/04/xmldsig-more#sha384") => Hash::Sha384,
        Some("http://www.w3.org/2001/04/xmlenc#sha512") => Hash::Sha512,
        Some(_) => return Err(Reason::KeyTransport),
    };
    let mask = method.only(ENCRYPTION_11, "MGF").and_then(|mask| mask.attribute("Algorithm"));
    let mask = match (method.attribute("Algorithm"), mask) {
        (Some(OAEP), _) => Hash::Sha1,
        (Some(OAEP_11), None | Some("http://www.w3.org/2009/xmlenc11#mgf1sha1")) => Hash::Sha1,
        (Some(OAEP_11), Some("http://www.w3.org/2009/xmlenc11#mgf1sha256")) => Hash::Sha256,
        (Some(OAEP_11), Some("http://www.w3.org/2009/xmlenc11#mgf1sha384")) => Hash::Sha384,
        (Some(OAEP_11), Some("http://www.w3.org/2009/xmlenc11#mgf1sha512")) => Hash::Sha512,
        _ => return Err(Reason::KeyTransport),
    };
    Ok(EncryptedKey { text: cipher_value(key)?, digest, mask })
}

fn cipher_value(element: &Element) -> Result<Vec<u8>, Reason> {
    let data = element.only(ENCRYPTION, "CipherData").ok_or(Reason::EncryptionShape)?;
    let value =
        data.only(ENCRYPTION, "CipherValue").and_then(Element::text).ok_or(Reason::EncryptionShape)?;
    let packed: String = value.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(packed).map_err(|_| Reason::EncryptionShape)
}

impl EncryptedAssertion {
    /// Opens it with the first of our keys that fits; what comes out is as good as its signature.
    pub(crate) fn open(&self, ours: &[ServiceKey]) -> Result<String, Reason> {
        if ours.is_empty() {
            return Err(Reason::NoDecryptionKey);
        }
        let pairs = self.keys.iter().flat_map(|key| ours.iter().map(move |ours| (key, ours)));
        let mut opened = pairs.filter_map(|(key, ours)| {
            let content_key = key.open(ours.private())?;
            let text = self.method.open(&content_key, &self.text)?;
            String::from_utf8(text).ok()
        });
        let text = opened.next().ok_or(Reason::Undecryptable)?;
        Ok(self.in_scope(text))
    }

    /// Adds the declarations that the text was cut out of and leans on (XML Encryption §4.3.4): only where it cannot
    /// be read without, since a declaration too many can break its signature.
    fn in_scope(&self, text: String) -> String {
        if limits::read(&text).err() != Some(Reason::Malformed) {
            return text;
        }
        xml::in_scope(&text, self.scope.iter().map(|(prefix, uri)| (prefix.as_str(), uri.as_str())))
    }
}

impl EncryptedKey {
    fn open(&self, ours: &PKey<Private>) -> Option<Vec<u8>> {
        let mut decrypter = Decrypter::new(ours).ok()?;
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP).ok()?;
        decrypter.set_rsa_oaep_md(self.digest.digest()).ok()?;
        decrypter.set_rsa_mgf1_md(self.mask.digest()).ok()?;
        let mut key = vec![0; decrypter.decrypt_len(&self.text).ok()?];
        let length = decrypter.decrypt(&self.text, &mut key).ok()?;
        key.truncate(length);
        Some(key)
    }
}

impl Method {
    fn open(&self, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        if key.len() != self.key_length {
            return None;
        }
        match (self.is_gcm, self.key_length) {
            (true, 16) => open_gcm(Cipher::aes_128_gcm(), key, sealed),
            (true, _) => open_gcm(Cipher::aes_256_gcm(), key, sealed),
            (false, 16) => open_cbc(Cipher::aes_128_cbc(), key, sealed),
            (false, _) => open_cbc(Cipher::aes_256_cbc(), key, sealed),
        }
    }
}

/// XML Encryption 1.1 §5.2.4: 96 bits of nonce first, 128 bits of tag last.
fn open_gcm(cipher: Cipher, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_at_checked(12)?;
    let (text, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
    symm::decrypt_aead(cipher, key, Some(nonce), &[], text, tag).ok()
}

/// XML Encryption §5.2.2: the vector first, and padding whose last byte counts it and whose others say nothing.
fn open_cbc(cipher: Cipher, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (vector, text) = sealed.split_at_checked(16)?;
    if text.is_empty() || !text.len().is_multiple_of(16) {
        return None;
    }
    let mut crypter = Crypter::new(cipher, Mode::Decrypt, key, Some(vector)).ok()?;
    crypter.pad(false);
    let mut opened = vec![0; text.len() + 16];
    let mut length = crypter.update(text, &mut opened).ok()?;
    length += crypter.finalize(opened.get_mut(length..)?).ok()?;
    opened.truncate(length);
    let padding = usize::from(*opened.last()?);
    if !(1..=16).contains(&padding) {
        return None;
    }
    opened.truncate(length.checked_sub(padding)?);
    Some(opened)
}
