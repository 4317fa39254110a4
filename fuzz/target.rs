//! What is done with an input: by the fuzzer with those that it makes, by the suite with those that it kept.
//!
//! The first byte of an input says where it goes; the rest is text. `r`: a response as it comes in, which must never
//! be believed, since nobody has the key. `s`: a response that the identity provider signs, so that the checks behind
//! the signature meet it. `e`: an assertion that is encrypted and, by its response, signed. `l`: a logout, or the answer to
//! one. `m`: metadata.
use std::sync::OnceLock;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use openssl::{
    encrypt::Encrypter,
    rsa::Padding,
    symm::{Cipher, encrypt_aead},
    x509::X509,
};
use samael::crypto::{Crypto, CryptoProvider};
use vestibule::{clock::Timestamp, saml};

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const IDP: &str = "https://idp.example/metadata";
const CONTENT_KEY: [u8; 32] = [7; 32];

/// Both sides of a connection.
struct World {
    idp: saml::ServiceKey,
    provider: saml::IdentityProvider,
    service: saml::Service,
    /// The content key, encrypted to us.
    sealed_key: String,
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_795_269_900)
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let [idp, ours] =
            ["idp.example", "app.example"].map(|name| saml::ServiceKey::generate(name, now(), TimeDelta::days(365)).unwrap());
        let metadata = format!(
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{IDP}\">\
             <IDPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\"><KeyDescriptor>\
             <X509Certificate xmlns=\"http://www.w3.org/2000/09/xmldsig#\">{}</X509Certificate></KeyDescriptor>\
             <SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"https://idp.example/sso\"/></IDPSSODescriptor></EntityDescriptor>",
            BASE64_STANDARD.encode(idp.certificate().der())
        );
        let public = X509::from_der(ours.certificate().der()).unwrap().public_key().unwrap();
        let mut encrypter = Encrypter::new(&public).unwrap();
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        let mut key = vec![0; encrypter.encrypt_len(&CONTENT_KEY).unwrap()];
        let length = encrypter.encrypt(&CONTENT_KEY, &mut key).unwrap();
        let service = saml::Service {
            entity_id: "https://app.example/auth/saml/metadata".to_owned(),
            acs_url: "https://app.example/auth/saml/callback".to_owned(),
            logout_url: "https://app.example/auth/saml/logout".to_owned(),
            keys: vec![ours],
        };
        World {
            idp,
            provider: saml::read_provider(&metadata, now()).unwrap(),
            service,
            sealed_key: BASE64_STANDARD.encode(&key[..length]),
        }
    })
}

/// Fuzzing what never gets past the signature would prove little: the honest seeds must.
pub fn the_seeds_pass() {
    let honest = &include_str!("seeds/by-the-provider")[1..];
    let sealed = around(&include_str!("seeds/sealed")[1..]);
    for text in [honest, &sealed] {
        let statement = signed(text).unwrap().unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(statement.name.value, "ada");
    }
}

/// Reads an input as its first byte says. Panics where something is believed that must not be, or makes no sense.
pub fn read_input(input: &[u8]) {
    let Some((mode, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else {
        let _ = saml::read_origin(&BASE64_STANDARD.encode(text));
        return;
    };
    match mode {
        b'l' => log_out(text),
        b'm' => drop(saml::read_provider(text, now())),
        b's' => hold(signed(text)),
        b'e' => hold(signed(&around(text))),
        _ => assert!(read(text).is_err(), "a response that nobody signed was believed"),
    }
}

fn read(text: &str) -> Result<saml::Statement, Box<saml::Refusal>> {
    let world = world();
    let field = BASE64_STANDARD.encode(text);
    // Looking up the sender admits whatever reading admits.
    let origin = saml::read_origin(&field);
    let read = saml::read_response(&saml::Presented {
        response: field,
        provider: world.provider.clone(),
        service: world.service.clone(),
        request: saml::Request {
            id: "_request".to_owned(),
            sent_at: now() - TimeDelta::seconds(30),
            force_authn: true,
        },
        identifier: None,
        identity_attributes: vec!["email".to_owned()],
        now: now(),
    });
    assert!(origin.is_ok() || read.is_err());
    read
}

/// A logout that nobody signed is never proved.
fn log_out(text: &str) {
    let world = world();
    let message = saml::LogoutMessage::Post(BASE64_STANDARD.encode(text));
    if let Ok(unproved) = saml::UnprovedLogout::read(&message) {
        assert!(unproved.verify(&world.provider, &world.service, now()).is_err());
    }
    let _ = saml::read_logout_answer(&message);
}

/// What is believed makes sense.
fn hold(read: Option<Result<saml::Statement, Box<saml::Refusal>>>) {
    if let Some(Ok(statement)) = read {
        assert!(!statement.name.value.is_empty() && statement.name.value.trim() == statement.name.value);
        assert!(statement.remember_until > now());
    }
}

/// Signs a response that the gate admits, and reads it.
fn signed(text: &str) -> Option<Result<saml::Statement, Box<saml::Refusal>>> {
    saml::read_origin(&BASE64_STANDARD.encode(text)).ok()?;
    let (before, after) = text.split_once("<samlp:Status")?;
    let (id, _) = text.split_once("ID=\"")?.1.split_once('"')?;
    let dsig = "http://www.w3.org/2000/09/xmldsig#";
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let template = format!(
        "{before}<ds:Signature xmlns:ds=\"{dsig}\"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{exclusive}\"/>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference \
         URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{dsig}enveloped-signature\"/><ds:Transform \
         Algorithm=\"{exclusive}\"/></ds:Transforms><ds:DigestMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue/></ds:Signature><samlp:Status{after}"
    );
    let key = world().idp.private_pem().unwrap();
    let der = openssl::pkey::PKey::private_key_from_pem(key.reveal().as_bytes())
        .unwrap()
        .private_key_to_der()
        .unwrap();
    Some(read(&Crypto::sign_xml(&template, &der).ok()?))
}

/// A response around an encrypted assertion.
fn around(text: &str) -> String {
    let (nonce, mut tag) = ([0; 12], [0; 16]);
    let sealed =
        encrypt_aead(Cipher::aes_256_gcm(), &CONTENT_KEY, Some(&nonce), &[], text.as_bytes(), &mut tag)
            .unwrap();
    let world = world();
    format!(
        "<samlp:Response xmlns:samlp=\"{PROTOCOL}\" ID=\"_r\" InResponseTo=\"_request\" Version=\"2.0\" \
         Destination=\"https://app.example/auth/saml/callback\" IssueInstant=\"{now}\"><samlp:Status><samlp:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>\
         <saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"><x:EncryptedData \
         xmlns:x=\"http://www.w3.org/2001/04/xmlenc#\"><x:EncryptionMethod \
         Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/><KeyInfo \
         xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><x:EncryptedKey><x:EncryptionMethod \
         Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/><x:CipherData><x:CipherValue>{key}\
         </x:CipherValue></x:CipherData></x:EncryptedKey></KeyInfo><x:CipherData><x:CipherValue>{sealed}\
         </x:CipherValue></x:CipherData></x:EncryptedData></saml:EncryptedAssertion></samlp:Response>",
        now = now().iso(),
        key = world.sealed_key,
        sealed = BASE64_STANDARD.encode([nonce.as_slice(), &sealed, &tag].concat()),
    )
}
