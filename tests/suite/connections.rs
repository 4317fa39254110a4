//! Single sign-on as an organisation's owners set it up: connections, test sign-ins, metadata and its certificates.

use std::io::Read;

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::TimeDelta;
use flate2::read::DeflateDecoder;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::{
    clock::Timestamp,
    ids::{ConnectionId, Id, UserId},
    internals::{
        Actor, add_member, announce_service_key, connection_by_id, identity_owner, link_identity,
        note_connection_test, service_with_keys, switch_service_key,
    },
    jobs,
    kinds::Role,
    saml,
};

use crate::{
    harness::{
        PASSWORD, TestApp, Visitor,
        outbound::{Names, Publisher, Record},
    },
    idp::Acme,
    saml::forger::{self, ACS, Draft, IDP, Idp, REQUEST, US, draft, metadata},
};

const SSO: &str = "/organisations/acme/sso";

/// Somebody confirmed who stepped up just now.
pub async fn stepped_up(app: &TestApp, address: &str) -> Visitor {
    let curl = app.verified(address).await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl
}

/// Ada makes Acme and owns it.
pub async fn acme(app: &TestApp) -> Visitor {
    let ada = stepped_up(app, "ada@example.com").await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    ada
}

/// Ada's session after some time: she comes in and steps up again.
pub async fn again(app: &TestApp, address: &str) -> Visitor {
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl
}

/// A connection of Acme's to an identity provider with these certificates; its path.
pub async fn connected(ada: &Visitor, idps: &[&Idp]) -> String {
    let form = json!({ "name": "Okta", "metadata": metadata(IDP, idps), "roles": "owners = editor" });
    let made = ada.post_json(SSO, form).await.is(201).json();
    format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap())
}

/// Makes somebody a member of Acme.
pub async fn joins(app: &TestApp, visitor: &Visitor, role: Role) -> String {
    let id = visitor.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned();
    let organisation = app.texts("SELECT id AS text FROM organisations WHERE slug = 'acme'").await.remove(0);
    let user = UserId::from_text(id.clone());
    let joined = app
        .inner
        .write(move |tx| add_member(tx, &Actor::operator(), &Id::from_text(organisation), &user, role));
    assert!(joined.await.unwrap());
    id
}

/// What the identity provider is asked: the ID of the request, and the RelayState.
fn asked(location: &str) -> (String, String) {
    let location = url::Url::parse(location).unwrap();
    let value = |name: &str| location.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let mut request = String::new();
    DeflateDecoder::new(&*BASE64_STANDARD.decode(value("SAMLRequest")).unwrap())
        .read_to_string(&mut request)
        .unwrap();
    (forger::id_of(&request).to_owned(), value("RelayState"))
}

/// The honest response to a request to this house, at this moment.
fn answer(app: &TestApp, request: &str) -> Draft {
    let (now, later) = (app.inner.now(), app.inner.now() + TimeDelta::seconds(300));
    let here = |text: &str| {
        text.replace(US, &format!("{}/auth/saml/metadata", app.base_url))
            .replace(ACS, &format!("{}/auth/saml/callback", app.base_url))
            .replace(REQUEST, request)
            .replace(&forger::at(-5), &now.iso())
            .replace(&forger::at(300), &later.iso())
    };
    let Draft { response, assertion } = draft();
    Draft { response: here(&response), assertion: here(&assertion) }
}

/// Ada tests a connection, and `idp` answers with what `bend` makes of the honest response. The path of the result.
pub async fn tested(
    app: &TestApp,
    ada: &Visitor,
    connection: &str,
    idp: &Idp,
    bend: impl Fn(Draft) -> Draft,
) -> String {
    let sent = ada.post_json(&format!("{connection}/test"), json!({})).await.is(200).json();
    let (request, relay_state) = asked(sent["location"].as_str().unwrap());
    let response = BASE64_STANDARD.encode(bend(answer(app, &request)).assertion_signed(&idp.pen()));
    let form = [("SAMLResponse", response.as_str()), ("RelayState", relay_state.as_str())];
    ada.post("/auth/saml/callback", &form).await.is(303).header("location").to_owned()
}

#[actix_web::test]
async fn an_owner_connects_an_identity_provider_and_sees_how_it_is() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();

    let empty = ada.get(SSO).await.is(200).json();
    assert_eq!(empty["service"]["acsUrl"], format!("{}/auth/saml/callback", app.base_url));
    assert_eq!(empty["connections"], json!([]));
    assert_eq!(app.count("service_keys").await, 0);
    let path = connected(&ada, &[&idp]).await;

    assert_eq!(app.count("service_keys").await, 1);
    app.curl().get("/auth/saml/metadata").await.is(200).says("X509Certificate");
    let shown = ada.get(&path).await.is(200).json();
    assert_eq!(shown["connection"]["issuer"], IDP);
    assert_eq!(shown["connection"]["testedAt"], Value::Null);
    assert_eq!(shown["settings"]["roles"], "owners = editor\n");
    assert_eq!(shown["certificates"].as_array().unwrap().len(), 1);
    let browser = ada.clone().with("accept", "text/html");
    browser
        .get(SSO)
        .await
        .is(200)
        .says("Not tested")
        .says(&format!("value=\"{}/auth/saml/callback\"", app.base_url));
    browser.get(&path).await.is(200).says("Test the sign-in").says("Nobody can sign in with it any more.");
    browser.get(&format!("{SSO}/new?like=entra")).await.is(200).says("claims/emailaddress");
    assert_eq!(app.count("audit WHERE event = 'connection_made'").await, 1);
}

#[actix_web::test]
async fn only_owners_see_and_change_it_and_strangers_see_nothing_case_109() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let path = connected(&ada, &[&Idp::rsa()]).await;
    let (bea, eve) = (stepped_up(&app, "bea@example.com").await, stepped_up(&app, "eve@example.com").await);
    joins(&app, &bea, Role::Editor).await;
    // Eve owns an organisation of her own.
    eve.post_json("/organisations", json!({ "name": "Evil" })).await.is(201);

    for (visitor, status, code) in [(&bea, 403, "forbidden"), (&eve, 404, "not_found")] {
        for page in [SSO.to_owned(), format!("{SSO}/new"), path.clone(), format!("{path}/metadata")] {
            visitor.get(&page).await.refuses(status, code);
        }
        visitor.put_json(&path, json!({ "name": "Mine" })).await.refuses(status, code);
        visitor.delete(&path).await.refuses(status, code);
        visitor.post_json(&format!("{path}/test"), json!({})).await.refuses(status, code);
        visitor
            .post_json(&format!("{SSO}/domains"), json!({ "domain": "a.example" }))
            .await
            .refuses(status, code);
    }
    let id = path.rsplit('/').next().unwrap();
    eve.get(&format!("/organisations/evil/sso/{id}")).await.refuses(404, "not_found");
    eve.delete(&format!("/organisations/evil/sso/{id}")).await.refuses(404, "not_found");
    assert_eq!(app.count("connections").await, 1);
}

#[actix_web::test]
async fn metadata_is_refused_in_plain_words_and_may_be_long() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let good = metadata(IDP, &[&Idp::rsa()]);

    let refused = |form: Value| async { ada.post_json(SSO, form).await.is(422).json()["fields"].clone() };
    let fields = refused(json!({ "name": "Okta", "metadata": "<html>" })).await;
    assert!(fields["metadata"].as_str().unwrap().starts_with("This is a web page, not metadata."));
    let both = format!(
        "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{good}{}</md:EntitiesDescriptor>",
        metadata("urn:other", &[&Idp::ec()])
    );
    let fields = refused(json!({ "name": "Okta", "metadata": both })).await;
    assert!(fields["entityId"].as_str().unwrap().ends_with(&format!("It names {IDP}, urn:other.")));
    let fields = refused(json!({ "name": "Okta", "entityId": IDP })).await;
    assert!(fields["signInUrl"].is_string());
    let fields = refused(json!({ "name": "Okta" })).await;
    assert!(fields["metadata"].as_str().unwrap().starts_with("Paste the metadata"));
    let fields = refused(json!({ "metadata": good, "roles": "Admins", "defaultRole": "king" })).await;
    assert!(fields["name"].is_string() && fields["roles"].is_string() && fields["defaultRole"].is_string());
    let link = json!({ "name": "Okta", "metadataUrl": "http://127.0.0.1:1/metadata" });
    let says = "The address leads into a private network, where this site does not go.";
    assert_eq!(refused(link).await["metadataUrl"], says);
    assert_eq!(app.count("connections").await, 0);

    // One of several, and one by hand: neither is kept with more than is used.
    let chosen = json!({ "name": "Other", "metadata": both, "entityId": "urn:other" });
    let made = ada.post_json(SSO, chosen).await.is(201).json();
    assert_eq!(made["connection"]["issuer"], "urn:other");
    let kept = app.texts("SELECT metadata AS text FROM connections").await.remove(0);
    assert!(!kept.contains(IDP), "{kept}");
    ada.delete(&format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap())).await.is(200);
    let by_hand = json!({
        "name": "By hand", "entityId": "urn:hand", "signInUrl": "https://idp.example/sso", "certificate": Idp::rsa().base64(),
    });
    let made = ada.post_json(SSO, by_hand).await.is(201).json();
    assert_eq!(made["connection"]["issuer"], "urn:hand");
    ada.delete(&format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap())).await.is(200);

    let long =
        good.replace("</md:EntityDescriptor>", &format!("{}</md:EntityDescriptor>", " ".repeat(200_000)));
    let browser = ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    browser.post(SSO, &[("name", "Okta"), ("metadata", &long)]).await.is(303);
    assert_eq!(app.count("connections").await, 1);
    ada.post_json(SSO, json!({ "name": "Okta", "metadata": "x".repeat(1_100_000) }))
        .await
        .refuses(413, "too_large");
    // A form that a step-up interrupts is asked for again where it is too long to be kept.
    app.wait(TimeDelta::minutes(6));
    browser
        .post(SSO, &[("name", "Okta"), ("metadata", &long)])
        .await
        .goes_to("/auth/confirm?next=%2Forganisations%2Facme%2Fsso");
}

#[actix_web::test]
async fn a_test_shows_what_came_and_what_was_checked_and_signs_nobody_in() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada, &[&idp]).await;
    let newcomer = |draft: Draft| draft.assertion("ada@example.com", "new@acme.example");
    let connection = path.rsplit('/').next().unwrap();
    let theirs = Acme::made(idp.clone(), IDP, connection, ada.clone(), &app).await;
    theirs.verifies(&app, "acme.example").await;

    let result = tested(&app, &ada, &path, &idp, newcomer).await;

    assert!(result.starts_with(&format!("{path}/attempts/")), "{result}");
    let shown = ada.get(&result).await.is(200).json();
    assert_eq!(shown["attempt"]["succeeded"], true, "{shown}");
    assert_eq!(shown["detail"]["account"], "A new account with this address.");
    assert_eq!(shown["detail"]["role"], "Editor");
    assert_eq!(shown["detail"]["attributes"][0], json!(["email", ["new@acme.example"]]));
    assert!(shown["detail"]["checks"].as_array().unwrap().iter().all(|check| check["failed"].is_null()));
    ada.clone()
        .with("accept", "text/html")
        .get(&result)
        .await
        .is(200)
        .says("Nobody was signed in.")
        .says("Passed");
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.count("identities").await, 0);
    assert!(ada.get(&path).await.json()["connection"]["testedAt"].is_string());

    // Whoever signs with another key gets a reason, and the settings stay untested once they have changed.
    let mut settings = ada.get(&path).await.json()["settings"].clone();
    settings["defaultRole"] = "editor".into();
    ada.put_json(&path, settings).await.is(200);
    assert_eq!(ada.get(&path).await.json()["connection"]["testedAt"], Value::Null);
    let result = tested(&app, &ada, &path, &Idp::rsa(), newcomer).await;
    let shown = ada.get(&result).await.is(200).json();
    assert_eq!(shown["attempt"]["outcome"], "bad_signature");
    assert!(shown["detail"]["checks"].as_array().unwrap().iter().any(|check| check["failed"].is_string()));
    // An address in a domain that is not proved: nobody could come in.
    let stranger = |draft: Draft| {
        draft.assertion("_assertion", "_another").assertion("ada@example.com", "new@elsewhere.example")
    };
    let result = tested(&app, &ada, &path, &idp, stranger).await;
    assert_eq!(ada.get(&result).await.json()["attempt"]["outcome"], "domain_not_proved");
    assert_eq!(ada.get(&path).await.json()["connection"]["testedAt"], Value::Null);
    assert_eq!(ada.get(SSO).await.json()["attempts"].as_array().unwrap().len(), 3);

    // A browser's form must not be redirected to elsewhere: it gets a page that goes on by itself.
    let browser = ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let page = browser.post(&format!("{path}/test"), &[]).await.is(200);
    page.says("http-equiv=\"refresh\"").says("https://idp.example/sso?SAMLRequest=");
}

#[actix_web::test]
async fn two_certificates_are_good_at_once_and_another_provider_is_not_taken_for_this_one_case_83() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let (old, new) = (Idp::rsa(), Idp::rsa());
    let path = connected(&ada, &[&old]).await;
    let replace = format!("{path}/metadata");

    ada.post_json(&replace, json!({ "metadata": metadata(IDP, &[&old, &new]) })).await.is(200);
    assert_eq!(ada.get(&path).await.json()["certificates"].as_array().unwrap().len(), 2);
    for idp in [&old, &new] {
        let result = tested(&app, &ada, &path, idp, |draft| {
            // Each assertion is good for once.
            let id = format!("_{}", &idp.base64()[200..220].replace(['+', '/', '='], "x"));
            draft.assertion("_assertion", &id)
        })
        .await;
        assert_eq!(ada.get(&result).await.json()["attempt"]["succeeded"], true);
    }

    let other = json!({ "metadata": metadata("https://evil.example/metadata", &[&new]) });
    let refused = ada.post_json(&replace, other).await.is(422).json();
    assert!(refused["fields"]["metadata"].as_str().unwrap().starts_with("This is another identity provider"));
    assert_eq!(ada.get(&path).await.json()["connection"]["issuer"], IDP);
}

#[actix_web::test]
async fn metadata_behind_a_link_is_read_daily_by_one_node_and_kept_where_it_fails_case_83() {
    let (old, new) = (Idp::rsa(), Idp::rsa());
    let publisher = Publisher::start(&metadata(IDP, &[&old]));
    let app = TestApp::with(&[("SSO_PRIVATE_METADATA", "on")]).await;
    let ada = acme(&app).await;
    let made =
        ada.post_json(SSO, json!({ "name": "Okta", "metadataUrl": publisher.link() })).await.is(201).json();
    let path = format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap());
    assert_eq!(jobs::sso::read_metadata(&app.inner).await.unwrap(), 0, "read just now");

    publisher.publish("200 OK", &metadata(IDP, &[&old, &new]));
    app.wait(TimeDelta::hours(25));
    let node = app.second_node().await;
    let before = publisher.asked();
    let (here, there) =
        join(jobs::sso::read_metadata(&app.inner), jobs::sso::read_metadata(&node.inner)).await;
    assert_eq!(here.unwrap() + there.unwrap(), 1);
    assert_eq!(publisher.asked() - before, 1);
    let ada = again(&app, "ada@example.com").await;
    assert_eq!(ada.get(&path).await.json()["certificates"].as_array().unwrap().len(), 2);

    let elsewhere = "302 Found\r\nLocation: /elsewhere";
    let another = metadata("https://evil.example/metadata", &[&new]);
    for (status, document, says) in [
        ("500 Trouble", "", "The address answered with the status 500 and not with a document."),
        (elsewhere, "", "The address answered with the status 302 and not with a document."),
        ("200 OK", "<html>", "This is a web page, not metadata."),
        ("200 OK", &another, "This is another identity provider, whose names may mean other people."),
        ("200 OK", &"x".repeat(1_100_000), "What the address answers is larger than metadata"),
    ] {
        publisher.publish(status, document);
        app.wait(TimeDelta::hours(25));
        let before = publisher.asked();
        assert_eq!(jobs::sso::read_metadata(&app.inner).await.unwrap(), 1);
        assert_eq!(publisher.asked() - before, 1, "nothing else is asked for");
        let shown = again(&app, "ada@example.com").await.get(&path).await.json();
        let why = shown["connection"]["readError"].as_str().unwrap();
        assert!(why.starts_with(says), "{why}");
        assert_eq!(shown["certificates"].as_array().unwrap().len(), 2, "{status}");
    }

    publisher.publish("200 OK", &metadata(IDP, &[&new]));
    app.wait(TimeDelta::hours(25));
    assert_eq!(jobs::sso::read_metadata(&app.inner).await.unwrap(), 1);
    let shown = again(&app, "ada@example.com").await.get(&path).await.json();
    assert_eq!(shown["connection"]["readError"], Value::Null);
    assert_eq!(shown["certificates"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_name_that_leads_into_a_private_network_is_not_followed() {
    let publisher = Publisher::start(&metadata(IDP, &[&Idp::rsa()]));
    let names = Names::start();
    names.set("idp.example", Record::Address([127, 0, 0, 1]));
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await;
    let ada = acme(&app).await;

    let port = publisher.port;
    for host in
        ["idp.example", "localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]
    {
        let form = json!({ "name": "Okta", "metadataUrl": format!("http://{host}:{port}/metadata") });
        let refused = ada.post_json(SSO, form).await.is(422).json();
        let says = "The address leads into a private network, where this site does not go.";
        assert_eq!(refused["fields"]["metadataUrl"], says, "{host}");
    }
    let form = json!({ "name": "Okta", "metadataUrl": format!("http://nowhere.example:{port}/metadata") });
    let refused = ada.post_json(SSO, form).await.is(422).json();
    assert_eq!(refused["fields"]["metadataUrl"], "The host in the address was not found.");
    assert_eq!(publisher.asked(), 0);
}

#[actix_web::test]
async fn owners_are_warned_once_each_30_and_7_and_1_day_before_a_certificate_expires_case_83() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let bea = stepped_up(&app, "bea@example.com").await;
    joins(&app, &bea, Role::Owner).await;
    let cleo = stepped_up(&app, "cleo@example.com").await;
    joins(&app, &cleo, Role::Viewer).await;
    let key = Idp::rsa().key;
    let path = connected(&ada, &[&Idp::with(key.clone(), -30, 40)]).await;
    let node = app.second_node().await;

    let mut told = Vec::new();
    for day in 0..42 {
        let (here, there) =
            join(jobs::sso::warn_of_expiry(&app.inner), jobs::sso::warn_of_expiry(&node.inner)).await;
        if here.unwrap() + there.unwrap() > 0 {
            told.push(40 - day);
        }
        app.wait(TimeDelta::days(1));
    }
    // NOON and the certificate differ by minutes: the day on which the warning is due is full days before.
    assert_eq!(told, [30, 7, 1]);
    for (address, emails) in [("ada@example.com", 3), ("bea@example.com", 3), ("cleo@example.com", 0)] {
        let arrived = app.emails_to(address).await;
        let warnings = arrived.iter().filter(|email| email.text.contains("The last certificate of Okta"));
        assert_eq!(warnings.count(), emails, "{address}");
    }

    let ada = again(&app, "ada@example.com").await;
    let html = ada.clone().with("accept", "text/html").get(SSO).await.is(200);
    html.says("Nobody can sign in with it. Give it new metadata.");
    ada.post_json(
        &format!("{path}/metadata"),
        json!({ "metadata": metadata(IDP, &[&Idp::with(key, -1, 60)]) }),
    )
    .await
    .is(200);
    let before = app.count("connections WHERE warned_days IS NULL").await;
    assert_eq!(before, 1, "a new certificate is warned about anew");
}

#[actix_web::test]
async fn our_next_key_is_announced_before_it_is_used_and_both_open_what_is_encrypted_case_84() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let path = connected(&ada, &[&Idp::rsa()]).await;
    let next = forger::service_key();
    let service = || async {
        let config = app.inner.config().clone();
        app.inner.read(move |conn| service_with_keys(conn, &config)).await.unwrap()
    };
    let first = service().await.keys.remove(0).certificate().clone();
    let in_metadata = |certificate: &saml::Certificate, text: &str| {
        text.matches(&BASE64_STANDARD.encode(certificate.der())).count() > 1
    };

    let announced = next.clone();
    app.inner.write(move |tx| announce_service_key(tx, &Actor::operator(), &announced)).await.unwrap();
    let text = app.curl().get("/auth/saml/metadata").await.is(200).body;
    assert!(in_metadata(&first, &text) && in_metadata(next.certificate(), &text));
    assert_eq!(service().await.keys[0].certificate(), &first, "the old one signs still");

    app.inner.write(|tx| switch_service_key(tx, &Actor::operator())).await.unwrap();
    let keys = service().await.keys;
    assert_eq!(keys[0].certificate(), next.certificate());
    assert_eq!(keys[1].certificate(), &first, "the old one opens still");
    ada.post_json(&format!("{path}/test"), json!({})).await.is(200);
}

#[actix_web::test]
async fn a_connection_that_is_removed_takes_its_identities_with_it_case_30() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&ada, &[&idp]).await;
    let id = ConnectionId::from_text(path.rsplit('/').next().unwrap());
    let (bea, name) = (app.verified("bea@example.com").await, name("bea"));
    let bea_id = UserId::from_text(bea.get("/me").await.json()["user"]["id"].as_str().unwrap());
    let known = name.clone();
    app.inner
        .write(move |tx| {
            let connection = connection_by_id(tx.conn, &id)?;
            link_identity(tx, &Actor::operator(), &connection.id, &known, &bea_id)
        })
        .await
        .unwrap();
    let page = ada.clone().with("accept", "text/html").get(&path).await.is(200);
    page.says("the link to one account is lost");

    ada.delete(&path).await.is(200);
    assert_eq!(app.count("identities").await, 0);
    ada.get(&path).await.is(404);
    let path = connected(&ada, &[&idp]).await;
    let id = ConnectionId::from_text(path.rsplit('/').next().unwrap());
    let found = app.inner.read(move |conn| identity_owner(conn, &id, &name)).await.unwrap();
    assert!(found.is_none(), "the same provider, connected again, knows nobody");
    assert_eq!(app.count("audit WHERE event = 'connection_removed'").await, 1);
}

fn name(value: &str) -> saml::Name {
    saml::Name { format: saml::NameFormat::Persistent, value: value.to_owned() }
}

#[actix_web::test]
async fn settings_changed_while_a_test_is_under_way_are_not_tested() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let path = connected(&ada, &[&Idp::rsa()]).await;
    let id = ConnectionId::from_text(path.rsplit('/').next().unwrap());
    let before = app.inner.read(move |conn| connection_by_id(conn, &id)).await.unwrap();

    ada.put_json(&path, json!({ "name": "Okta", "defaultRole": "owner" })).await.is(200);
    app.inner.write(move |tx| note_connection_test(tx, &before)).await.unwrap();

    assert_eq!(ada.get(&path).await.json()["connection"]["testedAt"], Value::Null);
    assert!(app.inner.now() > Timestamp::from_unix(0));
}
