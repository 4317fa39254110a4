//! The front page.

use crate::harness::TestApp;

#[actix_web::test]
async fn a_stranger_may_sign_in_or_sign_up_and_whoever_is_signed_in_goes_on() {
    let app = TestApp::open().await;

    let page = app.browser().get("/").await.is(200);

    page.says("href=\"/login\"").says("href=\"/signup\"");
    app.curl().get("/").await.is(200);
    let ada = app.unverified_user("ada@example.com").await;
    ada.with("accept", "text/html").get("/").await.goes_to("/me");
}

#[actix_web::test]
async fn pages_show_curl_where_the_operator_wants_it() {
    for (setting, is_shown) in [("on", true), ("off", false)] {
        let app = TestApp::with(&[("SHOW_CURL", setting)]).await;
        for path in ["/", "/login", "/signup"] {
            let page = app.browser().get(path).await.is(200);
            assert_eq!(page.body.contains("Show as curl"), is_shown, "{setting}: {path}");
        }
    }
}
