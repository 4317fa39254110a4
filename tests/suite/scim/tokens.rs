//! Who may call, and what everybody else is told: always in the form of SCIM.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use super::{Corp, SCIM, Scim, refused, user};
use crate::harness::TestApp;

#[actix_web::test]
async fn a_token_opens_one_directory_until_it_ends_case_25() {
    let corp = Corp::open().await;
    let (app, owner) = (&corp.app, &corp.acme.owner);
    let at = "/organisations/acme/directory";

    corp.scim.get("/Users").await.is(200);
    let stranger = app.curl();
    let none = stranger.send(Method::GET, "/scim/v2/Users", None).await;
    let told = refused(none, 401, None);
    assert_eq!(told.header("www-authenticate"), "Bearer realm=\"scim\", error=\"invalid_token\"");
    for wrong in ["Basic YTpi", "Bearer", "Bearer x", "Bearer vsts_0000000000000000000000000000000000000000"]
    {
        let caller = app.curl().with("authorization", wrong);
        refused(caller.send(Method::GET, "/scim/v2/Users", None).await, 401, None);
    }
    // Nor does a cookie count, an owner's neither.
    refused(owner.send(Method::GET, "/scim/v2/Users", None).await, 401, None);

    let token = Scim::token(owner, "acme", "Entra").await;
    let second = Scim::with(app, &token);
    second.get("/Users").await.is(200);
    let tab = app.curl().with("authorization", &format!("Bearer\t{token}"));
    tab.send(Method::GET, "/scim/v2/Users", None).await.is(200);
    let third = owner.post_json(&format!("{at}/tokens"), json!({ "name": "Third" })).await;
    third.refuses(409, "directory_token_limit");
    let page = owner.get(at).await.is(200);
    assert!(!page.body.contains("vsts_"), "no secret is shown again");
    let tokens = page.json()["directory"]["tokens"].as_array().unwrap().clone();
    assert_eq!(tokens.len(), 2);
    assert_eq!(app.count("directory_tokens WHERE length(hash) = 43").await, 2, "only digests are kept");

    let first = tokens.iter().find(|one| one["name"] == "Okta").unwrap()["id"].as_str().unwrap();
    owner.delete(&format!("{at}/tokens/{first}")).await.is(200);
    refused(corp.scim.get("/Users").await, 401, None);
    second.get("/Users").await.is(200);
    app.wait(TimeDelta::days(90));
    refused(second.get("/Users").await, 401, None);
}

#[actix_web::test]
async fn an_organisation_that_ends_or_pauses_takes_nothing_case_25() {
    let corp = Corp::open().await;
    let owner = &corp.acme.owner;
    let at = "/organisations/acme/directory";

    owner.post_json(at, json!({ "isPaused": true })).await.is(200);
    refused(corp.scim.get("/Users").await, 403, None);
    owner.post_json(at, json!({ "isPaused": false })).await.is(200);
    corp.scim.get("/Users").await.is(200);

    owner.post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);
    refused(corp.scim.get("/Users").await, 401, None);
}

#[actix_web::test]
async fn wrong_tokens_and_floods_are_slowed_down_case_26() {
    let app =
        TestApp::with(&[("THROTTLE", "on"), ("SCIM_PER_MINUTE", "5"), ("LOGIN_PER_NETWORK", "1000")]).await;
    let corp = Corp::of(app).await;

    let wrong = Scim::with(&corp.app, "wrong");
    for _ in 0..20 {
        refused(wrong.get("/Users").await, 401, None);
    }
    let told = refused(wrong.get("/Users").await, 429, None);
    assert!(!told.header("retry-after").is_empty());
    for _ in 0..5 {
        corp.scim.get("/Users").await.is(200);
    }
    let told = refused(corp.scim.get("/Users").await, 429, None);
    assert!(!told.header("retry-after").is_empty());
}

#[actix_web::test]
async fn every_answer_is_in_the_form_of_scim_cases_27_and_28() {
    let corp = Corp::open().await;
    let scim = corp.scim.with_header("accept", "text/html");

    refused(scim.get("/Nothing").await, 404, None);
    refused(scim.get("/Users/0123456789abcdef0123456789abcdef").await, 404, None);
    refused(scim.get("/Users/no-id").await, 404, None);
    let told = refused(scim.send(Method::PATCH, "/Users", Some(json!({}))).await, 405, None);
    assert!(told.header("allow").contains("POST"), "{}", told.header("allow"));
    let told = refused(scim.send_as("text/plain", Method::POST, "/Users", "{}").await, 415, None);
    assert!(told.body.contains(SCIM), "{}", told.body);
    let group = json!({ "displayName": "Many", "members": vec![json!({ "value": "x".repeat(150) }); 9_000] });
    scim.post("/Groups", group).await.is(201);
    let large = format!("{{\"userName\": \"{}\"}}", "x".repeat(4_200_000));
    refused(scim.send_as(SCIM, Method::POST, "/Users", &large).await, 413, None);
    for body in ["{", "[]", "", "\"x\"", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))] {
        refused(scim.send_as(SCIM, Method::POST, "/Users", body).await, 400, Some("invalidSyntax"));
    }
    let deep = format!("{{\"userName\": \"x\", \"x\": {}1{}}}", "[".repeat(20), "]".repeat(20));
    refused(scim.send_as(SCIM, Method::POST, "/Users", &deep).await, 400, Some("invalidSyntax"));
    refused(scim.post("/Bulk", json!({})).await, 501, None);
    refused(scim.get("/Me").await, 501, None);

    let found = scim.get("/Users/").await.is(200);
    assert!(found.header("content-type").starts_with(SCIM));
    assert_eq!(found.header("cache-control"), "no-store");
    for kind in
        ["application/json", "application/scim+json; charset=utf-8", "Application/SCIM+JSON", "text/json", ""]
    {
        let address = format!("{}@example.com", kind.len());
        scim.send_as(kind, Method::POST, "/Users", &user(&address).to_string()).await.is(201);
    }
    scim.send_as(SCIM, Method::GET, "/Users", "{}").await.is(200);
}

#[actix_web::test]
async fn a_token_reaches_nothing_of_another_organisation_case_18() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let group = corp.scim.groups("Makers", &[&id]).await;
    let bob = corp.app.verified("bob@other.example").await;
    bob.steps_up().await;
    bob.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let other = Scim::of(&corp.app, &bob, "other").await;

    let theirs = other.groups("Makers", &[&id]).await;
    assert!(other.members(&theirs).await.is_empty(), "whom it does not list is left out");
    let renamed = json!({ "displayName": "Ours", "userName": "ours" });
    for path in [format!("/Users/{id}"), format!("/Groups/{group}")] {
        refused(other.get(&path).await, 404, None);
        refused(other.put(&path, renamed.clone()).await, 404, None);
        let operations = json!([{ "op": "replace", "path": "displayName", "value": "Ours" }]);
        refused(other.patch(&path, operations).await, 404, None);
        refused(other.delete(&path).await, 404, None);
    }
    assert!(other.finds("userName pr").await.is_empty());
    assert_eq!(corp.scim.entry(&id).await["groups"][0]["display"], "Makers");
}
