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
