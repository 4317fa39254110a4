//! Addresses that programs know beforehand.

use actix_web::http::Method;
use serde_json::json;

use crate::{harness::TestApp, http_habits::ADA};

#[actix_web::test]
async fn password_managers_are_led_to_the_page_that_changes_the_password() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    for visitor in [app.curl(), app.browser(), ada.clone(), ada.with("accept", "text/html")] {
        for method in [Method::GET, Method::HEAD] {
            visitor.send(method, "/.well-known/change-password", None).await.goes_to("/me/password");
        }
    }
    // They look whether this site answers everything with a page before they believe it (W3C, Change Password URL, 3.2).
    let never = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    app.browser().get(never).await.is(404);
}

#[actix_web::test]
async fn password_managers_are_told_where_passkeys_are_kept() {
    let app = TestApp::open().await;
    let told = app.curl().get("/.well-known/passkey-endpoints").await.is(200);
    assert_eq!(told.header("content-type"), "application/json");
    let page = format!("{}/me/passkeys", app.base_url);
    assert_eq!(told.json(), json!({ "enroll": page, "manage": page }));
}
