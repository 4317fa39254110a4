//! What an application behind a proxy can check by itself, with a library of its own.

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};

use super::{Gate, WIKI, check, origin, verify};
use crate::{
    harness::{Answer, TestApp},
    keys::{KEYS, makes},
};

const HEADER: &str = "vestibule-assertion";

/// What the answer asserts, as an application of this host reads it that knows the issuer and its keys.
async fn asserted(gate: &Gate, answer: &Answer, host: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let token = answer.header(HEADER);
    let keys: JwkSet =
        serde_json::from_value(gate.app.curl().get("/oauth/jwks").await.is(200).json()).unwrap();
    let header = decode_header(token)?;
    assert_eq!((header.typ.as_deref(), header.alg), (Some("gate+jwt"), Algorithm::ES256));
    let key = keys.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[&gate.app.base_url]);
    validation.set_audience(&[origin(host)]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The clock of a test is its own.
    validation.validate_exp = false;
    Ok(decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

#[actix_web::test]
async fn an_application_checks_by_itself_who_is_there() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("GATE_CACHE", "5s")]).await;
    let gate =
        Gate::of(app, &["--assertion", "on", "--user", "email", "--open", "/public", "--bearer", "on"]);
    let ada = gate.app.verified("ada@example.com").await;
    let me = ada.get("/me").await.json();
    let host = gate.lets_in(&ada).await;
    gate.app.wait(TimeDelta::minutes(2));
    for answer in [check(&host).await.is(200), verify(&host).await.is(200)] {
        let claims = asserted(&gate, &answer, WIKI).await.unwrap();
        assert_eq!(claims["sub"], me["user"]["id"], "an address changes hands");
        assert_eq!(claims["email"], "ada@example.com");
        assert_eq!(claims["acr"], "1fa");
        assert_eq!(claims["auth_time"].to_string(), answer.header("vestibule-auth-time"));
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert_eq!((iat, exp - iat), (gate.app.clock.now().unix(), 60));
        assert_eq!(claims.get("groups"), None);
        assert!(asserted(&gate, &answer, "notes.localhost:8080").await.is_err(), "another host's");
    }

    // Nobody in particular: nothing stands there, whatever the visitor wrote.
    let stranger = gate.program().with("x-forwarded-uri", "/public").with(HEADER, "eyJ");
    assert_eq!(check(&stranger).await.is(200).header(HEADER), "");

    ada.steps_up().await;
    let (_, secret) = makes(&ada, KEYS, json!({ "name": "Build", "permissions": ["account:read"] })).await;
    let answer = check(&gate.program().with("authorization", &format!("Bearer {secret}"))).await.is(200);
    let claims = asserted(&gate, &answer, WIKI).await.unwrap();
    assert_eq!((&claims["sub"], claims.get("acr")), (&me["user"]["id"], None), "nobody signed in");

    // It is no token of any other kind.
    let token = check(&host).await.header(HEADER).to_owned();
    let bearer = gate.app.curl().with("authorization", &format!("Bearer {token}"));
    bearer.get("/oauth/userinfo").await.is(401);

    let shown = gate.app.command(&["app", "show", WIKI, "--json"]).out;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["assertion"], "on");
    assert_eq!(gate.app.command(&["app", "set", WIKI, "--assertion", "off"]).code, Some(0));
    assert!(!check(&host).await.is(200).headers.contains_key(HEADER));
}

#[actix_web::test]
async fn each_proxy_passes_the_assertion_on_and_takes_a_visitor_s_own_away() {
    let gate = Gate::with(&["--assertion", "on"]).await;
    for proxy in ["nginx", "caddy", "traefik", "apache", "envoy"] {
        let config = |gate: &Gate| gate.app.command(&["app", "config", WIKI, proxy]).out;
        let with = config(&gate).to_lowercase().replace('_', "-");
        assert!(with.contains(HEADER), "{proxy}: {with}");
    }
}
