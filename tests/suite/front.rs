//! The front page.

use serde_json::json;

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

#[actix_web::test]
async fn a_developer_sees_what_runs_where_the_mail_is_and_who_can_sign_in() {
    let app = TestApp::open().await;
    let empty = app.curl().get("/").await.is(200).json();
    assert_eq!(empty["people"], json!([]));
    assert_eq!(empty["routes"], "/dev/routes");
    app.browser().get("/").await.is(200).says("bin/run seed");

    assert_eq!(app.command(&["seed"]).code, Some(0));

    let people = app.curl().get("/").await.is(200).json()["people"].clone();
    assert_eq!(people[0], json!({ "email": "ada@example.com", "emailVerified": true }));
    assert_eq!(people[2], json!({ "email": "cleo@example.com", "emailVerified": false }));
    let page = app.browser().get("/").await.is(200);
    page.says("href=\"/login?email=ben%40example.com\"")
        .says("dora%40demo.example")
        .says("href=\"/dev/routes\"");
}

#[actix_web::test]
async fn nobody_else_sees_that() {
    let app = TestApp::open().await;
    app.command(&["seed"]);
    let elsewhere = app.browser().with("host", "id.example.com").get("/").await.is(200);
    elsewhere.hides("ada@example.com").hides("/dev/routes").says("href=\"/signup\"");
    let production = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    let app = TestApp::with(&production).await;
    let page = app.browser().get("/").await.is(200).hides("/dev/").says("href=\"/signup\"");
    // With sheet and script, compressed, ten kilobytes.
    assert!(page.body.len() < 3_500, "{} bytes", page.body.len());
    assert_eq!(app.curl().get("/").await.is(200).json(), json!({}));
}
