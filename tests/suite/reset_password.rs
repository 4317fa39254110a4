//! A new password through a mailed link.

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor, visitor::Answer};

const NEW: &str = "a new and better password";

/// Asks for a link; the token in the newest email to `arrives_at`.
pub async fn reset_token(app: &TestApp, typed: &str, arrives_at: &str) -> String {
    app.send_emails().await;
    app.curl().post_json("/forgot-password", json!({ "email": typed })).await.is(200);
    app.token_for(arrives_at).await
}

async fn reset(visitor: &Visitor, token: &str) -> Answer {
    visitor.post_json("/reset-password", json!({ "token": token, "password": NEW })).await
}

async fn sign_in(app: &TestApp, address: &str, password: &str) -> Answer {
    app.curl().post_json("/login", json!({ "email": address, "password": password })).await
}

fn link(token: &str) -> String {
    format!("/reset-password?token={token}")
}

#[actix_web::test]
async fn whoever_forgot_their_password_sets_a_new_one_and_is_signed_in_nowhere_case_45() {
    let app = TestApp::open().await;
    let (laptop, phone) = (app.verified("ada@example.com").await, app.browser());
    phone.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    let browser = app.browser();

    browser.get("/forgot-password").await.is(200);
    browser.post("/forgot-password", &[("email", "ada@example.com")]).await.is(200).says("Check your email");
    let token = app.token_for("ada@example.com").await;
    let page = browser.get(&link(&token)).await.is(200).says("value=\"ada@example.com\"");
    page.says("signs you out on every device").hides("This browser is signed in as");
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", NEW)];
    browser.post("/reset-password", &form).await.goes_to("/login");

    browser.get("/login").await.is(200).says("Your new password is saved. Sign in with it.");
    assert_eq!(browser.cookie("session"), None);
    laptop.get("/me").await.refuses(401, "sign_in_required");
    phone.get("/me").await.goes_to("/login?next=%2Fme");
    assert_eq!(app.count("sessions").await, 0);
    sign_in(&app, "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    sign_in(&app, "ada@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn a_link_works_once() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;
    reset(&app.curl(), &token).await.is(200);

    let again = json!({ "token": token, "password": "whoever reads old mail" });
    app.curl().post_json("/reset-password", again).await.refuses(422, "dead_reset_link");
    app.curl().get(&link(&token)).await.refuses(422, "dead_reset_link");

    sign_in(&app, "ada@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn looking_at_a_link_does_not_use_it_up_case_01() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    app.browser().head(&link(&token)).await.is(200);
    for _ in 0..2 {
        app.browser().get(&link(&token)).await.is(200);
        app.curl().get(&link(&token)).await.is(200).hides(&token);
    }

    sign_in(&app, "ada@example.com", PASSWORD).await.is(200);
    reset(&app.curl(), &token).await.is(200);
}

#[actix_web::test]
async fn only_the_newest_link_works_case_07() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let first = reset_token(&app, "ada@example.com", "ada@example.com").await;
    let second = reset_token(&app, "ada@example.com", "ada@example.com").await;

    reset(&app.curl(), &first).await.refuses(422, "dead_reset_link");

    reset(&app.curl(), &second).await.is(200);
}

#[actix_web::test]
async fn a_link_works_for_an_hour_and_a_dead_one_says_so_at_once() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    app.wait(TimeDelta::seconds(3_599));
    app.browser().get(&link(&token)).await.is(200);
    app.wait(TimeDelta::seconds(1));

    let page = app.browser().get(&link(&token)).await.is(422).hides("type=\"password\"");
    page.says("This link no longer works").says("href=\"/forgot-password\"").says("Send me a new link");
    reset(&app.curl(), &token).await.refuses(422, "dead_reset_link");
    sign_in(&app, "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn what_was_never_a_link_is_a_dead_one() {
    let app = TestApp::open().await;
    for rubbish in ["", "x", "%00", &"x".repeat(4000)] {
        app.browser().get(&link(rubbish)).await.is(422).says("This link no longer works");
    }
    app.curl().get("/reset-password").await.refuses(422, "dead_reset_link");
    reset(&app.curl(), "\0").await.refuses(422, "dead_reset_link");
}

#[actix_web::test]
async fn a_new_password_is_judged_like_any_and_the_link_survives_a_bad_one() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    for bad in ["short", "password1", "ada@example.com"] {
        let body = json!({ "token": token, "password": bad });
        let refusal = app.curl().post_json("/reset-password", body).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["password"].is_string(), "{bad}");
    }
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", "a new and bitter password")];
    let page = app.browser().post("/reset-password", &form).await.is(422).hides(NEW).hides("bitter");
    page.says("The two are not the same.").says(&token);
    sign_in(&app, "ada@example.com", PASSWORD).await.is(200);

    reset(&app.curl(), &token).await.is(200);
}

#[actix_web::test]
async fn a_new_password_ends_every_other_link_of_the_account_case_08() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let verify = app.token_for("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    reset(&app.curl(), &token).await.is(200);

    let answer = app.curl().post_json("/verify-email", json!({ "token": verify })).await;
    answer.refuses(422, "dead_link");
}

#[actix_web::test]
async fn a_reset_proves_the_mailbox_and_ends_the_other_claims_case_15() {
    let app = TestApp::open().await;
    let eve = app.curl();
    let body = json!({ "email": "ADA@example.com", "password": "the squatter's own", "name": "Eve" });
    eve.post_json("/signup", body).await.is(201);
    let eves = app.token_for("ADA@example.com").await;
    app.wait(TimeDelta::minutes(1));
    let ada = app.unverified_user("ada@example.com").await;
    let token = reset_token(&app, "ADA@example.com", "ada@example.com").await;

    reset(&app.curl(), &token).await.is(200);

    for session in [&eve, &ada] {
        session.get("/me").await.refuses(401, "sign_in_required");
    }
    let user = sign_in(&app, "ada@example.com", NEW).await.is(200).json()["user"].clone();
    assert_eq!((&user["emailVerified"], &user["email"]), (&json!(true), &json!("ada@example.com")));
    sign_in(&app, "ada@example.com", "the squatter's own").await.refuses(401, "wrong_credentials");
    app.curl().post_json("/verify-email", json!({ "token": eves })).await.refuses(422, "dead_link");
    assert_eq!(app.count("users").await, 1);
}

#[actix_web::test]
async fn the_owner_of_a_confirmed_address_gets_the_link_and_no_unverified_user_does() {
    let app = TestApp::open().await;
    app.verified("Ada@example.com").await;
    app.wait(TimeDelta::minutes(1));
    app.unverified_user("ADA@example.com").await;

    let token = reset_token(&app, "ada@EXAMPLE.com", "Ada@example.com").await;
    reset(&app.curl(), &token).await.is(200);

    let user = sign_in(&app, "ada@example.com", NEW).await.is(200).json()["user"].clone();
    assert_eq!(user["email"], "Ada@example.com");
    assert!(app.emails_to("ADA@example.com").await.is_empty());
}

#[actix_web::test]
async fn a_browser_signed_in_as_somebody_else_is_told_and_stays_signed_in_case_13() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.verified("ben@example.com").await;
    let ben = app.browser();
    ben.post("/login", &[("email", "ben@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    let page =
        ben.get(&link(&token)).await.is(200).says("This browser is signed in as <bdi>ben@example.com</bdi>");
    page.says("The new password is for <bdi>ada@example.com</bdi>");
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", NEW)];
    ben.post("/reset-password", &form).await.is(303);

    ben.get("/me").await.is(200).says("ben@example.com");
    sign_in(&app, "ben@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn the_browser_that_was_signed_in_as_the_account_gives_its_cookie_back() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "ada@example.com").await;

    reset(&ada, &token).await.is(200);

    assert_eq!(ada.cookie("session"), None);
}

#[actix_web::test]
async fn the_owner_is_told_of_the_new_password() {
    let app = TestApp::open().await;
    app.verified("Ada@example.com").await;
    let token = reset_token(&app, "ada@example.com", "Ada@example.com").await;
    let phone = app.curl().named("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");

    reset(&phone, &token).await.is(200);

    let emails = app.emails_to("Ada@example.com").await;
    assert_eq!(emails.len(), 3);
    let email = &emails[2];
    assert_eq!(email.subject, "Your password for Vestibule was changed");
    assert!(email.text.contains("21 November 2026, 14:05 UTC") && email.text.contains("Firefox on Linux"));
    assert!(email.text.contains(&format!("{}/not-me?token=", app.base_url)));
    assert!(!email.text.contains(NEW));
}
