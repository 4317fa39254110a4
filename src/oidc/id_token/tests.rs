use jsonwebtoken::EncodingKey;
use openssl::nid::Nid;
use serde_json::{Value, json};

use super::*;
use crate::oidc::tests::{
    CLIENT, ISSUER, NONCE, Provider, Signer, bent, claims, document, key_set, now, provider, with,
};

const ACCESS_TOKEN: &str = "an access token";

fn expected(provider: &Provider) -> Expected<'_> {
    Expected {
        metadata: &provider.metadata,
        keys: &provider.keys,
        client_id: CLIENT,
        nonce: NONCE,
        requested_at: now() - TimeDelta::seconds(30),
        subject_claim: "sub",
        access_token: Some(ACCESS_TOKEN),
        reauthentication: false,
        now: now(),
    }
}

/// Each of these is refused, and for its own reason.
fn assert_refused(cases: Vec<(&str, String, Reason)>, expected: &Expected<'_>) {
    for (what, token, reason) in cases {
        let refused = read_id_token(&token, expected).map(|read| read.claims);
        assert_eq!(refused.map_err(|refusal| refusal.reason), Err(reason), "{what}");
    }
}

fn header(changes: Value) -> String {
    with(provider().rsa.header(), changes).to_string()
}

#[test]
fn an_honest_token_is_taken_with_every_kind_of_key() {
    let provider = provider();
    let signers =
        [&provider.rsa, &provider.p256, &provider.p384, &provider.ed, &provider.rsa.by(Algorithm::PS256)];
    for signer in signers {
        let at_hash = half_hash(signer.algorithm, ACCESS_TOKEN);
        let token = signer.sign(&with(claims(), json!({"at_hash": at_hash})));
        let read = read_id_token(&token, &expected(provider)).unwrap();
        assert_eq!((read.issuer.as_str(), read.subject.as_str()), (ISSUER, "ada"), "{:?}", signer.algorithm);
        assert_eq!((read.session_id.as_deref(), read.authenticated_at), (Some("s1"), Some(now())));
        assert!(read.checks.len() == 9 && read.checks.iter().all(|check| check.failed.is_none()));
    }
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let provider = provider();
    let (rsa, honest) = (&provider.rsa, claims().to_string());
    let head = rsa.header().to_string();
    let whole = rsa.sign(&claims());
    let parts: Vec<&str> = whole.split('.').collect();
    let signed = |header: Value| rsa.sign_text(&self::header(header), &honest);
    let saying = |text: &str| rsa.sign_text(&head, text);
    let big = with(claims(), json!({"groups": vec!["a group of many"; 5_000]})).to_string();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_refused(
        vec![
            ("nothing", String::new(), Reason::BadToken),
            ("two parts", format!("{}.{}", parts[0], parts[1]), Reason::BadToken),
            ("four parts", format!("{whole}.{}", parts[2]), Reason::BadToken),
            ("five parts", format!("{whole}.a.b"), Reason::EncryptedToken),
            ("too large", saying(&big), Reason::BadToken),
            ("a header that is not base64", format!("%%.{}.{}", parts[1], parts[2]), Reason::BadToken),
            ("a header that is no JSON", rsa.sign_text("RS256", &honest), Reason::BadToken),
            ("a payload with padding", format!("{}.{}=.{}", parts[0], parts[1], parts[2]), Reason::BadToken),
            ("a blank before it", format!(" {whole}"), Reason::BadToken),
            ("a line after it", format!("{whole}\n"), Reason::BadToken),
            ("a list", saying("[]"), Reason::BadToken),
            ("a token in a token", saying(&format!("\"{whole}\"")), Reason::BadToken),
            ("more after the claims", saying(&format!("{honest}{{}}")), Reason::BadToken),
            ("a claim twice", saying(&format!("{{\"sub\":\"eve\",{}", &honest[1..])), Reason::BadToken),
            (
                "twice inside",
                saying(&format!("{{\"a\":[{{\"b\":1,\"b\":2}}],{}", &honest[1..])),
                Reason::BadToken,
            ),
            (
                "a claim twice, escaped",
                saying(&format!("{{\"s\\u0075b\":\"eve\",{}", &honest[1..])),
                Reason::BadToken,
            ),
            ("nested deeply", saying(&format!("{{\"a\":{deep},{}", &honest[1..])), Reason::BadToken),
            (
                "alg twice",
                rsa.sign_text(&format!("{{\"alg\":\"none\",{}", &head[1..]), &honest),
                Reason::BadToken,
            ),
            ("crit", signed(json!({"crit": ["exp"]})), Reason::BadToken),
            ("an empty crit", signed(json!({"crit": []})), Reason::BadToken),
            ("b64", signed(json!({"b64": false})), Reason::BadToken),
            ("an access token", signed(json!({"typ": "at+jwt"})), Reason::BadToken),
            ("a logout token", signed(json!({"typ": "application/logout+JWT"})), Reason::BadToken),
            ("a typ that is a number", signed(json!({"typ": 1})), Reason::BadToken),
            ("a kid that is a number", signed(json!({"kid": 1})), Reason::BadToken),
            ("no alg", signed(json!({"alg": null})), Reason::BadToken),
            ("an alg that is a list", signed(json!({"alg": ["RS256"]})), Reason::BadToken),
        ],
        &expected(provider),
    );
}

#[test]
fn what_the_provider_did_not_sign_is_refused() {
    let provider = provider();
    let (rsa, honest) = (&provider.rsa, claims().to_string());
    let named = |alg: &str| rsa.sign_text(&header(json!({"alg": alg})), &honest);
    let whole = rsa.sign(&claims());
    let (message, signature) = whole.rsplit_once('.').unwrap();
    let public = Signer {
        algorithm: Algorithm::HS256,
        key: EncodingKey::from_secret(rsa.jwk["n"].as_str().unwrap().as_bytes()).unwrap(),
        jwk: rsa.jwk.clone(),
    };
    let unsigned = |alg: &str| named(alg).rsplit_once('.').unwrap().0.to_owned() + ".";
    let other_payload = rsa.sign(&with(claims(), json!({"sub": "eve"})));
    let swapped = format!("{}.{signature}", other_payload.rsplit_once('.').unwrap().0);
    let ec_message = provider.p256.sign(&claims());
    let ec_message = ec_message.rsplit_once('.').unwrap().0;
    let der = [&[0x30, 0x44, 0x02, 0x20][..], &[1; 32], &[0x02, 0x20], &[1; 32]].concat();
    let pss = rsa.by(Algorithm::PS256).sign_text(&header(json!({})), &honest);
    let own_key = provider.stranger.sign_text(&header(json!({"jwk": provider.stranger.jwk})), &honest);
    let linked = provider.stranger.sign_text(&header(json!({"jku": "https://evil.example/keys"})), &honest);
    assert_refused(
        vec![
            ("none", unsigned("none"), Reason::BadAlgorithm),
            ("None", unsigned("None"), Reason::BadAlgorithm),
            ("HS256 with the public key", public.sign(&claims()), Reason::BadAlgorithm),
            ("HS512", named("HS512"), Reason::BadAlgorithm),
            ("ES512", named("ES512"), Reason::BadAlgorithm),
            ("an algorithm in small letters", named("rs256"), Reason::BadAlgorithm),
            (
                "an algorithm that the metadata does not list",
                rsa.by(Algorithm::RS512).sign(&claims()),
                Reason::BadAlgorithm,
            ),
            ("another key", provider.stranger.sign(&claims()), Reason::BadSignature),
            ("the key that it brings along", own_key, Reason::BadSignature),
            ("a link to its key", linked, Reason::BadSignature),
            ("an unknown key", rsa.sign_text(&header(json!({"kid": "new"})), &honest), Reason::UnknownKey),
            ("an empty kid", rsa.sign_text(&header(json!({"kid": ""})), &honest), Reason::UnknownKey),
            (
                "a key of another kind",
                rsa.sign_text(&header(json!({"kid": "p256"})), &honest),
                Reason::UnknownKey,
            ),
            ("another curve", named("ES384"), Reason::UnknownKey),
            ("no signature", format!("{message}."), Reason::BadSignature),
            ("half a signature", format!("{message}.{}", &signature[..168]), Reason::BadSignature),
            ("another payload", swapped, Reason::BadSignature),
            ("another padding", pss, Reason::BadSignature),
            ("zeros", format!("{ec_message}.{}", BASE64.encode([0; 64])), Reason::BadSignature),
            ("a signature in DER", format!("{ec_message}.{}", BASE64.encode(der)), Reason::BadSignature),
        ],
        &expected(provider),
    );
}

#[test]
fn a_key_that_two_keys_could_be_is_none() {
    let provider = provider();
    let (first, second) = (&provider.rsa.jwk, &provider.stranger.jwk);
    let p256 = Signer::ec("rsa", Nid::X9_62_PRIME256V1, "P-256", Algorithm::ES256).jwk;
    let token = provider.rsa.sign(&claims());
    let without_kid = provider.rsa.sign_text(&header(json!({"kid": null})), &claims().to_string());
    let read = |token: &str, keys: &[&Value]| {
        let keys = key_set(&keys.iter().map(|key| (*key).clone()).collect::<Vec<_>>());
        let read = read_id_token(token, &Expected { keys: &keys, ..expected(provider) });
        read.map(|read| read.subject).map_err(|refusal| refusal.reason)
    };
    assert_eq!(read(&token, &[first, second]), Err(Reason::UnknownKey));
    assert_eq!(read(&without_kid, &[first, second]), Err(Reason::UnknownKey));
    let named = with(second.clone(), json!({"alg": "PS256", "kid": "other"}));
    for keys in [&[first][..], &[first, first], &[first, &p256], &[&named, first]] {
        assert_eq!(
            (read(&token, keys), read(&without_kid, keys)),
            (Ok("ada".into()), Ok("ada".into())),
            "{keys:?}"
        );
    }
}

#[test]
fn what_is_signed_and_wrong_is_refused() {
    let provider = provider();
    let at = |seconds: i64| json!(now().unix() + seconds);
    let cases = [
        ("no issuer", json!({"iss": null}), Reason::AnotherIssuer),
        ("a slash more", json!({"iss": "https://id.example/"}), Reason::AnotherIssuer),
        ("without TLS", json!({"iss": "http://id.example"}), Reason::AnotherIssuer),
        ("capital letters", json!({"iss": "https://ID.example"}), Reason::AnotherIssuer),
        ("a list of issuers", json!({"iss": [ISSUER]}), Reason::AnotherIssuer),
        ("no audience", json!({"aud": null}), Reason::AnotherAudience),
        ("another audience", json!({"aud": "client two"}), Reason::AnotherAudience),
        ("no audience in a list", json!({"aud": []}), Reason::AnotherAudience),
        ("two audiences", json!({"aud": [CLIENT, "two"]}), Reason::AnotherAudience),
        ("an odd audience", json!({"aud": [CLIENT, 2], "azp": CLIENT}), Reason::AnotherAudience),
        ("another azp", json!({"azp": "two"}), Reason::AnotherAudience),
        ("an azp that is a list", json!({"azp": [CLIENT]}), Reason::AnotherAudience),
        ("another audience, our azp", json!({"aud": ["two"], "azp": CLIENT}), Reason::AnotherAudience),
        ("no expiry", json!({"exp": null}), Reason::NoTime),
        ("an expiry as text", json!({"exp": "2099-01-01"}), Reason::NoTime),
        ("an expiry before 1970", json!({"exp": -1}), Reason::NoTime),
        ("expired", json!({"exp": at(-60)}), Reason::TooOld),
        ("no iat", json!({"iat": null}), Reason::NoTime),
        ("from the future", json!({"iat": at(61)}), Reason::TooNew),
        ("in milliseconds", json!({"iat": now().unix() * 1000}), Reason::NoTime),
        ("older than the request", json!({"iat": at(-91)}), Reason::TooOld),
        ("not valid yet", json!({"nbf": at(61)}), Reason::TooNew),
        ("an nbf as text", json!({"nbf": "now"}), Reason::NoTime),
        ("no nonce", json!({"nonce": null}), Reason::AnotherNonce),
        ("another nonce", json!({"nonce": "another"}), Reason::AnotherNonce),
        ("a nonce that is a list", json!({"nonce": [NONCE]}), Reason::AnotherNonce),
        (
            "another access token",
            json!({"at_hash": half_hash(Algorithm::RS256, "other")}),
            Reason::AnotherAccessToken,
        ),
        (
            "the whole hash",
            json!({"at_hash": BASE64.encode(Sha256::digest(ACCESS_TOKEN))}),
            Reason::AnotherAccessToken,
        ),
        ("a hash that is none", json!({"at_hash": 1}), Reason::AnotherAccessToken),
        ("no subject", json!({"sub": null}), Reason::NoSubject),
        ("an empty subject", json!({"sub": ""}), Reason::NoSubject),
        ("a blank subject", json!({"sub": " "}), Reason::NoSubject),
        ("a subject with a blank", json!({"sub": "ada "}), Reason::NoSubject),
        ("a subject that is a number", json!({"sub": 7}), Reason::NoSubject),
        ("a long subject", json!({"sub": "a".repeat(256)}), Reason::NoSubject),
        ("a subject with a NUL", json!({"sub": "ada\u{0}"}), Reason::NoSubject),
    ];
    let signed =
        cases.map(|(what, changes, reason)| (what, provider.rsa.sign(&with(claims(), changes)), reason));
    assert_refused(signed.to_vec(), &expected(provider));
    let refusal = read_id_token(&signed[0].1, &expected(provider)).unwrap_err();
    assert_eq!(refusal.claims.unwrap().text("email"), Some("ada@example.com"), "for a test sign-in");
    assert_eq!(refusal.checks.iter().filter(|check| check.failed.is_some()).count(), 1);
}

#[test]
fn odd_but_honest_tokens_are_taken() {
    let provider = provider();
    let at = |seconds: i64| json!(now().unix() + seconds);
    let odd = [
        json!({"aud": [CLIENT]}),
        json!({"aud": ["two", CLIENT], "azp": CLIENT}),
        json!({"exp": at(-59)}),
        json!({"iat": at(60), "nbf": at(60)}),
        json!({"iat": at(-90)}),
        json!({"iat": 1_795_269_900.25, "exp": 1_795_270_200.5}),
        json!({"auth_time": "yesterday", "sid": 7, "email_verified": "true", "events": {}}),
        json!({"sub": "é".repeat(255)}),
        json!({"https://example.com/claim": {"a": [null, 1.5e300]}}),
    ];
    for changes in odd {
        let token = provider.rsa.sign(&with(claims(), changes.clone()));
        assert!(read_id_token(&token, &expected(provider)).is_ok(), "{changes}");
    }
    let headers = [
        json!({"typ": null}),
        json!({"typ": "jwt"}),
        json!({"typ": "JOSE", "x5t": "AA", "jku": "https://a.example"}),
    ];
    for changes in headers {
        let token = provider.rsa.sign_text(&header(changes.clone()), &claims().to_string());
        assert!(read_id_token(&token, &expected(provider)).is_ok(), "{changes}");
    }
}

#[test]
fn step_up_takes_nothing_but_a_fresh_auth_time() {
    let provider = provider();
    let expected = Expected { reauthentication: true, ..expected(provider) };
    let at = |seconds: i64| json!(now().unix() + seconds);
    let cases = [
        ("none", json!({"auth_time": null})),
        ("before the request", json!({"auth_time": at(-91)})),
        ("from the future", json!({"auth_time": at(61)})),
        ("in milliseconds", json!({"auth_time": now().unix() * 1000})),
        ("as text", json!({"auth_time": now().unix().to_string()})),
        ("with a fraction", json!({"auth_time": 1_795_269_900.5})),
    ];
    let cases =
        cases.map(|(what, changes)| (what, provider.rsa.sign(&with(claims(), changes)), Reason::NotAgain));
    assert_refused(cases.to_vec(), &expected);
    for seconds in [-90, 60] {
        let token = provider.rsa.sign(&with(claims(), json!({"auth_time": at(seconds)})));
        assert!(read_id_token(&token, &expected).is_ok(), "{seconds}");
    }
}

#[test]
fn microsofts_tenants_are_told_apart() {
    let provider = provider();
    let tid = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let issuer = format!("https://login.microsoftonline.com/{tid}/v2.0");
    let document = with(document(), json!({"issuer": microsoft::ANY_TENANT})).to_string();
    let metadata =
        crate::oidc::read_metadata(&document, microsoft::ANY_TENANT, crate::oidc::Transport::Tls).unwrap();
    let expected =
        Expected { metadata: &metadata, subject_claim: microsoft::SUBJECT_CLAIM, ..expected(provider) };
    let sign = |changes: Value| {
        let honest = with(claims(), json!({"iss": issuer, "tid": tid, "oid": "o-1"}));
        provider.rsa.sign(&with(honest, changes))
    };
    let read = read_id_token(&sign(json!({})), &expected).unwrap();
    assert_eq!((read.issuer, read.subject), (issuer.clone(), "o-1".to_owned()));
    let odd = "https://login.microsoftonline.com/evil/v2.0";
    assert_refused(
        vec![
            ("the template itself", sign(json!({"iss": microsoft::ANY_TENANT})), Reason::AnotherIssuer),
            (
                "another tenant",
                sign(json!({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"})),
                Reason::AnotherIssuer,
            ),
            ("no tenant", sign(json!({"tid": null})), Reason::AnotherIssuer),
            ("a tenant that is none", sign(json!({"iss": odd, "tid": "evil"})), Reason::AnotherIssuer),
            ("another host", sign(json!({"iss": issuer.replace("login.", "l.")})), Reason::AnotherIssuer),
            ("no oid", sign(json!({"oid": null})), Reason::NoSubject),
        ],
        &expected,
    );
}

#[test]
fn a_token_with_a_few_other_bytes_is_never_taken() {
    let provider = provider();
    for signer in [&provider.rsa, &provider.ed] {
        let honest = signer.sign(&claims());
        for token in bent(&honest, 3_000).filter(|token| *token != honest) {
            assert!(read_id_token(&token, &expected(provider)).is_err(), "{token}");
        }
    }
}
