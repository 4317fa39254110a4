//! Guarding an account, as its owner lives it: step-up, "this wasn't me", a stopped change, a lockout.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp},
};

async fn ada_at(app: &TestApp, chromium: &Chromium, device: &str) -> Browser {
    let ada = chromium.browser(app, device).await;
    ada.arrives("ada@example.com").await;
    // Emails that leave at once arrive in any order; the next arrival's is the newest.
    app.send_emails().await;
    ada
}

/// The first link in the newest email to `address` whose subject has these words.
async fn link(app: &TestApp, address: &str, subject: &str) -> String {
    let emails = app.emails_to(address).await;
    let email = emails.iter().rev().find(|email| email.subject.contains(subject)).expect("a letter");
    link_in(&email.text).to_owned()
}

#[actix_web::test]
async fn an_interrupted_form_continues_after_the_step_up() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let ada = ada_at(&app, &chromium, LAPTOP).await;

    ada.follow("Edit email address").await;
    ada.reads("Confirm it's you").await;
    ada.fill("Password", "not my password").await;
    ada.press("Confirm").await;
    ada.reads("That is not your password.").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/email").await;
    ada.fill("New email address", "new@example.com").await;
    // Ada takes her time: the step-up is over when she sends the form.
    app.wait(TimeDelta::minutes(6));
    ada.press("Send link").await;
    ada.reads("Confirm it's you").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    // Nothing is taken away by it: the form goes on by itself.
    ada.reads("We sent a link to new@example.com").await;

    ada.open(&link(&app, "new@example.com", "Confirm your new email address").await).await;
    ada.press("Change to new@example.com").await;
    ada.is_at("/me").await;
    ada.reads("Your address is changed.").await;
    ada.reads("new@example.com").await;
}

#[actix_web::test]
async fn the_button_in_the_alert_signs_the_stranger_out_and_starts_a_reset() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let laptop = ada_at(&app, &chromium, LAPTOP).await;
    let stranger = ada_at(&app, &chromium, PHONE).await;

    laptop.open(&link(&app, "ada@example.com", "New sign-in").await).await;
    laptop.reads("Safari on iPhone").await;
    laptop.press("This wasn't me").await;
    laptop.reads("Your account is secured").await;
    laptop.reads("Every device is signed out").await;

    stranger.open("/me").await;
    stranger.is_at("/login?next=%2Fme").await;
    stranger.sign_in("ada@example.com", PASSWORD).await;
    stranger.reads("Wrong email or password.").await;

    laptop.open(&link(&app, "ada@example.com", "Set a new password").await).await;
    laptop.fill("New password", "another fine passphrase").await;
    laptop.fill("New password again", "another fine passphrase").await;
    laptop.press("Save password").await;
    laptop.is_at("/login").await;
    laptop.sign_in("ada@example.com", "another fine passphrase").await;
    laptop.is_at("/me").await;
}

#[actix_web::test]
async fn the_old_mailbox_takes_the_address_back() {
    let app = TestApp::open().await;
    let thief = app.verified("ada@example.com").await;
    thief.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    thief.put_json("/me/email", json!({ "email": "thief@example.com" })).await.is(200);
    let confirm = link(&app, "thief@example.com", "Confirm your new email address").await;
    let (_, token) = confirm.split_once("token=").unwrap();
    thief.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;

    ada.open(&link(&app, "ada@example.com", "was changed").await).await;
    ada.reads("thief@example.com").await;
    ada.press("Undo this change").await;
    ada.reads("Choose a new password").await;
    ada.fill("New password", "another fine passphrase").await;
    ada.fill("New password again", "another fine passphrase").await;
    ada.press("Save password").await;
    ada.is_at("/login").await;
    ada.sign_in("ada@example.com", "another fine passphrase").await;
    ada.reads("ada@example.com").await;
    thief.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn strangers_who_fail_lock_out_strangers_and_not_the_owners_browser() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let ada = ada_at(&app, &chromium, LAPTOP).await;
    ada.press("Sign out").await;
    ada.is_at("/login").await;
    let stranger = app.curl();
    for _ in 0..10 {
        app.wait(TimeDelta::minutes(1));
        let guess = json!({ "email": "ada@example.com", "password": "a wrong guess" });
        stranger.post_json("/login", guess).await.is(401);
    }

    let another = chromium.browser(&app, PHONE).await;
    another.open("/login").await;
    another.sign_in("ada@example.com", PASSWORD).await;
    another.reads("Too many attempts. Try again in").await;

    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.is_at("/me").await;
}
