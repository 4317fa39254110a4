//! What rests on no session, and how it ends: its owner hears of the first, and can tell what ends it.

use serde_json::{Value, json};

use super::{ADA, Notes, refused, text};
use crate::harness::TestApp;

const OFFLINE: [(&str, &str); 1] = [("scope", "openid organisations offline_access")];

async fn is_over(notes: &Notes, tokens: &Value) -> bool {
    notes.introspects(&tokens["refresh_token"]).await["active"] == false
}

#[actix_web::test]
async fn the_first_that_outlives_a_session_is_told_with_the_way_to_end_it() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    notes.tokens(&ada, &[]).await;
    let subject = "Notes can act for you while you are away";
    assert_eq!(notes.app.emails_that_say(ADA, subject).await, 0, "it ends with the session");
    notes.tokens(&ada, &OFFLINE).await;
    notes.tokens(&ada, &OFFLINE).await;
    assert_eq!(notes.app.emails_that_say(ADA, subject).await, 1);
    assert_eq!(notes.app.emails_that_say(ADA, "/me/applications").await, 1);
    let caught = notes.app.emails_to(ADA).await;
    let told = caught.iter().find(|email| email.text.contains("while you are away")).unwrap();
    let link = crate::harness::token_in(&told.text).unwrap();
    notes.app.curl().post_json("/not-me", json!({ "token": link })).await.is(200);
    assert_eq!(notes.app.count("grants WHERE kind = 'offline'").await, 0, "this wasn't me");
}

#[actix_web::test]
async fn revoking_a_device_ends_what_came_of_it_and_signing_out_does_not() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let phone = notes.app.curl();
    phone.post_json("/login", json!({ "email": ADA, "password": crate::harness::PASSWORD })).await.is(200);
    let (here, there) = (notes.tokens(&ada, &OFFLINE).await, notes.tokens(&phone, &OFFLINE).await);
    // The person gives up their own session: what they allowed goes on.
    let third = notes.app.curl();
    third.post_json("/login", json!({ "email": ADA, "password": crate::harness::PASSWORD })).await.is(200);
    let stays = notes.tokens(&third, &OFFLINE).await;
    third.post("/logout", &[]).await;
    ada.delete(&format!("/me/sessions/{}", phone.session_id().await)).await.is(200);
    assert!(is_over(&notes, &there).await);
    assert!(!is_over(&notes, &here).await && !is_over(&notes, &stays).await);
    refused(notes.refreshes(&there["refresh_token"]).await, 400, "invalid_grant");
    assert_eq!(notes.app.count("audit WHERE event = 'offline_grants_ended'").await, 1);
    // An operator ends everybody's; the command has a clock of its own, by which these sessions are over.
    notes.app.command(&["session", "revoke-all", "--yes"]);
    assert!(is_over(&notes, &here).await && is_over(&notes, &stays).await);
}

#[actix_web::test]
async fn an_application_out_of_use_comes_back_with_nothing() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let all = [notes.tokens(&ada, &[]).await, notes.tokens(&ada, &OFFLINE).await];
    let code = notes.code(&ada, &OFFLINE).await;
    for word in ["disable", "enable"] {
        assert_eq!(notes.app.command(&["app", word, &notes.client_id]).code, Some(0));
        assert_eq!(notes.app.count("grants").await + notes.app.count("refresh_tokens").await, 0, "{word}");
    }
    for tokens in &all {
        assert!(is_over(&notes, tokens).await);
        refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
        refused(notes.userinfo(tokens).await, 401, "invalid_token");
    }
    refused(notes.exchanges(&code).await, 400, "invalid_grant");
    notes.tokens(&ada, &OFFLINE).await;
}

#[actix_web::test]
async fn a_key_that_someone_else_may_have_is_good_for_nothing_at_once() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let old = notes.tokens(&ada, &OFFLINE).await;
    notes.app.command(&["keys", "rotate"]);
    let kid = |tokens: &Value, name: &str| super::part(&tokens[name], 0)["kid"].clone();
    let told = notes.app.command(&["keys", "rotate", "--revoke", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    let revoked = told["revoked"].as_array().unwrap();
    assert_eq!(revoked.len(), 4, "those in use, and those that were announced");
    assert!(revoked.contains(&kid(&old, "access_token")) && revoked.contains(&kid(&old, "id_token")));
    // A node keeps the list for a minute.
    notes.app.wait(chrono::TimeDelta::seconds(61));
    let listed = notes.app.curl().get("/oauth/jwks").await.is(200).json();
    let listed = listed["keys"].as_array().unwrap();
    assert!(listed.len() == 2 && listed.iter().all(|key| !revoked.contains(&key["kid"])));
    refused(notes.userinfo(&old).await, 401, "invalid_token");
    let next = notes.refreshes(&old["refresh_token"]).await.is(200).json();
    assert!(listed.iter().any(|key| key["kid"] == kid(&next, "access_token")));
    assert_eq!(notes.userinfo(&next).await.status, 200);
    assert_eq!(notes.app.count("audit WHERE event = 'signing_key_revoked'").await, 4);
}

#[actix_web::test]
async fn what_strangers_ask_for_is_kept_so_often_and_no_more() {
    let notes = Notes::of(TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "3")]).await, "web", &[]);
    let stranger = notes.app.curl();
    for _ in 0..3 {
        stranger.get_once(&notes.request(&[])).await.is(303);
    }
    stranger.get_once(&notes.request(&[])).await.refuses(429, "too_many_attempts");
    assert_eq!(notes.app.count("tokens WHERE purpose = 'authorize_request'").await, 3);
}

#[actix_web::test]
async fn an_organisation_binds_what_applications_learn_of_it() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    ada.post_json("/organisations", json!({ "name": "Elsewhere" })).await.is(201);
    let (through, offline) =
        (notes.tokens(&ada, &[("scope", "openid organisations")]).await, notes.tokens(&ada, &OFFLINE).await);
    let slugs = async |tokens: &Value| {
        let told = notes.userinfo(tokens).await.is(200).json();
        let all = told["organisations"].as_array().unwrap().iter();
        all.map(|one| text(&one["slug"])).collect::<Vec<_>>()
    };
    assert_eq!(
        (slugs(&through).await, slugs(&offline).await.len()),
        (vec!["acme".into(), "elsewhere".into()], 2)
    );
    for (policy, session, without) in [
        (r#"{"signInMethods":["password"]}"#, 2, 1),
        (r#"{"signInMethods":["sso"]}"#, 1, 1),
        (r#"{"secondFactorFrom":"2020-01-01T00:00:00Z"}"#, 1, 1),
        (r#"{"networks":["203.0.113.0/24"]}"#, 1, 1),
        (r#"{"networks":["127.0.0.0/8"]}"#, 2, 2),
    ] {
        let set = format!("UPDATE organisations SET policy = '{policy}' WHERE slug = 'acme'");
        notes.app.db_execute(&set).await;
        assert_eq!(
            (slugs(&through).await.len(), slugs(&offline).await.len()),
            (session, without),
            "{policy}"
        );
    }
}
