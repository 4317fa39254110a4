//! Encrypted assertions: opened with the key in use and with the next, and forged in every way we know.

use std::sync::OnceLock;

use openssl::{hash::MessageDigest, rsa::Padding, symm::Cipher};
use vestibule::saml::{Reason, ServiceKey};

use super::{
    all_refused,
    envelope::Envelope,
    forger::{ASSERTION, Draft, Idp, PERSISTENT, bent, draft, presented, service_key},
    read,
};

const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";

fn key() -> ServiceKey {
    static KEY: OnceLock<ServiceKey> = OnceLock::new();
    KEY.get_or_init(service_key).clone()
}

fn envelopes() -> [Envelope; 4] {
    [
        Envelope::new("http://www.w3.org/2001/04/xmlenc#aes128-cbc", Cipher::aes_128_cbc()),
        Envelope::new("http://www.w3.org/2001/04/xmlenc#aes256-cbc", Cipher::aes_256_cbc()),
        Envelope::new("http://www.w3.org/2009/xmlenc11#aes128-gcm", Cipher::aes_128_gcm()),
        Envelope::new(AES256_GCM, Cipher::aes_256_gcm()),
    ]
}

/// The assertion as text, signed inside or not.
fn assertion(idp: &Idp, is_signed: bool) -> String {
    match is_signed {
        true => idp.pen().on(&draft().assertion),
        false => {
            let Draft { assertion, .. } = draft();
            assertion.replace("<!--signature-->", "")
        }
    }
}

#[test]
fn encrypted_assertions_are_read_however_they_are_signed() {
    let (idp, ours) = (Idp::rsa(), key());
    let mut envelopes = envelopes().to_vec();
    let digest = |name: &str| format!("<ds:DigestMethod Algorithm=\"{name}\"></ds:DigestMethod>");
    let mut spelled_out = envelopes[3].clone();
    spelled_out.transport_details = digest("http://www.w3.org/2000/09/xmldsig#sha1");
    envelopes.push(spelled_out);
    let mut sha256 = envelopes[3].clone();
    sha256.transport_details = digest("http://www.w3.org/2001/04/xmlenc#sha256");
    sha256.digest = MessageDigest::sha256();
    envelopes.push(sha256);
    let mut newer = envelopes[3].clone();
    newer.transport = OAEP_11.to_owned();
    newer.transport_details = format!(
        "{}<x:MGF xmlns:x=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha512\"></x:MGF>",
        digest("http://www.w3.org/2001/04/xmlenc#sha512")
    );
    (newer.digest, newer.mask) = (MessageDigest::sha512(), MessageDigest::sha512());
    envelopes.push(newer);

    for envelope in &envelopes {
        for (inside, elsewhere) in [(true, false), (false, true), (true, true)] {
            let sealed = envelope.around(&assertion(&idp, inside), ours.certificate());
            let pen = elsewhere.then(|| idp.pen());
            let text = draft().carrying(&sealed, pen.as_ref());
            let statement = read(&presented(&text, &[&idp], std::slice::from_ref(&ours)));
            let what = format!(
                "{} {} signed inside: {inside}, outside: {elsewhere}",
                envelope.method, envelope.transport
            );
            let statement = statement.unwrap_or_else(|reason| panic!("{what}: {reason:?}"));
            assert_eq!((statement.name.value.as_str(), statement.was_encrypted), ("ada", true), "{what}");
        }
    }
}

#[test]
fn during_a_change_of_keys_both_open_case_84() {
    let (idp, current, next, stranger) = (Idp::rsa(), service_key(), service_key(), service_key());
    let envelope = Envelope::new(AES256_GCM, Cipher::aes_256_gcm());
    let to = |key: &ServiceKey| {
        let sealed = envelope.around(&assertion(&idp, true), key.certificate());
        read(&presented(&draft().carrying(&sealed, None), &[&idp], &[current.clone(), next.clone()]))
            .map(drop)
    };
    assert_eq!(to(&current), Ok(()));
    assert_eq!(to(&next), Ok(()));
    assert_eq!(to(&stranger), Err(Reason::Undecryptable));
}

#[test]
fn an_encrypted_name_is_opened_once_the_assertion_is_proved() {
    let (idp, ours, other) = (Idp::rsa(), key(), service_key());
    let envelope = Envelope::new(AES256_GCM, Cipher::aes_256_gcm());
    let name = format!("<saml:NameID xmlns:saml=\"{ASSERTION}\" Format=\"{PERSISTENT}\">ada</saml:NameID>");
    let plain = name.replace(&format!(" xmlns:saml=\"{ASSERTION}\""), "");
    let with = |inside: &str, key: &ServiceKey| {
        // In canonical form: the prefix is declared further out.
        let sealed = envelope.around(inside, key.certificate()).replace("EncryptedAssertion", "EncryptedID");
        let sealed = sealed.replacen(&format!(" xmlns:saml=\"{ASSERTION}\""), "", 1);
        let text = draft().assertion(&plain, &sealed).both_signed(&idp.pen());
        read(&presented(&text, &[&idp], std::slice::from_ref(&ours))).map(|statement| statement.name.value)
    };

    assert_eq!(with(&name, &ours).as_deref(), Ok("ada"));
    assert_eq!(with(&plain, &ours).as_deref(), Ok("ada"), "it may lean on declarations outside");
    assert_eq!(with(&name, &other), Err(Reason::Undecryptable));
    assert_eq!(with(&name.replace("NameID", "BaseID"), &ours), Err(Reason::BadName));
    assert_eq!(with(&name.replace(PERSISTENT, "urn:x"), &ours), Err(Reason::NameFormat));
    assert_eq!(with("", &ours), Err(Reason::Malformed));
}

#[test]
fn what_is_inside_may_lean_on_declarations_outside() {
    let (idp, ours) = (Idp::rsa(), key());
    // As a program does that cuts the element out of its document as it stands.
    let cut = assertion(&idp, true).replacen(&format!(" xmlns:saml=\"{ASSERTION}\""), "", 1);
    for text in [cut.clone(), format!("\n{cut}\n"), format!("<?xml version=\"1.0\"?>\n{cut}")] {
        let sealed = Envelope::new(AES256_GCM, Cipher::aes_256_gcm()).around(&text, ours.certificate());
        let presented = presented(&draft().carrying(&sealed, None), &[&idp], std::slice::from_ref(&ours));
        assert_eq!(read(&presented).map(|statement| statement.name.value), Ok("ada".to_owned()), "{text}");
    }
}

#[test]
pub fn encrypted_forgeries_and_encrypted_rubbish_are_refused() {
    let (idp, other, ours) = (Idp::rsa(), Idp::rsa(), key());
    let [cbc, _, gcm_128, gcm] = envelopes();
    let certificate = ours.certificate();
    let honest = assertion(&idp, true);
    let bare = assertion(&idp, false);
    let shell = |inside: &str| draft().carrying(inside, None);
    let signed_shell = |inside: &str| draft().carrying(inside, Some(&idp.pen()));
    let sealed = |text: &str| gcm.around(text, certificate);
    let short = |length: usize, envelope: &Envelope| {
        // A key that opens, and too little to open with it.
        let whole = envelope.around("x", certificate);
        let (before, _) = whole.rsplit_once("<xenc:CipherValue>").unwrap();
        let tail = "</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>";
        let bytes = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, vec![7; length]);
        signed_shell(&format!("{before}<xenc:CipherValue>{bytes}{tail}"))
    };
    let changed = |envelope: &Envelope| {
        let text = envelope.around(&honest, certificate);
        let (before, after) = text.rsplit_once("<xenc:CipherValue>").unwrap();
        let email = if after.as_bytes()[40] == b'A' { "B" } else { "A" };
        shell(&format!("{before}<xenc:CipherValue>{}{email}{}", &after[..40], &after[41..]))
    };
    let method = |to: &str| shell(&bent(&sealed(&honest), AES256_GCM, to));
    let transport = |to: &str| shell(&bent(&sealed(&honest), super::forger::OAEP, to));
    let pkcs = Envelope {
        transport: "http://www.w3.org/2001/04/xmlenc#rsa-1_5".to_owned(),
        padding: Padding::PKCS1,
        ..gcm.clone()
    };
    let label =
        Envelope { transport_details: "<xenc:OAEPparams>AAAA</xenc:OAEPparams>".to_owned(), ..gcm.clone() };
    let whole = sealed(&honest);
    let one_key = {
        let text = &whole;
        let start = text.find("<xenc:EncryptedKey>").unwrap();
        text[start..text.find("</ds:KeyInfo>").unwrap()].to_owned()
    };
    let reference = "<xenc:CipherData><xenc:CipherReference URI=\"http://127.0.0.1:1/\"></xenc:CipherReference></xenc:CipherData>";
    let inner_data = {
        let text = &whole;
        text[text.rfind("<xenc:CipherData>").unwrap()..text.find("</xenc:EncryptedData>").unwrap()].to_owned()
    };
    all_refused(
        vec![
            ("an unsigned assertion", shell(&sealed(&bare)), Reason::Unsigned),
            ("one that another signed", shell(&sealed(&assertion(&other, true))), Reason::BadSignature),
            (
                "one changed after signing",
                shell(&sealed(&bent(&honest, ">ada<", ">eve<"))),
                Reason::BadSignature,
            ),
            (
                "one changed inside, honest outside",
                signed_shell(&sealed(&bent(&honest, ">ada<", ">eve<"))),
                Reason::BadSignature,
            ),
            (
                "a forged one under a signature of another",
                draft().carrying(&sealed(&bare), Some(&other.pen())),
                Reason::BadSignature,
            ),
            (
                "a forged one beside the honest",
                shell(&format!("{}{honest}", sealed(&bare))),
                Reason::ManyAssertions,
            ),
            (
                "a forged one before the encrypted honest",
                shell(&format!("{bare}{}", sealed(&honest))),
                Reason::ManyAssertions,
            ),
            ("two encrypted ones", shell(&sealed(&honest).repeat(2)), Reason::ManyAssertions),
            (
                "a forged one around the honest",
                shell(&sealed(&bent(&bare, "</saml:Assertion>", &format!("{honest}</saml:Assertion>")))),
                Reason::MisplacedAssertion,
            ),
            ("an encrypted one in an encrypted one", shell(&sealed(&sealed(&honest))), Reason::NoAssertion),
            ("a whole response", shell(&sealed(&draft().both_signed(&idp.pen()))), Reason::NoAssertion),
            ("two roots", shell(&sealed(&format!("{honest}{honest}"))), Reason::AfterTheRoot),
            ("a document type inside", shell(&sealed(&format!("<!DOCTYPE a>{honest}"))), Reason::Doctype),
            (
                "a comment inside the name inside",
                shell(&sealed(&bent(&honest, ">ada<", ">a<!---->da<"))),
                Reason::Comment,
            ),
            ("rubbish inside", signed_shell(&sealed("rubbish")), Reason::Malformed),
            ("nothing inside", signed_shell(&sealed("")), Reason::Malformed),
            (
                "version 1 inside",
                shell(&sealed(&bent(&honest, "Version=\"2.0\"", "Version=\"1.0\""))),
                Reason::WrongVersion,
            ),
            ("an altered text, CBC", changed(&cbc), Reason::Undecryptable),
            ("an altered text, GCM", changed(&gcm), Reason::Undecryptable),
            ("no text at all, CBC", short(0, &cbc), Reason::Undecryptable),
            ("half a vector, CBC", short(8, &cbc), Reason::Undecryptable),
            ("a vector alone, CBC", short(16, &cbc), Reason::Undecryptable),
            ("half a block, CBC", short(24, &cbc), Reason::Undecryptable),
            ("half a nonce, GCM", short(6, &gcm), Reason::Undecryptable),
            ("a nonce alone, GCM", short(12, &gcm), Reason::Undecryptable),
            ("half a tag, GCM", short(20, &gcm_128), Reason::Undecryptable),
            ("a nonce and a tag, GCM", short(28, &gcm), Reason::Undecryptable),
            (
                "a key of another length",
                method("http://www.w3.org/2009/xmlenc11#aes128-gcm"),
                Reason::Undecryptable,
            ),
            ("a key that is rubbish", shell(&gcm.wrapped(&[7; 99], &[7; 384])), Reason::Undecryptable),
            ("a key that is too short", shell(&gcm.wrapped(&[7; 99], &[7; 3])), Reason::Undecryptable),
            ("no key", shell(&gcm.wrapped(&[7; 99], &[])), Reason::Undecryptable),
            ("AES-192", method("http://www.w3.org/2001/04/xmlenc#aes192-cbc"), Reason::EncryptionAlgorithm),
            (
                "triple DES",
                method("http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
                Reason::EncryptionAlgorithm,
            ),
            ("no algorithm", method(""), Reason::EncryptionAlgorithm),
            ("PKCS#1 v1.5", shell(&pkcs.around(&honest, certificate)), Reason::KeyTransport),
            ("PKCS#1 v1.5, signed", signed_shell(&pkcs.around(&honest, certificate)), Reason::KeyTransport),
            (
                "a key wrapped by AES",
                transport("http://www.w3.org/2001/04/xmlenc#kw-aes128"),
                Reason::KeyTransport,
            ),
            ("OAEP with a label", shell(&label.around(&honest, certificate)), Reason::KeyTransport),
            ("no key element", shell(&bent(&whole, &one_key, "")), Reason::EncryptionShape),
            ("five keys", shell(&bent(&whole, &one_key, &one_key.repeat(5))), Reason::EncryptionShape),
            ("a text elsewhere", shell(&bent(&whole, &inner_data, reference)), Reason::ForeignReference),
            (
                "a text here, by reference",
                shell(&bent(&whole, &inner_data, &reference.replace("http://127.0.0.1:1/", "#x"))),
                Reason::EncryptionShape,
            ),
            (
                "a text that is no base64",
                shell(&bent(&sealed(&honest), "<xenc:CipherValue>", "<xenc:CipherValue>*")),
                Reason::EncryptionShape,
            ),
            (
                "a key from elsewhere",
                shell(&bent(
                    &whole,
                    &one_key,
                    "<ds:RetrievalMethod URI=\"http://127.0.0.1:1/\"></ds:RetrievalMethod>",
                )),
                Reason::ForeignReference,
            ),
            (
                "no data",
                shell(&format!(
                    "<saml:EncryptedAssertion xmlns:saml=\"{ASSERTION}\"></saml:EncryptedAssertion>"
                )),
                Reason::EncryptionShape,
            ),
        ],
        |text| presented(text, &[&idp], std::slice::from_ref(&ours)),
    );
    let nobody = presented(&shell(&sealed(&honest)), &[&idp], &[]);
    assert_eq!(read(&nobody).unwrap_err(), Reason::NoDecryptionKey);
}
