//! Which ways in there are, before anybody said who they are.

use serde_json::json;

use crate::{harness::TestApp, magic_link::App};

#[actix_web::test]
async fn every_address_gets_the_same_ways_whoever_it_belongs_to() {
    let app = TestApp::open().await;
    app.unverified_user("claimed@example.com").await;
    app.verified("settled@example.com").await;
    app.verified("guarded@example.com").await;
    App::of(&app, "guarded@example.com").await;
    app.verified("nothing@example.com").await;
    app.db_execute("UPDATE users SET password_hash = NULL WHERE email = 'nothing@example.com'").await;
    let rows = async || (app.count("audit").await, app.count("throttles").await, app.count("tokens").await);
    let before = rows().await;

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for name in ["unknown", "claimed", "settled", "guarded", "nothing"] {
        let address = format!("{name}@example.com");
        let answer = app.curl().post_json("/auth/methods", json!({ "email": address })).await.is(200);
        assert_eq!(answer.json(), json!({ "methods": ["password", "passkey", "magic_link"] }));
        programs.push(answer.outline(&address));
        let answer = app.browser().post("/auth/methods", &[("email", &address)]).await.is(200);
        browsers.push(answer.says("Email link").outline(&address));
    }

    for outlines in [programs, browsers] {
        assert!(outlines.iter().all(|outline| *outline == outlines[0]), "{outlines:#?}");
    }
    assert_eq!(rows().await, before, "no account is looked at, and nothing is written");
}

#[actix_web::test]
async fn what_cannot_be_an_address_is_told_so() {
    let app = TestApp::open().await;
    app.curl().post_json("/auth/methods", json!({ "email": "ada at home" })).await.refuses(422, "invalid");
    app.curl().post_json("/auth/methods", json!({})).await.refuses(422, "invalid");
    app.browser().post("/auth/methods", &[("email", "ada")]).await.is(422).says("aria-invalid");
}
