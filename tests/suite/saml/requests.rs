//! What we send: requests and our own metadata, as an identity provider reads them.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use flate2::read::DeflateDecoder;
use openssl::{hash::MessageDigest, sign::Verifier, x509::X509};
use samael::crypto::{CertificateDer, Crypto, CryptoProvider};
use url::Url;
use vestibule::saml::{
    self, AuthnRequestParams, BindingMessage, IdentityProvider, NamePolicy, Service, ServiceKey,
};

use super::forger::{ACS, IDP, Idp, LOGOUT, PERSISTENT, US, metadata, now, service_key};

fn provider() -> IdentityProvider {
    saml::read_provider(&metadata(IDP, &[&Idp::ec()]), now()).unwrap()
}

fn service(keys: &[&ServiceKey]) -> Service {
    let keys = keys.iter().map(|key| (*key).clone()).collect();
    Service { entity_id: US.to_owned(), acs_url: ACS.to_owned(), logout_url: LOGOUT.to_owned(), keys }
}

fn ask<'a>(service: &'a Service, provider: &'a IdentityProvider) -> AuthnRequestParams<'a> {
    AuthnRequestParams {
        service,
        provider,
        force_authn: false,
        name_policy: NamePolicy::Persistent,
        relay_state: "opaque & \"quoted\" <script>",
        now: now(),
    }
}

/// The request that rides in an address.
fn unpacked(address: &str) -> String {
    let url = Url::parse(address).unwrap();
    let (_, packed) = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap();
    let mut text = String::new();
    DeflateDecoder::new(&*BASE64_STANDARD.decode(&*packed).unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_request_goes_by_redirect_and_says_what_is_wanted() {
    let (service, provider) = (service(&[]), provider());
    let started = saml::start(&ask(&service, &provider)).unwrap();
    let BindingMessage::Redirect(address) = &started.message else { panic!("{:?}", started.message) };
    assert!(address.starts_with("https://idp.example/sso?SAMLRequest="));
    let relayed = Url::parse(address).unwrap();
    let (_, relayed) = relayed.query_pairs().find(|(name, _)| name == "RelayState").unwrap();
    assert_eq!(relayed, "opaque & \"quoted\" <script>");
    assert!(!address.contains("Signature"));

    let request: samael::schema::AuthnRequest = unpacked(address).parse().unwrap();
    assert_eq!(request.id, started.request.id);
    assert_eq!(request.version, "2.0");
    assert_eq!(request.destination.as_deref(), Some("https://idp.example/sso"));
    assert_eq!(request.assertion_consumer_service_url.as_deref(), Some(ACS));
    assert_eq!(request.issuer.unwrap().value.as_deref(), Some(US));
    assert_eq!(request.issue_instant.timestamp(), now().unix());
    assert_eq!(request.force_authn, None);
    let policy = request.name_id_policy.unwrap();
    assert_eq!(policy.format.as_deref(), Some(PERSISTENT));

    // 160 random bits, and no two alike.
    let again = saml::start(&ask(&service, &provider)).unwrap().request.id;
    assert_ne!(again, started.request.id);
    assert!(again.starts_with('_') && again.len() == 28, "{again}");

    let as_they_like = NamePolicy::Any;
    let params =
        AuthnRequestParams { force_authn: true, name_policy: as_they_like, ..ask(&service, &provider) };
    let forced = saml::start(&params).unwrap();
    let BindingMessage::Redirect(address) = &forced.message else { panic!("{:?}", forced.message) };
    let request: samael::schema::AuthnRequest = unpacked(address).parse().unwrap();
    assert_eq!(request.force_authn, Some(true));
    let policy = request.name_id_policy.unwrap();
    assert_eq!((policy.format, policy.allow_create), (None, Some(true)), "a name may be made for us");
    assert!(forced.request.force_authn);
}

#[test]
fn with_a_key_the_address_is_signed() {
    let key = service_key();
    let (service, mut provider) = (service(&[&key]), provider());
    provider.redirect = Some("https://idp.example/sso?tenant=1".to_owned());
    let started = saml::start(&ask(&service, &provider)).unwrap();
    let BindingMessage::Redirect(address) = &started.message else { panic!("{:?}", started.message) };
    let (_, query) = address.split_once("?tenant=1&").unwrap();
    let (signed, signature) = query.split_once("&Signature=").unwrap();
    let pair = format!("s={signature}");
    let (_, signature) = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap();
    let public = X509::from_der(key.certificate().der()).unwrap().public_key().unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
    let signature = BASE64_STANDARD.decode(&*signature).unwrap();
    assert!(verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap());
    assert!(signed.contains("&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"));
}

#[test]
fn where_only_a_form_is_taken_the_page_gets_its_fields() {
    let key = service_key();
    let (service, mut provider) = (service(&[&key]), provider());
    provider.post = Some("https://idp.example/post".to_owned());
    provider.redirect = None;
    let started = saml::start(&ask(&service, &provider)).unwrap();
    let BindingMessage::Post { action, field: "SAMLRequest", message, relay_state } = &started.message else {
        panic!("no form")
    };
    assert_eq!(action, "https://idp.example/post");
    assert_eq!(relay_state, "opaque & \"quoted\" <script>");
    let text = String::from_utf8(BASE64_STANDARD.decode(message).unwrap()).unwrap();
    let certificate = CertificateDer::from(key.certificate().der().to_vec());
    Crypto::verify_signed_xml(&text, &certificate, Some("ID")).unwrap();
    let changed = text.replace(ACS, "https://evil.example");
    assert!(Crypto::verify_signed_xml(&changed, &certificate, Some("ID")).is_err());

    provider.post = None;
    assert!(saml::start(&ask(&service, &provider)).is_err());
}

#[test]
fn our_metadata_names_both_keys_during_a_change_and_is_signed_case_84() {
    let (current, next) = (service_key(), service_key());
    let text = saml::metadata(&service(&[&current, &next]), true).unwrap();
    Crypto::verify_signed_xml(&text, &CertificateDer::from(current.certificate().der().to_vec()), Some("ID"))
        .unwrap();
    let read: samael::metadata::EntityDescriptor = text.parse().unwrap();
    assert_eq!(read.entity_id.as_deref(), Some(US));
    assert_eq!(read.valid_until, None);
    let roles = read.sp_sso_descriptors.unwrap();
    let [role] = roles.as_slice() else { panic!("{} roles", roles.len()) };
    assert_eq!((role.want_assertions_signed, role.authn_requests_signed), (Some(true), Some(true)));
    assert_eq!(role.assertion_consumer_services[0].location, ACS);
    let mixed = saml::metadata(&service(&[&current]), false).unwrap();
    assert!(mixed.contains("AuthnRequestsSigned=\"false\""), "what is not so of all is not said");
    let keys = role.key_descriptors.as_ref().unwrap();
    let uses: Vec<_> = keys.iter().map(|key| key.key_use.as_deref().unwrap()).collect();
    assert_eq!(uses, ["signing", "encryption", "signing", "encryption"]);
    let methods = keys[1].encryption_methods.as_ref().unwrap();
    assert!(
        methods
            .iter()
            .all(|method| !method.algorithm.contains("192") && !method.algorithm.contains("rsa-1_5"))
    );
    for (key, certificate) in [(0, &current), (2, &next)] {
        let written = &keys[key].key_info.x509_data.as_ref().unwrap().certificates[0];
        assert_eq!(BASE64_STANDARD.decode(written).unwrap(), certificate.certificate().der());
    }

    let plain = saml::metadata(&service(&[]), true).unwrap();
    assert!(!plain.contains("Signature") && !plain.contains("KeyDescriptor"));
}

#[test]
fn a_key_survives_being_written_and_is_never_printed() {
    let key = ServiceKey::generate("app.example", now(), TimeDelta::days(365)).unwrap();
    let (private, certificate) = (key.private_pem().unwrap(), key.certificate_pem().unwrap());
    let again = ServiceKey::from_pem(&private, &certificate).unwrap();
    assert_eq!(again.certificate(), key.certificate());
    assert_eq!(key.certificate().not_after, now() + TimeDelta::days(365));
    assert_eq!(format!("{key:?}"), format!("ServiceKey({})", key.certificate().fingerprint));
    let other = service_key();
    assert!(ServiceKey::from_pem(&private, &other.certificate_pem().unwrap()).is_err());
}
