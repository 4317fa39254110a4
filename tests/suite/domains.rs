//! Domains of organisations: proved by a record in the DNS, by one organisation only; and closed to other ways in.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{jobs, kinds::Role};

use crate::{
    connections::{acme, again, connected, joins, stepped_up, tested},
    harness::{
        PASSWORD, TestApp, Visitor,
        outbound::{Names, Record},
    },
    saml::forger::{Draft, Idp},
};

const SSO: &str = "/organisations/acme/sso";
const RECORD: &str = "_vestibule.acme.example";

async fn app_with(names: &Names) -> TestApp {
    TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await
}

/// Names a domain; its path, and the text of its record.
async fn named(owner: &Visitor, sso: &str, domain: &str) -> (String, String) {
    let added = owner.post_json(&format!("{sso}/domains"), json!({ "domain": domain })).await.is(201).json();
    let text = |key: &str| added["domain"][key].as_str().unwrap().to_owned();
    assert_eq!(text("recordName"), format!("_vestibule.{}", domain.to_lowercase()));
    (format!("{sso}/domains/{}", text("id")), text("recordText"))
}

/// Acme's domain, proved.
async fn verified(names: &Names, ada: &Visitor) -> String {
    let (path, text) = named(ada, SSO, "acme.example").await;
    names.set(RECORD, Record::Text(text));
    ada.post_json(&format!("{path}/check"), json!({})).await.is(200);
    path
}

/// Sets up an app, in the session that goes on.
async fn adds_an_app(app: &TestApp, visitor: &Visitor) {
    let secret = app.waiting_app(visitor).await;
    visitor.confirms_app(&app.code(&secret)).await.is(200);
}

fn newcomer(draft: Draft) -> Draft {
    draft.assertion("ada@example.com", "new@acme.example")
}

#[actix_web::test]
async fn a_domain_is_proved_by_its_record_and_by_nothing_else_case_86() {
    let names = Names::start();
    let app = app_with(&names).await;
    let ada = acme(&app).await;
    let (path, text) = named(&ada, SSO, "Acme.Example").await;
    let check = format!("{path}/check");

    let refused = ada.post_json(&check, json!({})).await.is(422).json();
    assert!(refused["error"].as_str().unwrap().contains("is not there yet"));
    for wrong in ["", "vestibule-domain=", &text[..text.len() - 1], &format!("{text}x")] {
        names.set(RECORD, Record::Text(wrong.to_owned()));
        ada.post_json(&check, json!({})).await.is(422);
    }
    // In the place of another name.
    names.forget(RECORD);
    names.set("acme.example", Record::Text(text.clone()));
    ada.post_json(&check, json!({})).await.is(422);
    names.set(RECORD, Record::Trouble);
    let refused = ada.post_json(&check, json!({})).await.is(422).json();
    assert_eq!(refused["error"], "The DNS did not answer in time. Try again in a moment.");
    assert_eq!(app.count("domains WHERE verified_at IS NOT NULL").await, 0);

    names.set(RECORD, Record::Text(text));
    let answer = ada.post_json(&check, json!({})).await.is(200).json();
    assert_eq!(answer["domain"]["provedBy"], "dns");
    ada.post_json(&check, json!({})).await.is(200);
    assert_eq!(app.count("audit WHERE event = 'domain_verified'").await, 1);
    for wrong in ["", "acme", "a b.example", "http://acme.example", "-.example"] {
        ada.post_json(&format!("{SSO}/domains"), json!({ "domain": wrong })).await.refuses(422, "invalid");
    }
    ada.post_json(&format!("{SSO}/domains"), json!({ "domain": "acme.example" }))
        .await
        .refuses(422, "invalid");
}

#[actix_web::test]
async fn of_two_organisations_that_prove_one_domain_fifty_times_at_once_one_has_it_case_86() {
    let names = Names::start();
    let app = app_with(&names).await;
    let ada = acme(&app).await;
    let eve = stepped_up(&app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Evil" })).await.is(201);
    for round in 0..5 {
        let domain = format!("acme{round}.example");
        let mine = named(&ada, SSO, &domain).await;
        let hers = named(&eve, "/organisations/evil/sso", &domain).await;
        assert_ne!(mine.1, hers.1, "each has a text of its own");

        // Both records stand, as when one of the two was there before.
        names.set(&format!("_vestibule.{domain}"), Record::Text(format!("{}\n{}", mine.1, hers.1)));
        let tries = (0..50).map(|n| {
            let (visitor, path) = if n % 2 == 0 { (&ada, &mine.0) } else { (&eve, &hers.0) };
            let (visitor, path) = (visitor.clone(), format!("{path}/check"));
            async move { visitor.post_json(&path, json!({})).await.status.as_u16() }
        });
        let outcomes = join_all(tries).await;

        let of = |remainder: usize| outcomes.iter().enumerate().filter(move |(n, _)| n % 2 == remainder);
        let winners = [0, 1].map(|half| of(half).filter(|(_, status)| **status == 200).count());
        assert!(winners.contains(&0) && !winners.iter().all(|count| *count == 0), "{outcomes:?}");
        assert!(outcomes.iter().all(|status| [200, 409].contains(status)), "{outcomes:?}");
        assert_eq!(
            app.count(&format!("domains WHERE name = '{domain}' AND verified_at IS NOT NULL")).await,
            1
        );
    }
    // The one who is late is told so, on the page and in JSON.
    let loser = app.texts("SELECT o.slug AS text FROM domains d JOIN organisations o ON o.id = d.organisation_id WHERE d.name = 'acme0.example' AND d.verified_at IS NULL").await.remove(0);
    let owner = if loser == "acme" { &ada } else { &eve };
    let query = "SELECT id AS text FROM domains WHERE name = 'acme0.example' AND verified_at IS NULL";
    let id = app.texts(query).await.remove(0);
    let text = app.texts(&format!("SELECT challenge AS text FROM domains WHERE id = '{id}'")).await.remove(0);
    names.set("_vestibule.acme0.example", Record::Text(text));
    let check = format!("/organisations/{loser}/sso/domains/{id}/check");
    owner.post_json(&check, json!({})).await.refuses(409, "domain_taken");
    let browser = owner.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    browser.post(&check, &[]).await.is(409).says("Another organisation has verified");
}

#[actix_web::test]
async fn a_domain_that_is_added_again_or_led_elsewhere_has_to_be_proved_again_case_86() {
    let names = Names::start();
    let app = app_with(&names).await;
    let ada = acme(&app).await;
    let connection = connected(&ada, &[&Idp::rsa()]).await;
    let id = connection.rsplit('/').next().unwrap();
    let path = verified(&names, &ada).await;

    // Chosen by itself where there is one, and changed only while the record stands.
    let shown = ada.get(SSO).await.json();
    assert_eq!(shown["domains"][0]["connectionId"], id);
    names.forget(RECORD);
    ada.post_json(&format!("{path}/connection"), json!({ "connection": "" })).await.is(200);
    ada.post_json(&format!("{path}/connection"), json!({ "connection": id })).await.refuses(422, "invalid");
    let text = shown["domains"][0]["recordText"].as_str().unwrap();
    names.set(RECORD, Record::Text(text.to_owned()));
    ada.post_json(&format!("{path}/connection"), json!({ "connection": id })).await.is(200);
    ada.post_json(&format!("{path}/connection"), json!({ "connection": "0".repeat(32) })).await.is(404);

    ada.delete(&path).await.is(200);
    let (path, _) = named(&ada, SSO, "acme.example").await;
    ada.post_json(&format!("{path}/check"), json!({})).await.refuses(422, "invalid");
    assert_eq!(app.count("domains WHERE verified_at IS NOT NULL").await, 0);
}

#[actix_web::test]
async fn a_record_that_is_gone_for_a_week_ends_the_proof_and_owners_hear_of_it_first_case_86() {
    let names = Names::start();
    let app = app_with(&names).await;
    let ada = acme(&app).await;
    verified(&names, &ada).await;
    let text = app.texts("SELECT challenge AS text FROM domains").await.remove(0);
    let node = app.second_node().await;
    let day = |days| {
        app.wait(TimeDelta::days(days));
        join(jobs::sso::check_domains(&app.inner), jobs::sso::check_domains(&node.inner))
    };
    let emails = || async {
        let arrived = app.emails_to("ada@example.com").await;
        arrived
            .into_iter()
            .filter(|email| email.text.contains(RECORD))
            .map(|one| one.subject)
            .collect::<Vec<_>>()
    };

    let (here, there) = day(1).await;
    assert_eq!(here.unwrap() + there.unwrap(), 1, "once a day, by one node");
    // That nobody answers says nothing, however long it lasts.
    names.set(RECORD, Record::Trouble);
    for _ in 0..9 {
        let _ = day(1).await;
    }
    assert_eq!(emails().await, [""; 0]);
    // Gone for six days, and back.
    names.forget(RECORD);
    for _ in 0..6 {
        let _ = day(1).await;
    }
    assert_eq!(emails().await, ["The record that verifies acme.example at Vestibule is gone"]);
    let shown = again(&app, "ada@example.com").await.get(SSO).await.json();
    assert!(shown["domains"][0]["proofEndsAt"].is_string());
    names.set(RECORD, Record::Text(text));
    let _ = day(1).await;
    assert_eq!(app.count("domains WHERE verified_at IS NOT NULL AND gone_since IS NULL").await, 1);
    // Gone for good.
    names.set(RECORD, Record::Text("something else".to_owned()));
    for _ in 0..8 {
        let _ = day(1).await;
    }
    assert_eq!(app.count("domains WHERE verified_at IS NOT NULL").await, 0);
    // Sent at once, they arrive in any order.
    let mut subjects = emails().await;
    subjects.sort();
    assert_eq!(
        subjects,
        [
            "The record that verifies acme.example at Vestibule is gone",
            "The record that verifies acme.example at Vestibule is gone",
            "acme.example is no longer verified at Vestibule"
        ]
    );
    assert_eq!(app.count("audit WHERE event = 'domain_unverified' AND actor_kind = 'job'").await, 1);
}

#[actix_web::test]
async fn a_domain_is_closed_only_when_nobody_is_locked_out_by_it_case_88() {
    let names = Names::start();
    let app = app_with(&names).await;
    let ada = acme(&app).await;
    let idp = Idp::rsa();
    let bea = stepped_up(&app, "bea@acme.example").await;
    let bea_id = joins(&app, &bea, Role::Viewer).await;
    let ada_id = ada.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned();
    let (path, text) = named(&ada, SSO, "acme.example").await;
    let enforce = |owner: &str| {
        let (path, body) = (format!("{path}/enforce"), json!({ "breakGlass": owner }));
        let ada = ada.clone();
        async move { ada.post_json(&path, body).await }
    };
    let says = |answer: Value| answer["error"].as_str().unwrap().to_owned();

    assert!(says(enforce(&ada_id).await.is(422).json()).starts_with("Verify the domain first"));
    names.set(RECORD, Record::Text(text));
    ada.post_json(&format!("{path}/check"), json!({})).await.is(200);
    assert!(says(enforce(&ada_id).await.is(422).json()).starts_with("Choose first"));
    let connection = connected(&ada, &[&idp]).await;
    let id = connection.rsplit('/').next().unwrap();
    ada.post_json(&format!("{path}/connection"), json!({ "connection": id })).await.is(200);
    assert!(says(enforce(&ada_id).await.is(422).json()).starts_with("Test the connection first"));
    tested(&app, &ada, &connection, &idp, newcomer).await;
    assert!(
        says(enforce(&ada_id).await.is(422).json()).starts_with("This owner needs a password and a second")
    );
    for nobody in [bea_id.as_str(), "", "0123456789abcdef0123456789abcdef"] {
        assert_eq!(says(enforce(nobody).await.is(422).json()), "Choose one of the owners.");
    }
    assert_eq!(app.count("domains WHERE is_enforced").await, 0);
    app.curl()
        .post_json("/login", json!({ "email": "bea@acme.example", "password": PASSWORD }))
        .await
        .is(200);

    adds_an_app(&app, &ada).await;
    bea.get("/me").await.is(200);
    let answer = enforce(&ada_id).await.is(200).json();
    bea.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(answer["domain"]["isEnforced"], true);
    assert_eq!(answer["domain"]["breakGlass"]["email"], "ada@example.com");
    let closed =
        app.curl().post_json("/login", json!({ "email": "bea@acme.example", "password": PASSWORD })).await;
    closed.refuses(403, "sso_required");
    ada.clone().with("accept", "text/html").get(SSO).await.is(200).says("SSO required");

    // A change needs another test before anything new can be closed, and the connection cannot be taken from under it.
    ada.post_json(&format!("{path}/connection"), json!({ "connection": "" })).await.refuses(422, "invalid");
    ada.post_json(&format!("{path}/release"), json!({})).await.is(200);
    app.curl()
        .post_json("/login", json!({ "email": "bea@acme.example", "password": PASSWORD }))
        .await
        .is(200);
    ada.put_json(&connection, json!({ "name": "Okta", "defaultRole": "editor" })).await.is(200);
    assert!(says(enforce(&ada_id).await.is(422).json()).starts_with("Test the connection first"));
    let events = app.texts("SELECT event AS text FROM audit WHERE event IN ('domain_enforced', 'domain_released') ORDER BY at, event").await;
    assert_eq!(events, ["domain_enforced", "domain_released"]);
}

/// Acme and its domain, which may be closed to other ways in.
struct Closable {
    ada: Visitor,
    connection: String,
    path: String,
    // What closing it asks for.
    break_glass_owner: Value,
}

async fn closable(names: &Names, app: &TestApp) -> Closable {
    let ada = acme(app).await;
    let idp = Idp::rsa();
    let connection = connected(&ada, &[&idp]).await;
    let path = verified(names, &ada).await;
    tested(app, &ada, &connection, &idp, newcomer).await;
    adds_an_app(app, &ada).await;
    let ada_id = ada.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned();
    Closable { ada, connection, path, break_glass_owner: json!({ "breakGlass": ada_id }) }
}

#[actix_web::test]
async fn removing_the_connection_opens_the_other_ways_again_case_88() {
    let names = Names::start();
    let app = app_with(&names).await;
    let Closable { ada, connection, path, break_glass_owner } = closable(&names, &app).await;
    ada.post_json(&format!("{path}/enforce"), break_glass_owner).await.is(200);

    ada.delete(&connection).await.is(200);

    let shown = ada.get(SSO).await.json();
    assert_eq!(shown["domains"][0]["isEnforced"], false);
    assert_eq!(shown["domains"][0]["connectionId"], Value::Null);
    assert_eq!(app.count("audit WHERE event = 'domain_released'").await, 1);
}

#[actix_web::test]
async fn nobody_slips_in_while_the_other_ways_are_closed_case_88() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string()), ("DATABASE_POOL", "24")]).await;
    let Closable { ada, path, break_glass_owner, .. } = closable(&names, &app).await;
    app.verified("bea@acme.example").await;
    let credentials = json!({ "email": "bea@acme.example", "password": PASSWORD });

    let tries = (0..50).map(|_| {
        let (visitor, credentials) = (app.curl(), credentials.clone());
        async move { visitor.post_json("/login", credentials).await.status.as_u16() }
    });
    let enforce = format!("{path}/enforce");
    let (answers, closed) = join(join_all(tries), ada.post_json(&enforce, break_glass_owner)).await;

    closed.is(200);
    assert!(answers.iter().all(|status| [200, 403].contains(status)), "{answers:?}");
    let inside = "sessions JOIN users ON users.id = sessions.user_id WHERE users.email = 'bea@acme.example'";
    assert_eq!(app.count(inside).await, 0);
}
