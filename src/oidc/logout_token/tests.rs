use serde_json::{Value, json};

use super::*;
use crate::oidc::tests::{CLIENT, ISSUER, bent, claims, now, provider, with};

fn honest() -> Value {
    json!({
        "iss": ISSUER, "aud": [CLIENT], "iat": now().unix(), "exp": now().unix() + 120, "jti": "j-1",
        "sub": "ada", "sid": "s1", "events": {EVENT: {}},
    })
}

fn read(token: &str) -> Result<LogoutToken, Reason> {
    let provider = provider();
    let expected = ExpectedLogout {
        metadata: &provider.metadata,
        keys: &provider.keys,
        client_id: CLIENT,
        subject_claim: "sub",
        now: now(),
    };
    read_logout_token(token, &expected).map_err(|refusal| refusal.reason)
}

#[test]
fn a_logout_names_a_person_or_a_session() {
    let signer = &provider().rsa;
    let at = |seconds: i64| json!(now().unix() + seconds);
    let logout = read(&signer.sign(&honest())).unwrap();
    assert_eq!((logout.issuer.as_str(), logout.token_id.as_str()), (ISSUER, "j-1"));
    assert_eq!((logout.subject.as_deref(), logout.session_id.as_deref()), (Some("ada"), Some("s1")));
    assert_eq!(logout.remember_until, now() + TimeDelta::minutes(6));
    for changes in [
        json!({"sub": null}),
        json!({"sid": null}),
        json!({"exp": null}),
        json!({"aud": CLIENT}),
        json!({"iat": at(-359), "exp": at(-59)}),
        json!({"iat": at(60)}),
    ] {
        assert!(read(&signer.sign(&with(honest(), changes.clone()))).is_ok(), "{changes}");
    }
    let header = with(signer.header(), json!({"typ": "logout+jwt"})).to_string();
    assert!(read(&signer.sign_text(&header, &honest().to_string())).is_ok());
}

#[test]
fn what_is_no_logout_is_refused() {
    let provider = provider();
    let at = |seconds: i64| json!(now().unix() + seconds);
    let cases = [
        ("another issuer", json!({"iss": "https://evil.example"}), Reason::AnotherIssuer),
        ("no audience", json!({"aud": null}), Reason::AnotherAudience),
        ("another audience", json!({"aud": "two"}), Reason::AnotherAudience),
        ("no time", json!({"iat": null}), Reason::NoTime),
        ("an expiry as text", json!({"exp": "soon"}), Reason::NoTime),
        ("from the future", json!({"iat": at(61)}), Reason::TooNew),
        ("too old", json!({"iat": at(-360), "exp": at(300)}), Reason::TooOld),
        ("expired", json!({"exp": at(-60)}), Reason::TooOld),
        ("no event", json!({"events": null}), Reason::NotALogout),
        ("another event", json!({"events": {"https://example.com/event": {}}}), Reason::NotALogout),
        ("an event that says nothing", json!({"events": {EVENT: true}}), Reason::NotALogout),
        ("events in a list", json!({"events": [EVENT]}), Reason::NotALogout),
        ("a nonce", json!({"nonce": "n"}), Reason::NotALogout),
        ("no id", json!({"jti": null}), Reason::NotALogout),
        ("a long id", json!({"jti": "j".repeat(256)}), Reason::NotALogout),
        ("nobody", json!({"sub": null, "sid": null}), Reason::NotALogout),
    ];
    for (what, changes, reason) in cases {
        assert_eq!(read(&provider.rsa.sign(&with(honest(), changes))), Err(reason), "{what}");
    }
    assert_eq!(read(&provider.rsa.sign(&claims())), Err(Reason::NotALogout), "an ID token");
    assert_eq!(read(&provider.stranger.sign(&honest())), Err(Reason::BadSignature));
    assert_eq!(read("a.b.c"), Err(Reason::BadToken));
    let whole = provider.rsa.sign(&honest());
    for token in bent(&whole, 500).filter(|token| *token != whole) {
        assert!(read(&token).is_err(), "{token}");
    }
}
