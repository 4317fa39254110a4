//! The way to an organisation's identity provider, by whatever protocol it is reached.

use crate::{
    harness::TestApp,
    idp::{Acme, ada, comes_back, request_in, resident},
};

#[actix_web::test]
async fn an_address_leads_to_its_provider_and_back_from_the_neutral_path_and_the_older_one() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    for path in ["/auth/sso/login", "/auth/saml/login"] {
        let browser = app.browser();
        let sent = browser.get(&format!("{path}?email=ada@example.com&next=/me/security")).await;
        let request = request_in(&sent);
        let response = acme.says(&app, &request, &ada());
        comes_back(&app, &browser, &response, &request.relay_state).await.goes_to("/me/security");

        let sent = app.curl().get(&format!("{path}?email=ada@example.com")).await.is(200).json();
        assert!(sent["location"].as_str().unwrap().starts_with("https://idp.example/sso?"), "{path}: {sent}");
        app.browser().get(&format!("{path}?email=eve@example.org")).await.goes_to("/login");
    }
}

#[actix_web::test]
async fn whoever_was_sent_by_another_site_or_is_signed_in_is_asked_first() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let signed_in = resident(&app, "bob@example.org").await;
    let sent = app.browser().with("sec-fetch-site", "cross-site");
    for (browser, why) in [(sent, "Another site sent you here."), (signed_in, "You are signed in as")] {
        let path = "/auth/sso/login?email=ada@example.com&next=/me/security&remember=on";
        let page = browser.get(path).await.is(200);
        let page = page.says(why).says("<form method=\"post\" action=\"/auth/saml/login\"");
        page.says("name=\"next\" value=\"/me/security\"").says(acme.connection.as_str());
        let form = [("connection", acme.connection.as_str()), ("next", "/me/security")];
        request_in(&browser.with("sec-fetch-site", "same-origin").post("/auth/saml/login", &form).await);
    }
}
