//! Asking for a link to a new password.

use serde_json::json;

use crate::harness::TestApp;

#[actix_web::test]
async fn every_address_gets_the_same_answer_and_only_people_get_mail() {
    let app = TestApp::open().await;
    app.unverified_user("claimed@example.com").await;
    app.verified("settled@example.com").await;
    let before = app.catcher.received();

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for address in ["unknown@example.com", "claimed@example.com", "settled@example.com"] {
        let answer = app.curl().post_json("/forgot-password", json!({ "email": address })).await;
        programs.push(answer.is(200).outline(address));
        let answer = app.browser().post("/forgot-password", &[("email", address)]).await;
        browsers.push(answer.is(200).outline(address));
    }

    for outlines in [programs, browsers] {
        assert!(outlines.iter().all(|outline| *outline == outlines[0]), "{outlines:#?}");
    }
    app.send_emails().await;
    assert_eq!(app.catcher.received(), before + 4);
    assert!(app.emails_to("unknown@example.com").await.is_empty());
}

#[actix_web::test]
async fn what_cannot_be_an_address_is_told_so() {
    let app = TestApp::open().await;
    let page = app.browser().post("/forgot-password", &[("email", "ada at home")]).await.is(422);
    page.says("value=\"ada at home\"").says("aria-invalid");
    app.curl().post_json("/forgot-password", json!({})).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn the_email_goes_to_the_stored_spelling_and_never_to_the_typed_one_case_118() {
    let app = TestApp::open().await;
    app.verified("Kay.Ada@example.com").await;

    let typed = "\u{212A}AY.ada@EXAMPLE.com";
    app.curl().post_json("/forgot-password", json!({ "email": typed })).await.is(200);

    assert_eq!(app.emails_to("Kay.Ada@example.com").await.len(), 2);
    assert_eq!(app.catcher.received(), 2);
}
