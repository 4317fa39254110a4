//! The pictures of the README: three pages as a phone shows them, light and dark.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE},
    harness::{PASSWORD, TestApp},
};

const TABLET: &str = "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1";

#[actix_web::test]
#[ignore = "`bin/pictures` makes the pictures of the README with it"]
async fn pictures_for_the_readme() {
    let app = TestApp::with(&[("BRAND_NAME", "Acme"), ("SHOW_CURL", "off")]).await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    ada.open("/login").await;
    photograph(&ada, "sign-in").await;

    app.verified("ada@example.com").await;
    ada.arrives("ada@example.com").await;
    ada.plug_in_authenticator().await;
    ada.open("/me/passkeys").await;
    ada.fill("Name (optional)", "Work laptop").await;
    ada.press("Add a passkey").await;
    ada.fill("Password", PASSWORD).await;
    ada.press("Confirm").await;
    ada.reads("Save your recovery codes").await;
    for (agent, code) in [TABLET, PHONE].into_iter().zip(ada.texts("main code").await) {
        app.wait(chrono::TimeDelta::minutes(9));
        let other = app.curl().named(agent);
        let form = json!({ "email": "ada@example.com", "password": PASSWORD });
        other.post_json("/login", form).await.is(200);
        other.post_json("/login/2fa", json!({ "recovery": code })).await.is(200);
    }
    app.wait(chrono::TimeDelta::minutes(5));
    ada.open("/auth/confirm").await;
    ada.press("Confirm with a passkey").await;
    ada.is_at("/me/security").await;
    for _ in 0..2 {
        ada.press("Yes, this was me").await;
        ada.is_at("/me/security").await;
    }
    ada.open("/me/security").await;
    photograph(&ada, "security").await;

    assert_eq!(app.command(&["seed"]).code, Some(0));
    ada.open("/organisations/demo/sso").await;
    photograph(&ada, "sso").await;
}

/// The page that is open, as a phone shows it.
async fn photograph(browser: &Browser, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    fs::create_dir_all(&folder).unwrap();
    let size = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", size).await;
    for scheme in ["light", "dark"] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        let picture = browser.devtools("Page.captureScreenshot", json!({})).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}-{scheme}.png")), bytes).unwrap();
    }
    browser.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
}
