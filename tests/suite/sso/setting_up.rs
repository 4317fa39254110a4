//! Setting a connection up: each console's own steps and names, how far one is, and what came of each attribute.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    connections::{acme, connected, tested},
    docs::assert_block,
    harness::{TestApp, outbound::Publisher},
    idp::Acme,
    saml::forger::{IDP, Idp, metadata},
};

const NEW: &str = "/organisations/acme/sso/new";

#[actix_web::test]
async fn each_walk_through_has_its_console_s_own_names_beside_the_values() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let browser = ada.clone().with("accept", "text/html");
    let service = ada.get(NEW).await.is(200).json()["service"].clone();
    let mut seen = BTreeSet::new();
    let consoles = [
        ("okta", "Single sign-on URL", "Audience URI (SP Entity ID)"),
        ("entra", "Reply URL (Assertion Consumer Service URL)", "Identifier (Entity ID)"),
        ("google", "ACS URL", "Entity ID"),
        ("keycloak", "Master SAML Processing URL", "Client ID"),
        (
            "adfs",
            "Relying party SAML 2.0 SSO service URL (if you enter it by hand)",
            "Relying party trust identifier (if you enter it by hand)",
        ),
        ("onelogin", "ACS (Consumer) URL", "Audience (EntityID)"),
        ("jumpcloud", "ACS URLs", "SP Entity ID"),
        ("auth0", "Application Callback URL", "audience (in Settings)"),
    ];
    for (key, acs_url, entity_id) in consoles {
        let shown = ada.get(&format!("{NEW}?like={key}")).await.is(200).json()["walkthrough"].clone();
        for part in ["path", "attributes", "metadata"] {
            assert!(seen.insert(shown[part].as_str().unwrap().to_owned()), "{key} has the {part} of another");
        }
        let fields = shown["fields"].as_array().unwrap();
        let value = |name: &str| -> &Value {
            let found = fields.iter().find(|field| field["name"] == name);
            &found.unwrap_or_else(|| panic!("{key} has no {name}"))["value"]
        };
        assert_eq!((value(acs_url), value(entity_id)), (&service["acsUrl"], &service["entityId"]), "{key}");
        let names: BTreeSet<_> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), fields.len(), "{key} names a field twice");

        // On the page each value stands in a field that is called as it is there.
        let mut page = browser.get(&format!("{NEW}?like={key}")).await.is(200);
        for (number, field) in fields.iter().enumerate() {
            let name = field["name"].as_str().unwrap().replace('&', "&#38;").replace('>', "&#62;");
            let value = field["value"].as_str().unwrap().replace('>', "&#62;");
            let id = format!("field-{}", number + 1);
            page = page.says(&format!(
                "<label for=\"{id}\">{name}</label>\n<input id=\"{id}\" type=\"text\" value=\"{value}\""
            ));
        }
    }
    let names: BTreeSet<&str> =
        consoles.iter().flat_map(|(_, acs_url, entity_id)| [*acs_url, *entity_id]).collect();
    assert_eq!(names.len(), 16, "no two are alike");
    browser
        .get(&format!("{NEW}?protocol=saml"))
        .await
        .is(200)
        .says("Values to copy into your identity provider")
        .hides("id=\"walkthrough-heading\"");
}

/// docs/single-sign-on-providers.md says what the page says, with the values of https://id.example.com.
#[actix_web::test]
async fn the_documented_walk_throughs_are_those_of_the_page() {
    let settings = [("BASE_URL", "https://id.example.com"), ("ALLOW_INSECURE", "development")];
    let app = TestApp::with(&settings).await;
    let ada = acme(&app).await;
    for key in ["okta", "entra", "google", "keycloak", "adfs", "onelogin", "jumpcloud", "auth0"] {
        let page = ada.get(&format!("{NEW}?like={key}")).await.is(200).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let shown = &page["walkthrough"];
        let likes = page["likes"].as_array().unwrap();
        let like = likes.iter().find(|like| like["key"] == key).unwrap();
        let mut expected =
            format!("Open {}.\n\n| their field | our value |\n|---|---|\n", text(&shown["path"]));
        for field in shown["fields"].as_array().unwrap() {
            expected += &format!("| {} | `{}` |\n", text(&field["name"]), text(&field["value"]));
        }
        expected += &format!("\n{}\n\n{}\n", text(&shown["attributes"]), text(&shown["metadata"]));
        expected += "\n| our setting | their attribute |\n|---|---|\n";
        for (setting, name) in [("Email", "email"), ("Name", "shown"), ("Groups", "groups")] {
            expected += &format!("| {setting} attribute | `{}` |\n", text(&like[name]));
        }
        assert_block(key, &expected);
    }
}

#[actix_web::test]
async fn steps_tick_and_what_came_stands_beside_what_is_wanted() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada, &[&idp]).await;
    let done = async || {
        let steps = ada.get(&path).await.is(200).json()["steps"].clone();
        steps.as_array().unwrap().iter().map(|step| step["isDone"] == true).collect::<Vec<_>>()
    };
    assert_eq!(done().await, [true, false, false, false]);
    let theirs = Acme::made(idp.clone(), IDP, path.rsplit('/').next().unwrap(), ada.clone(), &app).await;
    theirs.verifies(&app, "acme.example").await;
    assert_eq!(done().await, [true, false, true, false]);

    tested(&app, &ada, &path, &idp, |draft| draft.assertion("ada@example.com", "new@acme.example")).await;

    assert_eq!(done().await, [true, true, true, false]);
    let shown = ada.get(&path).await.json()["attributes"].clone();
    let came = |says: &str| {
        shown.as_array().unwrap().iter().find(|one| one["says"] == says).unwrap()["came"].clone()
    };
    assert_eq!(came("Email address"), json!(["new@acme.example"]));
    assert_eq!(came("Groups"), json!(["makers", "owners"]));
    let page = ada.clone().with("accept", "text/html");
    page.get(&path).await.says(&format!("{path}?group=makers#meaning")).says("<code>email</code>");
    let filled = ada.get(&format!("{path}?group=makers")).await.json();
    assert_eq!(filled["settings"]["roles"], "owners = editor\nmakers = viewer\n");
}

#[actix_web::test]
async fn our_certificate_is_there_as_a_file() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    app.curl().get("/auth/saml/certificate").await.is(404);
    connected(&ada, &[&Idp::rsa()]).await;
    let file = app.curl().get("/auth/saml/certificate").await.is(200);
    assert!(file.body.starts_with("-----BEGIN CERTIFICATE-----"), "{}", file.body);
    assert!(file.header("content-disposition").contains("saml-certificate.pem"));
}

/// What is pasted beside a link that is kept would not count, and be read over by the link the next day.
#[actix_web::test]
async fn what_is_entered_beside_the_link_that_is_there_is_not_ignored() {
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    let ada = acme(&app).await;
    let (old, new) = (metadata(IDP, &[&Idp::rsa()]), metadata(IDP, &[&Idp::ec()]));
    let publisher = Publisher::start(&old);
    let form = json!({ "name": "Okta", "metadataUrl": publisher.link() });
    let made = ada.post_json("/organisations/acme/sso", form).await.is(201).json();
    let path = format!("/organisations/acme/sso/{}/metadata", made["connection"]["id"].as_str().unwrap());

    let both = json!({ "metadataUrl": publisher.link(), "metadata": new });
    let refused = ada.post_json(&path, both).await.refuses(422, "invalid").json();
    assert_eq!(refused["fields"]["metadataUrl"], "Clear this link to use what you entered below.");
    ada.post_json(&path, json!({ "metadataUrl": "", "metadata": new })).await.is(200);
    ada.post_json(&path, json!({ "metadataUrl": publisher.link() })).await.is(200);
}
