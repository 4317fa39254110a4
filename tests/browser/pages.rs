//! Every page, narrow and wide, light and dark: fit for everybody, and all of it our own.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use vestibule::{
    clock::Timestamp,
    ids::Id,
    model::sso_attempt::{self, Detail},
    saml::ServiceKey,
};

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, link_in, setting},
    harness::{
        PASSWORD, START, TestApp,
        outbound::{Names, Record},
        port_1025,
    },
};

const WIDTHS: [u32; 2] = [320, 1280];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Looks a page over in each width and scheme, and keeps what is wrong with it.
pub struct Inspector<'a> {
    app: &'a TestApp,
    axe: String,
    found: Vec<String>,
}

impl<'a> Inspector<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(path).expect("axe-core; `bin/test browser` installs it");
        Self { app, axe, found: Vec::new() }
    }

    /// The page that `browser` shows now; `name` is for the report.
    pub async fn look(&mut self, browser: &Browser, name: &str) {
        // Read before axe, whose own source is none of the page's doing.
        self.read_logs(browser, name).await;
        self.compare_summary(browser, name).await;
        browser.client.execute(&self.axe, vec![]).await.unwrap();
        for width in WIDTHS {
            let size =
                json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
            browser.devtools("Emulation.setDeviceMetricsOverride", size).await;
            for scheme in SCHEMES {
                let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
                browser.devtools("Emulation.setEmulatedMedia", media).await;
                photograph(browser, &format!("{name}-{width}-{scheme}")).await;
                let place = format!("{name} at {width} px, {scheme}");
                open_menu(browser, true).await;
                self.run_axe(browser, &place).await;
                open_menu(browser, false).await;
            }
            open_menu(browser, true).await;
            self.measure(browser, &format!("{name} at {width} px"), width).await;
            open_menu(browser, false).await;
        }
        browser.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    async fn run_axe(&mut self, browser: &Browser, place: &str) {
        let script = "const done = arguments[arguments.length - 1];\
            axe.run(document, { resultTypes: ['violations'] }).then(result => done(result.violations.flatMap(\
                rule => rule.nodes.map(node => `${rule.id}: ${node.html}: ${node.failureSummary}`))),\
                problem => done([String(problem)]))";
        let violations = browser.client.execute_async(script, vec![]).await.unwrap();
        for violation in violations.as_array().unwrap() {
            self.found.push(format!("{place}: {violation}"));
        }
    }

    /// Nothing reaches over the edge, and whatever one presses is large enough for a thumb.
    async fn measure(&mut self, browser: &Browser, place: &str, width: u32) {
        let reach = browser.ask("document.documentElement.scrollWidth").await;
        if reach.as_u64() > Some(u64::from(width)) {
            self.found.push(format!("{place}: reaches to {reach} px"));
        }
        let small = "[...document.querySelectorAll('button, .button, summary, nav a, input:not([type=hidden]):not([type=checkbox]):not(.unseen)')]\
            .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44).map(one => one.outerHTML)";
        for one in browser.ask(small).await.as_array().unwrap() {
            self.found.push(format!("{place}: less than 44 px high: {one}"));
        }
    }

    /// The summary of what is wrong leads to fields of this page, in the page's own order.
    async fn compare_summary(&mut self, browser: &Browser, name: &str) {
        let strays = "[...document.querySelectorAll('.problems a')].map(link => document.querySelector(link.hash))\
            .some((field, i, all) => !field || (i && field.compareDocumentPosition(all[i - 1]) & 4))";
        if browser.ask(strays).await != false {
            self.found.push(format!("{name}: the summary is not in the order of the fields"));
        }
    }

    async fn read_logs(&mut self, browser: &Browser, name: &str) {
        for entry in browser.console().await {
            let words = entry["message"].as_str().unwrap();
            // That a refusal has a status of its own is no error of the page.
            let is_own_status =
                entry["source"] == "network" && words.contains("the server responded with a status of 4");
            if !is_own_status {
                self.found.push(format!("{name}: the console says {words}"));
            }
        }
        let asked = browser.requests().await;
        assert!(!asked.is_empty(), "{name}: the page itself was not seen to be asked for");
        let home = format!("{}/", self.app.base_url);
        for address in asked.iter().filter(|address| !address.starts_with(&home)) {
            self.found.push(format!("{name}: asks for {address}"));
        }
    }

    pub fn report(self) {
        assert!(self.found.is_empty(), "{} things are wrong:\n{}", self.found.len(), self.found.join("\n"));
    }
}

/// Opens the list of settings that is folded on a phone, or folds it again.
async fn open_menu(browser: &Browser, is_open: bool) {
    let script = "document.querySelectorAll('nav details').forEach(menu => { menu.open = arguments[0] })";
    browser.client.execute(script, vec![is_open.into()]).await.unwrap();
}

/// Keeps a picture where `PICTURES` names a folder: for people to look at.
async fn photograph(browser: &Browser, name: &str) {
    if let Some(folder) = setting("PICTURES") {
        let picture =
            browser.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

#[actix_web::test]
async fn the_first_page_weighs_less_than_20_kb_with_all_it_asks_for() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let stranger = chromium.browser(&app, LAPTOP).await;

    stranger.open("/").await;

    // As read, not as compressed on the wire.
    let weights = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))\
        .map(entry => entry.decodedBodySize)";
    let weights = stranger.ask(weights).await;
    let weights: Vec<u64> =
        weights.as_array().unwrap().iter().map(|weight| weight.as_u64().unwrap()).collect();
    assert!(
        weights.len() >= 3 && weights.iter().all(|weight| *weight > 0),
        "page, style, script: {weights:?}"
    );
    assert!(weights.iter().sum::<u64>() < 20_000, "{weights:?}");
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
    stranger.press("Create an account").await;
    stranger.reads("There is a problem").await;
    inspector.look(&stranger, "signup-errors").await;

    stranger.open("/login").await;
    stranger.sign_in("grace@example.com", "not her password").await;
    stranger.reads("There is a problem").await;
    inspector.look(&stranger, "login-error").await;

    let emails = app.emails_to("ada@example.com").await;
    stranger.open(link_in(&emails[0].text)).await;
    inspector.look(&stranger, "verify-email").await;
    stranger.press("Confirm and sign in").await;
    stranger.reads("There is a problem").await;
    inspector.look(&stranger, "verify-email-error").await;

    let emails = app.emails_to("grace@example.com").await;
    stranger.open(link_in(&emails[0].text)).await;
    stranger.reads("Already confirmed").await;
    inspector.look(&stranger, "already-confirmed").await;

    stranger.open("/forgot-password").await;
    stranger.press("Send me a link").await;
    stranger.reads("There is a problem").await;
    inspector.look(&stranger, "forgot-password-error").await;
    stranger.fill("Email address", "grace@example.com").await;
    stranger.press("Send me a link").await;
    stranger.reads("grace@example.com").await;
    inspector.look(&stranger, "forgot-password-notice").await;

    let email = app.requested_email("grace@example.com").await;
    stranger.open(link_in(&email.text)).await;
    inspector.look(&stranger, "reset-password").await;
    stranger.fill("New password", "12345678").await;
    stranger.press("Save the new password").await;
    stranger.reads("There is a problem").await;
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
    ada.press("Create an account").await;
    ada.is_at("/me").await;
    inspector.look(&ada, "me-new").await;
    for (name, path) in [("me-unconfirmed", "/me"), ("security-unconfirmed", "/me/security")] {
        ada.open(path).await;
        inspector.look(&ada, name).await;
    }
    ada.open("/me").await;
    ada.fill("Your name", "").await;
    ada.press("Save my name").await;
    ada.reads("There is a problem").await;
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
    ada.press("Confirm this address").await;
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
    app.wait(chrono::TimeDelta::minutes(3));
    ada.open("/me/sessions").await;
    inspector.look(&ada, "sessions-several").await;
    ada.open("/me/security").await;
    inspector.look(&ada, "security").await;
    ada.press("Sign out this device").await;
    ada.reads("That device is signed out.").await;
    inspector.look(&ada, "sessions-after-sign-out").await;
    ada.open("/me/logins").await;
    inspector.look(&ada, "sign-ins").await;

    app.wait(chrono::TimeDelta::minutes(6));
    ada.open("/me/email").await;
    ada.is_at("/auth/confirm?next=%2Fme%2Femail").await;
    inspector.look(&ada, "confirm").await;
    ada.fill("Password", "not her password").await;
    ada.press("Confirm and go on").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "confirm-error").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
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
    unverified_user.reads("Confirm your address first").await;
    inspector.look(&unverified_user, "unverified").await;

    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/me/email").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
    ada.is_at("/me/email").await;
    ada.press("Send a link to the new address").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "email-error").await;
    ada.fill("New email address", "new@example.com").await;
    app.wait(chrono::TimeDelta::minutes(6));
    ada.press("Send a link to the new address").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
    ada.reads("new@example.com").await;
    inspector.look(&ada, "continue").await;
    ada.press("Continue").await;
    ada.is_at("/me").await;
    ada.open("/me/email").await;
    ada.reads("new@example.com").await;
    inspector.look(&ada, "email-pending").await;
    ada.open("/me/password").await;
    ada.press("Save the new password").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "password-error").await;

    let confirm = app.emails_to("new@example.com").await;
    stranger.open(link_in(&confirm[0].text)).await;
    inspector.look(&stranger, "email-confirm-elsewhere").await;
    let undo = app.requested_email("ada@example.com").await;
    stranger.open(link_in(&undo.text)).await;
    inspector.look(&stranger, "email-stop").await;
    ada.open(link_in(&confirm[0].text)).await;
    inspector.look(&ada, "email-confirm").await;
    ada.press("Use new@example.com from now on").await;
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

/// The metadata of an identity provider.
fn metadata() -> String {
    let noon = Timestamp::from_unix(START);
    let key = ServiceKey::generate("idp.example", noon, chrono::TimeDelta::days(20)).unwrap();
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example/metadata\">\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><md:KeyDescriptor>\
         <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService \
         Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example/sso\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>",
        STANDARD.encode(key.certificate().der())
    )
}

#[actix_web::test]
async fn every_page_about_single_sign_on_is_fit_for_everybody() {
    let names = Names::start();
    let app = TestApp::with(&[("DNS_SERVER", &names.addr.to_string())]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);
    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.open("/organisations").await;
    ada.fill("Name", "Acme & Sons").await;
    ada.press("Make the organisation").await;
    ada.is_at("/organisations/acme-sons").await;
    ada.open("/organisations/acme-sons/sso").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
    ada.is_at("/organisations/acme-sons/sso").await;
    inspector.look(&ada, "sso-empty").await;

    ada.open("/organisations/acme-sons/sso/new?like=entra").await;
    inspector.look(&ada, "sso-new").await;
    ada.press("Connect it").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "sso-new-errors").await;
    ada.fill("Name", "Okta").await;
    let script = "document.querySelector('#metadata').value = arguments[0]";
    ada.client.execute(script, vec![json!(metadata())]).await.unwrap();
    ada.press("Connect it").await;
    ada.reads("Okta is connected. Test it now.").await;
    inspector.look(&ada, "sso-connection").await;
    ada.follow("Give it new metadata").await;
    ada.reads("It takes the place of what is there").await;
    inspector.look(&ada, "sso-metadata").await;

    let connection = app.texts("SELECT id AS text FROM connections").await.remove(0);
    let here = format!("/organisations/acme-sons/sso/{connection}");
    let detail = Detail {
        subject: Some("ada".to_owned()),
        email: Some("ada@acme.example".to_owned()),
        role: Some("Editor".to_owned()),
        account: Some("A new account with this address.".to_owned()),
        checks: vec![
            ("It is signed by the identity provider.".to_owned(), None),
            (
                "It is meant for us.".to_owned(),
                Some("The assertion is meant for another service.".to_owned()),
            ),
        ],
        attributes: vec![(
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress".to_owned(),
            vec!["ada@acme.example".to_owned()],
        )],
        ..Detail::default()
    };
    let id = Id::from_text(connection);
    let noted = app.inner.write(move |tx| {
        sso_attempt::note(tx, &id, None, true, "wrong_audience", &detail)?;
        sso_attempt::note(tx, &id, None, true, "success", &detail)
    });
    let noted = noted.await.unwrap();
    ada.open(&format!("{here}/attempts/{noted}")).await;
    inspector.look(&ada, "sso-attempt").await;

    ada.open("/organisations/acme-sons/sso").await;
    ada.press("Add the domain").await;
    ada.reads("There is a problem").await;
    ada.fill("A domain of yours", "a-rather-long-domain-name.acme.example").await;
    ada.press("Add the domain").await;
    ada.reads("Now set the TXT record").await;
    inspector.look(&ada, "sso-domain").await;
    ada.press("Look for the record now").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "sso-domain-not-there").await;
    let text = app.texts("SELECT challenge AS text FROM domains").await.remove(0);
    names.set("_vestibule.a-rather-long-domain-name.acme.example", Record::Text(text));
    ada.press("Look for the record now").await;
    ada.reads("is proved: it belongs to Acme & Sons.").await;
    let script = "document.querySelectorAll('details').forEach(one => { one.open = true; })";
    ada.client.execute(script, vec![]).await.unwrap();
    inspector.look(&ada, "sso-domain-proved").await;

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
    ada.press("Confirm and go on").await;
    ada.reads("it has not happened yet").await;
    inspector.look(&ada, "2fa-continue").await;
    ada.press("Continue").await;
    ada.is_at("/me/2fa/totp/confirm").await;
    inspector.look(&ada, "totp").await;
    let secret = ada.texts(".key").await.concat().replace(' ', "");
    ada.press("Turn it on").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "totp-error").await;
    ada.fill("Code from the app", &app.code(&secret)).await;
    ada.press("Turn it on").await;
    ada.reads("Your recovery codes").await;
    inspector.look(&ada, "recovery-codes").await;
    let codes = ada.texts(".codes li").await;
    ada.open("/me/2fa/totp/confirm").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "2fa-error").await;
    ada.open("/me/2fa").await;
    inspector.look(&ada, "2fa").await;
    ada.press("Set up another app in its place").await;
    ada.is_at("/me/2fa/totp/confirm").await;
    inspector.look(&ada, "totp-replace").await;

    let phone = chromium.browser(&app, PHONE).await;
    phone.open("/login").await;
    phone.sign_in("ada@example.com", PASSWORD).await;
    phone.is_at("/login/2fa?next=%2Fme").await;
    inspector.look(&phone, "second-factor").await;
    phone.press("Sign in").await;
    phone.reads("There is a problem").await;
    inspector.look(&phone, "second-factor-error").await;
    phone.unfold("Use a recovery code").await;
    phone.press("Sign in with this code").await;
    phone.reads("There is a problem").await;
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
    ada.open("/me/delete/status").await;
    inspector.look(&ada, "deletion-none").await;

    ada.follow("Delete your account").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
    ada.is_at("/me/delete").await;
    inspector.look(&ada, "delete").await;
    app.wait(chrono::TimeDelta::minutes(6));
    ada.press("Delete my account in 30 days").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm and go on").await;
    ada.reads("Delete your account").await;
    inspector.look(&ada, "delete-continue").await;
    ada.press("Continue").await;
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
    ada.reads("Your account stays, with everything in it.").await;
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
    ada.press("Confirm and go on").await;
    ada.is_at("/me/passkeys").await;
    inspector.look(&ada, "passkeys-none").await;
    ada.press("Add a passkey").await;
    ada.reads("Your recovery codes").await;
    inspector.look(&ada, "passkey-added").await;
    ada.open("/me/passkeys").await;
    ada.press("Add a passkey").await;
    ada.reads("This device already has a passkey for your account.").await;
    inspector.look(&ada, "passkeys-refused").await;

    ada.unplug(&device).await;
    let device = ada.plug_in_authenticator().await;
    app.wait(chrono::TimeDelta::minutes(3));
    ada.fill("Name for the new passkey", "The key that hangs on the board beside the door of the study")
        .await;
    ada.press("Add a passkey").await;
    ada.reads("That passkey is added.").await;
    app.db_execute(
        "UPDATE passkeys SET copied_at = created_at, is_synced = TRUE WHERE name = 'Chrome on Linux'",
    )
    .await;
    ada.open("/me/passkeys").await;
    inspector.look(&ada, "passkeys-two").await;
    ada.client.execute("document.querySelector('.devices details').open = true", vec![]).await.unwrap();
    let name = ada.client.find(fantoccini::Locator::Css("details[open] input[name=name]")).await.unwrap();
    name.clear().await.unwrap();
    ada.press("Save the name").await;
    ada.reads("There is a problem").await;
    inspector.look(&ada, "passkeys-rename-error").await;

    ada.touch(&device, false).await;
    ada.press("Sign out").await;
    ada.is_at("/login").await;
    ada.console().await;
    ada.sign_in("ada@example.com", PASSWORD).await;
    ada.reads("One more step").await;
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
        ada.follow("Confirm your address for Vestibule").await;
        ada.reads("Links in it").await;
        inspector.look(&ada, "dev-mail-letter").await;
    }

    inspector.report();
}

#[actix_web::test]
async fn every_page_of_single_sign_on_is_fit_for_everybody() {
    let app = TestApp::today().await;
    assert_eq!(app.command(&["seed"]).code, Some(0));
    let chromium = Chromium::start();
    let dora = chromium.browser(&app, LAPTOP).await;
    let mut inspector = Inspector::new(&app);

    dora.open("/login").await;
    inspector.look(&dora, "login-address").await;
    dora.fill("Email address", "not an address").await;
    dora.press("Go on").await;
    dora.reads("There is a problem").await;
    inspector.look(&dora, "login-address-error").await;
    dora.open("/dev/idp").await;
    inspector.look(&dora, "dev-idp-empty").await;
    // The page leads on by itself: it is looked at as it would be if it did not.
    let hop = app.browser().get("/login?email=dora@demo.example").await.is(200).body;
    let without = |text: &str, from: &str, to: &str| {
        let (before, after) = text.split_once(from).unwrap();
        format!("{before}{}", after.split_once(to).unwrap().1)
    };
    let hop = without(&without(&hop, "<meta http-equiv", ">"), "<script", "</script>");
    let led = app.browser().with("sec-fetch-site", "cross-site");
    let ask = led.get("/auth/saml/login?email=dora@demo.example").await.is(200).body;
    for (page, says, name) in [
        (hop, "On to your organisation", "login-leave"),
        (without(&ask, "<script", "</script>"), "Another site led you here.", "saml-ask"),
    ] {
        let tree = dora.devtools("Page.getFrameTree", json!({})).await;
        let content = json!({ "frameId": tree["frameTree"]["frame"]["id"], "html": page });
        dora.devtools("Page.setDocumentContent", content).await;
        dora.reads(says).await;
        inspector.look(&dora, name).await;
    }

    dora.open("/login").await;
    dora.fill("Email address", "dora@demo.example").await;
    dora.press("Go on").await;
    dora.reads("Who do you want to be?").await;
    inspector.look(&dora, "dev-idp").await;
    dora.press("Dora, of the owners").await;
    dora.is_at("/me").await;
    dora.open("/me/email").await;
    dora.reads("Confirm that it is you").await;
    inspector.look(&dora, "confirm-organisation").await;
    dora.follow("Confirm through your organisation").await;
    dora.press("Dora, of the owners").await;
    dora.is_at("/me/email").await;

    app.verified("finn@demo.example").await;
    let finn = chromium.browser(&app, LAPTOP).await;
    finn.open("/auth/saml/login?email=finn%40demo.example").await;
    finn.press("Finn").await;
    finn.is_at("/auth/saml/link").await;
    inspector.look(&finn, "saml-link").await;
    finn.follow("Sign in as before").await;
    finn.fill("Password", PASSWORD).await;
    finn.press("Sign in").await;
    finn.is_at("/auth/saml/link").await;
    inspector.look(&finn, "saml-link-signed-in").await;
    finn.press("Connect the two").await;
    finn.is_at("/me").await;

    let stranger = chromium.browser(&app, PHONE).await;
    stranger.open("/auth/saml/refused").await;
    inspector.look(&stranger, "saml-refused").await;
    app.db_execute("UPDATE connections SET metadata = replace(metadata, 'HTTP-Redirect', 'HTTP-POST')").await;
    stranger.open("/auth/saml/login?email=finn%40demo.example").await;
    inspector.look(&stranger, "saml-leave").await;
    app.db_execute("UPDATE domains SET is_enforced = TRUE").await;
    stranger.open("/login?with=password").await;
    stranger.sign_in("finn@demo.example", PASSWORD).await;
    stranger.reads("Sign in through your organisation").await;
    inspector.look(&stranger, "sso-required").await;

    inspector.report();
}
