//! The forger's envelopes: encrypted assertions, good and bad.

use base64::prelude::{BASE64_STANDARD, Engine};
use openssl::{
    encrypt::Encrypter,
    hash::MessageDigest,
    rsa::Padding,
    symm::{self, Cipher},
    x509::X509,
};
use vestibule::saml;

use super::forger::{ASSERTION, DSIG, OAEP, XENC};

/// How a thing is encrypted.
#[derive(Clone)]
pub struct Envelope {
    pub method: String,
    pub cipher: Cipher,
    pub transport: String,
    /// What lies in the method of the key.
    pub transport_details: String,
    pub padding: Padding,
    pub digest: MessageDigest,
    pub mask: MessageDigest,
}

impl Envelope {
    pub fn new(method: &str, cipher: Cipher) -> Self {
        Self {
            method: method.to_owned(),
            cipher,
            transport: OAEP.to_owned(),
            transport_details: String::new(),
            padding: Padding::PKCS1_OAEP,
            digest: MessageDigest::sha1(),
            mask: MessageDigest::sha1(),
        }
    }

    /// An `EncryptedAssertion` for the holder of a certificate.
    pub fn around(&self, text: &str, recipient: &saml::Certificate) -> String {
        let mut content_key = vec![0; self.cipher.key_len()];
        getrandom::fill(&mut content_key).unwrap();
        let public = X509::from_der(recipient.der()).unwrap().public_key().unwrap();
        let mut encrypter = Encrypter::new(&public).unwrap();
        encrypter.set_rsa_padding(self.padding).unwrap();
        if self.padding == Padding::PKCS1_OAEP {
            encrypter.set_rsa_oaep_md(self.digest).unwrap();
            encrypter.set_rsa_mgf1_md(self.mask).unwrap();
        }
        let mut key = vec![0; encrypter.encrypt_len(&content_key).unwrap()];
        let length = encrypter.encrypt(&content_key, &mut key).unwrap();
        key.truncate(length);
        self.wrapped(&self.encrypted(text.as_bytes(), &content_key), &key)
    }

    pub fn encrypted(&self, text: &[u8], content_key: &[u8]) -> Vec<u8> {
        let mut vector = vec![0; self.cipher.iv_len().unwrap()];
        getrandom::fill(&mut vector).unwrap();
        match self.cipher.block_size() {
            1 => {
                let mut tag = [0; 16];
                let sealed =
                    symm::encrypt_aead(self.cipher, content_key, Some(&vector), &[], text, &mut tag).unwrap();
                [vector, sealed, tag.to_vec()].concat()
            }
            _ => {
                let sealed = symm::encrypt(self.cipher, content_key, Some(&vector), text).unwrap();
                [vector, sealed].concat()
            }
        }
    }

    /// The element around something sealed and its sealed key, or whatever is given for them.
    pub fn wrapped(&self, sealed: &[u8], key: &[u8]) -> String {
        format!(
            "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"><xenc:EncryptedData xmlns:xenc=\"{XENC}\" \
             Type=\"http://www.w3.org/2001/04/xmlenc#Element\">\
             <xenc:EncryptionMethod Algorithm=\"{}\"></xenc:EncryptionMethod><ds:KeyInfo xmlns:ds=\"{DSIG}\">\
             <xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"{}\">{}</xenc:EncryptionMethod>\
             <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>\
             </ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData>\
             </xenc:EncryptedData></saml:EncryptedAssertion>",
            self.method,
            self.transport,
            self.transport_details,
            BASE64_STANDARD.encode(key),
            BASE64_STANDARD.encode(sealed),
        )
    }
}
