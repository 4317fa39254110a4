//! Going back, pressing twice, loading again.

use std::time::Duration;

use fantoccini::actions::{InputSource, MouseActions, PointerAction};

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp},
};

/// Two clicks, as a mouse does them that bounces.
async fn press_twice(ada: &Browser, words: &str) {
    let button = ada.button(words).await;
    let mut twice = MouseActions::new("mouse".to_owned()).then(PointerAction::MoveToElement {
        element: button,
        duration: None,
        x: 0.0,
        y: 0.0,
    });
    for _ in 0..2 {
        twice = twice
            .then(PointerAction::Down { button: 0 })
            .then(PointerAction::Up { button: 0 })
            .then(PointerAction::Pause { duration: Duration::from_millis(80) });
    }
    ada.client.perform_actions(twice).await.unwrap();
}

async fn fill_in(ada: &Browser) {
    ada.open("/signup").await;
    ada.fill("Name", "Ada").await;
    ada.fill("Email address", "ada@example.com").await;
    ada.fill("Password", PASSWORD).await;
}

#[actix_web::test]
async fn after_signing_out_going_back_shows_nothing_private_case_53() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.reads("ada@example.com").await;
    ada.follow("Sign-in & security").await;
    ada.is_at("/me/security").await;

    ada.press("Sign out").await;
    ada.is_at("/login").await;

    for _ in 0..2 {
        ada.client.back().await.unwrap();
        ada.reads("Sign in").await;
        for private in ["ada@example.com", "127.0.0.1", "Sign out"] {
            ada.hides(private).await;
        }
    }
}

#[actix_web::test]
async fn pressing_a_button_twice_sends_the_form_once() {
    // A hash that takes longer than the hand.
    let app = TestApp::with(&[("BCRYPT_COST", "12")]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;

    fill_in(&ada).await;
    press_twice(&ada, "Create account").await;

    ada.is_at("/me").await;
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn pressing_twice_without_scripts_does_no_harm() {
    let app = TestApp::with(&[("BCRYPT_COST", "12")]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser_without_scripts(&app, LAPTOP).await;

    fill_in(&ada).await;
    press_twice(&ada, "Create account").await;

    ada.is_at("/me").await;
    let email = app.requested_email("ada@example.com").await;
    let phone = chromium.browser(&app, PHONE).await;
    phone.open(link_in(&email.text)).await;
    phone.fill("Password", PASSWORD).await;
    phone.press("Confirm and sign in").await;
    phone.reads("Your address is confirmed, and you are signed in.").await;
    assert_eq!(app.count("users").await, 1);
}

#[actix_web::test]
async fn loading_the_page_again_after_a_form_does_not_send_it_again() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    fill_in(&ada).await;
    ada.press("Create account").await;
    ada.is_at("/me").await;
    ada.reads("We sent a link to ada@example.com").await;

    ada.client.refresh().await.unwrap();

    ada.is_at("/me").await;
    ada.hides("We sent a link to").await;
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
}
