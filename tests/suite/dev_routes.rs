//! The list of routes, for a developer on this machine.

use vestibule::routes::entries;

use crate::harness::TestApp;

#[actix_web::test]
async fn every_route_is_listed_for_a_developer_and_for_nobody_else() {
    let app = TestApp::open().await;
    let listed = app.curl().get("/dev/routes").await.is(200).json();
    assert_eq!(listed["routes"].as_array().unwrap().len(), entries().len());
    assert_eq!(listed["routes"][0]["path"], "/");
    let page = app.browser().get("/dev/routes").await.is(200);
    page.says("POST /login/2fa")
        .says("<code>{email, password, name}</code>")
        .says("including scheduled deletion");
    app.curl().with("host", "id.example.com").get("/dev/routes").await.refuses(404, "not_found");
    let production = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    TestApp::with(&production).await.curl().get("/dev/routes").await.refuses(404, "not_found");
}
