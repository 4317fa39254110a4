//! Somebody has an account here already: they sign in to it once the old way, and the two are connected.

use crate::{
    harness::{PASSWORD, TestApp},
    idp::{Acme, ada, id_of, resident},
};

#[actix_web::test]
async fn an_identity_is_connected_at_the_neutral_address_and_at_the_older_one() {
    for path in ["/auth/link", "/auth/saml/link"] {
        let app = TestApp::open().await;
        let acme = Acme::of(&app).await;
        let account = id_of(&resident(&app, "ada@example.com").await).await;
        let browser = app.browser();

        acme.signs_in(&app, &browser, &ada()).await.goes_to("/auth/link");
        let page = browser.get(path).await.is(200).says("Sign in to link them");
        assert!(page.body.contains("next=/auth/link\""), "{}", page.body);
        let old = [("email", "ada@example.com"), ("password", PASSWORD), ("next", path)];
        browser.post("/login", &old).await.goes_to(path);
        browser.get(path).await.is(200).says("<form method=\"post\" action=\"/auth/link\">");
        browser.post(path, &[]).await.goes_to("/me");

        let again = app.browser();
        acme.signs_in(&app, &again, &ada()).await.goes_to("/me");
        assert_eq!(id_of(&again).await, account, "{path}");
    }
}

#[actix_web::test]
async fn a_browser_with_nothing_to_connect_is_told_to_begin_again() {
    let app = TestApp::open().await;
    let browser = resident(&app, "ada@example.com").await;
    for path in ["/auth/link", "/auth/saml/link"] {
        browser.get(path).await.is(422).says("Sign in through your organisation again.");
        browser.post(path, &[]).await.is(422).says("Sign in through your organisation again.");
    }
}
