//! Signing out, here.

use serde_json::json;

use crate::{
    harness::TestApp,
    sessions::{ADA, cookie_of, device, in_a_browser, is_signed_in},
};

#[actix_web::test]
async fn signing_out_twice_is_harmless() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let elsewhere = device(&app, ADA, "Safari/17 iPhone", false).await;
    let browser = in_a_browser(&ada);

    for visitor in [&ada, &ada, &app.curl()] {
        let answer = visitor.post("/logout", &[]).await.is(200);
        assert_eq!(answer.json(), json!({ "message": "You are signed out on this device." }));
    }
    for _ in 0..2 {
        browser.post("/logout", &[]).await.goes_to("/login");
    }

    assert!(!is_signed_in(&ada).await);
    assert!(is_signed_in(&elsewhere).await);
}

#[actix_web::test]
async fn the_back_button_shows_nothing_after_signing_out_case_53() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    let browser = in_a_browser(&ada);
    for path in ["/me", "/me/sessions", "/me/security"] {
        let page = browser.get(path).await.is(200);
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(page.header("etag").is_empty() && page.header("last-modified").is_empty(), "{path}");
    }
    let secret = browser.cookie("session").unwrap();

    let left = browser.post("/logout", &[]).await.goes_to("/login");

    assert_eq!(left.header("clear-site-data"), "");
    let removal = cookie_of(&left, "session");
    assert_eq!((removal.value(), removal.max_age().unwrap().whole_seconds()), ("", 0));
    assert_eq!((removal.path(), removal.http_only()), (Some("/"), Some(true)));
    // Even a browser that kept its cookie gets nothing with it.
    browser.set_cookie("session", &secret);
    browser.get("/me").await.goes_to("/login?next=%2Fme").hides(ADA);
}
