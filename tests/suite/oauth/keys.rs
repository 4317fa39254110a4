//! What tokens are signed with: found by applications before it signs, and for a while afterwards.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use super::{ADA, Notes, part};
use crate::harness::TestApp;

async fn listed(app: &TestApp) -> Vec<Value> {
    let answer = app.curl().get("/oauth/jwks").await.is(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert!(keys.iter().all(|key| key.get("d").is_none() && key["use"] == "sig"), "{keys:?}");
    keys
}

fn states(app: &TestApp) -> Vec<(String, String)> {
    let out = app.command(&["keys", "list", "--json"]).out;
    let mut states: Vec<(String, String)> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|key| (super::text(&key["algorithm"]), super::text(&key["state"])))
        .collect();
    states.sort();
    states
}

#[actix_web::test]
async fn a_key_is_announced_signs_and_retires_case_b9_15_case_b9_16() {
    let app = TestApp::with(&[("SIGNING_KEY_LIFE", "10d")]).await;
    let notes = Notes::of(app, "web", &[]);
    let app = &notes.app;
    let turn = async || jobs::run_once(&app.inner, Job::SigningKeys, true).await.unwrap();
    assert_eq!(turn().await, jobs::Outcome::Done(0), "nothing before it is needed");
    let first = listed(app).await;
    assert_eq!(first.len(), 2);
    let ada = app.verified(ADA).await;
    let old = notes.tokens(&ada, &[("scope", "openid offline_access")]).await;
    for (token, alg) in [("id_token", "RS256"), ("access_token", "ES256")] {
        let header = part(&old[token], 0);
        assert_eq!(header["alg"], alg);
        assert!(first.iter().any(|key| key["kid"] == header["kid"] && key["alg"] == alg), "{token}");
    }
    app.wait(TimeDelta::days(9));
    assert_eq!(turn().await, jobs::Outcome::Done(2), "announced");
    assert_eq!(listed(app).await.len(), 4);
    app.wait(TimeDelta::hours(23));
    assert_eq!(turn().await, jobs::Outcome::Done(0));
    app.wait(TimeDelta::hours(1));
    assert_eq!(turn().await, jobs::Outcome::Done(2), "switched");
    let state = |alg: &str, state: &str| (alg.to_owned(), state.to_owned());
    assert_eq!(
        states(app),
        [
            state("ES256", "in_use"),
            state("ES256", "retired"),
            state("RS256", "in_use"),
            state("RS256", "retired")
        ]
    );
    assert_eq!(app.count("signing_keys WHERE sealed IS NULL").await, 2);
    let keys = listed(app).await;
    assert_eq!(keys.len(), 4);
    let new = notes.refreshes(&old["refresh_token"]).await.is(200).json();
    let kid = part(&new["access_token"], 0)["kid"].clone();
    assert!(first.iter().all(|key| key["kid"] != kid) && keys.iter().any(|key| key["kid"] == kid));
    app.wait(TimeDelta::days(8));
    assert_eq!(listed(app).await.len(), 2, "no longer in the list");
}

#[actix_web::test]
async fn an_operator_changes_them() {
    let notes = Notes::open(&[]).await;
    let app = &notes.app;
    let first = listed(app).await;
    let announced = app.command(&["keys", "rotate", "--json"]);
    assert_eq!(announced.code, Some(0), "{}", announced.err);
    assert_eq!(app.command(&["keys", "rotate"]).code, Some(1), "they are announced already");
    app.wait(TimeDelta::seconds(61));
    assert_eq!(listed(app).await.len(), 4);
    assert_eq!(app.command(&["keys", "rotate", "--now"]).code, Some(0));
    app.wait(TimeDelta::seconds(61));
    let ada = app.verified(ADA).await;
    let kid = part(&notes.tokens(&ada, &[]).await["id_token"], 0)["kid"].clone();
    assert!(first.iter().all(|key| key["kid"] != kid));
    assert!(!app.dump_storage().await.contains("BEGIN PRIVATE"));
    assert_eq!(app.count("audit WHERE event = 'signing_key_switched'").await, 2);
}

#[actix_web::test]
async fn what_applications_need_to_know_is_in_one_document_case_b9_1() {
    let app = TestApp::open().await;
    let answer = app.curl().get("/.well-known/openid-configuration").await.is(200);
    let document = answer.json();
    assert_eq!(document["issuer"], json!(app.base_url));
    assert_eq!(app.curl().get("/.well-known/oauth-authorization-server").await.is(200).json(), document);
    for (name, address) in document.as_object().unwrap() {
        if let Some(path) =
            address.as_str().and_then(|text| text.strip_prefix(&app.base_url)).filter(|path| !path.is_empty())
        {
            let status = app.curl().get_once(path).await.status.as_u16();
            assert!(status != 404, "{name}: {path}");
        }
    }
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256", "ES256"]));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}
