//! The demonstration identity provider, on a developer's machine.

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
