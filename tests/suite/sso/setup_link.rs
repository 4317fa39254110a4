//! A set-up link lets an IT contact without an account here set one connection up, while it is not in use.

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::kinds::Role;

use crate::{
    connections::{acme, again, connected, joins, stepped_up, tested},
    harness::{Answer, TestApp, Visitor, rounds},
    idp::{Acme, ada as ada_there, comes_back, later, posts, request_in},
    saml::forger::{IDP, Idp, metadata},
};

const SSO: &str = "/organisations/acme/sso";
const OWNER: &str = "ada@example.com";

/// A connection of Acme's that has no metadata yet; its path.
async fn blank(owner: &Visitor) -> String {
    let made = owner.post_json(SSO, json!({ "name": "Okta", "later": true })).await.is(201).json();
    assert_eq!(made["connection"]["isBlank"], true);
    format!("{SSO}/{}", made["connection"]["id"].as_str().unwrap())
}

/// The token of a new set-up link of this connection.
async fn link(owner: &Visitor, connection: &str) -> String {
    let made = owner.post_json(&format!("{connection}/setup-link"), json!({})).await.is(201).json();
    let link = made["link"].as_str().unwrap();
    link.split_once("/sso/setup?token=").unwrap().1.to_owned()
}

/// The owner turns on what they see.
async fn turns_on(owner: &Visitor, connection: &str) -> Answer {
    let seen = owner.get(connection).await.json()["connection"]["fingerprint"].clone();
    owner.post_json(&format!("{connection}/switch-on"), json!({ "fingerprint": seen })).await
}

async fn opens(app: &TestApp, token: &str) -> u16 {
    app.curl().get(&format!("/sso/setup?token={token}")).await.status.as_u16()
}

/// The contact saves this metadata by the link.
async fn saves(app: &TestApp, token: &str, idp: &Idp) -> Value {
    let form = json!({ "token": token, "name": "Okta", "metadata": metadata(IDP, &[idp]) });
    app.curl().post_json("/sso/setup", form).await.is(200).json()
}

/// The contact tests by the link, as a browser does, and reads what came of it.
async fn tests(app: &TestApp, theirs: &Acme, token: &str) -> Value {
    later(app);
    let browser = app.browser();
    let request = request_in(&browser.post("/auth/saml/test", &[("token", token)]).await);
    let response = theirs.says(app, &request, &ada_there());
    let answer = posts(app, &browser, &response, &request.relay_state).await;
    let to = answer.header("location").to_owned();
    assert!(to.starts_with("/sso/setup?attempt="), "{to}");
    app.curl().get(&format!("{to}&token={token}")).await.is(200).json()
}

async fn events(app: &TestApp, event: &str) -> i64 {
    app.count(&format!("audit WHERE event = '{event}'")).await
}

#[actix_web::test]
async fn a_colleague_without_an_account_sets_it_up_and_an_owner_turns_it_on() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let path = blank(&owner).await;
    let idp = Idp::rsa();
    let shown = owner.get(&path).await.is(200).json();
    assert_eq!(shown["problem"], "Add the metadata of your identity provider.");
    assert_eq!((&shown["isInUse"], &shown["setupLinkUntil"]), (&json!(false), &Value::Null));
    assert_eq!(shown["steps"][0]["isDone"], false);
    turns_on(&owner, &path).await.refuses(422, "invalid");
    let token = link(&owner, &path).await;
    assert!(owner.get(&path).await.json()["setupLinkUntil"].is_string());

    let contact = app.curl();
    let page = contact.get(&format!("/sso/setup?token={token}")).await.is(200).json();
    assert_eq!(page["organisation"], "Acme");
    assert_eq!(page["service"]["acsUrl"], format!("{}/auth/saml/callback", app.base_url));
    contact.post_json("/auth/saml/test", json!({ "token": token })).await.refuses(422, "invalid");
    let nothing = json!({ "token": token, "name": "Okta" });
    contact.post_json("/sso/setup", nothing).await.refuses(422, "invalid");
    let saved = saves(&app, &token, &idp).await;
    assert_eq!(
        (&saved["connection"]["issuer"], &saved["connection"]["isPaused"]),
        (&json!(IDP), &json!(true))
    );

    let id = path.rsplit('/').next().unwrap();
    let theirs = Acme::made(idp, IDP, id, owner.clone(), &app).await;
    let came = tests(&app, &theirs, &token).await;
    assert_eq!((&came["tests"][0]["succeeded"], &came["detail"]["email"]), (&json!(true), &json!(OWNER)));

    // Out of use until an owner looks at it.
    theirs.verifies(&app, "example.com").await;
    app.browser().get("/auth/saml/login?email=eve@example.com").await.goes_to("/login");
    app.browser().post("/auth/saml/login", &[("connection", id)]).await.is(403);
    let owner = again(&app, OWNER).await;
    owner
        .clone()
        .with("accept", "text/html")
        .get(&path)
        .await
        .is(200)
        .says("Turn it on")
        .says("Revoke the link");
    let on = turns_on(&owner, &path).await.is(200).json();
    assert_eq!(on["connection"]["isPaused"], false);

    // In use now, so the link is dead, and no other can be made.
    assert_eq!(opens(&app, &token).await, 422);
    owner.post_json(&format!("{path}/setup-link"), json!({})).await.refuses(422, "invalid");
    let browser = app.browser();
    later(&app);
    theirs.signs_in(&app, &browser, &ada_there().at("eve@example.com").called("eve")).await.goes_to("/me");
    assert_eq!(events(&app, "connection_switched_on").await, 1);
}

#[actix_web::test]
async fn every_use_is_in_the_audit_and_in_an_email_to_every_owner() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let owner = acme(&app).await;
    let bea = app.verified("bea@example.com").await;
    joins(&app, &bea, Role::Owner).await;
    let path = blank(&owner).await;
    let token = link(&owner, &path).await;
    let idp = Idp::rsa();
    saves(&app, &token, &idp).await;
    saves(&app, &token, &idp).await;
    app.curl().post_json("/auth/saml/test", json!({ "token": token })).await.is(200);

    assert_eq!(events(&app, "setup_link_made").await, 1);
    assert_eq!(events(&app, "setup_link_used").await, 3);
    for address in [OWNER, "bea@example.com"] {
        assert_eq!(app.emails_that_say(address, "created a set-up link").await, 1, "{address}");
        assert_eq!(app.emails_that_say(address, "changed Okta").await, 2, "{address}");
        assert_eq!(app.emails_that_say(address, "tested Okta").await, 1, "{address}");
    }
    // Looking is no use, and uses have a bound.
    for _ in 0..40 {
        assert_eq!(opens(&app, &token).await, 200);
    }
    let mut last = 0;
    for _ in 0..30 {
        let form = json!({ "token": token, "name": "Okta" });
        last = app.curl().post_json("/sso/setup", form).await.status.as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(events(&app, "setup_link_used").await, 30);
}

#[actix_web::test]
async fn a_link_ends_with_time_by_hand_by_a_newer_one_and_with_its_maker() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let path = blank(&owner).await;
    let older = link(&owner, &path).await;
    let token = link(&owner, &path).await;
    assert_eq!((opens(&app, &older).await, opens(&app, &token).await), (422, 200));
    assert_eq!(opens(&app, "unknown").await, 422);

    owner.delete(&format!("{path}/setup-link")).await.is(200);
    assert_eq!(opens(&app, &token).await, 422);
    let idp = Idp::rsa();
    for (route, more) in [("/sso/setup", json!({ "name": "Okta" })), ("/auth/saml/test", json!({}))] {
        let mut form = more;
        form["token"] = json!(token);
        app.curl().post_json(route, form).await.refuses(422, "dead_link");
    }
    assert_eq!(events(&app, "setup_link_revoked").await, 1);

    let token = link(&owner, &path).await;
    app.wait(TimeDelta::days(7) - TimeDelta::minutes(1));
    assert_eq!(opens(&app, &token).await, 200);
    app.wait(TimeDelta::minutes(2));
    assert_eq!(opens(&app, &token).await, 422);

    // An owner no more: their link does nothing either.
    let bea = stepped_up(&app, "bea@example.com").await;
    let id = joins(&app, &bea, Role::Owner).await;
    let token = link(&bea, &path).await;
    let owner = again(&app, OWNER).await;
    owner.put_json(&format!("/organisations/acme/members/{id}"), json!({ "role": "editor" })).await.is(200);
    assert_eq!(opens(&app, &token).await, 422);

    // Nor one to a connection that is gone.
    let token = link(&owner, &path).await;
    saves(&app, &token, &idp).await;
    owner.delete(&path).await.is(200);
    assert_eq!(opens(&app, &token).await, 422);

    let app = TestApp::with(&[("SSO_SETUP_LINK_LIFE", "1h")]).await;
    let owner = acme(&app).await;
    let token = link(&owner, &blank(&owner).await).await;
    app.wait(TimeDelta::minutes(61));
    assert_eq!(opens(&app, &token).await, 422);
}

#[actix_web::test]
async fn its_bearer_sees_no_people_and_sets_no_roles() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let idp = Idp::rsa();
    let path = connected(&owner, &[&idp]).await;
    tested(&app, &owner, &path, &idp, |draft| draft).await;
    let token = link(&owner, &path).await;
    let form = json!({
        "token": token, "name": "Entra", "identifier": "uid", "roles": "all = owner", "defaultRole": "owner",
        "takesUnsolicited": true, "asksSecondFactor": false, "emailAttribute": "upn",
    });

    app.curl().post_json("/sso/setup", form).await.is(200);

    let settings = owner.get(&path).await.json()["settings"].clone();
    for (name, value) in [
        ("name", json!("Entra")),
        ("identifier", json!("uid")),
        ("emailAttribute", json!("upn")),
        ("roles", json!("owners = editor\n")),
        ("defaultRole", json!("viewer")),
        ("takesUnsolicited", json!(false)),
        ("asksSecondFactor", json!(true)),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
    let form = json!({ "token": token, "name": "Okta" });
    app.curl().post_json("/sso/setup", form).await.is(200);
    let theirs = Acme::made(idp, IDP, path.rsplit('/').next().unwrap(), owner.clone(), &app).await;
    let came = tests(&app, &theirs, &token).await;
    // Neither the owner's test nor whether there is an account.
    assert_eq!(came["tests"].as_array().unwrap().len(), 1);
    assert_eq!(came["detail"]["account"], "Only the organisation's owners see this.");
    for hidden in ["owners", "identities", "attempts", "members"] {
        assert!(came.get(hidden).is_none(), "{hidden}");
    }
    let attempts = app.texts("SELECT id AS text FROM attempts WHERE user_id IS NOT NULL").await;
    let other = app.curl().get(&format!("/sso/setup?token={token}&attempt={}", attempts[0])).await.is(200);
    assert_eq!(other.json()["detail"], Value::Null);
    // The owners see both.
    assert_eq!(owner.get(&path).await.json()["attempts"].as_array().unwrap().len(), 2);

    let browser = app.browser();
    let page = browser.get(&format!("/sso/setup?token={token}&like=entra")).await.is(200);
    page.says("Set up Microsoft Entra ID").says("Test the sign-in");
    browser.get("/sso/setup").await.is(200);
    let refused = browser.post("/sso/setup", &[("token", &token), ("name", ""), ("metadata", "<a/>")]).await;
    refused.is(422).says("Give it a name");
}

#[actix_web::test]
async fn a_connection_in_use_has_no_link_and_a_paused_one_lets_nobody_in_or_is_required() {
    let app = TestApp::open().await;
    let acme = Acme::unproved(&app, "Acme", "boss@acme.example").await;
    let owner = again(&app, "boss@acme.example").await;
    let path = format!("{SSO}/{}", acme.connection);
    let token = link(&owner, &path).await;
    let browser = app.browser();
    let request = acme.leave_for(&browser).await;

    // It changes while somebody is at the identity provider.
    saves(&app, &token, &acme.idp).await;
    let response = acme.says(&app, &request, &ada_there().at("boss@acme.example").called("boss"));
    comes_back(&app, &browser, &response, &request.relay_state).await.is(403);
    assert_eq!(acme.attempts(&app).await, ["paused"]);
    assert_eq!(app.count("identities").await, 0);
    // Another identity provider than before: nobody is known by it.
    let form = json!({ "token": token, "name": "Okta", "metadata": metadata("urn:other", &[&acme.idp]) });
    let saved = app.curl().post_json("/sso/setup", form).await.is(200).json();
    assert_eq!(saved["connection"]["issuer"], "urn:other");

    acme.sets(&app, "tested_at = created_at").await;
    acme.verifies(&app, "acme.example").await;
    let (domain, boss) = (
        app.texts("SELECT id AS text FROM domains").await.remove(0),
        owner.get("/me").await.json()["user"]["id"].clone(),
    );
    let refused =
        owner.post_json(&format!("{SSO}/domains/{domain}/enforce"), json!({ "breakGlass": boss })).await;
    refused.is(422).says("Switch the connection on first.");
    turns_on(&owner, &path).await.is(200);
    assert_eq!(opens(&app, &token).await, 422, "people are led to it now");
    owner.post_json(&format!("{path}/setup-link"), json!({})).await.refuses(422, "invalid");
}

/// Somebody's first sign-in beside the bearer's change: nobody is ever known by a connection that has become another one since.
#[actix_web::test]
async fn a_first_sign_in_and_a_change_by_the_link_take_turns() {
    for _ in 0..rounds() {
        let app = TestApp::open().await;
        let acme = Acme::unproved(&app, "Acme", "boss@acme.example").await;
        acme.verifies(&app, "acme.example").await;
        app.db_execute("UPDATE domains SET connection_id = NULL").await;
        let owner = again(&app, "boss@acme.example").await;
        let token = link(&owner, &format!("{SSO}/{}", acme.connection)).await;
        let browser = app.browser();
        let request = acme.leave_for(&browser).await;
        let response = acme.says(&app, &request, &ada_there().at("new@acme.example").called("new"));
        let form = json!({ "token": token, "name": "Okta", "metadata": metadata("urn:other", &[&acme.idp]) });
        let bearer = app.curl();

        let (came, saved) = join(
            comes_back(&app, &browser, &response, &request.relay_state),
            bearer.post_json("/sso/setup", form),
        )
        .await;

        let known = app.count("identities").await;
        let is_another = app.count("connections WHERE issuer = 'urn:other'").await;
        assert_eq!(known + is_another, 1, "{} {}", came.status, saved.status);
    }
}

/// Nodes share the database and nothing else.
#[actix_web::test]
async fn one_node_makes_the_link_another_is_asked_by_it_and_the_first_one_ends_it() {
    let app = TestApp::open().await;
    let other = app.second_node().await;
    let owner = acme(&app).await;
    let path = blank(&owner).await;
    let token = link(&owner, &path).await;
    let idp = Idp::rsa();
    saves(&other, &token, &idp).await;
    let theirs = Acme::made(idp, IDP, path.rsplit('/').next().unwrap(), owner.clone(), &app).await;
    let came = tests(&other, &theirs, &token).await;
    assert_eq!(came["tests"][0]["succeeded"], true, "{came}");

    owner.post_json(&format!("{path}/setup-link/revoke"), json!({})).await.is(200);

    assert_eq!(opens(&other, &token).await, 422);
}

/// What the bearer of the link changes while the owner looks is not turned on by the owner's press.
#[actix_web::test]
async fn what_is_changed_before_the_press_is_not_turned_on() {
    let app = TestApp::open().await;
    let owner = acme(&app).await;
    let path = blank(&owner).await;
    let token = link(&owner, &path).await;
    saves(&app, &token, &Idp::rsa()).await;
    let seen = owner.get(&path).await.json()["connection"]["fingerprint"].clone();
    saves(&app, &token, &Idp::rsa()).await;

    for fingerprint in [seen, json!(""), json!("x")] {
        let form = json!({ "fingerprint": fingerprint });
        owner.post_json(&format!("{path}/switch-on"), form).await.refuses(422, "invalid");
    }
    turns_on(&owner, &path).await.is(200);
}
