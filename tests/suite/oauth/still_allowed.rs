//! What an application got is worth what it would get now.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{ADA, Notes, claims, refused};

/// Whether a refresh token, an access token of its grant and introspection all say so.
async fn is_allowed(notes: &Notes, tokens: &Value, expected: bool, why: &str) {
    assert_eq!(notes.introspects(&tokens["access_token"]).await["active"], expected, "{why}");
    assert_eq!(notes.introspects(&tokens["refresh_token"]).await["active"], expected, "{why}");
    assert_eq!(notes.userinfo(tokens).await.status == 200, expected, "{why}");
    if !expected {
        refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    }
}

#[actix_web::test]
async fn what_is_registered_and_needed_now_caps_what_was_given() {
    let notes = Notes::open(&["--scope", "notes:read", "--audience", "https://api.example.com"]).await;
    let ada = notes.app.verified(ADA).await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    let bob = notes.app.verified("bob@example.com").await;
    bob.post_json("/organisations", json!({ "name": "Elsewhere" })).await.is(201);
    let set = |options: &[&str]| {
        let set = notes.app.command(&[&["app", "set", &notes.client_id], options].concat());
        assert_eq!(set.code, Some(0), "{}", set.err);
    };
    let offline = [("scope", "openid email notes:read offline_access")];
    let all = [notes.tokens(&ada, &offline).await, notes.tokens(&ada, &[("scope", "openid email")]).await];
    for (why, withdraw, restore) in [
        ("a second factor", ["--need", "second-factor"], ["--need", "verified"]),
        ("a membership", ["--need", "member=elsewhere"], ["--need", "verified"]),
        ("consent", ["--third-party", "on"], ["--third-party", "off"]),
        (
            "the audience",
            ["--audience", "https://other.example.com"],
            ["--audience", "https://api.example.com"],
        ),
    ] {
        set(&withdraw);
        for tokens in &all {
            is_allowed(&notes, tokens, false, why).await;
        }
        set(&restore);
        for tokens in &all {
            is_allowed(&notes, tokens, true, why).await;
        }
    }
    // A scope that is no longer registered is left out.
    set(&["--scope", "notes:write"]);
    assert_eq!(notes.introspects(&all[0]["access_token"]).await["scope"], "email offline_access openid");
    let next = notes.refreshes(&all[0]["refresh_token"]).await.is(200).json();
    assert_eq!(next["scope"], "email offline_access openid");
    // Whoever left the organisation left its applications.
    set(&["--need", "member=acme"]);
    is_allowed(&notes, &next, true, "a member").await;
    notes.app.db_execute("DELETE FROM memberships").await;
    is_allowed(&notes, &next, false, "no member").await;
}

#[actix_web::test]
async fn a_refresh_token_stays_what_it_was_when_its_session_asks_for_more() {
    let notes = Notes::open(&["--audience", "https://api.example.com"]).await;
    let ada = notes.app.verified(ADA).await;
    let first = notes.tokens(&ada, &[("scope", "openid")]).await;
    notes.app.wait(TimeDelta::seconds(5));
    ada.steps_up().await;
    let site = notes.app.base_url.clone();
    notes.tokens(&ada, &[("scope", "openid email"), ("resource", &site)]).await;
    let mut tokens = first.clone();
    for _ in 0..2 {
        tokens = notes.refreshes(&tokens["refresh_token"]).await.is(200).json();
        let (was, is) = (claims(&first["access_token"]), claims(&tokens["access_token"]));
        for name in ["scope", "aud", "auth_time", "acr"] {
            assert_eq!(is[name], was[name], "{name}");
        }
    }
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("resource", "https://evil.example"),
    ];
    refused(notes.asks(&form).await, 400, "invalid_target");
}

#[actix_web::test]
async fn ten_devices_are_kept_and_one_factor_is_not_enough_once_there_is_a_second() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let offline = [("scope", "openid offline_access")];
    let mut all = Vec::new();
    for _ in 0..11 {
        all.push(notes.tokens(&ada, &offline).await);
        notes.app.wait(TimeDelta::seconds(1));
    }
    is_allowed(&notes, &all[0], false, "the oldest").await;
    is_allowed(&notes, &all[1], true, "the next").await;
    // A code on its way ends with what it would become.
    let code = notes.code(&ada, &offline).await;
    ada.post_json("/me/sessions/revoke-all", json!({})).await.is(200);
    refused(notes.exchanges(&code).await, 400, "invalid_grant");
    is_allowed(&notes, &all[10], false, "signed out everywhere else").await;
    let tokens = notes.tokens(&ada, &offline).await;
    ada.steps_up().await;
    let secret = notes.app.waiting_app(&ada).await;
    ada.confirms_app(&notes.app.code(&secret)).await.is(200);
    is_allowed(&notes, &tokens, false, "a second factor was added").await;
}
