//! A link by mail, "Sign-in methods", and a reset of second factors, as a person sees them.

use serde_json::json;
use vestibule::{
    clock::Timestamp,
    internals::{Actor, SharedSecret, ask_for_factor_reset, make_recovery_codes, restore_app},
    mail::EmailAddress,
};

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in},
    harness::{PASSWORD, TestApp},
    inspector::Inspector,
};

/// Asks for a link in this browser; the link in the newest email.
async fn ask(app: &TestApp, browser: &Browser, address: &str) -> String {
    browser.open("/login").await;
    browser.follow("Email me a sign-in link").await;
    // Both pages ask for the address.
    browser.is_at("/login/magic-link").await;
    browser.fill("Email address", address).await;
    browser.press("Send link").await;
    browser.reads("Check your email").await;
    link_in(&app.requested_email(address).await.text).to_owned()
}

/// The short code on the page.
async fn code_on(browser: &Browser) -> String {
    browser.reads("Sign in on the device that asked").await;
    browser.ask("document.querySelector('.shortcode').textContent").await.as_str().unwrap().to_owned()
}

/// An authenticator app behind the pages' back; what it shows a minute later.
async fn set_up_app(app: &TestApp, address: &str) -> String {
    let user = app.user_id(address).await;
    let secret = app
        .inner
        .write(move |tx| {
            let secret = SharedSecret::from_bytes(b"one of twenty octets");
            restore_app(tx, &user, &secret)?;
            let secret = secret.base32().to_string();
            make_recovery_codes(tx, &Actor::operator(), &user)?;
            Ok(secret)
        })
        .await
        .unwrap();
    app.wait(chrono::TimeDelta::minutes(1));
    code(&secret, app.clock.now())
}

fn code(secret: &str, now: Timestamp) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret.as_bytes().to_vec()).build_noncompliant();
    app.generate(u64::try_from(now.unix()).unwrap()).to_string()
}

async fn ways_of(app: &TestApp, chromium: &Chromium, scripts: bool) {
    let browser = async |agent| match scripts {
        true => chromium.browser(app, agent).await,
        false => chromium.browser_without_scripts(app, agent).await,
    };
    let (laptop, phone) = (browser(LAPTOP).await, browser(PHONE).await);

    // In the browser that asked: a button.
    let link = ask(app, &laptop, "ada@example.com").await;
    laptop.open(&link).await;
    laptop.reads("Press the button to sign in.").await;
    laptop.press("Sign in").await;
    laptop.is_at("/me").await;
    laptop.press("Sign out").await;
    laptop.is_at("/login").await;

    // On the phone: a code for the laptop.
    let link = ask(app, &laptop, "ada@example.com").await;
    phone.open(&link).await;
    phone.reads("Chrome on Linux").await;
    let code = code_on(&phone).await;
    laptop.fill("Code", "000000").await;
    laptop.press("Sign in with this code").await;
    laptop.is_refused().await;
    laptop.fill("Code", &code).await;
    laptop.press("Sign in with this code").await;
    laptop.is_at("/me").await;
    phone.open("/me").await;
    phone.is_at("/login?next=%2Fme").await;
    laptop.press("Sign out").await;
    laptop.is_at("/login").await;

    // Or on the phone itself.
    let link = ask(app, &laptop, "ada@example.com").await;
    phone.open(&link).await;
    phone.press("Sign in here").await;
    phone.is_at("/me").await;
    laptop.open("/me").await;
    laptop.is_at("/login?next=%2Fme").await;
}

#[actix_web::test]
async fn a_link_signs_in_here_there_and_by_its_code() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    ways_of(&app, &Chromium::start(), true).await;
}

#[actix_web::test]
async fn the_same_without_scripts() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    ways_of(&app, &Chromium::start(), false).await;
}

#[actix_web::test]
async fn a_scanner_that_runs_scripts_and_follows_links_leaves_the_link_to_its_owner_case_02() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let (laptop, scanner) = (chromium.browser(&app, LAPTOP).await, chromium.browser(&app, LAPTOP).await);
    app.verified("ada@example.com").await;
    let link = ask(&app, &laptop, "ada@example.com").await;

    scanner.open(&link).await;
    code_on(&scanner).await;
    let links = scanner.ask("[...document.links].map(link => link.href)").await;
    for further in links.as_array().unwrap() {
        scanner.open(further.as_str().unwrap()).await;
    }
    scanner.open(&link).await;
    code_on(&scanner).await;
    scanner.open("/me").await;
    scanner.is_at("/login?next=%2Fme").await;

    laptop.open(&link).await;
    laptop.press("Sign in").await;
    laptop.is_at("/me").await;
}

#[actix_web::test]
async fn the_pages_of_links_and_ways_are_fit_for_everybody() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let (ada, phone) = (chromium.browser(&app, LAPTOP).await, chromium.browser(&app, PHONE).await);
    let mut inspector = Inspector::new(&app);
    let address = "augusta.ada.king@a-rather-long-domain-name.example.com";
    app.verified(address).await;
    app.unverified_user("claim@example.com").await;
    app.verified("grace@example.com").await;

    ada.open("/login/magic-link").await;
    inspector.look(&ada, "magic-link").await;
    ada.press("Send link").await;
    ada.is_refused().await;
    inspector.look(&ada, "magic-link-error").await;
    let unverified = ask(&app, &ada, "claim@example.com").await;
    phone.open(&unverified).await;
    phone.reads("isn't confirmed yet").await;
    inspector.look(&phone, "magic-link-claim").await;
    let link = ask(&app, &ada, address).await;
    inspector.look(&ada, "magic-link-sent").await;
    ada.press("Sign in with this code").await;
    ada.is_refused().await;
    inspector.look(&ada, "magic-link-wrong-code").await;
    phone.arrives("grace@example.com").await;
    phone.open(&link).await;
    phone.reads("This browser is signed in as").await;
    inspector.look(&phone, "magic-link-elsewhere").await;
    ada.open(&link).await;
    inspector.look(&ada, "magic-link-here").await;
    ada.press("Sign in").await;
    ada.is_at("/me").await;
    phone.open(&link).await;
    phone.reads("This link no longer works").await;
    inspector.look(&phone, "magic-link-dead").await;

    ada.open("/me/security").await;
    ada.reads("Your account is protected by your password only").await;
    inspector.look(&ada, "ways-one-proof").await;
    let code = set_up_app(&app, address).await;
    app.db_execute(
        "UPDATE recovery_codes SET used_at = created_at WHERE hash > (SELECT min(hash) FROM recovery_codes)",
    )
    .await;
    let email = EmailAddress::parse(address).unwrap();
    app.inner.write(move |tx| ask_for_factor_reset(tx, &Actor::operator(), &email)).await.unwrap();
    let second = chromium.browser(&app, LAPTOP).await;
    second.open("/login").await;
    second.sign_in(address, PASSWORD).await;
    second.fill("6-digit code", &code).await;
    second.press("Sign in").await;
    second.is_at("/me").await;
    second.open("/me/security").await;
    second.reads("Only 1 recovery code is left.").await;
    inspector.look(&second, "ways-reset-under-way").await;
    let emails = app.emails_to(address).await;
    let stop = emails.iter().rev().find(|message| message.text.contains("/factor-reset/stop")).unwrap();
    phone.open(link_in(&stop.text)).await;
    inspector.look(&phone, "factor-reset").await;
    // A browser that the account did not know before is told to use the link in the email.
    second.press("Cancel the reset").await;
    second.reads("use the link in the email").await;
    phone.press("Cancel the reset").await;
    phone.reads("The reset is cancelled.").await;
    phone.open(link_in(&stop.text)).await;
    phone.reads("Nothing to cancel").await;
    inspector.look(&phone, "factor-reset-over").await;

    let answer = app.curl().post_json("/auth/methods", json!({ "email": address })).await;
    answer.is(200);
    let form = "(() => { const form = document.createElement('form'); form.method = 'post'; form.action = '/auth/methods'; \
        const input = document.createElement('input'); input.name = 'email'; input.value = 'ada@example.com'; \
        form.append(input); document.body.append(form); form.submit(); })()";
    phone.ask(form).await;
    phone.reads("Ways to sign in").await;
    inspector.look(&phone, "methods").await;

    inspector.report();
}
