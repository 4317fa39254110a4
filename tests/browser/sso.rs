//! Single sign-on with a real identity provider, through Chromium.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use vestibule::{
    clock::Clock,
    ids::{ConnectionId, UserId},
    internals::{
        Actor, Mapping, NewConnection, Slug, Title, add_domain, begin_service_key, create_connection,
        create_organisation, verify_domain,
    },
    kinds::Role,
    saml::ServiceKey,
};

use crate::{
    chromium::{Browser, Chromium, LAPTOP},
    harness::{PASSWORD, TestApp},
    simplesamlphp::SimpleSaml,
};

// Two sites, and PHP on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Acme, whose people of `example.com` sign in at `provider`.
async fn connect(app: &TestApp, provider: &SimpleSaml) -> ConnectionId {
    let metadata = provider.metadata();
    let owner = app.verified("boss@acme.example").await.get("/me").await.json();
    let owner = UserId::from_text(owner["user"]["id"].as_str().unwrap());
    let (title, slug) = (Title::parse("Acme").unwrap(), Slug::parse("acme").unwrap());
    let connected = app.inner.write(move |tx| {
        let actor = Actor::operator();
        let acme = create_organisation(tx, &actor, &owner, &title, &slug)?;
        let roles = vec![("makers".to_owned(), Role::Editor), ("owners".to_owned(), Role::Owner)];
        let mapping = Mapping { roles, ..Mapping::default() };
        let new = NewConnection { name: "Acme".to_owned(), metadata, metadata_url: None, mapping };
        let connection = create_connection(tx, &actor, &acme.id, new)?.unwrap();
        let domain = add_domain(tx, &actor, &acme.id, Some(&connection.id), "example.com")?;
        verify_domain(tx, &actor, &domain, "operator")?;
        Ok(connection.id)
    });
    connected.await.unwrap()
}

/// A real identity provider goes by the real time, so the house does as well.
fn set_the_clock(app: &TestApp) {
    app.wait(Clock::system().now() - app.clock.now());
}

/// Types the address on the sign-in page and is sent on.
async fn signs_in(app: &TestApp, browser: &Browser) {
    set_the_clock(app);
    browser.open("/login").await;
    browser.fill("Email address", "ada@example.com").await;
    browser.press("Continue").await;
    browser.follow("Continue").await;
}

/// After the identity provider the browser is back in the house, at this path.
async fn arrives(browser: &Browser, path: &str, provider: &SimpleSaml) {
    let start = Instant::now();
    loop {
        let url = browser.client.current_url().await.unwrap();
        if url[url::Position::BeforePath..] == *path {
            return;
        }
        let text = browser.text().await;
        assert!(start.elapsed() < PATIENCE, "at {url} and not at {path}:\n{text}\n{}", provider.words());
    }
}

async fn role(app: &TestApp) -> String {
    let query = "SELECT memberships.role AS text FROM memberships JOIN users ON users.id = memberships.user_id \
        WHERE users.email = 'ada@example.com'";
    app.texts(query).await.remove(0)
}

#[actix_web::test]
async fn people_arrive_come_again_with_other_groups_and_confirm_at_a_real_identity_provider() {
    let app = TestApp::open().await;
    let Some(provider) = SimpleSaml::start(&app) else { return };
    set_the_clock(&app);
    connect(&app, &provider).await;
    let chromium = Chromium::start();

    let first = chromium.browser(&app, LAPTOP).await;
    signs_in(&app, &first).await;
    arrives(&first, "/me", &provider).await;
    first.reads("Ada Lovelace").await;
    assert_eq!(role(&app).await, "editor");

    provider.knows("Ada King", "ada@example.com", &["owners"]);
    let second = chromium.browser(&app, LAPTOP).await;
    signs_in(&app, &second).await;
    arrives(&second, "/me", &provider).await;
    second.reads("Ada King").await;
    assert_eq!(role(&app).await, "owner");
    assert_eq!(app.count("users WHERE email = 'ada@example.com'").await, 1);

    set_the_clock(&app);
    second.open("/me/email").await;
    second.is_at("/auth/confirm?next=%2Fme%2Femail").await;
    second.follow("Confirm with your organisation").await;
    arrives(&second, "/me/email", &provider).await;
    second.reads("New email address").await;
}

#[actix_web::test]
async fn people_of_an_enforced_domain_come_in_there_only_and_without_scripts_too() {
    let app = TestApp::open().await;
    let Some(provider) = SimpleSaml::start(&app) else { return };
    set_the_clock(&app);
    connect(&app, &provider).await;
    app.verified("bea@example.com").await;
    app.db_execute("UPDATE domains SET is_enforced = TRUE").await;
    let chromium = Chromium::start();

    let ada = chromium.browser(&app, LAPTOP).await;
    ada.open("/login?with=password").await;
    ada.sign_in("bea@example.com", PASSWORD).await;
    ada.reads("Sign in with your organisation").await;
    ada.follow("Continue to your organisation").await;
    // It is the one person it knows who comes back.
    arrives(&ada, "/me", &provider).await;
    ada.reads("Ada Lovelace").await;
}

#[actix_web::test]
async fn what_is_encrypted_opens_and_a_change_of_certificates_is_not_noticed() {
    let app = TestApp::open().await;
    let Some(mut provider) = SimpleSaml::start(&app) else { return };
    set_the_clock(&app);
    let connection = connect(&app, &provider).await;
    let now = app.clock.now();
    let key = ServiceKey::generate("Vestibule", now, TimeDelta::days(100)).unwrap();
    provider.encrypts_to(&key.certificate_pem().unwrap());
    let begun = app.inner.write(move |tx| begin_service_key(tx, &Actor::operator(), &key));
    begun.await.unwrap();
    let chromium = Chromium::start();

    signs_in_anew(&app, &chromium, &provider).await;

    provider.announces_a_key();
    let metadata = provider.metadata().replace('\'', "''");
    assert_eq!(metadata.matches("use=\"signing\"").count(), 2, "{metadata}");
    app.db_execute(&format!("UPDATE connections SET metadata = '{metadata}' WHERE id = '{connection}'"))
        .await;
    signs_in_anew(&app, &chromium, &provider).await;
    provider.switches_keys();
    signs_in_anew(&app, &chromium, &provider).await;
    assert_eq!(app.count("attempts WHERE outcome = 'success'").await, 3);
}

async fn signs_in_anew(app: &TestApp, chromium: &Chromium, provider: &SimpleSaml) {
    let browser = chromium.browser(app, LAPTOP).await;
    signs_in(app, &browser).await;
    arrives(&browser, "/me", provider).await;
    browser.reads("Ada Lovelace").await;
}
