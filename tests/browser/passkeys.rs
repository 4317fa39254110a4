//! Passkeys as a person uses them: a device is plugged in, touched, copied and lost.

use std::time::Instant;

use serde_json::json;

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PATIENCE},
    harness::{PASSWORD, TestApp},
};

/// Confirms that it is her, with the password.
async fn steps_up(ada: &Browser) {
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
}

/// Adds a passkey under this name, the first one of an account.
pub async fn adds_first(ada: &Browser, name: &str) {
    ada.open("/auth/confirm?next=/me/passkeys").await;
    steps_up(ada).await;
    ada.is_at("/me/passkeys").await;
    ada.fill("Name (optional)", name).await;
    ada.press("Add a passkey").await;
    ada.reads("Save your recovery codes").await;
}

/// Somebody confirmed, signed in with her password.
async fn signed_in(app: &TestApp, chromium: &Chromium) -> Browser {
    app.verified("ada@example.com").await;
    let ada = chromium.browser(app, LAPTOP).await;
    ada.arrives("ada@example.com").await;
    ada
}

/// Signs out, with nobody at the device.
pub async fn signs_out(ada: &Browser, device: &str) {
    // Nobody is at the device, or the sign-in page would be answered at once.
    ada.touch(device, false).await;
    ada.press("Sign out").await;
    ada.is_at("/login").await;
}

/// Notes what the pages ask the browser for, and whether what was asked before had been given up. Once `nobodyChooses` is
/// kept, autofill waits for somebody who never comes.
async fn listens(ada: &Browser) {
    let script = "const get = navigator.credentials.get.bind(navigator.credentials); const signals = [];
        navigator.credentials.get = (options) => {
            const asked = JSON.parse(sessionStorage.asked || '[]');
            asked.push([options.mediation, signals.every((signal) => signal.aborted)]);
            sessionStorage.asked = JSON.stringify(asked);
            signals.push(options.signal);
            if (options.mediation !== 'conditional' || !sessionStorage.nobodyChooses) return get(options);
            return new Promise((_, giveUp) => options.signal.onabort = () => giveUp(options.signal.reason));
        }";
    ada.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
}

/// The pages asked for this, or will have in a moment.
async fn hears(ada: &Browser, asked: &str) {
    let start = Instant::now();
    loop {
        let now = ada.ask("sessionStorage.asked").await;
        if now == asked {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "the pages asked for {now}");
    }
}

#[actix_web::test]
async fn a_passkey_is_added_named_and_used_by_autofill_and_by_the_button_case_70() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = signed_in(&app, &chromium).await;
    let device = ada.plug_in_authenticator().await;
    ada.open("/me/passkeys").await;
    ada.reads("Add a passkey").await;

    // The page finds out by itself that it has to be confirmed that it is her, and goes on with the name that was typed.
    ada.fill("Name (optional)", "My laptop").await;
    ada.press("Add a passkey").await;
    ada.is_at("/auth/confirm?next=%2Fme%2Fpasskeys").await;
    steps_up(&ada).await;
    ada.reads("Save your recovery codes").await;
    ada.follow("I've saved my codes").await;
    ada.reads("My laptop").await;
    ada.reads("not used yet").await;
    let kept = ada.passkeys_in(&device).await;
    assert_eq!((kept.len(), &kept[0]["rpId"]), (1, &json!("localhost")));
    assert_eq!(kept[0]["isResidentCredential"], true);

    signs_out(&ada, &device).await;
    listens(&ada).await;
    ada.open("/").await;
    // Autofill: somebody chooses it in the address field.
    ada.touch(&device, true).await;
    ada.open("/login?next=%2Fme%2Fpasskeys").await;
    ada.is_at("/me/passkeys").await;
    ada.reads("last used just now").await;
    assert_eq!(ada.ask("sessionStorage.asked").await, r#"[["conditional",true]]"#);

    // The button: what waits for autofill is given up before it asks.
    signs_out(&ada, &device).await;
    ada.open("/").await;
    ada.ask("(sessionStorage.asked = '', sessionStorage.nobodyChooses = 'yes')").await;
    ada.touch(&device, true).await;
    ada.open("/login").await;
    hears(&ada, r#"[["conditional",true]]"#).await;
    ada.press("Sign in with a passkey").await;
    ada.is_at("/me").await;
    hears(&ada, r#"[["conditional",true],["optional",true]]"#).await;
    assert_eq!(app.count("sign_ins WHERE method = 'passkey' AND outcome = 'success'").await, 2);
}

#[actix_web::test]
async fn the_json_is_what_browsers_themselves_read_and_write() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = signed_in(&app, &chromium).await;
    ada.plug_in_authenticator().await;
    ada.open("/auth/confirm?next=/me").await;
    steps_up(&ada).await;
    ada.is_at("/me").await;
    let script = "const [done] = arguments;
        const post = async (path, body = {}) => (await fetch(path, {
            method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
        })).json();
        (async () => {
            const creation = PublicKeyCredential.parseCreationOptionsFromJSON(await post('/me/passkeys/options'));
            const made = (await navigator.credentials.create({ publicKey: creation })).toJSON();
            const added = await post('/me/passkeys', { ...made, name: 'By itself' });
            const request = PublicKeyCredential.parseRequestOptionsFromJSON(await post('/login/passkey/options'));
            const used = (await navigator.credentials.get({ publicKey: request })).toJSON();
            return [added.passkey.name, added.recoveryCodes.length, await post('/login/passkey', used)];
        })().then(done, (error) => done(String(error)));";

    let told = ada.client.execute_async(script, vec![]).await.unwrap();

    assert_eq!((&told[0], &told[1]), (&json!("By itself"), &json!(10)), "{told}");
    assert_eq!(told[2]["user"]["email"], "ada@example.com", "{told}");
}

#[actix_web::test]
async fn a_passkey_is_the_second_factor_and_the_step_up() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = signed_in(&app, &chromium).await;
    let device = ada.plug_in_authenticator().await;
    adds_first(&ada, "My laptop").await;
    signs_out(&ada, &device).await;

    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.reads("Two-step verification").await;
    ada.touch(&device, true).await;
    ada.press("Use a passkey").await;
    ada.is_at("/me").await;

    ada.open("/me/email").await;
    ada.is_at("/auth/confirm?next=%2Fme%2Femail").await;
    ada.press("Confirm with a passkey").await;
    ada.is_at("/me/email").await;
}

#[actix_web::test]
async fn two_passkeys_are_kept_renamed_and_removed() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = signed_in(&app, &chromium).await;
    let first = ada.plug_in_authenticator().await;
    adds_first(&ada, "My laptop").await;
    app.wait(chrono::TimeDelta::minutes(1));
    ada.open("/me/passkeys").await;
    // The same device has one already.
    ada.press("Add a passkey").await;
    ada.reads("This device already has a passkey for your account.").await;
    ada.unplug(&first).await;
    let second = ada.plug_in_authenticator().await;
    ada.press("Add a passkey").await;
    ada.reads("That passkey is added.").await;
    ada.reads("Chrome on Linux").await;

    ada.client
        .find(fantoccini::Locator::XPath("//summary[contains(., 'My laptop')]"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let mut shown =
        ada.client.find_all(fantoccini::Locator::Css("details[open] input[name=name]")).await.unwrap();
    let field = shown.remove(0);
    field.clear().await.unwrap();
    field.send_keys("The old laptop").await.unwrap();
    ada.press("Save name").await;
    ada.reads("That passkey has its new name.").await;
    ada.reads("The old laptop").await;

    // Later: it has to be confirmed that it is her, and the removal then goes on.
    app.wait(chrono::TimeDelta::minutes(6));
    ada.press("Remove The old laptop").await;
    ada.press("Confirm with a passkey").await;
    ada.reads("Remove the passkey").await;
    ada.press("Remove passkey").await;
    ada.reads("That passkey is removed.").await;
    ada.hides("The old laptop").await;
    assert_eq!(app.count("passkeys").await, 1);
    signs_out(&ada, &second).await;
}

#[actix_web::test]
async fn a_copy_that_counts_what_was_counted_before_is_refused_in_words_case_68() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = signed_in(&app, &chromium).await;
    let device = ada.plug_in_authenticator().await;
    adds_first(&ada, "My laptop").await;
    let copy = ada.passkeys_in(&device).await.swap_remove(0);
    ada.open("/auth/confirm?next=/me/passkeys").await;
    ada.press("Confirm with a passkey").await;
    ada.is_at("/me/passkeys").await;
    signs_out(&ada, &device).await;

    // Somebody else comes with what was copied before.
    ada.empty(&device).await;
    ada.put_passkey(&device, copy).await;
    ada.touch(&device, true).await;
    ada.press("Sign in with a passkey").await;

    ada.reads("This passkey is not known here. It may have been removed.").await;
    ada.is_at("/login").await;
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.iter().any(|email| email.text.contains("a copy of one of your passkeys")));
    assert_eq!(app.count("passkeys WHERE copied_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn without_passkeys_or_scripts_nothing_is_offered_that_does_not_work() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    app.verified("ada@example.com").await;
    let ada = chromium.browser_without_scripts(&app, LAPTOP).await;
    ada.open("/login").await;
    assert!(!ada.text().await.contains("Sign in with a passkey"));
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.is_at("/me").await;
    ada.open("/me/passkeys").await;
    ada.reads("This browser can't add one here.").await;
    assert!(!ada.text().await.contains("Otherwise it is named"));
}
