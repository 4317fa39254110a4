//! Step-up at the identity provider: for people who have no password here.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::{TestApp, Visitor},
    idp::{Acme, Person, Request, ada, comes_back, id_of, me, request_in},
    saml::forger::at,
};

/// Ada is signed in through her organisation, and on her way to confirm that it is her.
async fn confirming(app: &TestApp, acme: &Acme, next: &str) -> (Visitor, Request) {
    let browser = app.browser();
    acme.signs_in(app, &browser, &ada()).await.goes_to("/me");
    app.wait(TimeDelta::minutes(3));
    let query = serde_urlencoded::to_string([("next", next)]).unwrap();
    let request = request_in(&browser.get(&format!("/auth/saml/confirm?{query}")).await);
    assert!(request.xml.contains(" ForceAuthn=\"true\""), "{}", request.xml);
    (browser, request)
}

#[actix_web::test]
async fn who_has_no_password_confirms_there_and_the_interrupted_form_goes_on_case_73() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let (id, secret) = (browser.session_id().await, browser.cookie("session").unwrap());

    let interrupted = browser.post("/me/email", &[("email", "ada@new.example")]).await.is(303);
    let confirm = interrupted.header("location").to_owned();
    let page = browser.get(&confirm).await.is(200).says("Confirm with your organisation");
    let (_, link) = page.body.split_once("href=\"/auth/saml/confirm?").unwrap();
    let link = link.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&");
    let request = request_in(&browser.get(&format!("/auth/saml/confirm?{link}")).await);
    assert_eq!(app.count("tokens WHERE claim LIKE '%resume=%'").await, 0, "it is sealed");
    let response = acme.says(&app, &request, &ada());
    let back = comes_back(&app, &browser, &response, &request.relay_state).await.is(303);

    assert!(back.header("location").starts_with("/auth/continue?resume="), "{}", back.header("location"));
    browser.get(back.header("location")).await.is(200).says("ada@new.example");
    browser.post("/me/email", &[("email", "ada@new.example")]).await.goes_to("/me");
    assert_eq!(browser.session_id().await, id);
    assert_ne!(browser.cookie("session").unwrap(), secret, "case 37");
}

#[actix_web::test]
async fn programs_learn_that_there_is_this_way() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let curl = browser.clone().with("accept", "application/json");

    let refused = curl.put_json("/me/email", json!({ "email": "x@example.org" })).await;
    assert_eq!(refused.refuses(403, "reauthentication_required").json()["methods"], json!(["sso"]));
    assert_eq!(curl.get("/auth/confirm").await.is(200).json()["methods"], json!(["sso"]));
    let way = curl.get("/auth/saml/confirm").await.is(200).json()["location"].as_str().unwrap().to_owned();
    assert!(way.starts_with("https://idp.example/sso?SAMLRequest="), "{way}");
}

#[actix_web::test]
async fn somebody_else_who_comes_back_changes_nothing_case_74() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let bea: Person = ada().called("bea").at("bea@example.com");
    acme.signs_in(&app, &app.browser(), &bea).await.goes_to("/me");
    let (browser, request) = confirming(&app, &acme, "/me/email").await;
    let (id, secret) = (id_of(&browser).await, browser.cookie("session").unwrap());

    let response = acme.says(&app, &request, &bea);
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);

    assert_eq!((id_of(&browser).await, browser.cookie("session").unwrap()), (id, secret));
    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    assert!(acme.attempts(&app).await.contains(&"another_person".to_owned()));

    // Nobody whom we do not know either, and no account is made of them.
    let request = request_in(&browser.get("/auth/saml/confirm").await);
    let response = acme.says(&app, &request, &ada().called("new").at("new@example.com"));
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);
    assert_eq!(app.count("users WHERE email LIKE 'new@%'").await, 0);
}

#[actix_web::test]
async fn a_sign_in_from_before_the_request_proves_nothing_case_73() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let (browser, request) = confirming(&app, &acme, "/me/email").await;
    let instant = |seconds: i64| format!("AuthnInstant=\"{}\"", at(seconds));
    // The clock stands at three minutes; the skew is 90 seconds.
    let draft = acme.draft(&app, &request, &ada()).assertion(&instant(175), &instant(90));

    let response = draft.both_signed(&acme.idp.pen());
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);

    assert!(acme.attempts(&app).await.contains(&"signed_in_too_long_ago".to_owned()));
    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
}

#[actix_web::test]
async fn a_step_up_is_for_the_session_that_asked_case_72() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let (browser, request) = confirming(&app, &acme, "/me/email").await;
    let response = acme.says(&app, &request, &ada());

    // Meanwhile the browser got another session of the same person.
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);

    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    assert_eq!(me(&browser).await["email"], "ada@example.com");
}

#[actix_web::test]
async fn who_does_not_sign_in_through_an_organisation_has_no_such_way() {
    let app = TestApp::open().await;
    Acme::of(&app).await;
    let browser = crate::idp::resident(&app, "eve@example.org").await;
    browser.get("/auth/saml/confirm").await.is(404);
    browser.get("/auth/confirm").await.is(200).hides("/auth/saml/confirm");
}
