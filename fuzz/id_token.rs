//! Fuzzes the reading of ID tokens and logout tokens: their shape, their keys, and the checks behind the signature.
//!
//! The first byte of an input says where it goes. `s`: a header, a line break and claims, which the provider signs; only what
//! is honest may be taken. `l`: the same as a logout token. Anything else: a token as it comes in, which must never be taken,
//! since nobody has the key.
#![no_main]

#[path = "../src/oidc/mod.rs"]
#[allow(dead_code, unused_imports)]
mod oidc;

use std::sync::OnceLock;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey};
use oidc::{Expected, ExpectedLogout, IdToken, KeySet, ProviderMetadata, Refusal, Transport};
use openssl::pkey::PKey;
// The module names these by the root of its crate.
use vestibule::{clock, mail, secret};

const ISSUER: &str = "https://id.example";

struct World {
    key: EncodingKey,
    keys: KeySet,
    metadata: ProviderMetadata,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = PKey::generate_ed25519().unwrap();
        let x = BASE64.encode(key.raw_public_key().unwrap());
        let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
        let metadata = format!(
            r#"{{"issuer":"{ISSUER}","authorization_endpoint":"{ISSUER}/a","token_endpoint":"{ISSUER}/t",
            "jwks_uri":"{ISSUER}/k","id_token_signing_alg_values_supported":["EdDSA"]}}"#
        );
        World {
            key: EncodingKey::from_ed_der(&key.private_key_to_pkcs8().unwrap()),
            keys: oidc::read_keys(&keys).unwrap(),
            metadata: oidc::read_metadata(&metadata, ISSUER, Transport::Tls).unwrap(),
        }
    })
}

fn now() -> clock::Timestamp {
    clock::Timestamp::from_unix(1_795_269_900)
}

/// Fuzzing what never gets past the signature would prove little: the honest seed must.
fn the_seed_passes() {
    let honest = &include_str!("id_token/seeds/honest")[1..];
    let read = read(&signed(honest).unwrap()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(read.subject, "ada");
}

fn signed(text: &str) -> Option<String> {
    let (header, claims) = text.split_once('\n')?;
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &world().key, Algorithm::EdDSA).unwrap();
    Some(format!("{message}.{signature}"))
}

fn read(token: &str) -> Result<IdToken, Box<Refusal>> {
    let world = world();
    oidc::read_id_token(
        token,
        &Expected {
            metadata: &world.metadata,
            keys: &world.keys,
            client_id: "client",
            nonce: "nonce",
            requested_at: now() - TimeDelta::seconds(30),
            subject_claim: "sub",
            access_token: Some("access"),
            reauthentication: true,
            now: now(),
        },
    )
}

fn read_input(input: &[u8]) {
    let Some((mode, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match mode {
        b's' => {
            let Some(Ok(token)) = signed(text).map(|token| read(&token)) else { return };
            let count = token.subject.chars().count();
            assert!((1..=255).contains(&count) && token.issuer == ISSUER, "{token:?}");
            let is_fresh = token.authenticated_at.is_some_and(|at| at >= now() - TimeDelta::seconds(90));
            assert!(is_fresh && token.claims.text("nonce") == Some("nonce"), "{token:?}");
        }
        b'l' => {
            let world = world();
            let expected = ExpectedLogout {
                metadata: &world.metadata,
                keys: &world.keys,
                client_id: "client",
                subject_claim: "sub",
                now: now(),
            };
            let Some(Ok(logout)) = signed(text).map(|token| oidc::read_logout_token(&token, &expected))
            else {
                return;
            };
            assert!(logout.subject.is_some() || logout.session_id.is_some(), "{logout:?}");
            assert!(logout.remember_until > now(), "{logout:?}");
        }
        _ => assert!(read(text).is_err(), "a token that nobody signed was taken"),
    }
}

libfuzzer_sys::fuzz_target!(init: the_seed_passes(), |input: &[u8]| read_input(input));
