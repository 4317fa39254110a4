//! The applications that somebody uses, as they see them.

use serde_json::json;

use crate::oauth::{ADA, Notes, refused, told};

#[actix_web::test]
async fn somebody_sees_what_they_use_and_ends_one() {
    let notes = Notes::open(&["--third-party", "on"]).await;
    let ada = notes.app.verified(ADA).await;
    ada.get("/me/applications").await.is(200).says("\"applications\":[]");
    let browser = ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let more = [("scope", "openid email offline_access")];
    let consent = browser.get_once(&notes.request(&more)).await.is(303).location().unwrap().to_owned();
    let consent = browser.get_once(&consent).await.is(303).location().unwrap().to_owned();
    let request = told(&consent, "request").unwrap();
    browser.post("/oauth/consent", &[("request", &request), ("decision", "allow")]).await.is(200);
    let tokens = notes.tokens(&ada, &more).await;

    let listed = ada.get("/me/applications").await.is(200).json();
    let one = &listed["applications"][0];
    assert_eq!((&one["name"], &one["kind"]), (&json!("Notes"), &json!("web")));
    assert_eq!(one["scopes"], json!(["email", "offline_access", "openid"]));
    assert_eq!(one["devices"].as_array().unwrap().len(), 2);
    browser.get("/me/applications").await.is(200).says("your email address").says("stays when you sign out");

    let path = format!("/me/applications/{}", one["id"].as_str().unwrap());
    let bob = notes.app.verified("bob@example.com").await;
    bob.delete(&path).await.refuses(404, "not_found");
    ada.delete(&path).await.is(200);
    ada.delete(&path).await.refuses(404, "not_found");
    refused(notes.refreshes(&tokens["refresh_token"]).await, 400, "invalid_grant");
    refused(notes.userinfo(&tokens).await, 401, "invalid_token");
    assert_eq!(notes.app.count("consents").await, 0);
    assert_eq!(notes.app.count("audit WHERE event = 'application_revoked'").await, 1);
    // Nothing else ended, and the next time it is asked about again.
    ada.get("/me").await.is(200);
    let here = browser.get_once(&notes.request(&more)).await.is(303);
    assert!(here.location().unwrap().starts_with("/oauth/continue"));
}
