//! Every page, narrow and wide, light and dark: fit for everybody, and all of it our own.

use chrono::TimeDelta;
use serde_json::json;
use vestibule::jobs::{self, Job};

use crate::{
    chromium::{Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp, port_1025},
    inspector::{Inspector, photograph},
};

#[actix_web::test]
async fn a_page_weighs_little_with_all_it_asks_for() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    // In development the front page says more: `front` has the weight of the plain one.
    for (path, most) in
        [("/", 16_000), ("/login", 16_000), ("/privacy/data", 30_000), ("/dev/routes", 90_000)]
    {
        // Somebody new each time: nothing is kept from the page before.
        let stranger = chromium.browser(&app, LAPTOP).await;
        stranger.open(path).await;
        let weights = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))\
            .map(entry => entry.encodedBodySize)";
        let weights = stranger.ask(weights).await;
        let weights: Vec<u64> =
            weights.as_array().unwrap().iter().map(|weight| weight.as_u64().unwrap()).collect();
        assert!(
            weights.len() >= 3 && weights.iter().all(|weight| *weight > 0),
            "page, style, script: {weights:?}"
        );
        assert!(weights.iter().sum::<u64>() <= most, "{path}: {weights:?}");
    }
}

#[actix_web::test]
async fn the_page_of_sign_in_and_security_is_short_on_a_phone() {
    let app = TestApp::with(&[
        ("TRUSTED_PROXIES", "127.0.0.1"),
        ("REMEMBER_IDLE", "60d"),
        ("REMEMBER_LIFE", "60d"),
    ])
    .await;
    let chromium = Chromium::start();
    app.verified("ada@example.com").await;
    let form = json!({ "email": "ada@example.com", "password": PASSWORD, "remember": true });
    // As they came, on the day after, and in the year after; from addresses of either kind.
    for (devices, from, passes, most) in [
        (0, "203.0.113.145", 0, 1_300),
        (30, "203.0.113.145", 0, 1_600),
        (0, "203.0.113.145", 1, 1_600),
        (0, "203.0.113.145", 45, 1_600),
        (30, "2001:db8:1234:5678:9abc:def0:1234:5678", 0, 1_600),
        (0, "203.0.113.145", 1, 1_600),
    ] {
        for _ in 0..devices {
            let one = app.curl().with("x-forwarded-for", from);
            one.post_json("/login", form.clone()).await.is(200);
        }
        app.wait(TimeDelta::days(passes));
        let ada = chromium.browser(&app, PHONE).await;
        ada.arrives("ada@example.com").await;
        ada.open("/me/security").await;
        let size = json!({ "width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": true });
        ada.devtools("Emulation.setDeviceMetricsOverride", size).await;
        photograph(&ada, &format!("security-{devices}-{passes}-{}", from.len())).await;
        let height = ada.ask("document.documentElement.scrollHeight").await;
        assert!(
            height.as_u64() <= Some(most),
            "{height} px: {devices} more from {from}, {passes} days later"
        );
    }
}

#[actix_web::test]
async fn every_page_for_strangers_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let stranger = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.unverified_user("ada@example.com").await;
    app.verified("grace@example.com").await;

    for (name, path) in [
        ("front", "/"),
        ("dev-routes", "/dev/routes"),
        ("signup", "/signup"),
        ("login", "/login"),
        ("forgot-password", "/forgot-password"),
        ("not-found", "/nowhere"),
        ("health", "/healthz"),
        ("dead-link", "/verify-email?token=nothing"),
        ("dead-reset-link", "/reset-password?token=nothing"),
    ] {
        stranger.open(path).await;
        inspector.look(&stranger, name).await;
    }

    stranger.open("/signup").await;
    stranger.fill("Email address", "not an address").await;
    stranger.fill("Password", "12345678").await;
    stranger.press("Create account").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "signup-errors").await;

    stranger.open("/login").await;
    stranger.sign_in("grace@example.com", "not her password").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "login-error").await;

    let emails = app.emails_to("ada@example.com").await;
    stranger.open(link_in(&emails[0].text)).await;
    inspector.look(&stranger, "verify-email").await;
    stranger.press("Confirm and sign in").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "verify-email-error").await;

    let emails = app.emails_to("grace@example.com").await;
    stranger.open(link_in(&emails[0].text)).await;
    stranger.reads("Already confirmed").await;
    inspector.look(&stranger, "already-confirmed").await;

    stranger.open("/forgot-password").await;
    stranger.press("Send link").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "forgot-password-error").await;
    stranger.fill("Email address", "grace@example.com").await;
    stranger.press("Send link").await;
    stranger.reads("grace@example.com").await;
    inspector.look(&stranger, "forgot-password-notice").await;

    let email = app.requested_email("grace@example.com").await;
    stranger.open(link_in(&email.text)).await;
    inspector.look(&stranger, "reset-password").await;
    stranger.fill("New password", "12345678").await;
    stranger.press("Save password").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "reset-password-errors").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_for_those_signed_in_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);

    ada.open("/signup").await;
    ada.fill("Name", "Augusta Ada King, Countess of Lovelace").await;
    ada.fill("Email address", "augusta.ada.king@a-rather-long-domain-name.example.com").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Create account").await;
    ada.is_at("/me").await;
    inspector.look(&ada, "me-new").await;
    for (name, path) in [("me-unconfirmed", "/me"), ("security-unconfirmed", "/me/security")] {
        ada.open(path).await;
        inspector.look(&ada, name).await;
    }
    ada.open("/me").await;
    ada.ask("document.querySelector('.edit').open = true").await;
    ada.fill("Name", "").await;
    ada.press("Save").await;
    ada.is_refused().await;
    inspector.look(&ada, "me-error").await;

    let address = "augusta.ada.king@a-rather-long-domain-name.example.com";
    let emails = app.emails_to(address).await;
    // Somebody else's link, in a browser that is signed in.
    app.unverified_user("grace@example.com").await;
    let other = app.emails_to("grace@example.com").await;
    ada.open(link_in(&other[0].text)).await;
    ada.reads("This browser is signed in as").await;
    inspector.look(&ada, "verify-email-someone-else").await;

    ada.open(link_in(&emails[0].text)).await;
    inspector.look(&ada, "verify-email-here").await;
    ada.press("Confirm email address").await;
    ada.reads("Your address is confirmed.").await;
    inspector.look(&ada, "me-confirmed").await;
    ada.open("/me/sessions").await;
    inspector.look(&ada, "sessions-one").await;

    let form = json!({ "email": address, "password": PASSWORD, "remember": true });
    for device in [
        PHONE,
        "curl/8.9.1",
        "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 \
        (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
    ] {
        app.curl().named(device).post_json("/login", form.clone()).await.is(200);
    }
    app.wait(TimeDelta::minutes(3));
    ada.open("/me/sessions").await;
    inspector.look(&ada, "sessions-several").await;
    ada.open("/me/security").await;
    inspector.look(&ada, "security").await;
    ada.press("Sign out Safari on iPad").await;
    ada.reads("That device is signed out.").await;
    inspector.look(&ada, "sessions-after-sign-out").await;
    ada.open("/me/logins").await;
    inspector.look(&ada, "sign-ins").await;

    app.wait(TimeDelta::minutes(6));
    ada.open("/me/email").await;
    ada.is_at("/auth/confirm?next=%2Fme%2Femail").await;
    inspector.look(&ada, "confirm").await;
    ada.fill("Password", "not her password").await;
    ada.press("Confirm").await;
    ada.is_refused().await;
    inspector.look(&ada, "confirm-error").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/email").await;
    inspector.look(&ada, "email").await;
    ada.open("/me/password").await;
    inspector.look(&ada, "password").await;
    ada.open("/not-me?token=nothing").await;
    inspector.look(&ada, "not-me-dead-link").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_behind_a_link_and_on_the_way_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let stranger = chromium.browser(&app, PHONE).await;
    let mut inspector = Inspector::new(&app);
    app.unverified_user("claim@example.com").await;
    let unverified_user = chromium.browser(&app, LAPTOP).await;
    unverified_user.arrives("claim@example.com").await;
    unverified_user.open("/me/email").await;
    unverified_user.reads("Confirm your email address to continue").await;
    inspector.look(&unverified_user, "unverified").await;

    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/me/email").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/email").await;
    ada.press("Send link").await;
    ada.is_refused().await;
    inspector.look(&ada, "email-error").await;
    ada.fill("New email address", "new@example.com").await;
    app.wait(TimeDelta::minutes(6));
    ada.press("Send link").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me").await;
    ada.open("/me/email").await;
    ada.reads("new@example.com").await;
    inspector.look(&ada, "email-pending").await;
    ada.open("/me/password").await;
    ada.press("Save password").await;
    ada.is_refused().await;
    inspector.look(&ada, "password-error").await;

    let confirm = app.emails_to("new@example.com").await;
    stranger.open(link_in(&confirm[0].text)).await;
    inspector.look(&stranger, "email-confirm-elsewhere").await;
    let undo = app.requested_email("ada@example.com").await;
    stranger.open(link_in(&undo.text)).await;
    inspector.look(&stranger, "email-stop").await;
    ada.open(link_in(&confirm[0].text)).await;
    inspector.look(&ada, "email-confirm").await;
    ada.press("Change to new@example.com").await;
    ada.is_at("/me").await;
    let undo = app.requested_email("ada@example.com").await;
    stranger.open(link_in(&undo.text)).await;
    inspector.look(&stranger, "email-take-back").await;

    stranger.arrives("new@example.com").await;
    let alert = app.emails_to("new@example.com").await;
    ada.open(link_in(&alert[alert.len() - 1].text)).await;
    ada.reads("Was this you?").await;
    inspector.look(&ada, "not-me").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_about_getting_an_account_back_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let (ada, stranger) = (chromium.browser(&app, LAPTOP).await, chromium.browser(&app, PHONE).await);
    let mut inspector = Inspector::new(&app);
    app.unverified_user("bea@example.com").await;
    let link = app.emails_to("bea@example.com").await.remove(0).text;
    let start = link.lines().find(|line| line.contains("/use-address?token=")).unwrap();
    stranger.open(start.trim()).await;
    stranger.reads("Create your account").await;
    inspector.look(&stranger, "use-address").await;
    stranger.press("Create account").await;
    stranger.is_refused().await;
    inspector.look(&stranger, "use-address-errors").await;

    let owner = app.verified("ada@example.com").await;
    app.wait(TimeDelta::minutes(2));
    owner.steps_up().await;
    owner.post_json("/me/2fa/totp", json!({})).await.is(200);
    let secret = owner.get("/me/2fa/totp/confirm").await.json()["secret"].as_str().unwrap().to_owned();
    owner.confirms_app(&app.code(&secret)).await.is(200);
    let told = app.emails_to("ada@example.com").await;
    let told = told.iter().rev().find(|email| email.text.contains("/not-me?token=")).unwrap();
    ada.open(link_in(&told.text)).await;
    ada.reads("Remove the authenticator app").await;
    inspector.look(&ada, "not-me-kept").await;
    ada.press("This wasn't me").await;
    ada.reads("Your account is secured").await;
    inspector.look(&ada, "not-me-done").await;

    let emails = app.emails_to("ada@example.com").await;
    let reset = emails.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
    ada.open(link_in(&reset.text)).await;
    ada.fill("New password", "another fine passphrase").await;
    ada.fill("New password again", "another fine passphrase").await;
    ada.press("Save password").await;
    ada.is_at("/login").await;
    // What may be the owner's own goes after a day.
    app.wait(TimeDelta::hours(25));
    jobs::run_once(&app.inner, Job::FactorResets, true).await.unwrap();
    ada.fill("Email address", "ada@example.com").await;
    ada.fill("Password", "another fine passphrase").await;
    ada.press("Sign in").await;
    ada.is_at("/me").await;
    ada.open("/me/security").await;
    ada.reads("Put back").await;
    inspector.look(&ada, "security-removed").await;
    ada.press("Put back").await;
    ada.fill("Password", "another fine passphrase").await;
    ada.press("Confirm").await;
    ada.reads("Your authenticator app works again").await;
    inspector.look(&ada, "put-back-codes").await;

    inspector.report();
}
#[actix_web::test]
async fn every_page_of_the_second_factors_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/me/2fa").await;
    inspector.look(&ada, "2fa-none").await;
    ada.press("Set up an authenticator app").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/2fa/totp/confirm").await;
    inspector.look(&ada, "totp").await;
    let secret = ada.ask("document.querySelector('.key').value").await.as_str().unwrap().replace(' ', "");
    ada.press("Turn on").await;
    ada.is_refused().await;
    inspector.look(&ada, "totp-error").await;
    ada.fill("6-digit code from the app", &app.code(&secret)).await;
    ada.press("Turn on").await;
    ada.reads("Save your recovery codes").await;
    inspector.look(&ada, "recovery-codes").await;
    let codes = ada.texts(".codes li").await;
    ada.open("/me/2fa/totp/confirm").await;
    ada.is_refused().await;
    inspector.look(&ada, "2fa-error").await;
    ada.open("/me/2fa").await;
    inspector.look(&ada, "2fa").await;
    ada.press("Replace authenticator app").await;
    ada.is_at("/me/2fa/totp/confirm").await;
    inspector.look(&ada, "totp-replace").await;

    let phone = chromium.browser(&app, PHONE).await;
    phone.open("/login").await;
    phone.sign_in("ada@example.com", PASSWORD).await;
    phone.is_at("/login/2fa?next=%2Fme").await;
    inspector.look(&phone, "second-factor").await;
    phone.press("Sign in").await;
    phone.is_refused().await;
    inspector.look(&phone, "second-factor-error").await;
    phone.unfold("Lost your phone? Use a recovery code").await;
    phone.press("Sign in with this code").await;
    phone.is_refused().await;
    inspector.look(&phone, "second-factor-recovery-error").await;
    phone.fill("Recovery code", &codes[0]).await;
    phone.press("Sign in with this code").await;
    phone.is_at("/me").await;
    inspector.look(&phone, "me-after-recovery-code").await;

    ada.open("/auth/confirm").await;
    inspector.look(&ada, "confirm-with-code").await;
    let curl = app.curl();
    for code in &codes[1..8] {
        let form = json!({ "email": "ada@example.com", "password": PASSWORD });
        curl.post_json("/login", form).await.is(200);
        curl.submits_code(code).await.is(200);
    }
    for (name, path) in [("2fa-few-codes", "/me/2fa"), ("security-few-codes", "/me/security")] {
        ada.open(path).await;
        inspector.look(&ada, name).await;
    }

    inspector.report();
}

#[actix_web::test]
async fn every_page_on_the_way_out_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let stranger = chromium.browser(&app, PHONE).await;
    let mut inspector = Inspector::new(&app);
    stranger.open("/privacy/data").await;
    inspector.look(&stranger, "what-we-hold").await;
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    inspector.look(&ada, "me-with-data").await;
    ada.open("/privacy/data?mine=on").await;
    inspector.look(&ada, "what-we-hold-about-ada").await;
    ada.open("/me/delete/status").await;
    inspector.look(&ada, "deletion-none").await;

    ada.follow("Delete your account").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/delete").await;
    inspector.look(&ada, "delete").await;
    ada.press("Delete my account in 30 days").await;
    ada.is_refused().await;
    inspector.look(&ada, "delete-error").await;
    ada.fill("Enter your email address to confirm", "ada@example.com").await;
    app.wait(TimeDelta::minutes(6));
    ada.press("Delete my account in 30 days").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.reads("Delete your account").await;
    inspector.look(&ada, "delete-continue").await;
    ada.press("Delete account").await;
    ada.is_at("/me/delete/status").await;
    ada.reads("You have 30 days left").await;
    inspector.look(&ada, "deletion-status").await;
    ada.open("/me/security").await;
    ada.is_at("/me/delete/status").await;
    let email = app.requested_email("ada@example.com").await;
    stranger.open(link_in(&email.text)).await;
    inspector.look(&stranger, "deletion-cancel").await;
    ada.press("Keep my account").await;
    ada.is_at("/me").await;
    ada.reads("Your account won't be deleted.").await;
    stranger.press("Keep my account").await;
    stranger.reads("This link no longer works").await;

    app.db_execute("UPDATE users SET locked_at = created_at").await;
    stranger.open("/login").await;
    stranger.sign_in("ada@example.com", PASSWORD).await;
    stranger.reads("This account is locked").await;
    inspector.look(&stranger, "account-locked").await;

    inspector.report();
}

#[actix_web::test]
async fn every_page_about_passkeys_is_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.unverified_user("claim@example.com").await;
    ada.arrives("claim@example.com").await;
    ada.open("/me/passkeys").await;
    inspector.look(&ada, "passkeys-unconfirmed").await;
    // That signing out clears the cache is said there.
    ada.press("Sign out").await;
    ada.is_at("/login").await;
    ada.console().await;

    app.verified("ada@example.com").await;
    let device = ada.plug_in_authenticator().await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.is_at("/me").await;
    ada.open("/auth/confirm?next=/me/passkeys").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.is_at("/me/passkeys").await;
    inspector.look(&ada, "passkeys-none").await;
    ada.press("Add a passkey").await;
    ada.reads("Save your recovery codes").await;
    inspector.look(&ada, "passkey-added").await;
    ada.open("/me/passkeys").await;
    ada.press("Add a passkey").await;
    ada.reads("This device already has a passkey for your account.").await;
    inspector.look(&ada, "passkeys-refused").await;

    ada.unplug(&device).await;
    let device = ada.plug_in_authenticator().await;
    app.wait(TimeDelta::minutes(3));
    ada.fill("Name (optional)", "The key that hangs on the board beside the door of the study").await;
    ada.press("Add a passkey").await;
    ada.reads("That passkey is added.").await;
    app.db_execute(
        "UPDATE passkeys SET copied_at = created_at, is_synced = TRUE WHERE name = 'Chrome on Linux'",
    )
    .await;
    ada.open("/me/passkeys").await;
    inspector.look(&ada, "passkeys-two").await;
    ada.client.execute("document.querySelector('main .rows details').open = true", vec![]).await.unwrap();
    let name = ada.client.find(fantoccini::Locator::Css("details[open] input[name=name]")).await.unwrap();
    name.clear().await.unwrap();
    ada.press("Save name").await;
    ada.is_refused().await;
    inspector.look(&ada, "passkeys-rename-error").await;

    ada.touch(&device, false).await;
    ada.press("Sign out").await;
    ada.is_at("/login").await;
    ada.console().await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.reads("Two-step verification").await;
    inspector.look(&ada, "second-factor-passkey").await;
    ada.touch(&device, true).await;
    ada.press("Use a passkey").await;
    ada.is_at("/me").await;
    ada.open("/auth/confirm").await;
    inspector.look(&ada, "confirm-passkey").await;
    ada.open("/me/security").await;
    inspector.look(&ada, "security-passkeys").await;

    inspector.report();
}

#[actix_web::test]
async fn caught_mail_is_fit_for_everybody() {
    let _turn = port_1025();
    let app = TestApp::with(&[("SMTP_URL", "")]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);

    ada.open("/dev/mail").await;
    inspector.look(&ada, "dev-mail-empty").await;
    // Where another program on this machine takes the mail, the page says so and that is all.
    if app.inner.catcher().is_some() {
        app.unverified_user("ada@example.com").await;
        app.send_emails().await;
        ada.open("/dev/mail").await;
        inspector.look(&ada, "dev-mail").await;
        ada.follow("Confirm your email address for Vestibule").await;
        ada.reads("As email programs show it").await;
        inspector.look(&ada, "dev-mail-letter").await;
    }

    inspector.report();
}
