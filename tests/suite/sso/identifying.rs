//! What identifies a person at a connection: the NameID where its format lasts, or an attribute.

use serde_json::{Value, json};
use vestibule::saml::NamePolicy;

use crate::{
    connections::{acme, connected, tested},
    harness::{TestApp, outbound::Publisher},
    idp::{Acme, Person, Request, ada, comes_back, id_of, is_nobody, later, posts},
    saml::forger::{self, Draft, IDP, Idp, PERSISTENT},
};

const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
const GROUPS: &str = "<saml:Attribute Name=\"groups\">";

/// With attributes of these names and values.
fn with(draft: Draft, attributes: &[(&str, &str)]) -> Draft {
    let more: String = attributes
        .iter()
        .map(|(name, value)| {
            format!(
                "<saml:Attribute Name=\"{name}\"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
            )
        })
        .collect();
    draft.assertion(GROUPS, &format!("{more}{GROUPS}"))
}

fn named(draft: Draft, format: &str) -> Draft {
    draft.assertion(&format!("Format=\"{PERSISTENT}\""), &format!("Format=\"{format}\""))
}

fn signed(acme: &Acme, app: &TestApp, request: &Request, who: &Person, uid: &[(&str, &str)]) -> String {
    with(named(acme.draft(app, request, who), TRANSIENT), uid).both_signed(&acme.idp.pen())
}

#[actix_web::test]
async fn a_name_may_always_be_made_and_its_format_is_the_connection_s() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    for policy in NamePolicy::ALL {
        acme.sets(&app, &format!("name_policy = '{policy}'")).await;
        let xml = acme.leave(&app.browser(), &ada()).await.xml;
        let format = match policy {
            NamePolicy::Any => String::new(),
            NamePolicy::Persistent => format!(" Format=\"{PERSISTENT}\""),
            NamePolicy::Email => format!(" Format=\"{EMAIL}\""),
        };
        assert!(xml.contains(&format!("<samlp:NameIDPolicy AllowCreate=\"true\"{format}/>")), "{xml}");
    }
}

#[actix_web::test]
async fn an_attribute_identifies_people_whatever_their_name_id_is() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.sets(&app, "identifier = 'uid'").await;
    let browser = app.browser();
    let arrives = async |subject: &str, uid: &[(&str, &str)]| {
        later(&app);
        let request = acme.leave_for(&browser).await;
        let response = signed(&acme, &app, &request, &ada().called(subject), uid);
        comes_back(&app, &browser, &response, &request.relay_state).await
    };

    arrives("_a-new-name-each-time", &[("uid", "4711")]).await.goes_to("/me");
    let first = id_of(&browser).await;
    arrives("_another", &[("uid", "4711")]).await.goes_to("/me");
    assert_eq!(id_of(&browser).await, first);
    assert_eq!(app.texts("SELECT format || ' ' || name AS text FROM identities").await, ["attribute 4711"]);

    // Blanks around a value say nothing.
    arrives("_third", &[("uid", " 4711\n")]).await.goes_to("/me");
    // Another person with the address, none, two, or one that is no name.
    for (uid, outcome) in [
        (vec![("uid", "4712")], "another_name"),
        (vec![], "no_identifier"),
        (vec![("UID", "4711")], "no_identifier"),
        (vec![("uid", "4711"), ("uid", "4712")], "many_values"),
        (vec![("uid", "")], "bad_name"),
    ] {
        arrives("_x", &uid).await.is(403);
        assert_eq!(acme.attempts(&app).await[0], outcome, "{uid:?}");
    }
}

#[actix_web::test]
async fn what_identifies_people_is_chosen_before_they_come_and_locked_afterwards() {
    let app = TestApp::open().await;
    let ada_owns = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada_owns, &[&idp]).await;
    let theirs = Acme::made(idp, IDP, path.rsplit('/').next().unwrap(), ada_owns.clone(), &app).await;
    theirs.verifies(&app, "acme.example").await;
    let settings = |identifier: &str, format: &str| json!({ "name": "Okta", "identifier": identifier, "nameFormat": format, "defaultRole": "viewer" });

    let wrong = ada_owns.put_json(&path, settings("", "whatever")).await.is(422).json();
    assert!(wrong["fields"]["nameFormat"].is_string());
    ada_owns.put_json(&path, settings("employeeNumber", "persistent")).await.is(200);
    let shown = ada_owns.get(&path).await.json();
    assert_eq!(shown["settings"]["identifier"], "employeeNumber");
    assert_eq!((&shown["settings"]["nameFormat"], &shown["identities"]), (&json!("persistent"), &json!(0)));
    ada_owns.put_json(&path, settings("uid", "any")).await.is(200);

    let browser = app.browser();
    let request = theirs.leave_for(&browser).await;
    let bob = ada().at("bob@acme.example");
    let response = signed(&theirs, &app, &request, &bob, &[("uid", "7")]);
    comes_back(&app, &browser, &response, &request.relay_state).await.goes_to("/me");

    let refused = ada_owns.put_json(&path, settings("", "any")).await.is(422).json();
    assert!(refused["fields"]["identifier"].as_str().unwrap().contains("Make a new connection"));
    ada_owns.put_json(&path, settings("uid", "email")).await.is(200);
    let page = ada_owns.clone().with("accept", "text/html");
    page.get(&path).await.is(200).says("People are identified by <bdi>uid</bdi> already");
}

/// What passed a moment ago was told by another attribute than the one that counts now.
#[actix_web::test]
async fn a_sign_in_does_not_outlive_a_change_of_what_identifies_people() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    acme.sets(&app, "identifier = 'uid'").await;
    let browser = app.browser();
    let request = acme.leave_for(&browser).await;
    let response = signed(&acme, &app, &request, &ada(), &[("uid", "7"), ("room", "12")]);
    let hop = posts(&app, &browser, &response, &request.relay_state).await.is(303);

    acme.sets(&app, "identifier = 'room'").await;
    browser.get(hop.header("location")).await.is(403);

    assert!(is_nobody(&browser).await);
    assert_eq!(acme.attempts(&app).await, ["settings_changed"]);
}

#[actix_web::test]
async fn a_refused_format_is_named_with_what_to_set_at_eight_providers() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada, &[&idp]).await;

    let result = tested(&app, &ada, &path, &idp, |draft| named(draft, UNSPECIFIED)).await;

    let shown = ada.get(&result).await.is(200).json();
    assert_eq!(shown["attempt"]["outcome"], "name_format");
    assert!(shown["attempt"]["says"].as_str().unwrap().ends_with(&format!("It came as {UNSPECIFIED}.")));
    assert_eq!(
        (&shown["detail"]["nameId"], &shown["detail"]["nameFormat"]),
        (&json!("ada"), &json!(UNSPECIFIED))
    );
    let advice = shown["advice"].as_array().unwrap();
    let providers: Vec<&str> = advice.iter().map(|one| one["provider"].as_str().unwrap()).collect();
    for name in [
        "Okta",
        "Microsoft Entra ID",
        "Google Workspace",
        "JumpCloud",
        "Auth0",
        "Keycloak",
        "AD FS",
        "Shibboleth",
    ] {
        assert!(providers.contains(&name), "{name}");
    }
    let page = ada.clone().with("accept", "text/html").get(&result).await.is(200);
    page.says("What to set at your identity provider").says("Force name ID format").says(UNSPECIFIED);
}

#[actix_web::test]
async fn requests_are_signed_as_soon_as_there_is_a_key_and_the_metadata_says_so() {
    let app = TestApp::open().await;
    let ada_owns = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada_owns, &[&idp]).await;
    let query = async || {
        let sent = ada_owns.post_json(&format!("{path}/test"), json!({})).await.is(200).json();
        sent["location"].as_str().unwrap().to_owned()
    };
    assert!(query().await.contains("&Signature="));
    app.curl().get("/auth/saml/metadata").await.is(200).says("AuthnRequestsSigned=\"true\"");

    let unsigned = json!({ "name": "Okta", "sendsUnsigned": true, "defaultRole": "viewer" });
    ada_owns.put_json(&path, unsigned.clone()).await.is(200);
    assert!(!query().await.contains("&Signature="));
    app.curl().get("/auth/saml/metadata").await.is(200).says("AuthnRequestsSigned=\"false\"");

    // Who wants them signed gets them so.
    let wants = "<md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" ";
    let wanting = forger::bent(&forger::metadata(IDP, &[&idp]), "<md:IDPSSODescriptor ", wants);
    ada_owns.post_json(&format!("{path}/metadata"), json!({ "metadata": wanting })).await.is(200);
    assert!(query().await.contains("&Signature="));
}

#[actix_web::test]
async fn a_new_key_that_nobody_announced_is_read_at_once_and_at_most_hourly() {
    let (old, new) = (Idp::rsa(), Idp::rsa());
    let publisher = Publisher::start(&forger::metadata(IDP, &[&old]));
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    let ada_owns = acme(&app).await;
    let form = json!({ "name": "Okta", "metadataUrl": publisher.link() });
    let made = ada_owns.post_json("/organisations/acme/sso", form).await.is(201).json();
    let id = made["connection"]["id"].as_str().unwrap().to_owned();
    let mut theirs = Acme::made(new, IDP, &id, ada_owns.clone(), &app).await;
    theirs.verifies(&app, "acme.example").await;
    let bob = ada().at("bob@acme.example");
    let asked = publisher.asked();
    publisher.publish("200 OK", &forger::metadata(IDP, &[&theirs.idp]));

    theirs.signs_in(&app, &app.browser(), &bob).await.is(403);
    assert_eq!(publisher.asked(), asked, "it was read just now");
    app.wait(chrono::TimeDelta::minutes(61));
    theirs.signs_in(&app, &app.browser(), &bob).await.goes_to("/me");
    assert_eq!(publisher.asked(), asked + 1);

    // A stranger's key costs one reading an hour, however often it comes.
    theirs.idp = Idp::rsa();
    app.wait(chrono::TimeDelta::minutes(61));
    for _ in 0..3 {
        theirs.signs_in(&app, &app.browser(), &bob).await.is(403);
    }
    assert_eq!(publisher.asked(), asked + 2);
}

#[actix_web::test]
async fn an_owner_has_the_metadata_read_now() {
    let (old, new) = (Idp::rsa(), Idp::rsa());
    let publisher = Publisher::start(&forger::metadata(IDP, &[&old]));
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    let ada = acme(&app).await;
    let form = json!({ "name": "Okta", "metadataUrl": publisher.link() });
    let made = ada.post_json("/organisations/acme/sso", form).await.is(201).json();
    let path = format!("/organisations/acme/sso/{}", made["connection"]["id"].as_str().unwrap());

    publisher.publish("200 OK", &forger::metadata(IDP, &[&old, &new]));
    let read = ada.post_json(&format!("{path}/metadata/read"), json!({})).await.is(200).json();
    assert_eq!(
        (&read["message"], &read["connection"]["readError"]),
        (&json!("The metadata was read."), &Value::Null)
    );
    assert_eq!(ada.get(&path).await.json()["certificates"].as_array().unwrap().len(), 2);
    publisher.publish("404 Not Found", "");
    let read = ada.post_json(&format!("{path}/metadata/read"), json!({})).await.is(200).json();
    assert!(read["message"].as_str().unwrap().starts_with("The metadata could not be read: "));
}
