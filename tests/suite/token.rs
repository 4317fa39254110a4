//! Tokens out of a session, for clients of whoever runs this site; and what they open here.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};
use crate::oauth::{ADA, Notes, claims, part, posts, refused, text};

async fn signed_in(app: &TestApp) -> Visitor {
    let program = app.curl();
    program.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    program
}

async fn tokens(me: &Visitor, body: Value) -> Value {
    me.post_json("/auth/token", body).await.is(201).json()
}

fn by(app: &TestApp, tokens: &Value) -> Visitor {
    app.curl().with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])))
}

async fn refreshes(app: &TestApp, tokens: &Value) -> Answer {
    app.curl().post_json("/auth/token/refresh", json!({ "refreshToken": tokens["refreshToken"] })).await
}

#[actix_web::test]
async fn a_session_gives_tokens_that_open_what_they_may_and_end_with_it() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    let first = tokens(&ada, json!({})).await;
    assert_eq!((&first["tokenType"], &first["expiresIn"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(first["scope"], "account:read openid organisation:read");
    let token = claims(&first["accessToken"]);
    assert_eq!(
        (part(&first["accessToken"], 0)["typ"].as_str(), &token["aud"]),
        (Some("at+jwt"), &json!(app.base_url))
    );
    assert_eq!((&token["client_id"], &token["iss"]), (&json!("vestibule"), &json!(app.base_url)));
    let client = by(&app, &first);
    assert_eq!(client.get("/me").await.is(200).json()["user"]["email"], ADA);
    let listed = client.get("/me/sessions").await.is(200).json();
    assert_eq!(
        (listed["sessions"].as_array().unwrap().len(), &listed["sessions"][0]["current"]),
        (1, &json!(true))
    );
    assert_eq!(client.get("/organisations").await.is(200).json()["organisations"][0]["slug"], "acme");
    client.get("/organisations/acme").await.is(200);
    let check = json!({ "organisation": "acme", "permission": "members:invite" });
    assert_eq!(client.post_json("/auth/check", check).await.is(200).json()["allowed"], true);
    client.get("/oauth/userinfo").await.is(200);
    // Neither what takes a step-up, nor what changes anything, nor a way in.
    for path in
        ["/me/export", "/me/keys", "/me/security", "/me/applications", "/organisations/acme/invitations"]
    {
        client.get(path).await.refuses(401, "sign_in_required");
    }
    for (path, body) in [
        ("/auth/token", json!({})),
        ("/me/sessions/revoke-all", json!({})),
        ("/organisations", json!({ "name": "Other" })),
        ("/auth/confirm", json!({ "password": PASSWORD })),
    ] {
        client.post_json(path, body).await.refuses(401, "sign_in_required");
    }
    // With less it opens less.
    let less = tokens(&ada, json!({ "scope": "openid" })).await;
    by(&app, &less).get("/me").await.refuses(403, "insufficient_scope");
    by(&app, &less).get("/organisations/acme").await.refuses(403, "insufficient_scope");
    // The token counts alone, whatever cookie comes with it; and only one of ours is looked at.
    let both = signed_in(&app).await;
    let wrong = format!("Bearer {}x", text(&first["accessToken"]));
    both.with("authorization", &wrong).get("/me").await.refuses(401, "invalid_token");
    signed_in(&app).await.with("authorization", "Bearer eyJhbGciOi.e30.x").get("/me").await.is(200);
    // Another site's page may ask with it, for no browser adds it by itself.
    let foreign = by(&app, &first).with("sec-fetch-site", "cross-site");
    let check = json!({ "organisation": "acme", "permission": "members:invite" });
    foreign.post_json("/auth/check", check).await.is(200);
    let next = refreshes(&app, &first).await.is(200).json();
    assert_ne!(next["refreshToken"], first["refreshToken"]);
    by(&app, &next).get("/me").await.is(200);
    ada.post("/logout", &[]).await;
    by(&app, &next).get("/me").await.refuses(401, "invalid_token");
    refreshes(&app, &next).await.refuses(400, "invalid_grant");
    assert_eq!(app.emails_that_say(ADA, "while you are away").await, 0);
}

#[actix_web::test]
async fn a_token_that_is_late_for_others_or_an_id_token_opens_nothing_case_c_15_case_c_16() {
    let web = Notes::open(&[]).await;
    let app = &web.app;
    let add = ["app", "add", "Cli", "--kind", "native", "--redirect", crate::oauth::REDIRECT_URI];
    let add = app.command(&[&add[..], &["--audience", "https://api.example.com", "--json"]].concat());
    let added: Value = serde_json::from_str(&add.out).unwrap();
    let cli = text(&added["clientId"]);
    let ada = app.verified(ADA).await;
    let elsewhere = tokens(&ada, json!({ "application": cli, "scope": "account:read" })).await;
    assert_eq!(claims(&elsewhere["accessToken"])["aud"], "https://api.example.com");
    by(app, &elsewhere).get("/me").await.refuses(401, "invalid_token");
    let here = tokens(&ada, json!({ "application": cli })).await;
    by(app, &here).get("/me").await.is(200);
    let id_token = format!("Bearer {}", text(&web.tokens(&ada, &[]).await["id_token"]));
    app.curl().with("authorization", &id_token).get("/me").await.refuses(401, "invalid_token");
    app.wait(TimeDelta::minutes(10));
    by(app, &here).get("/me").await.refuses(401, "invalid_token");
    // Whom it is for, and what may be asked for.
    assert_eq!(app.command(&["app", "set", &cli, "--third-party", "on"]).code, Some(0));
    for body in [
        json!({ "application": web.client_id }),
        json!({ "application": cli }),
        json!({ "application": "nobody" }),
        json!({ "scope": "unknown" }),
        json!({ "scopes": "openid" }),
    ] {
        ada.post_json("/auth/token", body).await.is(422);
    }
    // That of this site itself is made when it is first asked for, and can be turned off.
    tokens(&ada, json!({})).await;
    assert_eq!(app.command(&["app", "disable", "vestibule"]).code, Some(0));
    ada.post_json("/auth/token", json!({})).await.is(422);
    let bob = app.unverified_user("bob@example.com").await;
    bob.post_json("/auth/token", json!({})).await.refuses(403, "email_unverified");
    app.curl().post_json("/auth/token", json!({})).await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_session_becomes_an_offline_grant_in_the_same_row_of_the_list() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let phone = signed_in(&app).await;
    let id = phone.session_id().await;
    app.wait(TimeDelta::minutes(6));
    for body in [json!({ "exchange": true }), json!({ "offline": true })] {
        phone.post_json("/auth/token", body).await.refuses(403, "reauthentication_required");
    }
    phone.steps_up().await;
    let id = if phone.session_id().await == id { id } else { phone.session_id().await };
    let row = async || {
        let listed = ada.get("/me/sessions").await.is(200).json();
        listed["sessions"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned()
    };
    let before = row().await.unwrap();
    let exchanged = tokens(&phone, json!({ "exchange": true })).await;
    assert_eq!(exchanged["refreshExpiresIn"], 14 * 86_400);
    phone.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("sessions").await, 1);
    let after = row().await.unwrap();
    for name in ["deviceName", "deviceType", "method", "createdAt", "ip"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert!(after["application"].is_string() && before["application"].is_null());
    let told = by(&app, &exchanged).get("/me/sessions").await.is(200).json();
    assert_eq!((&told["sessions"][0]["id"], &told["sessions"][0]["current"]), (&json!(id), &json!(true)));
    assert_eq!(app.emails_that_say(ADA, "while you are away").await, 1);
    ada.get("/me/security").await.is(200);
    // There it is ended.
    ada.delete(&format!("/me/sessions/{id}")).await.is(200);
    assert!(row().await.is_none());
    ada.delete(&format!("/me/sessions/{id}")).await.is(404);
    by(&app, &exchanged).get("/me").await.refuses(401, "invalid_token");
    refreshes(&app, &exchanged).await.refuses(400, "invalid_grant");
    // And with all others.
    let phone = signed_in(&app).await;
    phone.steps_up().await;
    let again = tokens(&phone, json!({ "exchange": true })).await;
    assert_eq!(ada.post_json("/me/sessions/revoke-all", json!({})).await.is(200).json()["revoked"], 1);
    refreshes(&app, &again).await.refuses(400, "invalid_grant");
}

#[actix_web::test]
async fn what_goes_on_beside_a_session_is_revoked_with_its_device_or_by_itself() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let phone = signed_in(&app).await;
    phone.steps_up().await;
    let (one, two) =
        (tokens(&phone, json!({ "offline": true })).await, tokens(&phone, json!({ "offline": true })).await);
    assert_eq!(one["scope"], "account:read offline_access openid organisation:read");
    for nothing in ["x", "vstr_x"] {
        app.curl().post_json("/auth/token/revoke", json!({ "refreshToken": nothing })).await.is(200);
    }
    app.curl().post_json("/auth/token/revoke", json!({ "refreshToken": one["refreshToken"] })).await.is(200);
    by(&app, &one).get("/me").await.refuses(401, "invalid_token");
    // As any client, by the standard.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "vestibule"),
        ("refresh_token", two["refreshToken"].as_str().unwrap()),
    ];
    let next = posts(&app.curl(), "/oauth/token", &form).await.is(200).json();
    ada.delete(&format!("/me/sessions/{}", phone.session_id().await)).await.is(200);
    refused(
        posts(
            &app.curl(),
            "/oauth/token",
            &[form[0], form[1], ("refresh_token", next["refresh_token"].as_str().unwrap())],
        )
        .await,
        400,
        "invalid_grant",
    );
    app.curl().post_json("/auth/token/refresh", json!({})).await.is(422);
}

#[actix_web::test]
async fn many_refresh_at_once_and_a_copy_is_told_case_c_1_case_c_19() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    ada.steps_up().await;
    let first = tokens(&ada, json!({ "offline": true })).await;
    let all = join_all((0..20).map(|_| refreshes(&app, &first))).await;
    let all: Vec<Value> = all.into_iter().map(|answer| answer.is(200).json()).collect();
    assert!(all.iter().all(|one| *one == all[0]));
    app.wait(TimeDelta::seconds(31));
    refreshes(&app, &first).await.refuses(400, "invalid_grant");
    refreshes(&app, &all[0]).await.refuses(400, "invalid_grant");
    assert_eq!(app.emails_that_say(ADA, "A copy of your sign-in to").await, 1);
    // Whoever is about to leave is told so.
    let through = tokens(&ada, json!({})).await;
    ada.steps_up().await;
    ada.post_json("/me/delete", json!({})).await.is(200);
    refreshes(&app, &through).await.refuses(403, "deletion_scheduled");
}
