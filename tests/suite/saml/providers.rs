//! Metadata of identity providers: what is taken, and what is refused when it is saved.

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
};
use vestibule::saml::{self, KeyKind, Reason};

use super::{
    canary::Canary,
    forger::{IDP, Idp, PROTOCOL, bent, metadata, now},
};
use crate::harness::constants;

fn provider(text: &str) -> Result<saml::IdentityProvider, Reason> {
    saml::read_provider(text, now())
}

const MD: &str = "xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"";

#[test]
fn an_identity_provider_is_read_from_its_metadata() {
    let (idp, curve) = (Idp::rsa(), Idp::ec());
    let text = metadata(IDP, &[&idp, &curve, &idp]);
    let post = "<md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
                Location=\"https://idp.example/post?a=1&amp;b=2\"/></md:IDPSSODescriptor>";
    let text = bent(&text, "</md:IDPSSODescriptor>", post);
    let text = bent(&text, "<md:IDPSSODescriptor ", "<md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" ");
    let text = bent(&text, "entityID=", "validUntil=\"2027-01-01T00:00:00Z\" entityID=");
    let read = provider(&text).unwrap();
    assert_eq!(read.entity_id, IDP);
    assert_eq!(read.redirect.as_deref(), Some("https://idp.example/sso"));
    assert_eq!(read.post.as_deref(), Some("https://idp.example/post?a=1&b=2"));
    assert!(read.wants_signed_requests);
    assert_eq!(read.valid_until.unwrap().iso(), "2027-01-01T00:00:00Z");
    let kinds: Vec<_> = read.certificates.iter().map(saml::Certificate::kind).collect();
    assert_eq!(kinds, [KeyKind::Rsa, KeyKind::Ec], "the same one twice is one");
    assert_eq!(read.certificates[0].not_before.iso(), "2024-11-21T14:05:00Z");
    assert_eq!(read.certificates[0].not_after.iso(), "2126-10-28T14:05:00Z");
    assert_eq!(read.certificates[0].fingerprint.len(), 64);

    // As others write it: a declaration, comments, no use of the key, several entities of which one is right.
    let plain = metadata(IDP, &[&idp]);
    let commented =
        format!("<?xml version=\"1.0\"?>\n<!-- ours -->\n{}", bent(&plain, " use=\"signing\"", ""));
    assert_eq!(provider(&commented).unwrap().certificates.len(), 1);
    let several = format!(
        "<md:EntitiesDescriptor {MD}><md:EntityDescriptor entityID=\"urn:sp\"/>{plain}</md:EntitiesDescriptor>"
    );
    assert_eq!(provider(&several).unwrap().entity_id, IDP);
}

#[test]
fn metadata_that_leads_nowhere_or_too_far_is_refused() {
    let idp = Idp::rsa();
    let weak = Idp::with(PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap(), -1, 1);
    let odd = {
        let group = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
        Idp::with(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap(), -1, 1)
    };
    let good = metadata(IDP, &[&idp]);
    let address = |to: &str| bent(&good, "https://idp.example/sso", to);
    let canary = Canary::new();
    let eleven: Vec<Idp> = (0..11).map(|n| Idp::with(Idp::ec().key, -30 - n, 365)).collect();
    let refused = [
        ("nothing", String::new(), Reason::Malformed),
        ("a page", "<html></html>".to_owned(), Reason::WebPage),
        ("no certificate", metadata(IDP, &[]), Reason::NoSigningCertificate),
        (
            "a certificate for encryption only",
            bent(&good, "\"signing\"", "\"encryption\""),
            Reason::NoSigningCertificate,
        ),
        (
            "a certificate that is none",
            bent(&good, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA"),
            Reason::BadCertificate,
        ),
        (
            "a certificate that is no base64",
            bent(&good, "<ds:X509Certificate>", "<ds:X509Certificate>*"),
            Reason::BadCertificate,
        ),
        ("RSA of 1024 bits", metadata(IDP, &[&weak]), Reason::WeakCertificate),
        ("an unusual curve", metadata(IDP, &[&odd]), Reason::WeakCertificate),
        ("eleven certificates", metadata(IDP, &eleven.iter().collect::<Vec<_>>()), Reason::ManyCertificates),
        ("no name", metadata("", &[&idp]), Reason::NoEntityId),
        ("a very long name", metadata(&"x".repeat(1_025), &[&idp]), Reason::NoEntityId),
        (
            "no address",
            bent(&good, "<md:SingleSignOnService", "<md:ArtifactResolutionService"),
            Reason::NoSignInAddress,
        ),
        ("a script for an address", address("javascript:alert(1)"), Reason::NoSignInAddress),
        ("data for an address", address("data:text/html,x"), Reason::NoSignInAddress),
        ("half an address", address("/sso"), Reason::NoSignInAddress),
        ("another binding", bent(&good, "HTTP-Redirect", "SOAP"), Reason::NoSignInAddress),
        (
            "another protocol",
            bent(&good, PROTOCOL, "urn:oasis:names:tc:SAML:1.1:protocol"),
            Reason::NotMetadata,
        ),
        ("a service provider", good.replace("IDPSSODescriptor", "SPSSODescriptor"), Reason::DescribesService),
        (
            "two identity providers",
            format!("<md:EntitiesDescriptor {MD}>{good}{good}</md:EntitiesDescriptor>"),
            Reason::ManyProviders,
        ),
        ("one inside something else", format!("<a>{good}</a>"), Reason::NotMetadata),
        (
            "one that is over",
            bent(&good, "entityID=", "validUntil=\"2026-11-21T14:05:00Z\" entityID="),
            Reason::MetadataExpired,
        ),
        (
            "one that ends in words",
            bent(&good, "entityID=", "validUntil=\"soon\" entityID="),
            Reason::UnreadableValidUntil,
        ),
        ("a document type", format!("<!DOCTYPE a SYSTEM \"{}\">{good}", canary.http()), Reason::Doctype),
        (
            "an entity",
            format!("<!DOCTYPE a [<!ENTITY e SYSTEM \"file://{}\">]>{good}", canary.file()),
            Reason::Doctype,
        ),
        ("an instruction", format!("<?x?>{good}"), Reason::Instruction),
        (
            "a comment before the declaration",
            format!("<!-- ours --><?xml version=\"1.0\"?>{good}"),
            Reason::LateDeclaration,
        ),
        (
            "a certificate alone",
            String::from_utf8(idp.certificate.to_pem().unwrap()).unwrap(),
            Reason::OnlyCertificate,
        ),
        ("a web page", format!("\n<!DOCTYPE html><html><body>{good}</body></html>"), Reason::WebPage),
        (
            "too much",
            format!("{good}{}", " ".repeat(constants::number("src/saml/idp.rs", "MAX_METADATA"))),
            Reason::TooLarge,
        ),
        ("too deep", "<a>".repeat(41), Reason::TooDeep),
        ("too wide", format!("<a>{}</a>", "<b/>".repeat(50_000)), Reason::TooManyElements),
    ];
    for (name, text, wanted) in refused {
        assert_eq!(provider(&text).map(|read| read.entity_id), Err(wanted), "{name}");
    }
    assert!(canary.is_alone());
}

/// What administrators paste, and what programs write: all of it describes this identity provider.
#[test]
fn metadata_is_read_as_it_is_found() {
    let (idp, curve) = (Idp::rsa(), Idp::ec());
    let weak = Idp::with(PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap(), -1, 1);
    let good = metadata(IDP, &[&idp]);
    let certificate = idp.base64();
    let pem = String::from_utf8(idp.certificate.to_pem().unwrap()).unwrap();
    let service = good.replace("IDPSSODescriptor", "SPSSODescriptor").replace(IDP, "urn:service");
    let until = |when: &str| bent(&good, "entityID=", &format!("validUntil=\"{when}\" entityID="));
    let extensions = "<md:Extensions><a:b xmlns:a=\"urn:a\">c</a:b></md:Extensions><md:KeyDescriptor";
    let shapes = [
        ("blanks around it", format!("\r\n  \t{good}\n\n")),
        (
            "a line break before the declaration",
            format!("\n<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{good}"),
        ),
        ("a byte order mark and blanks", format!("\u{FEFF}\n{good}")),
        (
            "a standalone declaration",
            format!("<?xml version='1.0' encoding='UTF-8' standalone='yes'?>{good}"),
        ),
        ("comments", bent(&good, "<md:IDPSSODescriptor", "<!-- one --><md:IDPSSODescriptor")),
        ("a comment at the end", format!("{good}<!-- the end -->")),
        ("a certificate in armour", bent(&good, &certificate, &pem)),
        (
            "a certificate in lines",
            bent(
                &good,
                &certificate,
                &pem.replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", ""),
            ),
        ),
        ("a certificate in CDATA", bent(&good, &certificate, &format!("<![CDATA[{certificate}]]>"))),
        ("a weak certificate beside a good one", metadata(IDP, &[&weak, &idp])),
        ("rubbish beside a good one", bent(&metadata(IDP, &[&curve, &idp]), &curve.base64(), "rubbish")),
        ("no zone", until("2027-01-01T00:00:00")),
        ("fractions and no zone", until("2027-01-01T00:00:00.123")),
        ("a day", until("2027-01-01")),
        ("another zone", until("2027-01-01T01:00:00+01:00")),
        (
            "the prefix xml declared",
            bent(&good, "xmlns:md=", "xmlns:xml=\"http://www.w3.org/XML/1998/namespace\" xmlns:md="),
        ),
        ("no prefix", good.replace("md:", "").replace("xmlns:md", "xmlns")),
        ("other quotes", good.replace('"', "'")),
        ("extensions", bent(&good, "<md:KeyDescriptor", extensions)),
        ("a relative namespace", bent(&good, "<md:KeyDescriptor", &extensions.replace("urn:a", "rel"))),
        (
            "a service beside it",
            format!("<md:EntitiesDescriptor {MD}>{service}{good}</md:EntitiesDescriptor>"),
        ),
        (
            "an aggregate of one",
            format!("<md:EntitiesDescriptor {MD} Name=\"all\">{good}</md:EntitiesDescriptor>"),
        ),
        (
            "an aggregate in an aggregate",
            format!(
                "<md:EntitiesDescriptor {MD}><md:EntitiesDescriptor>{good}</md:EntitiesDescriptor></md:EntitiesDescriptor>"
            ),
        ),
        ("an address in blanks", bent(&good, "\"https://idp.example/sso\"", "\" https://idp.example/sso \"")),
    ];
    for (name, text) in &shapes {
        let read = provider(text).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(read.entity_id, IDP, "{name}");
        assert_eq!(read.redirect.as_deref(), Some("https://idp.example/sso"), "{name}");
        assert_eq!(read.certificates.len(), 1, "{name}");
        let is_beside = name.ends_with("beside a good one");
        assert_eq!(read.left_out.len(), usize::from(is_beside), "{name}");
        if text.contains("validUntil") {
            let until = read.valid_until.unwrap().iso();
            assert!(until.starts_with("2027-01-01T00:00:00"), "{name}: {until}");
        }
        // What is kept says the same, and nothing else.
        let kept = provider(&read.metadata()).unwrap();
        assert_eq!(kept, saml::IdentityProvider { left_out: Vec::new(), ..read }, "{name}");
    }
}

#[test]
fn of_several_identity_providers_one_is_chosen() {
    let (idp, other) = (Idp::rsa(), Idp::ec());
    let both = format!(
        "<md:EntitiesDescriptor {MD}>{}{}</md:EntitiesDescriptor>",
        metadata(IDP, &[&idp]),
        metadata("urn:other", &[&other])
    );
    let choose = |id: Option<&str>| saml::choose_provider(&both, id, now()).map(|read| read.entity_id);
    assert_eq!(choose(Some("urn:other")).as_deref(), Ok("urn:other"));
    assert_eq!(choose(Some(IDP)).as_deref(), Ok(IDP));
    assert_eq!(choose(Some("urn:third")), Err(Reason::ManyProviders));
    assert_eq!(choose(None), Err(Reason::ManyProviders));
    assert_eq!(saml::provider_ids(&both).unwrap(), [IDP, "urn:other"]);
    // Where there is one only, there is nothing to choose.
    let one = saml::choose_provider(&metadata(IDP, &[&idp]), Some("urn:other"), now());
    assert_eq!(one.unwrap().entity_id, IDP);
}

#[test]
fn an_identity_provider_without_metadata_is_told_by_hand() {
    let idp = Idp::rsa();
    let pem = String::from_utf8(idp.certificate.to_pem().unwrap()).unwrap();
    let told = |id: &str, address: &str, certificate: &str| {
        saml::IdentityProvider::by_hand(id, address, certificate).map(|read| read.metadata())
    };
    for certificate in [&pem, &idp.base64(), &format!("\n{pem}\n")] {
        let read =
            provider(&told(&format!(" {IDP} "), "https://idp.example/sso?a=1&b=2", certificate).unwrap());
        let read = read.unwrap();
        assert_eq!(
            (read.entity_id.as_str(), read.redirect.as_deref()),
            (IDP, Some("https://idp.example/sso?a=1&b=2"))
        );
        assert_eq!(read.certificates[0].der(), idp.certificate.to_der().unwrap());
    }
    assert_eq!(told("", "https://idp.example/sso", &pem), Err(Reason::NoEntityId));
    assert_eq!(told(IDP, "idp.example/sso", &pem), Err(Reason::NoSignInAddress));
    assert_eq!(told(IDP, "https://idp.example/sso", "rubbish"), Err(Reason::BadCertificate));
}
