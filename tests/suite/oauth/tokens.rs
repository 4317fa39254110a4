//! Codes become tokens, once, for the application that they were given to; and what those open.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ADA, Notes, REDIRECT_URI, VERIFIER, basic, claims, part, posts, refused, told};
use crate::harness::TestApp;

#[actix_web::test]
async fn a_code_is_good_once_and_a_copy_ends_what_came_of_it_case_b9_3() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    // AuthCodeReuse, and of many at once one.
    let code = notes.code(&ada, &[("scope", "openid offline_access")]).await;
    let all = join_all((0..5).map(|_| notes.exchanges(&code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 4));
    for answer in lost {
        refused(answer, 400, "invalid_grant");
    }
    let tokens = won[0].json();
    assert_eq!(notes.app.count("grants").await, 0, "whoever won has nothing either");
    notes.userinfo(&tokens).await.is(401);
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    ada.get("/me").await.is(200);
    assert_eq!(notes.app.count("audit WHERE event = 'grant_ended'").await, 2);

    let code = notes.code(&ada, &[]).await;
    notes.app.wait(TimeDelta::seconds(60));
    refused(notes.exchanges(&code).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn a_code_is_bound_to_its_application_its_address_and_its_secret_case_b9_4_case_b9_24() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let other =
        notes.app.command(&["app", "add", "Other", "--kind", "web", "--redirect", REDIRECT_URI, "--json"]);
    let other: Value = serde_json::from_str(&other.out).unwrap();
    let (id, secret) = (other["clientId"].as_str().unwrap(), other["clientSecret"].as_str().unwrap());
    let usual = |code: &str| {
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", REDIRECT_URI.to_owned()),
            ("code_verifier", VERIFIER.to_owned()),
        ]
    };
    for (name, value) in [
        ("redirect_uri", "http://localhost:9/other"),
        ("code_verifier", ""),
        ("code_verifier", &"x".repeat(43)),
        ("code", "nothing"),
        ("client", "other"),
    ] {
        let mut form = usual(&notes.code(&ada, &[]).await);
        form.iter_mut().filter(|(one, _)| *one == name).for_each(|(_, text)| *text = value.to_owned());
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = match name {
            "client" => {
                posts(&notes.app.curl().with("authorization", &basic(id, secret)), "/oauth/token", &form)
                    .await
            }
            _ => notes.asks(&form).await,
        };
        let expected = if value.is_empty() { "invalid_request" } else { "invalid_grant" };
        if matches!(name, "redirect_uri" | "code_verifier") {
            assert!(answer.body.contains(&format!("{name} ")), "the reason names it: {}", answer.body);
        }
        refused(answer, 400, expected);
    }
    // Whoever has no more than the code neither spends it nor, once it was used, ends anything.
    let code = notes.code(&ada, &[]).await;
    let ask = async || {
        let form = usual(&code);
        let mut form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        form.retain(|(name, _)| *name != "code_verifier");
        let wrong = "x".repeat(43);
        form.push(("code_verifier", &wrong));
        refused(notes.asks(&form).await, 400, "invalid_grant");
    };
    ask().await;
    let tokens = notes.exchanges(&code).await.is(200).json();
    ask().await;
    notes.refreshes(&tokens["refresh_token"]).await.is(200);
    // A session that ended in between (case B.9 4).
    let code = notes.code(&ada, &[]).await;
    ada.post_json("/logout", json!({})).await.is(200);
    refused(notes.exchanges(&code).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn an_application_shows_its_secret_in_one_way() {
    let notes = Notes::open(&[]).await;
    let secret = notes.secret.clone().unwrap();
    let token = ("grant_type", "refresh_token");
    let ask = async |authorization: Option<String>, form: &[(&str, &str)]| {
        let mut program = notes.app.curl();
        if let Some(value) = authorization {
            program = program.with("authorization", &value);
        }
        posts(&program, "/oauth/token", form).await
    };
    let id = notes.client_id.as_str();
    for (authorization, form, status, error) in [
        (None, vec![token], 401, "invalid_client"),
        (None, vec![token, ("client_id", id)], 401, "invalid_client"),
        (Some(basic(id, "wrong")), vec![token], 401, "invalid_client"),
        (Some(basic("nobody-1", &secret)), vec![token], 401, "invalid_client"),
        (Some(basic(id, &secret)), vec![token, ("client_secret", &secret)], 400, "invalid_request"),
        (Some(basic(id, &secret)), vec![token, token], 400, "invalid_request"),
        (Some(basic(id, &secret)), vec![], 400, "invalid_request"),
        (Some(basic(id, &secret)), vec![("grant_type", "password")], 400, "unsupported_grant_type"),
        (Some(basic(id, &secret)), vec![("grant_type", "client_credentials")], 400, "unauthorized_client"),
        (Some(basic(id, &secret)), vec![token, ("refresh_token", "x")], 400, "invalid_grant"),
        (
            None,
            vec![token, ("client_id", id), ("client_secret", &secret), ("refresh_token", "x")],
            400,
            "invalid_grant",
        ),
    ] {
        refused(ask(authorization.clone(), &form).await, status, error);
    }
    let json = notes.app.curl().post_json("/oauth/token", json!({ "grant_type": "refresh_token" })).await;
    refused(json, 415, "invalid_request");
    // The one before works for a day more, and a cookie counts for nothing.
    let rotated = notes.app.command(&["app", "rotate-secret", id, "--json"]);
    let rotated: Value = serde_json::from_str(&rotated.out).unwrap();
    for one in [&secret, rotated["clientSecret"].as_str().unwrap()] {
        let form = [token, ("refresh_token", "x")];
        refused(ask(Some(basic(id, one)), &form).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn a_token_is_for_whom_it_was_asked_and_the_row_says_whether_it_is_good_case_c_16() {
    let notes = Notes::open(&["--audience", "https://api.example.com", "--scope", "notes:read"]).await;
    let ada = notes.app.verified(ADA).await;
    let more = [("scope", "openid notes:read secrets:read"), ("resource", "https://api.example.com")];
    let tokens = notes.tokens(&ada, &more).await;
    assert_eq!(tokens["scope"], "notes:read openid", "what it may not have is left out, and token");
    let (header, token) = (part(&tokens["access_token"], 0), claims(&tokens["access_token"]));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(
        (&token["aud"], &token["client_id"]),
        (&json!(["https://api.example.com", notes.app.base_url]), &json!(notes.client_id))
    );
    // Without `openid` it is for that resource only, and opens nothing here.
    let only = notes.tokens(&ada, &[("scope", "notes:read")]).await;
    assert_eq!(claims(&only["access_token"])["aud"], "https://api.example.com");
    refused(notes.userinfo(&only).await, 401, "invalid_token");
    let told = notes.introspects(&tokens["access_token"]).await;
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &token["sub"]));
    assert_eq!(notes.introspects(&tokens["refresh_token"]).await["active"], true);
    for nothing in [json!("x"), tokens["id_token"].clone()] {
        assert_eq!(notes.introspects(&nothing).await, json!({ "active": false }));
    }
    // An ID token opens nothing (case C 15), and neither does one of another application, but for whom it is meant.
    let program =
        notes.app.curl().with("authorization", &format!("Bearer {}", tokens["id_token"].as_str().unwrap()));
    refused(program.get("/oauth/userinfo").await, 401, "invalid_token");
    let api = ["app", "add", "Api", "--kind", "service", "--audience", "https://api.example.com", "--json"];
    for (arguments, is_active) in
        [(&api[..], true), (&["app", "add", "Eve", "--kind", "service", "--json"], false)]
    {
        let added: Value = serde_json::from_str(&notes.app.command(arguments).out).unwrap();
        let (id, secret) = (added["clientId"].as_str().unwrap(), added["clientSecret"].as_str().unwrap());
        let program = notes.app.curl().with("authorization", &basic(id, secret));
        let form = [("token", tokens["access_token"].as_str().unwrap())];
        let told = posts(&program, "/oauth/introspect", &form).await.is(200).json();
        assert_eq!(told["active"], is_active, "{id}");
    }
    notes.userinfo(&tokens).await.is(200);
    // After signing out it is over, though its signature is good for minutes.
    ada.post_json("/logout", json!({})).await.is(200);
    assert_eq!(notes.introspects(&tokens["access_token"]).await, json!({ "active": false }));
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn an_application_reads_the_organisations_of_its_person_and_api_keys_case_b9_5() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    ada.steps_up().await;
    let made = ada.post_json("/me/keys", json!({ "name": "Build", "permissions": ["account:read"] })).await;
    let key = made.is(201).json()["secret"].clone();
    let tokens = notes.tokens(&ada, &[("scope", "openid organisations")]).await;
    let told = notes.userinfo(&tokens).await.is(200).json();
    assert_eq!((&told["organisations"][0]["slug"], &told["email"]), (&json!("acme"), &Value::Null));
    assert_eq!(told["organisations"][0]["name"], "Acme");
    let told = notes.introspects(&key).await;
    assert_eq!((&told["token_type"], &told["scope"]), (&json!("api_key"), &json!("account:read")));
    // Whose a key is does not concern an application of somebody else.
    let set = |value: &str| {
        let set = notes.app.command(&["app", "set", &notes.client_id, "--third-party", value]);
        assert_eq!(set.code, Some(0), "{}", set.err);
    };
    set("on");
    assert_eq!(notes.introspects(&key).await, json!({ "active": false }));
    set("off");
    // Whoever is to be deleted is nobody any more.
    notes.app.db_execute("UPDATE users SET deletes_at = created_at").await;
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    assert_eq!(notes.introspects(&key).await, json!({ "active": false }));
}

#[actix_web::test]
async fn scripts_of_an_application_may_ask_from_where_it_is_registered_case_b9_11() {
    let app = TestApp::open().await;
    let notes = Notes::of(app, "browser", &["--origin", "https://notes.example"]);
    for (origin, allowed) in
        [("https://notes.example", "https://notes.example"), ("https://evil.example", "")]
    {
        let script = notes.app.curl().with("origin", origin).with("sec-fetch-site", "cross-site");
        let form = [("grant_type", "authorization_code"), ("client_id", &notes.client_id), ("code", "x")];
        let answer = posts(&script, "/oauth/token", &form).await.is(400);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "on errors as well");
        let told = script.get("/oauth/userinfo").await.is(401);
        assert_eq!(told.header("access-control-allow-origin"), allowed);
        for path in ["/oauth/token", "/oauth/userinfo", "/oauth/revoke"] {
            let asked = script.send(actix_web::http::Method::OPTIONS, path, None).await.is(204);
            assert_eq!(asked.header("access-control-allow-origin"), allowed, "{path}");
        }
    }
    let ada = notes.app.verified(ADA).await;
    let tokens = notes.tokens(&ada, &[("scope", "openid offline_access")]).await;
    assert_eq!(tokens["scope"], "openid", "nothing outlives its person's session");
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(notes.app.count("grants WHERE kind = 'offline'").await, 0);
}

#[actix_web::test]
async fn a_service_gets_a_token_for_itself_and_nobody_signs_in_to_it() {
    let app = TestApp::open().await;
    let notes = Notes::of(app, "service", &["--scope", "notes:read"]);
    let tokens = notes.asks(&[("grant_type", "client_credentials")]).await.is(200).json();
    let token = claims(&tokens["access_token"]);
    assert_eq!((&token["sub"], &token["scope"]), (&json!(notes.client_id), &json!("notes:read")));
    assert_eq!(notes.introspects(&tokens["access_token"]).await["active"], true);
    let api = ["app", "add", "Api", "--kind", "service", "--audience", &notes.app.base_url, "--json"];
    let added: Value = serde_json::from_str(&notes.app.command(&api).out).unwrap();
    let api = basic(added["clientId"].as_str().unwrap(), added["clientSecret"].as_str().unwrap());
    let program = notes.app.curl().with("authorization", &api);
    for (word, is_active) in [("disable", false), ("enable", true)] {
        assert_eq!(notes.app.command(&["app", word, &notes.client_id]).code, Some(0));
        let form = [("token", tokens["access_token"].as_str().unwrap())];
        let told = posts(&program, "/oauth/introspect", &form).await.is(200).json();
        assert_eq!(told["active"], is_active, "{word}");
    }
    let more = [("grant_type", "client_credentials"), ("scope", "openid")];
    refused(notes.asks(&more).await, 400, "invalid_scope");
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
    let ada = notes.app.verified(ADA).await;
    let answer = ada.get_once(&notes.request(&[])).await.is(400);
    assert_eq!(told(answer.location().unwrap_or_default(), "error"), None);
}
