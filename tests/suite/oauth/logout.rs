//! Signing out at an application signs out here, and of everything that was opened from here.

use serde_json::{Value, json};

use super::{ADA, Notes, posts, refused, text, told};
use crate::harness::{PASSWORD, Visitor};

const GONE: &str = "http://localhost:9/gone";

fn path(pairs: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", serde_urlencoded::to_string(pairs).unwrap())
}

async fn browser_of(notes: &Notes) -> Visitor {
    let browser = notes.app.browser();
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(303);
    browser
}

#[actix_web::test]
async fn a_token_of_this_session_signs_out_at_once_and_leads_back() {
    let notes = Notes::open(&["--logout", GONE]).await;
    notes.app.verified(ADA).await;
    let browser = browser_of(&notes).await;
    let tokens = notes.tokens(&browser, &[("scope", "openid")]).await;
    let kept = notes.tokens(&browser, &[("scope", "openid offline_access")]).await;
    let hint = text(&tokens["id_token"]);
    // However old it is.
    notes.app.wait(chrono::TimeDelta::minutes(20));
    let asked = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", GONE), ("state", "a&b")];
    let back = browser.get_once(&path(&asked)).await.is(303);
    assert_eq!(told(back.location().unwrap(), "state").as_deref(), Some("a&b"));
    assert!(back.location().unwrap().starts_with(GONE));
    browser.get_once("/me").await.goes_to("/login?next=%2Fme");
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    notes.refreshes(&kept["refresh_token"]).await.is(200);
    // Nobody is signed in, and it leads back all the same.
    assert!(browser.get_once(&path(&asked)).await.is(303).location().unwrap().starts_with(GONE));
}

#[actix_web::test]
async fn without_one_it_is_asked_and_nothing_leads_where_it_should_not() {
    let notes = Notes::open(&["--logout", GONE]).await;
    notes.app.verified(ADA).await;
    let browser = browser_of(&notes).await;
    let hint = text(&notes.tokens(&browser, &[]).await["id_token"]);
    let other = browser_of(&notes).await;
    let (front, signature) = hint.rsplit_once('.').unwrap();
    let forged = format!("{front}.{}", signature.chars().rev().collect::<String>());
    let id = notes.client_id.as_str();
    // RpInitiatedLogoutNoParams, OnlyState, BadIdTokenHint, ModifiedIdTokenHint, BadPostLogoutRedirectUri.
    for (asked, location) in [
        (vec![], None),
        (vec![("state", "x")], None),
        (vec![("id_token_hint", "rubbish"), ("post_logout_redirect_uri", GONE)], None),
        (vec![("id_token_hint", &forged), ("client_id", id), ("post_logout_redirect_uri", GONE)], None),
        (
            vec![("id_token_hint", &hint), ("client_id", "another-1"), ("post_logout_redirect_uri", GONE)],
            None,
        ),
        (vec![("id_token_hint", &hint), ("post_logout_redirect_uri", "http://localhost:9/gone?x")], None),
        (vec![("post_logout_redirect_uri", GONE)], None),
        (vec![("client_id", id), ("post_logout_redirect_uri", GONE)], Some(GONE)),
        (vec![("id_token_hint", &hint), ("post_logout_redirect_uri", GONE)], Some(GONE)),
    ] {
        let answer = other.get_once(&path(&asked)).await.is(200).says("Sign out?");
        assert!(!answer.body.contains("refresh"), "nobody is signed out without being asked");
        other.get_once("/me").await.is(200);
        // From another site it is only asked.
        let elsewhere = other.clone().with("sec-fetch-site", "cross-site");
        let form = [&asked[..], &[("confirmed", "yes")]].concat();
        let again = posts(&elsewhere, "/oauth/logout", &form).await.is(303);
        assert!(again.location().unwrap().starts_with("/oauth/logout"), "{:?}", again.location());
        other.get_once("/me").await.is(200);

        let here = browser_of(&notes).await;
        let done = posts(&here, "/oauth/logout", &form).await;
        match location {
            Some(location) => drop(done.is(200).says(location).says("You are signed out")),
            None => drop(done.goes_to("/login")),
        }
        here.get_once("/me").await.goes_to("/login?next=%2Fme");
    }
}

#[actix_web::test]
async fn a_device_that_is_revoked_takes_its_applications_along() {
    let notes = Notes::open(&[]).await;
    let ada = notes.app.verified(ADA).await;
    let phone = notes.app.curl();
    phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    let (here, there): (Value, Value) = (notes.tokens(&ada, &[]).await, notes.tokens(&phone, &[]).await);
    let id = phone.session_id().await;
    ada.delete(&format!("/me/sessions/{id}")).await.is(200);
    assert_eq!(notes.introspects(&there["access_token"]).await, json!({ "active": false }));
    assert_eq!(notes.introspects(&here["access_token"]).await["active"], true);
}
