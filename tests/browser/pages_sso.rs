//! The pages about single sign-on: fit for everybody.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use vestibule::{
    clock::Timestamp,
    ids::Id,
    internals::{SsoAttemptDetail, SsoCheckDetail, note_sso_attempt},
    saml::ServiceKey,
};

use crate::{
    chromium::{Chromium, LAPTOP, PHONE},
    harness::{
        PASSWORD, START, TestApp,
        outbound::{Names, Record},
    },
    inspector::Inspector,
};

/// The metadata of an identity provider.
fn metadata() -> String {
    let noon = Timestamp::from_unix(START);
    let key = ServiceKey::generate("idp.example", noon, chrono::TimeDelta::days(20)).unwrap();
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example/metadata\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:KeyDescriptor>\
         <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example/sso\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        STANDARD.encode(key.certificate().der())
    )
}

#[actix_web::test]
async fn every_page_about_single_sign_on_is_fit_for_everybody() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    ada.open("/organisations/acme-sons/sso").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/organisations/acme-sons/sso").await;
    inspector.look(&ada, "sso-empty").await;

    ada.open("/organisations/acme-sons/sso/new?like=entra").await;
    inspector.look(&ada, "sso-new").await;
    ada.press("Connect").await;
    ada.is_refused().await;
    inspector.look(&ada, "sso-new-errors").await;
    ada.fill("Name", "Okta").await;
    let script = "document.querySelector('#metadata').value = arguments[0]";
    ada.client.execute(script, vec![json!(metadata())]).await.unwrap();
    ada.press("Connect").await;
    ada.reads("Okta is connected. Test it now.").await;
    inspector.look(&ada, "sso-connection").await;
    ada.follow("Replace metadata").await;
    ada.reads("It replaces what is there").await;
    inspector.look(&ada, "sso-metadata").await;

    let connection = app.texts("SELECT id AS text FROM connections").await.remove(0);
    let here = format!("/organisations/acme-sons/sso/{connection}");
    let detail = SsoAttemptDetail {
        subject: Some("ada".to_owned()),
        email: Some("ada@acme.example".to_owned()),
        role: Some("Editor".to_owned()),
        account: Some("A new account with this address.".to_owned()),
        checks: [None, Some("The assertion is meant for another service.")]
            .map(|failed| SsoCheckDetail {
                says: "It is meant for us.".to_owned(),
                failed: failed.map(str::to_owned),
                expected: Some("https://app.example/auth/saml/metadata".to_owned()),
                found: Some("https://elsewhere.example".to_owned()),
            })
            .to_vec(),
        attributes: vec![(
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress".to_owned(),
            vec!["ada@acme.example".to_owned()],
        )],
        ..SsoAttemptDetail::default()
    };
    let id = Id::from_text(connection);
    let noted = app.inner.write(move |tx| {
        note_sso_attempt(tx, &id, None, true, "wrong_audience", &detail)?;
        note_sso_attempt(tx, &id, None, true, "success", &detail)
    });
    let noted = noted.await.unwrap();
    ada.open(&format!("{here}/attempts/{noted}")).await;
    inspector.look(&ada, "sso-attempt").await;

    ada.open("/organisations/acme-sons/sso").await;
    ada.press("Add domain").await;
    ada.is_refused().await;
    ada.fill("Add a domain", "a-rather-long-domain-name.acme.example").await;
    ada.press("Add domain").await;
    ada.reads("Now set the TXT record").await;
    inspector.look(&ada, "sso-domain").await;
    ada.press("Verify a-rather-long-domain-name.acme.example").await;
    ada.is_refused().await;
    inspector.look(&ada, "sso-domain-not-there").await;
    let text = app.texts("SELECT challenge AS text FROM domains").await.remove(0);
    names.set("_vestibule.a-rather-long-domain-name.acme.example", Record::Text(text));
    ada.press("Verify a-rather-long-domain-name.acme.example").await;
    ada.reads("is verified: it belongs to Acme & Sons.").await;
    let script = "document.querySelectorAll('details').forEach(one => { one.open = true; })";
    ada.client.execute(script, vec![]).await.unwrap();
    inspector.look(&ada, "sso-domain-proved").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_of_single_sign_on_is_fit_for_everybody() {
    let app = TestApp::today().await;
    assert_eq!(app.command(&["seed"]).code, Some(0));
    let chromium = Chromium::start();
    let dora = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);

    dora.open("/login").await;
    inspector.look(&dora, "login-address").await;
    dora.fill("Email address", "not an address").await;
    dora.press("Continue").await;
    dora.is_refused().await;
    inspector.look(&dora, "login-address-error").await;
    dora.open("/dev/idp").await;
    inspector.look(&dora, "dev-idp-empty").await;
    // The page leads on by itself: it is looked at as it would be if it did not.
    let without = |text: &str, from: &str, to: &str| {
        let (before, after) = text.split_once(from).unwrap();
        format!("{before}{}", after.split_once(to).unwrap().1)
    };
    let led = app.browser().with("sec-fetch-site", "cross-site");
    let ask = led.get("/auth/saml/login?email=dora@demo.example").await.is(200).body;
    let tree = dora.devtools("Page.getFrameTree", json!({})).await;
    let page = without(&ask, "<script", "</script>");
    let content = json!({ "frameId": tree["frameTree"]["frame"]["id"], "html": page });
    dora.devtools("Page.setDocumentContent", content).await;
    dora.reads("Another site sent you here.").await;
    inspector.look(&dora, "saml-ask").await;

    dora.open("/login").await;
    dora.fill("Email address", "dora@demo.example").await;
    dora.press("Continue").await;
    dora.reads("Sign in with your organisation").await;
    inspector.look(&dora, "login-leave").await;
    dora.follow("Continue").await;
    dora.reads("Who do you want to be?").await;
    inspector.look(&dora, "dev-idp").await;
    dora.press("Dora, of the owners").await;
    dora.is_at("/me").await;
    dora.open("/me/email").await;
    dora.reads("Confirm it's you").await;
    inspector.look(&dora, "confirm-organisation").await;
    dora.follow("Confirm with your organisation").await;
    dora.press("Dora, of the owners").await;
    dora.is_at("/me/email").await;

    app.verified("finn@demo.example").await;
    let finn = chromium.browser(&app, LAPTOP).await;
    finn.open("/auth/saml/login?email=finn%40demo.example").await;
    finn.press("Finn").await;
    finn.is_at("/auth/link").await;
    inspector.look(&finn, "saml-link").await;
    finn.follow("Sign in to link them").await;
    finn.fill("Password", PASSWORD).await;
    finn.press("Sign in").await;
    finn.is_at("/auth/link").await;
    inspector.look(&finn, "saml-link-signed-in").await;
    finn.press("Link accounts").await;
    finn.is_at("/me").await;

    let stranger = chromium.browser(&app, PHONE).await;
    stranger.open("/auth/saml/refused").await;
    inspector.look(&stranger, "saml-refused").await;
    app.db_execute("UPDATE connections SET metadata = replace(metadata, 'HTTP-Redirect', 'HTTP-POST')").await;
    stranger.open("/auth/saml/login?email=finn%40demo.example").await;
    inspector.look(&stranger, "saml-leave").await;
    app.db_execute("UPDATE domains SET is_enforced = TRUE").await;
    stranger.open("/login?with=password").await;
    stranger.sign_in("finn@demo.example", PASSWORD).await;
    stranger.reads("Sign in with your organisation").await;
    inspector.look(&stranger, "sso-required").await;

    inspector.report();
}
