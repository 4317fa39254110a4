//! Whoever signs out here is offered to sign out at the identity provider as well.

use std::io::{Read, Write};

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde_json::json;
use url::Url;

use crate::{
    harness::{Answer, TestApp, Visitor},
    idp::{Acme, ada, later},
    saml::forger::{ASSERTION, PROTOCOL, id_of},
};

const OFFER: &str = "/auth/saml/sign-out";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// Acme, whose identity provider takes requests for a logout by this binding.
async fn acme(app: &TestApp, binding: &str) -> Acme {
    let acme = Acme::of(app).await;
    let service = format!(
        "<md:SingleLogoutService Binding=\"{binding}\" Location=\"https://idp.example/slo\" \
         ResponseLocation=\"https://idp.example/answers\"/>"
    );
    let before = "<md:SingleSignOnService";
    acme.sets(app, &format!("metadata = replace(metadata, '{before}', '{service}{before}')")).await;
    acme
}

async fn signed_in(app: &TestApp, acme: &Acme) -> Visitor {
    later(app);
    let browser = app.browser();
    acme.signs_in(app, &browser, &ada()).await.goes_to("/me");
    browser
}

/// The request in the address that a program is sent to, and its RelayState.
fn request_in(location: &str) -> (String, String) {
    let location = Url::parse(location).unwrap();
    assert_eq!(location.as_str().split('?').next().unwrap(), "https://idp.example/slo");
    let value = |name: &str| location.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let packed = BASE64_STANDARD.decode(value("SAMLRequest")).unwrap();
    let mut text = String::new();
    DeflateDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    (text, value("RelayState"))
}

fn answer(id: &str, status: &str) -> String {
    format!(
        "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" ID=\"_a\" InResponseTo=\"{id}\" Version=\"2.0\" \
         IssueInstant=\"2026-11-21T14:05:00Z\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">x</saml:Issuer><samlp:Status>\
         <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"/></samlp:Status></samlp:LogoutResponse>"
    )
}

/// The identity provider leads the browser back with this answer.
async fn comes_back(browser: &Visitor, text: &str, relay_state: &str) -> Answer {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    let packed = BASE64_STANDARD.encode(packer.finish().unwrap());
    let query = serde_urlencoded::to_string([("SAMLResponse", packed.as_str()), ("RelayState", relay_state)]);
    let there = browser.clone().with("sec-fetch-site", "cross-site");
    let answer = there.get_once(&format!("/auth/saml/logout?{}", query.unwrap())).await;
    if let Some(state) = there.cookie("state") {
        browser.set_cookie("state", &state);
    }
    answer
}

#[actix_web::test]
async fn signing_out_here_offers_to_sign_out_there_and_tells_what_came_of_it() {
    let app = TestApp::open().await;
    let acme = acme(&app, REDIRECT).await;
    for (status, says) in [
        ("Success", "signed out here and at your identity provider"),
        ("Responder", "did not confirm that you are signed out there"),
    ] {
        let browser = signed_in(&app, &acme).await;
        browser.post("/logout", &[]).await.goes_to(OFFER);
        browser.get(OFFER).await.is(200).says("<strong>idp.example</strong>").says("Sign out there too");

        let program = browser.clone().with("accept", "application/json");
        let sent = program.post_json(OFFER, json!({})).await.is(200).json();
        let (request, relay_state) = request_in(sent["location"].as_str().unwrap());
        for part in
            [">ada</saml:NameID>", "<samlp:SessionIndex>s1<", "Destination=\"https://idp.example/slo\""]
        {
            assert!(request.contains(part), "{part}: {request}");
        }
        // Once.
        browser.get(OFFER).await.goes_to("/");
        browser.post(OFFER, &[]).await.goes_to("/");

        comes_back(&browser, &answer(id_of(&request), status), &relay_state).await.goes_to("/login");
        browser.get("/login").await.says(says);
        comes_back(&browser, &answer(id_of(&request), status), &relay_state).await.goes_to("/login");
        browser.get("/login").await.hides("identity provider did").hides("and at your identity provider");
    }
    // An answer to something else is no word that it worked, and one that nobody asked for says nothing.
    let browser = signed_in(&app, &acme).await;
    let program = browser.clone().with("accept", "application/json");
    assert_eq!(program.post("/logout", &[]).await.is(200).json()["signOutThere"], OFFER);
    let sent = program.post_json(OFFER, json!({})).await.is(200).json();
    let (_, relay_state) = request_in(sent["location"].as_str().unwrap());
    comes_back(&browser, &answer("_other", "Success"), &relay_state).await.goes_to("/login");
    browser.get("/login").await.says("did not confirm");
    for (text, relay_state) in [("", "unknown"), ("<a/>", "unknown"), (answer("_x", "Success").as_str(), "")]
    {
        comes_back(&browser, text, relay_state).await.goes_to("/login");
    }
}

#[actix_web::test]
async fn it_goes_by_a_form_where_the_identity_provider_wants_that() {
    let app = TestApp::open().await;
    let acme = acme(&app, POST).await;
    let browser = signed_in(&app, &acme).await;
    browser.post("/logout", &[]).await.goes_to(OFFER);
    let page = browser.post(OFFER, &[]).await.is(200);
    let page = page.says("action=\"https://idp.example/slo\"").says("signed out there and sent back");
    assert!(!page.header("content-security-policy").contains("form-action"));
    let (_, relay_state) = page.body.split_once("name=\"RelayState\" value=\"").unwrap();
    let relay_state = relay_state.split_once('"').unwrap().0.to_owned();
    let (_, message) = page.body.split_once("name=\"SAMLRequest\" value=\"").unwrap();
    let message = message.split_once('"').unwrap().0.replace("&#43;", "+").replace("&#61;", "=");
    let request = String::from_utf8(BASE64_STANDARD.decode(message).unwrap()).unwrap();

    let answer = BASE64_STANDARD.encode(answer(id_of(&request), "Success"));
    let form =
        serde_urlencoded::to_string([("SAMLResponse", &answer), ("RelayState", &relay_state)]).unwrap();
    let there = app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://idp.example");
    let form = ("application/x-www-form-urlencoded", form);
    there.send(Method::POST, "/auth/saml/logout", Some(form)).await.goes_to("/login");
    there.get("/login").await.says("and at your identity provider");
}

#[actix_web::test]
async fn nothing_is_offered_where_there_is_nothing_to_sign_out_of() {
    let app = TestApp::open().await;
    let acme_there = Acme::of(&app).await;
    let browser = signed_in(&app, &acme_there).await;
    browser.post("/logout", &[]).await.goes_to("/login");
    browser.get(OFFER).await.goes_to("/");
    app.browser().post(OFFER, &[]).await.goes_to("/");
    app.curl().get(OFFER).await.is(200);

    // Nor ten minutes later, nor once the connection is gone.
    let app = TestApp::open().await;
    let acme = acme(&app, REDIRECT).await;
    let browser = signed_in(&app, &acme).await;
    browser.post("/logout", &[]).await.goes_to(OFFER);
    app.wait(TimeDelta::minutes(11));
    browser.get(OFFER).await.goes_to("/");
    browser.post(OFFER, &[]).await.goes_to("/");
    let browser = signed_in(&app, &acme).await;
    browser.post("/logout", &[]).await.goes_to(OFFER);
    app.db_execute("UPDATE domains SET connection_id = NULL").await;
    app.db_execute(&format!("DELETE FROM connections WHERE id = '{}'", acme.connection)).await;
    browser.get(OFFER).await.goes_to("/");
}

#[actix_web::test]
async fn what_the_identity_provider_calls_a_session_is_sealed() {
    let app = TestApp::open().await;
    let acme = acme(&app, REDIRECT).await;
    later(&app);
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada().called("a-rare-name")).await.goes_to("/me");
    let kept = app.texts("SELECT provider_session AS text FROM sessions WHERE method = 'sso'").await;
    assert!(kept.len() == 1 && !kept[0].contains("rare"), "{kept:?}");
    browser.post("/logout", &[]).await.goes_to(OFFER);
    let claims = app.texts("SELECT claim AS text FROM tokens WHERE purpose = 'sign_out_there'").await;
    assert!(claims.len() == 1 && !claims[0].contains("rare"), "{claims:?}");
}
