//! A link to sign in for an address that several accounts claim: it confirms one, and what the others put there is gone.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::{PASSWORD, TestApp},
    magic_link::{NEW, asked, enter, link, sign_in},
};

#[actix_web::test]
async fn what_a_stranger_put_into_a_claim_is_gone_when_its_mailbox_proves_it_case_21() {
    let app = TestApp::open().await;
    let eve = app.curl();
    let body = json!({ "email": "ada@example.com", "password": "the squatter's own", "name": "Eve" });
    eve.post_json("/signup", body).await.is(201);
    let verify = app.token_for("ada@example.com").await;
    let reset = {
        app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
        app.token_for("ada@example.com").await
    };
    let ada = app.browser();
    ada.post("/login/magic-link", &[("email", "ada@example.com")]).await.is(303);
    let token = app.token_for("ada@example.com").await;

    ada.get(&link(&token)).await.is(200).says("isn't confirmed yet").says("removes the password");
    ada.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me");

    let page = ada.get("/me").await.is(200).says("Your address is confirmed, and you are signed in.");
    page.says("<span class=\"dot\">Confirmed</span>");
    eve.get("/me").await.refuses(401, "sign_in_required");
    sign_in(&app, "ada@example.com", "the squatter's own").await.refuses(401, "wrong_credentials");
    app.curl().post_json("/verify-email", json!({ "token": verify })).await.is(422);
    let body = json!({ "token": reset, "password": "the squatter's next" });
    app.curl().post_json("/reset-password", body).await.refuses(422, "dead_reset_link");
    assert_eq!(app.count("users WHERE password_hash IS NULL AND email_verified_at IS NOT NULL").await, 1);
    assert_eq!(app.count("sign_ins WHERE method = 'sign_up'").await, 0, "the history starts here");
    assert_eq!(app.count("sessions").await, 1);
    assert_eq!(app.count("audit WHERE event = 'unverified_account_cleared'").await, 1);
    // She sets a password of her own by mail.
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": NEW })).await.is(200);
    sign_in(&app, "ada@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn an_account_that_was_confirmed_keeps_its_password_and_devices() {
    let app = TestApp::open().await;
    let laptop = app.verified("ada@example.com").await;
    let token = asked(&app, &app.curl(), "ada@example.com").await;

    enter(&app.curl(), &token).await.is(200);

    laptop.get("/me").await.is(200);
    sign_in(&app, "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn the_newest_claim_gets_the_link_and_using_it_ends_the_others() {
    let app = TestApp::open().await;
    let eve = app.unverified_user("ADA@example.com").await;
    app.wait(TimeDelta::minutes(1));
    let ada = app.unverified_user("ada@example.com").await;
    app.send_emails().await;
    let curl = app.curl();
    curl.post_json("/login/magic-link", json!({ "email": "ADA@example.com" })).await.is(200);
    let token = app.token_for("ada@example.com").await;

    let user = enter(&curl, &token).await.is(200).json()["user"].clone();

    assert_eq!((&user["email"], &user["emailVerified"]), (&json!("ada@example.com"), &json!(true)));
    for session in [&eve, &ada] {
        session.get("/me").await.refuses(401, "sign_in_required");
    }
    assert_eq!((app.count("users").await, app.count("sessions").await), (1, 1));
}

#[actix_web::test]
async fn whoever_has_the_address_confirmed_gets_the_link_and_no_unverified_user_does_case_118() {
    let app = TestApp::open().await;
    app.verified("Ada@example.com").await;
    app.wait(TimeDelta::minutes(1));
    app.unverified_user("ADA@example.com").await;
    app.send_emails().await;

    app.curl().post_json("/login/magic-link", json!({ "email": "ada@EXAMPLE.com" })).await.is(200);
    let token = app.token_for("Ada@example.com").await;

    let user = enter(&app.curl(), &token).await.is(200).json()["user"].clone();
    assert_eq!(user["email"], "Ada@example.com");
    assert!(app.emails_to("ADA@example.com").await.is_empty());
}
