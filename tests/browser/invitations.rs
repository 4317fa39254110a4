//! An invitation, from the page that sends it to whoever joins: the right account, another one, somebody new.

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE},
    harness::{PASSWORD, TestApp, token_in},
    inspector::Inspector,
};

const BEN: &str = "ben@example.com";

/// Ada makes Acme and invites people, one address on each line.
async fn invites(ada: &Browser, addresses: &str) {
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme").await;
    ada.press("Create organisation").await;
    ada.is_at("/organisations/acme").await;
    ada.follow("Invite people").await;
    ada.is_at("/organisations/acme/invitations").await;
    ada.fill("Email addresses", addresses).await;
    ada.press("Send invitations").await;
    ada.reads("invitations sent").await;
}

/// The path in the invitation to this address.
async fn link(app: &TestApp, address: &str) -> String {
    let emails = app.emails_to(address).await;
    let newest = emails.iter().rev().find(|email| email.text.contains("/invitations/accept?token=")).unwrap();
    format!("/invitations/accept?token={}", token_in(&newest.text).unwrap())
}

async fn invited_people_join(with_scripts: bool) {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let (ada, ben) = match with_scripts {
        true => (chromium.browser(&app, LAPTOP).await, chromium.browser(&app, PHONE).await),
        false => (
            chromium.browser_without_scripts(&app, LAPTOP).await,
            chromium.browser_without_scripts(&app, PHONE).await,
        ),
    };
    for address in ["ada@example.com", BEN, "eve@example.com"] {
        app.verified(address).await;
    }
    invites(&ada, "ben@example.com\nnew@example.com").await;

    // In somebody else's browser it says whose it is, and leads to the right one.
    ben.arrives("eve@example.com").await;
    ben.open(&link(&app, BEN).await).await;
    ben.reads("This invitation is for someone else").await;
    ben.press("Sign out and continue as b•••@example.com").await;
    ben.fill("Email address", BEN).await;
    ben.fill("Password", PASSWORD).await;
    ben.press("Sign in").await;
    ben.reads("Join Acme").await;
    ben.press("Join Acme").await;
    ben.is_at("/organisations/acme").await;

    // A newcomer needs nothing but a name and a password.
    let new = match with_scripts {
        true => chromium.browser(&app, PHONE).await,
        false => chromium.browser_without_scripts(&app, PHONE).await,
    };
    new.open(&link(&app, "new@example.com").await).await;
    new.fill("Name", "Nell").await;
    new.fill("Password", PASSWORD).await;
    new.press("Create account and join").await;
    new.is_at("/organisations/acme").await;
    ada.open("/organisations/acme").await;
    ada.reads("Nell").await;
    assert_eq!(app.count("memberships").await, 3);
}

#[actix_web::test]
async fn invited_people_join_with_scripts() {
    invited_people_join(true).await;
}

#[actix_web::test]
async fn invited_people_join_without_scripts() {
    invited_people_join(false).await;
}

#[actix_web::test]
async fn every_page_about_invitations_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    for address in ["ada@example.com", BEN, "eve@example.com"] {
        app.verified(address).await;
    }
    invites(&ada, "ben@example.com\nnew@example.com\nold@example.com").await;
    inspector.look(&ada, "invitations").await;
    ada.fill("Email addresses", "nobody at all").await;
    ada.press("Send invitations").await;
    ada.is_refused().await;
    inspector.look(&ada, "invitations-error").await;
    let (to_ben, to_new) = (link(&app, BEN).await, link(&app, "new@example.com").await);

    let ben = chromium.browser(&app, LAPTOP).await;
    ben.open(&to_new).await;
    inspector.look(&ben, "invitation-newcomer").await;
    ben.open(&to_ben).await;
    inspector.look(&ben, "invitation-sign-in").await;
    ben.arrives("eve@example.com").await;
    ben.open(&to_ben).await;
    inspector.look(&ben, "invitation-another").await;
    let right = chromium.browser(&app, LAPTOP).await;
    right.arrives(BEN).await;
    right.open("/organisations").await;
    right.reads("invites you").await;
    inspector.look(&right, "invitation-listed").await;
    right.open(&to_ben).await;
    inspector.look(&right, "invitation").await;
    app.wait(chrono::TimeDelta::days(8));
    let late = chromium.browser(&app, LAPTOP).await;
    late.open(&to_new).await;
    inspector.look(&late, "invitation-ran-out").await;

    inspector.report();
}
