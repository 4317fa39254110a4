//! An organisation's connection of OpenID Connect as its owners, and their IT contact, set it up.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::jobs;

use super::provider::{CLIENT, Provider, Request, SECRET};
use crate::{
    connections::{acme, again, stepped_up},
    docs::assert_block,
    harness::{TestApp, Visitor},
    idp::Acme,
    saml::forger::Idp,
};

const SSO: &str = "/organisations/acme/sso";
const NEW: &str = "/organisations/acme/sso/new?protocol=oidc";

/// Acme, its owner Ada, and its provider.
pub struct Ground {
    pub app: TestApp,
    pub provider: Provider,
    pub ada: Visitor,
}

impl Ground {
    pub async fn open() -> Self {
        let provider = Provider::start();
        let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
        let ada = acme(&app).await;
        Self { app, provider, ada }
    }

    /// The form of a connection, with changes; null takes one out.
    pub fn form(&self, changes: Value) -> Value {
        let mut form = json!({
            "protocol": "oidc", "name": "Okta", "issuer": self.provider.issuer, "clientId": CLIENT,
            "clientSecret": SECRET, "roles": "owners = owner\nmakers = editor",
        });
        for (name, change) in changes.as_object().unwrap() {
            form[name] = change.clone();
        }
        form
    }

    /// A connection of Acme's to which people of acme.example are led; its id.
    pub async fn connects(&self, changes: Value) -> String {
        let made = self.ada.post_json(SSO, self.form(changes)).await.is(201).json();
        let id = made["connection"]["id"].as_str().unwrap().to_owned();
        self.as_saml(&id).await.verifies(&self.app, "acme.example").await;
        id
    }

    /// What the tests of SAML know of a connection.
    pub async fn as_saml(&self, id: &str) -> Acme {
        Acme::made(Idp::ec(), "", id, self.ada.clone(), &self.app).await
    }

    /// Ada tests it, and the provider says this of her. The result, as she sees it.
    pub async fn tests(&self, id: &str, who: &Value) -> Value {
        let sent = self.ada.post_json(&format!("{SSO}/{id}/test"), json!({})).await.is(200).json();
        let request = Request::at(sent["location"].as_str().unwrap());
        assert_eq!((request.get("prompt"), request.get("max_age")), ("login", "0"));
        let token = self.provider.signer().sign(&self.provider.claims(&self.app, &request, who));
        let back = self.ada.get(&self.provider.grants(&request, token)).await.is(200).json();
        self.ada.get(back["location"].as_str().unwrap()).await.is(200).json()
    }
}

#[actix_web::test]
async fn an_owner_connects_an_openid_provider_and_its_secret_is_never_shown() {
    let ground = Ground::open().await;
    let Ground { app, provider, ada } = &ground;
    let shown = ada.get(NEW).await.is(200).json();
    let reserved = shown["connection"]["reserved"].clone();
    let id = ground.connects(json!({"reserved": reserved, "secretExpires": "2027-11-30"})).await;
    let path = format!("{SSO}/{id}");
    let page = ada.get(&path).await.is(200).json();
    let (connection, settings) = (&page["connection"], &page["settings"]);
    for (name, route) in [("callback", "callback/"), ("logout", "logout/")] {
        let address = format!("{}/auth/oidc/{route}{id}", app.base_url);
        assert_eq!(connection[name], address);
        assert_eq!(shown["client"][name], address, "as it was shown before it was made");
    }
    assert_eq!(connection["initiate"], format!("{}/auth/oidc/initiate", app.base_url));
    assert_eq!((&connection["protocol"], &connection["issuer"]), (&json!("oidc"), &json!(provider.issuer)));
    assert_eq!(connection["expiresAt"], "2027-11-30T00:00:00Z");
    assert_eq!((&settings["clientId"], &settings["secretExpires"]), (&json!(CLIENT), &json!("2027-11-30")));
    assert_eq!(page["problem"], Value::Null);
    let browser = ada.clone().with("accept", "text/html");
    let page = browser.get(&path).await.is(200).hides(SECRET);
    page.says("Redirect URI").says("Leave it empty to keep the one that is in use.").hides("Metadata URL");
    browser.get(SSO).await.is(200).says("Client secret good until");
    assert!(!app.dump_storage().await.contains(SECRET));

    // The same id is not made twice, nor by another organisation.
    ada.post_json(SSO, ground.form(json!({"reserved": reserved}))).await.refuses(409, "conflict");
    let eve = stepped_up(app, "eve@example.com").await;
    eve.post_json("/organisations", json!({"name": "Evil"})).await.is(201);
    let theirs = ada.get(NEW).await.json()["connection"]["reserved"].clone();
    let made = eve.post_json("/organisations/evil/sso", ground.form(json!({"reserved": theirs}))).await;
    let asked = ada.post_json(SSO, ground.form(json!({"reserved": theirs}))).await.is(201).json();
    assert_ne!(made.is(201).json()["connection"]["id"], asked["connection"]["id"]);
}

#[actix_web::test]
async fn only_the_fields_of_the_chosen_protocol_are_shown() {
    let ground = Ground::open().await;
    let browser = ground.ada.clone().with("accept", "text/html");
    let page = browser.get("/organisations/acme/sso/new").await.is(200);
    page.says("SAML 2.0")
        .says("OpenID Connect")
        .says("protocol=oidc&amp;like=entra")
        .hides("<form class=\"body\"");
    let page = browser.get(NEW).await.is(200);
    page.says("name=\"issuer\"")
        .says("Redirect URI")
        .hides("name=\"metadataUrl\"")
        .hides("name=\"nameFormat\"");
    let page = browser.get("/organisations/acme/sso/new?protocol=saml").await.is(200);
    page.says("name=\"metadataUrl\"").hides("name=\"issuer\"");
}

#[actix_web::test]
async fn what_is_wrong_with_a_form_is_said_at_its_field() {
    let ground = Ground::open().await;
    let issuer = &ground.provider.issuer;
    let exact = format!("It calls itself {issuer} there. Enter that, character for character.");
    for (changes, field, sentence) in [
        (json!({"issuer": format!("{issuer}/")}), "issuer", exact.as_str()),
        (json!({"issuer": "id.example"}), "issuer", "The issuer has to be an address"),
        (json!({"issuer": ""}), "issuer", "The issuer has to be an address"),
        (json!({"issuer": format!("{issuer}/nowhere")}), "issuer", "status 404"),
        (json!({"clientId": " "}), "clientId", "Enter the client ID"),
        (json!({"clientSecret": ""}), "clientSecret", "Enter the client secret"),
        (json!({"secretExpires": "soon"}), "secretExpires", "Enter a day such as"),
        (json!({"secretExpires": "2001-01-01"}), "secretExpires", "That day is over."),
        (json!({"scopes": "openid \"x\""}), "scopes", "Write scopes with blanks"),
        (json!({"protocol": "ldap"}), "protocol", "Choose saml or oidc."),
        (json!({"name": ""}), "name", "Give it a name"),
    ] {
        let refused = ground.ada.post_json(SSO, ground.form(changes.clone())).await.refuses(422, "invalid");
        let told = refused.json()["fields"][field].to_string();
        assert!(told.contains(sentence), "{changes}: {told}");
    }
    assert_eq!(ground.app.count("connections").await, 0);
    // Where its metadata is stands for the issuer: consoles show that address to copy.
    let pasted = json!({"issuer": format!("{issuer}/.well-known/openid-configuration")});
    let made = ground.ada.post_json(SSO, ground.form(pasted)).await.is(201).json();
    assert_eq!(made["connection"]["issuer"], *issuer);
    // Nobody reaches into the operator's network by it.
    let strict = TestApp::open().await;
    let ada = acme(&strict).await;
    ada.post_json(SSO, ground.form(json!({}))).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn a_change_keeps_the_secret_and_the_issuer_and_asks_for_another_test() {
    let ground = Ground::open().await;
    let id = ground.connects(json!({})).await;
    let path = format!("{SSO}/{id}");
    let gina =
        json!({"sub": "gina", "email": "gina@acme.example", "auth_time": ground.app.clock.now().unix()});
    assert_eq!(ground.tests(&id, &gina).await["attempt"]["succeeded"], true);
    let tested = async || ground.ada.get(&path).await.json()["connection"]["testedAt"] != Value::Null;
    assert!(tested().await);
    let kept = json!({"clientSecret": "", "name": "Our Okta"});
    ground.ada.put_json(&path, ground.form(kept)).await.is(200);
    assert!(tested().await, "another name is no other connection");
    for changes in [
        json!({"clientSecret": "another"}),
        json!({"clientSecret": "", "clientId": "them"}),
        json!({"clientSecret": "", "subjectClaim": "oid"}),
    ] {
        ground.ada.put_json(&path, ground.form(json!({}))).await.is(200);
        ground.app.db_execute("UPDATE connections SET tested_at = created_at").await;
        ground.ada.put_json(&path, ground.form(changes.clone())).await.is(200);
        assert!(!tested().await, "{changes}");
    }
    let moved = ground.ada.put_json(&path, ground.form(json!({"issuer": "https://evil.example"}))).await;
    let told = moved.refuses(422, "invalid").json()["fields"]["issuer"].to_string();
    assert!(told.contains("another identity provider"), "{told}");
    ground.ada.get(&format!("{path}/metadata")).await.refuses(404, "not_found");
}

#[actix_web::test]
async fn owners_are_told_before_the_client_secret_expires() {
    let ground = Ground::open().await;
    ground.connects(json!({"secretExpires": "2027-03-01"})).await;
    let expires = vestibule::clock::Timestamp::from_unix(1_803_859_200);
    for (days, told) in [(31, 0), (30, 1), (8, 0), (7, 1), (1, 1), (0, 0)] {
        ground.app.wait(expires - TimeDelta::days(days) - ground.app.clock.now());
        assert_eq!(jobs::sso::warn_of_expiry(&ground.app.inner).await.unwrap(), told, "{days}");
    }
    assert_eq!(ground.app.emails_that_say("ada@example.com", "The client secret of Okta expires").await, 3);
}

#[actix_web::test]
async fn an_it_contact_sets_it_up_by_a_link_and_takes_no_secret_elsewhere() {
    let ground = Ground::open().await;
    let Ground { app, provider, ada } = &ground;
    let later = json!({"protocol": "oidc", "name": "Okta", "later": true});
    let made = ada.post_json(SSO, later).await.is(201).json();
    assert_eq!(made["connection"]["isBlank"], true);
    let path = format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap());
    let link = ada.post_json(&format!("{path}/setup-link"), json!({})).await.is(201).json();
    let token = link["link"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
    let page = app.browser().get(&format!("/sso/setup?token={token}")).await.is(200);
    page.says("Redirect URI").says("name=\"issuer\"").hides("name=\"metadataUrl\"");
    let contact = app.curl();
    contact.post_json("/sso/setup", ground.form(json!({"token": token}))).await.is(200);
    let other = Provider::start();
    let moved = json!({"token": token, "issuer": other.issuer, "clientSecret": ""});
    let refused = contact.post_json("/sso/setup", ground.form(moved)).await.refuses(422, "invalid").json();
    assert!(refused["fields"]["clientSecret"].is_string(), "{refused}");

    let sent = contact.post_json("/auth/saml/test", json!({"token": token})).await.is(200).json();
    let request = Request::at(sent["location"].as_str().unwrap());
    let who = json!({"sub": "gina", "email": "gina@acme.example"});
    let signed = provider.signer().sign(&provider.claims(app, &request, &who));
    let back = contact.get(&provider.grants(&request, signed)).await.is(200).json();
    let to = format!("{}&token={token}", back["location"].as_str().unwrap());
    let told = contact.get(&to).await.is(200).json();
    assert_eq!(told["detail"]["email"], "gina@acme.example");
    // Nobody comes in by it until an owner turned it on.
    let id = path.rsplit('/').next().unwrap();
    app.browser().get(&format!("/auth/oidc/login?connection={id}")).await.is(403);
    let seen = again(app, "ada@example.com").await;
    let fingerprint = seen.get(&path).await.json()["connection"]["fingerprint"].clone();
    seen.post_json(&format!("{path}/switch-on"), json!({"fingerprint": fingerprint})).await.is(200);
    app.browser().get(&format!("/auth/oidc/login?connection={id}")).await.is(303);
}

/// docs/single-sign-on-providers.md says what the page says, with the values of https://id.example.com.
#[actix_web::test]
async fn the_documented_walk_throughs_are_those_of_the_page() {
    let settings = [("BASE_URL", "https://id.example.com"), ("ALLOW_INSECURE", "development")];
    let app = TestApp::with(&settings).await;
    let ada = acme(&app).await;
    for key in ["okta", "entra", "google", "keycloak", "auth0"] {
        let page = ada.get(&format!("{NEW}&like={key}")).await.is(200).json();
        let redirect = page["client"]["callback"].as_str().unwrap();
        let id = redirect.rsplit('/').next().unwrap().to_owned();
        let text = |value: &Value| value.as_str().unwrap().replace(&id, "ID");
        let shown = &page["walkthrough"];
        let mut expected =
            format!("Open {}.\n\n| their field | our value |\n|---|---|\n", text(&shown["path"]));
        for field in shown["fields"].as_array().unwrap() {
            expected += &format!("| {} | `{}` |\n", text(&field["name"]), text(&field["value"]));
        }
        expected += &format!("\n{}\n\n{}\n", text(&shown["attributes"]), text(&shown["metadata"]));
        assert_block(&format!("{key}-oidc"), &expected);
    }
}

#[actix_web::test]
async fn an_operator_connects_one_by_a_command() {
    let provider = Provider::start();
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    app.verified("boss@acme.example").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let named =
        ["sso", "add", "--organisation", "Acme", "--owner", "boss@acme.example", "--domain", "acme.example"];
    let client =
        ["--protocol", "oidc", "--client-id", CLIENT, "--client-secret-file", file.to_str().unwrap()];
    let add = [&named[..], &client, &["--approved", "--json", "--issuer"]].concat();
    let other = format!("{}/", provider.issuer);
    assert_eq!(app.command(&[&add[..], &[other.as_str()]].concat()).code, Some(1));
    let made = app.command(&[&add[..], &[provider.issuer.as_str()]].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let told: Value = serde_json::from_str(&made.out).unwrap();
    let id = told["id"].as_str().unwrap();
    assert_eq!(told["redirectUri"], format!("{}/auth/oidc/callback/{id}", app.base_url));
    let browser = app.browser();
    let who = json!({"sub": "bea", "email": "bea@acme.example"});
    let back = provider.knows(&app, &browser, "/auth/sso/login?email=x%40acme.example", &who).await;
    browser.get(&back).await.goes_to("/me");
    let tested = app.command(&["sso", "test", id]);
    assert_eq!(tested.code, Some(0), "{tested:?}");
    assert!(tested.out.contains("with the redirect URI"), "{tested:?}");
    assert_eq!(app.command(&[&named[..], &client].concat()).code, Some(2), "the issuer is missing");
}
