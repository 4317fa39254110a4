//! The demonstration identity provider, on a developer's machine.

use serde_json::json;

use crate::harness::TestApp;

#[actix_web::test]
async fn there_is_no_demonstration_in_production_nor_from_elsewhere() {
    let production = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    let app = TestApp::with(&production).await;
    for path in ["/dev/idp", "/dev/idp/metadata", "/dev/idp?SAMLRequest=x"] {
        app.curl().get(path).await.refuses(404, "not_found");
    }
    let app = TestApp::open().await;
    app.curl().with("x-forwarded-for", "203.0.113.9").get("/dev/idp").await.refuses(404, "not_found");
}

/// Whoever tries single sign-on out gives the link that the demonstration's own page shows.
#[actix_web::test]
async fn its_metadata_is_read_by_its_link() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    ada.steps_up().await;
    let link = format!("{}/dev/idp/metadata", app.base_url);
    let form = json!({ "name": "Demonstration", "metadataUrl": link });
    ada.post_json("/organisations/acme/sso", form).await.is(201);
    let elsewhere = json!({ "name": "Another", "metadataUrl": "http://127.0.0.1:1/metadata" });
    ada.post_json("/organisations/acme/sso", elsewhere).await.refuses(422, "invalid");
}
