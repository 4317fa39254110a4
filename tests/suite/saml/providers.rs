//! Metadata of identity providers: what is taken, and what is refused when it is saved.

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
};
use vestibule::saml::{self, KeyKind, MAX_METADATA, Reason};

use super::{
    canary::Canary,
    forger::{IDP, Idp, PROTOCOL, bent, metadata, now},
};

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
        ("a page", "<html></html>".to_owned(), Reason::NotMetadata),
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
        ("eleven certificates", metadata(IDP, &eleven.iter().collect::<Vec<_>>()), Reason::TooLarge),
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
        ("a service provider", good.replace("IDPSSODescriptor", "SPSSODescriptor"), Reason::NotMetadata),
        (
            "two identity providers",
            format!("<md:EntitiesDescriptor {MD}>{good}{good}</md:EntitiesDescriptor>"),
            Reason::NotMetadata,
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
            Reason::UnreadableTime,
        ),
        ("a document type", format!("<!DOCTYPE a SYSTEM \"{}\">{good}", canary.http()), Reason::Doctype),
        (
            "an entity",
            format!("<!DOCTYPE a [<!ENTITY e SYSTEM \"file://{}\">]>{good}", canary.file()),
            Reason::Doctype,
        ),
        ("an instruction", format!("<?x?>{good}"), Reason::Instruction),
        ("CDATA", bent(&good, "<ds:X509Certificate>", "<ds:X509Certificate><![CDATA[]]>"), Reason::Cdata),
        ("too much", format!("{good}{}", " ".repeat(MAX_METADATA)), Reason::TooLarge),
        ("too deep", "<a>".repeat(41), Reason::TooDeep),
        ("too wide", format!("<a>{}</a>", "<b/>".repeat(10_000)), Reason::TooManyElements),
    ];
    for (name, text, wanted) in refused {
        assert_eq!(provider(&text).map(|read| read.entity_id), Err(wanted), "{name}");
    }
    assert!(canary.is_alone());
}
