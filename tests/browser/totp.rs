//! The authenticator app and the codes on paper, as a person meets them.

use std::fs;

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE},
    harness::{PASSWORD, TestApp, eventually},
};

#[actix_web::test]
async fn ada_sets_an_app_up_and_signs_in_with_it() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    assert!(laptop.runs_scripts().await);

    travel(&app, &laptop, true).await;
}

#[actix_web::test]
async fn ada_does_the_same_without_scripts() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser_without_scripts(&app, LAPTOP).await;
    assert!(!laptop.runs_scripts().await);

    travel(&app, &laptop, false).await;
}

async fn travel(app: &TestApp, laptop: &Browser, has_scripts: bool) {
    app.verified("ada@example.com").await;
    laptop.arrives("ada@example.com").await;

    // Set up: the step-up comes in between.
    laptop.follow("Sign-in & security").await;
    laptop.follow("Set up authenticator app").await;
    laptop.is_at("/me/2fa").await;
    laptop.press("Set up an authenticator app").await;
    laptop.fill("Password", PASSWORD).await;
    laptop.press("Confirm").await;
    // Nothing is taken away by it: a script goes on by itself.
    if !has_scripts {
        laptop.press("Continue").await;
    }
    laptop.is_at("/me/2fa/totp/confirm").await;
    let secret = key_on(laptop).await;
    laptop.fill("6-digit code from the app", "000000").await;
    laptop.press("Turn on").await;
    laptop.is_refused().await;
    assert_eq!(key_on(laptop).await, secret, "a wrong code changes nothing");
    laptop.fill("6-digit code from the app", &app.code(&secret)).await;
    laptop.press("Turn on").await;
    laptop.reads("Your authenticator app is set up").await;
    let codes = codes_on(laptop).await;
    assert_eq!(codes.len(), 10);
    laptop.follow("I've saved my codes").await;
    laptop.is_at("/me/2fa").await;
    laptop.reads("10 recovery codes are left.").await;
    laptop.hides(&codes[0]).await;

    // Sign in with a code of the app.
    laptop.press("Sign out").await;
    laptop.sign_in("ada@example.com", PASSWORD).await;
    laptop.is_at("/login/2fa?next=%2Fme").await;
    laptop.hides("ada@example.com").await;
    laptop.fill("6-digit code", "000000").await;
    laptop.press("Sign in").await;
    laptop.is_refused().await;
    laptop.fill("6-digit code", &app.next_code(&secret)).await;
    laptop.press("Sign in").await;
    laptop.is_at("/me").await;

    // Sign in with a code on paper.
    laptop.press("Sign out").await;
    laptop.sign_in("ada@example.com", PASSWORD).await;
    laptop.is_at("/login/2fa?next=%2Fme").await;
    laptop.unfold("Lost your phone? Use a recovery code").await;
    laptop.fill("Recovery code", "0000-0000-0000").await;
    laptop.press("Sign in with this code").await;
    laptop.is_refused().await;
    // It stays open where something is wrong in it.
    laptop.fill("Recovery code", &codes[0].to_uppercase()).await;
    laptop.press("Sign in with this code").await;
    laptop.is_at("/me").await;
    laptop.reads("That recovery code is used up. 9 are left.").await;

    // Another set. The step-up takes a code, and the password no more.
    laptop.open("/me/2fa").await;
    laptop.press("Renew recovery codes").await;
    laptop.hides("Forgot your password?").await;
    laptop.fill("Code", &app.next_code(&secret)).await;
    laptop.press("Confirm with this code").await;
    laptop.reads("Replace your recovery codes").await;
    laptop.press("Make new codes").await;
    laptop.reads("The older ones no longer work.").await;
    let others = codes_on(laptop).await;
    assert!(others.len() == 10 && others.iter().all(|code| !codes.contains(code)));

    // And off again.
    laptop.open("/me/2fa").await;
    laptop.press("Remove authenticator app").await;
    laptop.reads("The authenticator app is removed, and the recovery codes with it.").await;
    laptop.press("Sign out").await;
    laptop.sign_in("ada@example.com", PASSWORD).await;
    laptop.is_at("/me").await;
}

#[actix_web::test]
async fn the_codes_are_saved_as_a_file_and_reloading_their_page_makes_no_others() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    let ada = app.with_app("ada@example.com").await;
    come_in(&app, &laptop, &ada.secret).await;
    let folder = tempfile::tempdir().unwrap();
    let downloads = json!({ "behavior": "allow", "downloadPath": folder.path() });
    laptop.devtools("Page.setDownloadBehavior", downloads).await;
    laptop.press("Renew recovery codes").await;
    laptop.reads("The older ones no longer work.").await;
    let codes = codes_on(&laptop).await;

    let file = folder.path().join("recovery-codes.txt");
    for _ in 0..2 {
        laptop.press("Download codes").await;
        let text = eventually("the file", async || fs::read_to_string(&file).ok()).await;
        assert!(codes.iter().all(|code| text.lines().any(|line| line == code)), "{text}");
        fs::remove_file(&file).unwrap();
    }
    // Still there: the file came beside the page.
    assert_eq!(codes_on(&laptop).await, codes);

    laptop.client.refresh().await.unwrap();
    let _ = laptop.client.accept_alert().await;
    laptop.reads("New codes were made already").await;
    laptop.reads("10 recovery codes are left.").await;
    laptop.press("Sign out").await;
    laptop.sign_in("ada@example.com", PASSWORD).await;
    laptop.unfold("Lost your phone? Use a recovery code").await;
    laptop.fill("Recovery code", &codes[9]).await;
    laptop.press("Sign in with this code").await;
    laptop.reads("9 are left").await;
}

#[actix_web::test]
async fn a_phone_finds_picture_and_key_and_the_printer_nothing_but_the_codes() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let phone = chromium.browser(&app, PHONE).await;
    let ada = app.with_app("ada@example.com").await;
    come_in(&app, &phone, &ada.secret).await;

    phone.press("Replace authenticator app").await;
    phone.is_at("/me/2fa/totp/confirm").await;
    for scheme in ["light", "dark"] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        phone.devtools("Emulation.setEmulatedMedia", media).await;
        let fills = "[...document.querySelectorAll('.qr path')].map(path => getComputedStyle(path).fill)";
        assert_eq!(phone.ask(fills).await, json!(["rgb(255, 255, 255)", "rgb(0, 0, 0)"]), "{scheme}");
    }
    let link = phone.ask("document.querySelector('a[href^=otpauth]').href").await;
    assert!(link.as_str().unwrap().starts_with("otpauth://totp/Vestibule:ada%40example.com?"), "{link}");

    phone.open("/me/2fa").await;
    phone.press("Renew recovery codes").await;
    phone.reads("The older ones no longer work.").await;
    let dark = json!({ "media": "print", "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    phone.devtools("Emulation.setEmulatedMedia", dark).await;
    let printed = phone.text().await;
    for code in codes_on(&phone).await {
        assert!(printed.contains(&code), "{printed}");
    }
    assert!(printed.contains("For ada@example.com at http://localhost:"), "{printed}");
    for unprinted in
        ["Sign out", "Download", "I've saved my codes", "Show as curl", "you won't see them again", "Devices"]
    {
        assert!(!printed.contains(unprinted), "{unprinted}: {printed}");
    }
    assert_eq!(phone.ask("getComputedStyle(document.body).color").await, "rgb(23, 27, 30)", "ink, on paper");
}

/// Signs in with password and code, and steps up.
async fn come_in(app: &TestApp, browser: &Browser, secret: &str) {
    browser.open("/login").await;
    browser.sign_in("ada@example.com", PASSWORD).await;
    browser.fill("6-digit code", &app.next_code(secret)).await;
    browser.press("Sign in").await;
    browser.is_at("/me").await;
    app.wait(TimeDelta::seconds(30));
    browser.open("/auth/confirm?next=/me/2fa").await;
    browser.fill("Code", &app.code(secret)).await;
    browser.press("Confirm with this code").await;
    browser.is_at("/me/2fa").await;
}

async fn key_on(browser: &Browser) -> String {
    browser.ask("document.querySelector('.key').value").await.as_str().unwrap().replace(' ', "")
}

async fn codes_on(browser: &Browser) -> Vec<String> {
    browser.texts(".codes li").await
}
