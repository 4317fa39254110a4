use serde_json::json;

use super::*;
use crate::oidc::tests::{ISSUER, document, with};

#[test]
fn metadata_says_what_is_needed() {
    let read =
        |changes| read_metadata(&with(document(), changes).to_string(), ISSUER, Transport::Tls).unwrap();
    let metadata = read(json!({}));
    let known = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    assert_eq!(metadata.algorithms, known, "what is not read here is left out, and so is none");
    assert!(metadata.names_issuer && metadata.says_auth_time);
    assert_eq!(metadata.client_authentication[0], ClientAuthentication::Basic);
    let post = json!({"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]});
    assert_eq!(read(post).client_authentication, [ClientAuthentication::Post]);
    // What a provider need not say.
    let metadata = read(json!({
        "userinfo_endpoint": null, "claims_supported": null, "id_token_signing_alg_values_supported": null,
        "token_endpoint_auth_methods_supported": null, "authorization_response_iss_parameter_supported": null,
    }));
    assert_eq!(metadata.algorithms, [Algorithm::RS256]);
    assert_eq!(
        (metadata.userinfo_endpoint, metadata.names_issuer, metadata.says_auth_time),
        (None, false, false)
    );
    assert_eq!(metadata.client_authentication[0], ClientAuthentication::Basic);
}

#[test]
fn metadata_that_is_none_is_refused() {
    let changed = |changes| with(document(), changes).to_string();
    let twice = format!("{{\"issuer\":\"https://evil.example\",{}", &document().to_string()[1..]);
    let cases = [
        ("nothing", String::new(), Reason::NotMetadata),
        ("a list", "[]".to_owned(), Reason::NotMetadata),
        ("a page", " <!doctype html><title>Sign in</title>".to_owned(), Reason::WebPage),
        ("SAML", "<EntityDescriptor/>".to_owned(), Reason::WebPage),
        ("too large", changed(json!({"more": "a".repeat(MAX_DOCUMENT)})), Reason::TooLarge),
        ("an issuer twice", twice, Reason::NotMetadata),
        ("no issuer", changed(json!({"issuer": null})), Reason::NotMetadata),
        ("an issuer that is a list", changed(json!({"issuer": [ISSUER]})), Reason::NotMetadata),
        ("another issuer", changed(json!({"issuer": "https://evil.example"})), Reason::AnotherIssuer),
        ("no token endpoint", changed(json!({"token_endpoint": null})), Reason::BadEndpoint),
        ("no keys", changed(json!({"jwks_uri": ""})), Reason::BadEndpoint),
        (
            "without TLS",
            changed(json!({"authorization_endpoint": "http://id.example/a"})),
            Reason::BadEndpoint,
        ),
        (
            "a script",
            changed(json!({"authorization_endpoint": "javascript:alert(1)//"})),
            Reason::BadEndpoint,
        ),
        ("a path", changed(json!({"userinfo_endpoint": "/userinfo"})), Reason::BadEndpoint),
        ("a number", changed(json!({"userinfo_endpoint": 7})), Reason::BadEndpoint),
        ("a password", changed(json!({"token_endpoint": "https://a:b@id.example/t"})), Reason::BadEndpoint),
        (
            "a fragment",
            changed(json!({"authorization_endpoint": "https://id.example/#a"})),
            Reason::BadEndpoint,
        ),
        (
            "nothing but none",
            changed(json!({"id_token_signing_alg_values_supported": ["none", "HS256"]})),
            Reason::NoCommonAlgorithm,
        ),
        (
            "algorithms as text",
            changed(json!({"id_token_signing_alg_values_supported": "RS256"})),
            Reason::NotMetadata,
        ),
        (
            "keys only",
            changed(json!({"token_endpoint_auth_methods_supported": ["private_key_jwt", "none"]})),
            Reason::NoCommonAuthentication,
        ),
    ];
    for (what, text, reason) in cases {
        let refused = read_metadata(&text, ISSUER, Transport::Tls).map_err(|refusal| refusal.reason);
        assert_eq!(refused, Err(reason), "{what}");
    }
}

#[test]
fn another_issuer_is_told_with_the_right_one() {
    let refusal = read_metadata(&document().to_string(), "https://id.example/", Transport::Tls).unwrap_err();
    assert_eq!(refusal.found.as_deref(), Some(ISSUER));
    assert!(refusal.sentence().ends_with(". It sent: https://id.example"), "{}", refusal.sentence());
}

#[test]
fn plain_http_is_for_development() {
    let plain = document().to_string().replace("https:", "http:");
    let issuer = "http://id.example";
    assert!(read_metadata(&plain, issuer, Transport::Plain).is_ok());
    let refusal = read_metadata(&plain, issuer, Transport::Tls).unwrap_err();
    assert_eq!(refusal.reason, Reason::BadEndpoint);
    assert_eq!(read_issuer(issuer, Transport::Tls), Err(Reason::BadIssuer));
    assert!(read_issuer(issuer, Transport::Plain).is_ok());
}

#[test]
fn an_issuer_is_kept_as_it_was_entered() {
    for issuer in
        ["https://id.example", "https://id.example/", "https://id.example:8443/realms/One", "https://[::1]/a"]
    {
        assert_eq!(read_issuer(&format!(" {issuer}\n"), Transport::Tls).as_deref(), Ok(issuer));
    }
    let long = format!("https://id.example/{}", "a".repeat(MAX_ISSUER));
    for odd in [
        "",
        "id.example",
        "https://",
        "https://id.example?a=b",
        "https://id.example#a",
        "https://a@id.example",
        "https://id.example/{tenantid}",
        "https://id.example/a b",
        "javascript:1",
        "https://idé.example",
        &long,
    ] {
        assert_eq!(read_issuer(odd, Transport::Tls), Err(Reason::BadIssuer), "{odd}");
    }
    let known = "https://id.example/a/.well-known/openid-configuration";
    assert_eq!([metadata_url("https://id.example/a"), metadata_url("https://id.example/a/")], [known, known]);
}
