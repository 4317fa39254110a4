//! Accounts elsewhere, on their own page: listed, connected and disconnected.

use serde_json::{Value, json};

use crate::{
    dev_oidc::{chooses, opens},
    harness::{TestApp, Visitor},
};

const FIRST: &str = "0123456789abcdef0123456789abcde1";
const SECOND: &str = "0123456789abcdef0123456789abcde2";

async fn demo() -> TestApp {
    TestApp::with(&[("DEMO_PROVIDER", "on")]).await
}

/// An account at the demonstration that is connected already.
async fn connected(app: &TestApp, id: &str, subject: &str) {
    let issuer = format!("{}/dev/oidc", app.base_url);
    app.db_execute(&format!(
        "INSERT INTO provider_identities (id, provider, issuer, subject, user_id, known_as, created_at, last_used_at) \
         SELECT '{id}', 'demo', '{issuer}', '{subject}', id, '{subject}@example.com', created_at, created_at FROM users \
         WHERE email_normalized = 'ada@example.com'"
    ))
    .await;
}

async fn listed(visitor: &Visitor) -> Value {
    visitor.get("/me/providers").await.is(200).json()
}

fn page_of(app: &TestApp, visitor: &Visitor) -> Visitor {
    let browser = app.browser();
    browser.set_cookie("session", &visitor.cookie("session").unwrap());
    browser.named("curl/8.9.1")
}

#[actix_web::test]
async fn accounts_elsewhere_are_listed_with_where_one_can_connect_others() {
    let app = demo().await;
    let ada = app.verified("ada@example.com").await;
    let none = json!({
        "identities": [], "providers": [{ "key": "demo", "name": "Demonstration", "isConnected": false }],
    });
    assert_eq!(listed(&ada).await, none);
    page_of(&app, &ada)
        .get("/me/security")
        .await
        .is(200)
        .says("Accounts elsewhere")
        .says("href=\"/me/providers\"");

    connected(&app, FIRST, "gina").await;
    let told = listed(&ada).await;
    let one = &told["identities"][0];
    assert_eq!(one["id"], FIRST);
    assert_eq!((&one["provider"], &one["name"]), (&"demo".into(), &"Demonstration".into()));
    assert_eq!((&one["knownAs"], &one["isOnly"]), (&"gina@example.com".into(), &false.into()));
    assert_eq!((&one["isAvailable"], &told["providers"][0]["isConnected"]), (&true.into(), &true.into()));
    let page = page_of(&app, &ada);
    page.get("/me/providers").await.is(200).says("Your accounts elsewhere").says("Connect another");
    page.get("/me/security").await.is(200).says("Connected as gina@example.com");

    // Where the provider is gone from the settings it opens nothing.
    let without = app.second_node_with(&[("DEMO_PROVIDER", "off")]).await;
    let told = listed(&ada.at(without.port)).await;
    assert_eq!(
        (&told["identities"][0]["name"], &told["identities"][0]["isAvailable"]),
        (&"demo".into(), &false.into())
    );
    assert_eq!(told["providers"], json!([]));
}

#[actix_web::test]
async fn disconnecting_takes_a_step_up_is_told_and_is_for_its_owner_only() {
    let app = demo().await;
    let (ada, ben) = (app.verified("ada@example.com").await, app.verified("ben@example.com").await);
    connected(&app, FIRST, "gina").await;
    let path = format!("/me/providers/{FIRST}");
    ada.delete(&path).await.refuses(403, "reauthentication_required");
    ben.steps_up().await;
    ben.delete(&path).await.refuses(404, "not_found");
    assert_eq!(app.count("provider_identities").await, 1);

    ada.steps_up().await;
    ada.delete(&path).await.is(200).says("That account is disconnected.");
    assert_eq!(app.count("provider_identities").await, 0);
    assert_eq!(app.emails_that_say("ada@example.com", "Demonstration").await, 1);
    ada.post(&format!("{path}/remove"), &[]).await.refuses(404, "not_found");
}

#[actix_web::test]
async fn the_last_way_in_is_not_disconnected_and_passkeys_and_other_accounts_count() {
    let app = demo().await;
    let ada = app.verified("ada@example.com").await;
    connected(&app, FIRST, "gina").await;
    connected(&app, SECOND, "hugo").await;
    ada.steps_up().await;
    app.db_execute("UPDATE users SET password_hash = NULL").await;
    ada.delete(&format!("/me/providers/{FIRST}")).await.is(200);
    ada.delete(&format!("/me/providers/{SECOND}")).await.refuses(409, "last_credential");
    assert_eq!(listed(&ada).await["identities"][0]["isOnly"], true);
    let page = page_of(&app, &ada).get("/me/providers").await.is(200);
    assert!(!page.body.contains("/remove"), "nothing is offered that is refused");
    page.says("Nothing else opens your account.");

    app.db_execute(
        "INSERT INTO passkeys (id, user_id, credential_id, credential, counter, rp_id, name, is_synced, created_at) \
         SELECT 'one', id, 'one', '{}', 0, 'localhost', 'one', TRUE, created_at FROM users",
    )
    .await;
    assert_eq!(listed(&ada).await["identities"][0]["isOnly"], false);
}

#[actix_web::test]
async fn connecting_takes_a_confirmed_address_and_a_step_up_and_leads_to_the_provider() {
    let app = demo().await;
    let cleo = app.unverified_user("cleo@example.com").await;
    cleo.post_json("/me/providers/demo", json!({})).await.refuses(403, "email_unverified");
    let ada = app.verified("ada@example.com").await;
    ada.post_json("/me/providers/demo", json!({})).await.refuses(403, "reauthentication_required");
    ada.steps_up().await;
    ada.post_json("/me/providers/github", json!({})).await.refuses(404, "not_found");

    let location = ada.post_json("/me/providers/demo", json!({})).await.is(200).json()["location"].clone();
    assert!(
        location.as_str().unwrap().starts_with(&format!("{}/dev/oidc/authorize?", app.base_url)),
        "{location}"
    );
    let page = page_of(&app, &ada).post("/me/providers/demo", &[]).await.is(200);
    page.says("Continue to <bdi>Demonstration</bdi>");

    let back = chooses(&app, location.as_str().unwrap(), "Gina").await;
    opens(&ada, &app, &back).await.is(200);
    assert_eq!(listed(&ada).await["identities"][0]["knownAs"], "gina@example.com");
    assert_eq!(app.emails_that_say("ada@example.com", "Demonstration").await, 1);
    ada.delete(&format!("/me/providers/{}", listed(&ada).await["identities"][0]["id"].as_str().unwrap()))
        .await
        .is(200);
    assert_eq!(listed(&ada).await["identities"], json!([]));
}
