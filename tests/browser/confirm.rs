//! The link in the mail, opened where the account was not made.

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp},
};

/// Ada signs up on her laptop. Her link.
async fn sign_up(app: &TestApp, laptop: &Browser) -> String {
    laptop.open("/signup").await;
    laptop.fill("Name", "Ada").await;
    laptop.fill("Email address", "ada@example.com").await;
    laptop.fill("Password", PASSWORD).await;
    laptop.press("Create account").await;
    laptop.is_at("/me").await;
    let emails = app.emails_to("ada@example.com").await;
    link_in(&emails[0].text).to_owned()
}

#[actix_web::test]
async fn on_another_device_the_page_says_what_it_is_about_and_asks_for_the_password_case_13() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    let phone = chromium.browser(&app, PHONE).await;
    let link = sign_up(&app, &laptop).await;

    phone.open(&link).await;
    for words in ["ada@example.com", "just now", "Chrome on Linux"] {
        phone.reads(words).await;
    }

    phone.fill("Password", "a guess that is wrong").await;
    phone.press("Confirm and sign in").await;
    phone.is_refused().await;
    assert_eq!(phone.client.title().await.unwrap(), "Problem · Confirm your email address · Vestibule");
    // The field has the focus, and leads to its error.
    phone.is_alerted().await;
    assert_eq!(phone.ask("document.activeElement.id").await, "password");
    assert_eq!(phone.ask("document.activeElement.getAttribute('aria-invalid')").await, "true");
    let told = "document.activeElement.getAttribute('aria-describedby').split(' ')\
        .map(id => document.getElementById(id).innerText).join(' ')";
    let told = phone.ask(told).await;
    assert!(told.as_str().unwrap().starts_with("That is not the password of this account."), "{told}");
    assert_eq!(phone.ask("document.activeElement.value").await, "", "a password is never sent back");
    laptop.open("/me").await;
    laptop.reads("Not confirmed yet").await;

    phone.fill("Password", PASSWORD).await;
    phone.press("Confirm and sign in").await;
    phone.is_at("/me").await;
    phone.reads("Your address is confirmed, and you are signed in.").await;
    laptop.open("/me").await;
    laptop.hides("Not confirmed yet").await;
}

#[actix_web::test]
async fn whoever_did_not_make_the_account_ends_it_with_one_button() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let stranger = chromium.browser(&app, LAPTOP).await;
    let ada = chromium.browser(&app, PHONE).await;
    let link = sign_up(&app, &stranger).await;

    ada.open(&link).await;
    ada.press("I didn't create this account").await;
    ada.is_at("/login").await;
    ada.reads("That account is removed").await;

    stranger.follow("Sign-in & security").await;
    stranger.is_at("/login?next=%2Fme%2Fsecurity").await;
    stranger.sign_in("ada@example.com", PASSWORD).await;
    stranger.reads("Wrong email or password.").await;
}

#[actix_web::test]
async fn a_mail_scanner_that_runs_scripts_and_follows_links_changes_nothing_case_02() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    let scanner = chromium.browser(&app, LAPTOP).await;
    let link = sign_up(&app, &laptop).await;

    scanner.open(&link).await;
    scanner.button("Show").await; // The page's script ran, to the end.
    let links = scanner.ask("[...document.links].map(link => link.href)").await;
    for further in links.as_array().unwrap() {
        scanner.open(further.as_str().unwrap()).await;
    }
    scanner.open(&link).await;
    scanner.reads("Confirm and sign in").await;
    scanner.open("/me").await;
    scanner.is_at("/login?next=%2Fme").await;

    laptop.open("/me").await;
    laptop.reads("Not confirmed yet").await;
    laptop.open(&link).await;
    laptop.press("Confirm email address").await;
    laptop.reads("Your address is confirmed.").await;
}
