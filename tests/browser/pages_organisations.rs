//! The pages of an organisation's members and roles, narrow and wide, light and dark.

use crate::{
    chromium::{Chromium, LAPTOP},
    harness::{PASSWORD, TestApp},
    inspector::Inspector,
};

#[actix_web::test]
async fn every_page_about_members_and_roles_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    inspector.look(&ada, "members").await;
    ada.open("/organisations/acme-sons?q=nobody&role=viewer").await;
    ada.reads("No member matches.").await;
    inspector.look(&ada, "members-none").await;

    ada.open("/organisations/acme-sons/roles").await;
    inspector.look(&ada, "roles").await;
    ada.fill("Name", "Billing with a rather long name").await;
    ada.press("Create role").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.reads("The role Billing with a rather long name is created.").await;
    ada.fill("Name", "Owner").await;
    ada.press("Create role").await;
    ada.is_refused().await;
    inspector.look(&ada, "roles-error").await;
    let role = app.texts("SELECT id AS text FROM roles").await.remove(0);
    ada.open(&format!("/organisations/acme-sons/roles/{role}")).await;
    inspector.look(&ada, "role").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_about_the_life_of_an_organisation_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    ada.open("/organisations").await;
    ada.press("Use Acme & Sons").await;
    ada.reads("You are using Acme & Sons now.").await;
    inspector.look(&ada, "organisation-in-use").await;
    ada.open("/organisations/acme-sons/settings").await;
    inspector.look(&ada, "organisation-settings").await;
    ada.open("/organisations/acme-sons/hand-over").await;
    inspector.look(&ada, "hand-over").await;

    ada.open("/organisations/acme-sons/delete").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.open("/organisations/acme-sons/delete").await;
    inspector.look(&ada, "organisation-delete").await;
    ada.fill("Enter the name of the organisation to confirm", "Acme & Sons").await;
    ada.press("Delete organisation in 14 days").await;
    ada.is_at("/organisations").await;
    inspector.look(&ada, "organisation-leaving").await;
    ada.open("/organisations/acme-sons/restore").await;
    inspector.look(&ada, "organisation-restore").await;
    ada.press("Restore organisation").await;
    ada.reads("Acme & Sons is restored.").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_about_a_policy_is_fit_for_everybody_and_no_trap() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    ada.follow("Manage policy").await;
    inspector.look(&ada, "policy").await;

    ada.fill("Networks, one on each line", "203.0.113.0/24").await;
    ada.press("Save policy").await;
    // The page before has a field of that name too.
    ada.reads("We won't ask again").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_refused().await;
    ada.reads("Your own address, 127.0.0.1, is in none of these networks.").await;
    inspector.look(&ada, "policy-error").await;
    ada.fill("Networks, one on each line", "127.0.0.0/8").await;
    ada.fill("Minutes without activity", "20").await;
    ada.press("See who is affected").await;
    ada.reads("Nothing is saved yet").await;
    inspector.look(&ada, "policy-ahead").await;
    ada.press("Save policy").await;
    ada.reads("The policy is saved.").await;

    let policy = async |policy: &str| {
        app.db_execute(&format!("UPDATE organisations SET policy = '{policy}'")).await;
    };
    policy(r#"{"networks": ["203.0.113.0/24"]}"#).await;
    ada.open("/organisations/acme-sons").await;
    inspector.look(&ada, "policy-network").await;
    ada.follow("Your organisations").await;
    inspector.look(&ada, "organisations-unmet").await;
    ada.follow("Policy of Acme & Sons").await;
    inspector.look(&ada, "policy-unmet").await;
    policy(r#"{"secondFactorFrom": "2026-01-01T00:00:00Z"}"#).await;
    ada.open("/organisations/acme-sons").await;
    inspector.look(&ada, "policy-second-factor").await;
    ada.follow("Turn on two-step verification").await;
    ada.is_at("/me/2fa").await;
    policy(r#"{"signInMethods": ["passkey"]}"#).await;
    ada.open("/organisations/acme-sons").await;
    inspector.look(&ada, "policy-method").await;
    policy("{}").await;
    ada.press("Sign in again").await;
    ada.fill("Email address", "ada@example.com").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Sign in").await;
    ada.is_at("/organisations/acme-sons").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_of_the_audit_log_and_of_notes_is_fit_for_everybody() {
    let app = TestApp::with(&[("EXAMPLE_NOTES", "on")]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    inspector.look(&ada, "organisation").await;
    ada.open("/organisations/acme-sons/audit").await;
    inspector.look(&ada, "audit").await;
    ada.open("/organisations/acme-sons/audit?event=domain_added").await;
    ada.reads("Nothing matches.").await;
    inspector.look(&ada, "audit-none").await;
    ada.open("/organisations/acme-sons/audit?actor=nobody").await;
    ada.is_refused().await;
    inspector.look(&ada, "audit-error").await;

    ada.open("/organisations/acme-sons/notes").await;
    inspector.look(&ada, "notes-none").await;
    ada.fill(
        "Text",
        "Buy milk, and a rather long list of other things that we need before the guests arrive on Friday.",
    )
    .await;
    ada.press("Keep note").await;
    ada.reads("The note is kept.").await;
    inspector.look(&ada, "notes").await;
    ada.press("Keep note").await;
    ada.is_refused().await;
    inspector.look(&ada, "notes-error").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_about_api_keys_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme-sons").await;

    ada.open("/me/keys").await;
    inspector.look(&ada, "keys-none").await;
    ada.fill("Name", "Nightly build with a rather long name").await;
    ada.field("Read your account, and use applications that take API keys as you")
        .await
        .click()
        .await
        .unwrap();
    ada.press("Create API key").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.reads("Copy your API key").await;
    inspector.look(&ada, "keys-made").await;
    ada.follow("I've copied it").await;
    ada.is_at("/me/keys").await;
    inspector.look(&ada, "keys").await;
    ada.press("Create API key").await;
    ada.is_refused().await;
    inspector.look(&ada, "keys-error").await;
    ada.open("/me/keys").await;
    ada.press("Suspend all").await;
    ada.reads("One API key is suspended.").await;
    inspector.look(&ada, "keys-suspended").await;

    ada.open("/organisations/acme-sons/keys").await;
    inspector.look(&ada, "keys-organisation-none").await;
    ada.fill("Name", "Sync").await;
    ada.field("See names and email addresses of members").await.click().await.unwrap();
    ada.press("Create API key").await;
    ada.reads("Copy your API key").await;
    ada.follow("I've copied it").await;
    ada.is_at("/organisations/acme-sons/keys").await;
    inspector.look(&ada, "keys-organisation").await;

    inspector.report();
}
