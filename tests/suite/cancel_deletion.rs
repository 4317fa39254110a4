//! The link in the mail about a deletion: its button keeps the account.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    delete::{ADA, leaver, run_deletions, sign_in},
    harness::TestApp,
};

#[actix_web::test]
async fn the_link_in_the_mail_shows_a_page_and_its_button_keeps_the_account_case_110() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    let token = app.token_for(ADA).await;
    let path = format!("/cancel-deletion?token={token}");
    let (stranger, scanner) = (app.browser(), app.curl());

    stranger.get(&path).await.is(200).says("Keep your account?").says("21 December 2026").says(ADA);
    scanner.get(&path).await.is(200);
    scanner.head(&path).await.is(200);
    assert_eq!(app.count("users WHERE deletes_at IS NOT NULL").await, 1);

    stranger.post("/cancel-deletion", &[("token", &token)]).await.goes_to("/login");
    assert_eq!(app.count("users WHERE deletes_at IS NOT NULL").await, 0);
    stranger.get("/me").await.goes_to("/login?next=%2Fme");
    // Used, and replaced by nothing.
    stranger.get(&path).await.is(422);
    scanner.post_json("/cancel-deletion", json!({ "token": token })).await.refuses(422, "dead_link");
    sign_in(&app, ADA).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_link_for_one_deletion_does_not_stop_the_next_one() {
    let app = TestApp::open().await;
    let curl = leaver(&app, ADA).await;
    let old = app.token_for(ADA).await;
    curl.post_json("/me/delete/cancel", json!({})).await.is(200);
    app.send_emails().await;
    curl.post_json("/me/delete", json!({})).await.is(200);

    app.curl().post_json("/cancel-deletion", json!({ "token": old })).await.refuses(422, "dead_link");

    let new = app.token_for(ADA).await;
    app.curl().post_json("/cancel-deletion", json!({ "token": new })).await.is(200);
}

#[actix_web::test]
async fn whoever_took_an_account_over_cannot_close_the_way_back_from_its_deletion() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    let cancel = app.token_for(ADA).await;
    // A new password is a way in for whoever reads the mail, and signs everybody out.
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = app.token_for(ADA).await;
    let another = "another good battery staple";
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": another })).await.is(200);

    let curl = app.curl();
    curl.post_json("/login", json!({ "email": ADA, "password": another })).await.is(200);
    curl.get("/me").await.refuses(403, "deletion_scheduled");
    app.curl().post_json("/cancel-deletion", json!({ "token": cancel })).await.is(200);

    curl.get("/me").await.is(200);
}

#[actix_web::test]
async fn the_reminder_comes_once_and_its_link_works_like_the_first() {
    let app = TestApp::open().await;
    leaver(&app, ADA).await;
    let first = app.token_for(ADA).await;
    app.wait(TimeDelta::days(27) - TimeDelta::seconds(1));
    assert_eq!(run_deletions(&app).await, 0);
    app.wait(TimeDelta::seconds(1));
    assert_eq!((run_deletions(&app).await, run_deletions(&app).await), (1, 0));
    let second = app.token_for(ADA).await;
    assert_ne!(first, second);
    for token in [&first, &second] {
        app.curl().get(&format!("/cancel-deletion?token={token}")).await.is(200);
    }

    app.curl().post_json("/cancel-deletion", json!({ "token": second })).await.is(200);

    app.curl().post_json("/cancel-deletion", json!({ "token": first })).await.refuses(422, "dead_link");
    sign_in(&app, ADA).await.get("/me").await.is(200);
}
