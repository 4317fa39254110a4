//! Refresh tokens: each use gives the next, a lost answer is given again, and a copy is noticed.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ADA, Notes, refused, text};
use crate::harness::TestApp;

const OFFLINE: [(&str, &str); 1] = [("scope", "openid offline_access")];

#[actix_web::test]
async fn fifty_at_once_get_one_next_token_and_lose_nothing_case_c_1_case_c_2() {
    let notes = Notes::open(&[]).await;
    let other = notes.app.second_node().await;
    let there = Notes { app: other, client_id: notes.client_id.clone(), secret: notes.secret.clone() };
    let ada = notes.app.verified(ADA).await;
    let first = notes.tokens(&ada, &OFFLINE).await["refresh_token"].clone();
    let all = join_all((0..50).map(|n| if n % 2 == 0 { &notes } else { &there }.refreshes(&first))).await;
    let answers: Vec<Value> = all.into_iter().map(|answer| answer.is(200).json()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "the same answer for all of them");
    assert_ne!(answers[0]["refresh_token"], first);
    assert_eq!(notes.app.count("refresh_tokens").await, 2);
    // Within the grace once more, after half a minute not.
    notes.app.wait(TimeDelta::seconds(29));
    assert_eq!(notes.refreshes(&first).await.is(200).json(), answers[0]);
    notes.refreshes(&answers[0]["refresh_token"]).await.is(200);
}

#[actix_web::test]
async fn without_grace_exactly_one_wins_case_c_6() {
    let app = TestApp::with(&[("REFRESH_GRACE", "0s")]).await;
    let notes = Notes::of(app, "web", &[]);
    let ada = notes.app.verified(ADA).await;
    let first = notes.tokens(&ada, &OFFLINE).await["refresh_token"].clone();
    let all = join_all((0..10).map(|_| notes.refreshes(&first))).await;
    assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(notes.app.count("grants WHERE kind = 'offline'").await, 0);
}

#[actix_web::test]
async fn a_copy_ends_what_was_allowed_and_its_owner_hears_of_it() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    // A later one was used; or the grace is over.
    for later in [true, false] {
        let first = notes.tokens(&ada, &OFFLINE).await["refresh_token"].clone();
        let second = notes.refreshes(&first).await.is(200).json();
        let newest = match later {
            true => notes.refreshes(&second["refresh_token"]).await.is(200).json(),
            false => {
                notes.app.wait(TimeDelta::seconds(31));
                second
            }
        };
        refused(notes.refreshes(&first).await, 400, "invalid_grant");
        refused(notes.refreshes(&newest["refresh_token"]).await, 400, "invalid_grant");
        refused(notes.userinfo(&newest).await, 401, "invalid_token");
    }
    ada.get("/me").await.is(200);
    assert_eq!(notes.app.count("audit WHERE event = 'refresh_token_reused'").await, 2);
    let events = "SELECT detail AS text FROM audit WHERE event = 'refresh_token_reused'";
    let generation = |text: &String| serde_json::from_str::<Value>(text).unwrap()["generation"].clone();
    assert!(notes.app.texts(events).await.iter().map(generation).all(|generation| generation == 0));
    assert_eq!(notes.app.emails_that_say(ADA, "A copy of your sign-in to Notes was used").await, 2);
}

#[actix_web::test]
async fn an_end_is_never_put_off_and_scopes_only_shrink_case_c_7_case_b9_20() {
    let app = TestApp::with(&[("REFRESH_LIFE", "20d")]).await;
    let notes = Notes::of(app, "web", &[]);
    let ada = notes.app.verified(ADA).await;
    let tokens = notes.tokens(&ada, &[("scope", "openid email offline_access")]).await;
    assert_eq!(tokens["refresh_expires_in"], 14 * 86_400);
    let ask = async |token: &Value, scope: &str| {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap()), ("scope", scope)];
        notes.asks(&form).await
    };
    refused(ask(&tokens["refresh_token"], "openid profile").await, 400, "invalid_scope");
    notes.app.wait(TimeDelta::days(13));
    let less = ask(&tokens["refresh_token"], "openid").await.is(200).json();
    assert_eq!((&less["scope"], &less["refresh_expires_in"]), (&json!("openid"), &json!(7 * 86_400)));
    notes.app.wait(TimeDelta::days(7));
    refused(notes.refreshes(&less["refresh_token"]).await, 400, "invalid_grant");
    // One through a session ends with it.
    let bob = notes.app.verified("bob@example.com").await;
    let tokens = notes.tokens(&bob, &[]).await;
    assert_eq!(tokens["refresh_expires_in"], 86_400);
    notes.app.wait(TimeDelta::minutes(31));
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn an_application_gives_up_one_grant_and_no_other_and_no_secret_is_kept() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let (first, second) = (notes.tokens(&ada, &OFFLINE).await, notes.tokens(&ada, &OFFLINE).await);
    let dump = notes.app.dump_storage().await;
    for token in ["access_token", "refresh_token", "id_token"] {
        assert!(!dump.contains(&text(&first[token])), "{token}");
    }
    assert!(!dump.contains(notes.secret.as_deref().unwrap()));
    for nothing in ["x", "vstr_x"] {
        notes.asks_at("/oauth/revoke", &[("token", nothing)]).await.is(200);
    }
    notes.asks_at("/oauth/revoke", &[("token", &text(&first["refresh_token"]))]).await.is(200);
    refused(notes.refreshes(&first["refresh_token"]).await, 400, "invalid_grant");
    let second = notes.refreshes(&second["refresh_token"]).await.is(200).json();
    // By its access token as well.
    notes.asks_at("/oauth/revoke", &[("token", &text(&second["access_token"]))]).await.is(200);
    refused(notes.refreshes(&second["refresh_token"]).await, 400, "invalid_grant");
    ada.get("/me").await.is(200);
}
