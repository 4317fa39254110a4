//! The first journey: sign up, confirm, sign in elsewhere, see both devices, sign one out.

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp},
};

#[actix_web::test]
async fn ada_signs_up_confirms_and_signs_her_phone_out() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    let phone = chromium.browser(&app, PHONE).await;
    assert!(laptop.runs_scripts().await && phone.runs_scripts().await);

    travel(&app, &laptop, &phone).await;
}

#[actix_web::test]
async fn ada_does_the_same_without_scripts() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser_without_scripts(&app, LAPTOP).await;
    let phone = chromium.browser_without_scripts(&app, PHONE).await;
    assert!(!laptop.runs_scripts().await && !phone.runs_scripts().await);

    travel(&app, &laptop, &phone).await;
}

async fn travel(app: &TestApp, laptop: &Browser, phone: &Browser) {
    laptop.open("/").await;
    laptop.follow("Create an account").await;
    laptop.fill("Name", "Ada").await;
    laptop.fill("Email address", "ada@example.com").await;
    laptop.fill("Password", PASSWORD).await;
    laptop.press("Create account").await;
    laptop.is_at("/me").await;
    laptop.reads("We sent a link to ada@example.com").await;
    laptop.reads("Not confirmed yet").await;

    let emails = app.emails_to("ada@example.com").await;
    assert_eq!(emails.len(), 1, "{emails:?}");
    laptop.open(link_in(&emails[0].text)).await;
    laptop.press("Confirm email address").await;
    laptop.is_at("/me").await;
    laptop.reads("Your address is confirmed.").await;
    laptop.hides("Not confirmed yet").await;

    phone.open("/").await;
    phone.follow("Sign in").await;
    phone.sign_in("ada@example.com", PASSWORD).await;
    phone.is_at("/me").await;

    laptop.follow("Sign-in & security").await;
    laptop.is_at("/me/security").await;
    laptop.reads("Chrome on Linux").await;
    laptop.reads("This device").await;
    laptop.reads("Safari on iPhone").await;
    laptop.press("Sign out Safari on iPhone").await;
    laptop.is_at("/me/sessions").await;
    laptop.reads("That device is signed out.").await;
    laptop.reads("Chrome on Linux").await;
    laptop.hides("Safari on iPhone").await;

    phone.follow("Sign-in & security").await;
    phone.is_at("/login?next=%2Fme%2Fsecurity").await;
    phone.hides("ada@example.com").await;
    phone.sign_in("ada@example.com", PASSWORD).await;
    phone.is_at("/me/security").await;
    phone.reads("Safari on iPhone").await;
}
