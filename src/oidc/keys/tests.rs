use serde_json::json;

use super::*;
use crate::oidc::tests::{Signer, claims, provider, with};

fn read(keys: Value) -> Result<usize, Reason> {
    read_keys(&json!({"keys": keys}).to_string()).map(|keys| keys.0.len())
}

#[test]
fn keys_that_cannot_be_used_are_left_out() {
    let provider = provider();
    let (rsa, p256, ed) = (&provider.rsa.jwk, &provider.p256.jwk, &provider.ed.jwk);
    let weak = Signer::rsa("weak", 1024).jwk;
    let odd = [
        weak,
        with(rsa.clone(), json!({"use": "enc"})),
        with(rsa.clone(), json!({"alg": "RSA-OAEP"})),
        with(rsa.clone(), json!({"alg": "ES256"})),
        with(rsa.clone(), json!({"alg": "HS256"})),
        with(rsa.clone(), json!({"key_ops": ["encrypt"]})),
        with(rsa.clone(), json!({"d": "AQAB"})),
        with(rsa.clone(), json!({"n": null})),
        with(rsa.clone(), json!({"n": ""})),
        with(rsa.clone(), json!({"n": "%"})),
        with(rsa.clone(), json!({"kty": "oct", "k": "AAAA"})),
        with(p256.clone(), json!({"crv": "P-384"})),
        with(p256.clone(), json!({"crv": "secp256k1"})),
        with(p256.clone(), json!({"x": "AAAA"})),
        with(ed.clone(), json!({"crv": "X25519"})),
        json!({}),
        json!("a key"),
    ];
    for key in &odd {
        assert_eq!(read(json!([key])), Err(Reason::NoUsableKey), "{key}");
    }
    assert_eq!(read(json!([odd[0], rsa, odd[1], p256, ed, provider.p384.jwk])), Ok(4));
    assert_eq!(read(json!([])), Err(Reason::NoUsableKey));
    assert_eq!(read(json!(vec![rsa; 101])), Err(Reason::TooLarge));
    for text in ["", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [], \"keys\": []}"] {
        assert_eq!(read_keys(text).map(|_| ()), Err(Reason::NotKeys), "{text}");
    }
    assert_eq!(read_keys("<html>").map(|_| ()), Err(Reason::WebPage));
}

#[test]
fn odd_but_honest_keys_are_taken() {
    let provider = provider();
    let modulus = BASE64.decode(provider.rsa.jwk["n"].as_str().unwrap()).unwrap();
    let modulus = BASE64.encode([&[0][..], &modulus].concat()) + "==";
    let odd = [
        json!({"n": modulus, "use": null, "kid": null}),
        json!({"use": "", "key_ops": ["verify"], "alg": "RS256", "x5c": ["AAAA"], "ext": true}),
    ];
    for changes in odd {
        let mut key = with(provider.rsa.jwk.clone(), changes.clone());
        key["kid"] = json!("rsa");
        let keys = read_keys(&json!({"keys": [key]}).to_string()).unwrap();
        let token = crate::oidc::jws::read(&provider.rsa.sign(&claims()), None, &[Algorithm::RS256])
            .and_then(|token| token.verify(&keys, &["iss"]).map(|signed| signed.is_incomplete));
        assert_eq!(token, Ok(false), "{changes}");
    }
}
