//! What owners are told of each response, and what somebody who was refused can read out.

use serde_json::{Value, json};

use crate::{
    connections::{acme, connected, tested},
    harness::{PASSWORD, TestApp, Visitor},
    idp::{Acme, ada, comes_back, later, posts},
    saml::forger::{Draft, IDP, Idp, bent},
};

/// The check of this sentence.
fn check(shown: &Value, says: &str) -> Value {
    let checks = shown["detail"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["says"] == says).unwrap_or_else(|| panic!("{says}: {checks:?}")).clone()
}

/// The owner of Acme, who confirmed just now.
async fn stepped_up(acme: &Acme) -> &Visitor {
    acme.owner.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    &acme.owner
}

#[actix_web::test]
async fn each_check_says_what_was_expected_and_what_came() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada, &[&idp]).await;
    let us = format!("{}/auth/saml/metadata", app.base_url);
    let acs_url = format!("{}/auth/saml/callback", app.base_url);
    let audience = format!("<saml:Audience>{us}<");
    let recipient = format!("Recipient=\"{acs_url}\"");

    for (bend, outcome, says, expected, found) in [
        (
            (&*audience, "<saml:Audience>https://elsewhere.example<"),
            "wrong_audience",
            "It is meant for us.",
            us.as_str(),
            "https://elsewhere.example",
        ),
        (
            (&recipient, "Recipient=\"https://elsewhere.example/acs\""),
            "wrong_recipient",
            "Its subject confirmation is valid here and now.",
            &acs_url,
            "https://elsewhere.example/acs",
        ),
        (
            (">https://idp.example/metadata<", ">https://other.example/metadata<"),
            "wrong_issuer",
            "It comes from the identity provider that was asked.",
            IDP,
            "https://other.example/metadata",
        ),
    ] {
        let result = tested(&app, &ada, &path, &idp, |draft| draft.assertion(bend.0, bend.1)).await;
        let shown = ada.get(&result).await.is(200).json();
        assert_eq!(shown["attempt"]["outcome"], outcome);
        let check = check(&shown, says);
        assert!(check["failed"].is_string(), "{check}");
        assert!(check["expected"].as_str().unwrap().contains(expected), "{check}");
        assert!(check["found"].as_str().unwrap().contains(found), "{check}");
        let page = ada.clone().with("accept", "text/html").get(&result).await.is(200);
        page.says("Expected: ").says(found);
    }
}

#[actix_web::test]
async fn an_identity_provider_s_own_words_are_shown_as_a_failed_sign_in() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let failed = |response: &str| {
        let words = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"></samlp:StatusCode>\
                     </samlp:StatusCode><samlp:StatusMessage>AADSTS50105: not assigned</samlp:StatusMessage>";
        let response = bent(response, "status:Success", "status:Responder");
        bent(&bent(&response, "</samlp:StatusCode>", words), "{assertion}", "")
    };
    let browser = app.browser();
    for is_signed in [true, false] {
        later(&app);
        let request = acme.leave_for(&browser).await;
        let Draft { response, .. } = acme.draft(&app, &request, &ada());
        let failure = Draft { response: failed(&response), assertion: String::new() };
        let text = if is_signed { failure.response_signed(&acme.idp.pen()) } else { failure.unsigned() };
        comes_back(&app, &browser, &text, &request.relay_state).await.is(403);
    }
    assert_eq!(acme.attempts(&app).await, ["status_failed", "status_failed"]);
    assert_eq!(app.count("attempts WHERE is_signed").await, 1);
    let ids = app.texts("SELECT id AS text FROM attempts ORDER BY at").await;
    let owner = stepped_up(&acme).await;
    let shown = owner
        .get(&format!("/organisations/acme/sso/{}/attempts/{}", acme.connection, ids[0]))
        .await
        .is(200)
        .json();
    let says = shown["attempt"]["says"].as_str().unwrap();
    assert!(says.ends_with("It says: Responder, AuthnFailed, AADSTS50105: not assigned"), "{says}");
    assert!(check(&shown, "It reports a successful sign-in.")["failed"].is_string());
    assert!(check(&shown, "The document has the shape of a SAML response.")["failed"].is_null());
}

/// A sign-in that passes and is then refused is one row, with a number that its person can read out.
#[actix_web::test]
async fn one_attempt_is_one_row_with_a_number() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    later(&app);

    let refused = acme.signs_in(&app, &app.browser(), &ada().called("eve")).await.is(403);

    assert_eq!(acme.attempts(&app).await, ["another_name", "success"]);
    let (_, number) = refused.body.split_once("<code>").unwrap();
    let number = number.split_once('<').unwrap().0;
    assert_eq!(number.len(), 9, "{number}");
    let owner = stepped_up(&acme).await;
    let listed = owner.get("/organisations/acme/sso").await.json()["attempts"].clone();
    assert_eq!(listed[0]["reference"], number);
    assert_eq!(listed[0]["subject"], "ada@example.com");
    assert!(listed[0]["says"].as_str().unwrap().starts_with("The member with this address"));
    assert_eq!((&listed[1]["role"], &listed[1]["succeeded"]), (&"Viewer".into(), &true.into()));
    owner
        .clone()
        .with("accept", "text/html")
        .get("/organisations/acme/sso")
        .await
        .says(number)
        .says("ada@example.com");
}

#[actix_web::test]
async fn unsigned_rubbish_is_counted_and_pushes_nobody_off_the_list() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/me");
    let stranger = Idp::rsa();
    let browser = app.browser();
    for n in 0..52 {
        later(&app);
        let request = acme.leave_for(&browser).await;
        let text = match n % 2 {
            0 => "<a/>".to_owned(),
            _ => acme.draft(&app, &request, &ada()).both_signed(&stranger.pen()),
        };
        posts(&app, &browser, &text, &request.relay_state).await.is(303);
    }
    let kept = acme.attempts(&app).await;
    assert_eq!((kept.len(), kept.last().map(String::as_str)), (11, Some("success")));
    let owner = stepped_up(&acme).await;
    let overview = owner.get("/organisations/acme/sso").await.json();
    assert_eq!(overview["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(overview["connections"][0]["unsignedResponses"], 52);
    let page = format!("/organisations/acme/sso/{}", acme.connection);
    owner.clone().with("accept", "text/html").get(&page).await.says("52 responses came");
}
