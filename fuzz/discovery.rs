//! Fuzzes the reading of what providers publish and answer: metadata, keys, tokens, what GitHub says of its users.
//!
//! The first byte of an input says which: `m`, `k`, `t` as JSON and `f` as a form, `u`, `g`, and `a` for Apple's name.
#![no_main]

#[path = "../src/oidc/mod.rs"]
#[allow(dead_code, unused_imports)]
mod oidc;

use oidc::Transport;
// The module names these by the root of its crate.
use vestibule::{clock, mail, secret};

const ISSUER: &str = "https://id.example";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((mode, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match mode {
        b'm' => match oidc::read_metadata(text, ISSUER, Transport::Tls) {
            Ok(metadata) => {
                assert!(metadata.issuer == ISSUER && !metadata.algorithms.is_empty(), "{metadata:?}");
                let asked = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
                let asked = asked.into_iter().chain(&metadata.userinfo_endpoint);
                let urls: Vec<_> = asked.map(|address| url::Url::parse(address).unwrap()).collect();
                assert!(urls.iter().all(|url| url.scheme() == "https" && url.has_host()), "{metadata:?}");
            }
            Err(refusal) => assert!(!refusal.sentence().contains('\n')),
        },
        b'k' => drop(oidc::read_keys(text)),
        b't' => drop(oidc::read_token_response(200, Some("application/json"), text)),
        b'f' => drop(oidc::read_token_response(200, Some("application/x-www-form-urlencoded"), text)),
        b'u' => drop(
            oidc::read_userinfo(200, None, text, "ada")
                .map(|claims| oidc::profile::email(&claims, oidc::profile::AddressTrust::Stated)),
        ),
        b'g' => drop(text.split_once('\n').map(|(user, emails)| oidc::github::read_user(user, emails))),
        _ => drop(oidc::apple::name(text)),
    }
});
