//! The account at a glance, and its name.

use actix_web::http::Method;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp};

#[actix_web::test]
async fn the_account_has_two_faces() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("Ada@example.com").await;

    let user = ada.get("/me").await.is(200).json()["user"].clone();
    let mut keys: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["createdAt", "email", "emailVerified", "id", "name"]);
    assert_eq!(user["createdAt"], "2026-11-21T14:05:00Z");

    let page = ada.with("accept", "text/html").get("/me").await.is(200).says("Ada@example.com");
    page.says("Not confirmed yet").says("action=\"/verify-email/resend\"").says("value=\"Ada\"");
}

#[actix_web::test]
async fn a_stranger_has_no_account_to_look_at() {
    let app = TestApp::open().await;
    app.curl().get("/me").await.refuses(401, "sign_in_required");
    app.browser().get("/me").await.goes_to("/login?next=%2Fme");
    app.curl().put_json("/me/name", json!({ "name": "Eve" })).await.refuses(401, "sign_in_required");
    app.browser().post("/me/name", &[("name", "Eve")]).await.goes_to("/login");
}

#[actix_web::test]
async fn a_name_changes_by_put_and_by_post_in_both_spellings() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;

    let answer = ada.put_json("/me/name", json!({ "name": " Ada Lovelace " })).await.is(200).json();
    assert_eq!(answer["user"]["name"], "Ada Lovelace");
    assert_eq!(ada.get("/me").await.json()["user"], answer["user"]);

    let form = Some(("application/x-www-form-urlencoded", "name=Augusta".to_owned()));
    ada.send(Method::PUT, "/me/name", form).await.is(200);
    assert_eq!(ada.get("/me").await.json()["user"]["name"], "Augusta");

    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    browser.post("/me/name", &[("name", "The Countess")]).await.goes_to("/me");
    browser.get("/me").await.is(200).says("Your name is changed.").says("value=\"The Countess\"");
}

#[actix_web::test]
async fn a_name_that_will_not_do_is_explained_and_changes_nothing() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.goes_to("/me");

    for (wrong, says) in [
        ("  ".to_owned(), "Enter a name."),
        ("x".repeat(81), "Use at most 80 characters."),
        ("Ada\r\nBcc: eve@example.com".to_owned(), "without line breaks"),
        ("Ada\0".to_owned(), "control characters"),
    ] {
        let refusal = ada.put_json("/me/name", json!({ "name": wrong })).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["name"].as_str().unwrap().contains(says), "{wrong:?}");
        browser.post("/me/name", &[("name", &wrong)]).await.is(422).says(says).says("aria-invalid");
    }
    browser.post("/me/name", &[("name", &"x".repeat(81))]).await.is(422).says(&"x".repeat(81));
    ada.put_json("/me/name", json!({})).await.refuses(422, "invalid");
    ada.put_json("/me/name", json!({ "name": 7 })).await.refuses(422, "invalid");
    assert_eq!(ada.get("/me").await.json()["user"]["name"], "Ada");
}

#[actix_web::test]
async fn nothing_but_the_name_changes_with_the_name() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    let before = ada.get("/me").await.json()["user"].clone();

    let body = json!({ "name": "Ada L.", "email": "eve@example.com", "emailVerified": true, "id": "chosen" });
    let mut after = ada.put_json("/me/name", body).await.is(200).json()["user"].clone();

    assert_eq!(after, ada.get("/me").await.json()["user"]);
    after["name"] = before["name"].clone();
    assert_eq!(after, before);
}

#[actix_web::test]
async fn a_name_never_becomes_part_of_the_page_case_122() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let name = "</bdi><script>alert(1)</script>\" onfocus=x";
    ada.put_json("/me/name", json!({ "name": name })).await.is(200);

    let page = ada.with("accept", "text/html").get("/me").await.is(200);

    page.hides("<script>alert").hides("\" onfocus").says("&#60;script&#62;alert(1)");
}

#[actix_web::test]
async fn what_cannot_be_an_id_is_nobodys() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    for path in
        ["/me/sessions/%00", "/me/sessions/%FF", "/me/sessions/%27%20OR%201%3D1", "/me/sessions/%F0%9F%A6%80"]
    {
        ada.delete(path).await.refuses(404, "not_found");
    }
    ada.get("/me").await.is(200);
}

/// What the settings say is what pages say.
#[actix_web::test]
async fn pages_name_the_spans_that_hold() {
    let settings = [
        ("DELETION_GRACE", "7d"),
        ("STEP_UP_WINDOW", "15m"),
        ("HISTORY_LIFE", "30d"),
        ("EMAIL_CHANGE_LIFE", "6h"),
        ("EMAIL_UNDO_LIFE", "2d"),
        ("RESET_LINK_LIFE", "20m"),
    ];
    let app = TestApp::with(&settings).await;
    let ada = app.verified("ada@example.com").await;
    let page = ada.clone().with("accept", "text/html");
    page.get("/me").await.is(200).says("after 7 days");
    page.get("/auth/confirm").await.is(200).says("We won&#39;t ask again for 15 minutes");
    page.get("/me/logins").await.is(200).says("in the last 30 days");
    page.get("/privacy/data").await.is(200).says("removed after 30 days").hides("{history}").hides("90 days");
    page.get("/forgot-password").await.is(200).says("for 20 minutes").says("value=\"ada@example.com\"");
    ada.steps_up().await;
    let page = ada.clone().with("accept", "text/html");
    page.get("/me/email").await.is(200).says("stopped for 6 hours").says("undone for 2 days");
}
