//! Without a mouse.

use serde_json::Value;

use crate::{
    chromium::{Browser, Chromium, LAPTOP},
    harness::{PASSWORD, TestApp},
};

/// Where the focus is, in a person's words.
const FOCUS: &str = "(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()";

/// How thick a line the browser draws around what has the focus, in pixels.
const RING: &str = "(style => style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth))\
    (getComputedStyle(document.activeElement))";

/// Presses Tab until here, in this order, and sees the focus each time.
async fn tabs_through(ada: &Browser, stops: &[&str]) {
    for stop in stops {
        ada.tab().await;
        assert_eq!(ada.ask(FOCUS).await, *stop);
        assert!(ada.ask(RING).await.as_f64() >= Some(2.0), "the focus on `{stop}` cannot be seen");
        let is_seen = "(box => box.width > 1 && box.left >= 0 && box.top >= 0)\
            (document.activeElement.getBoundingClientRect())";
        assert_eq!(ada.ask(is_seen).await, true, "`{stop}` has the focus and is not on the page");
    }
}

#[actix_web::test]
async fn ada_signs_up_and_finds_her_devices_with_the_keyboard_alone() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;

    ada.open("/signup").await;
    tabs_through(&ada, &["Skip to the content"]).await;
    ada.enter().await;
    tabs_through(&ada, &["Name"]).await;
    ada.type_keys("Ada").await;
    tabs_through(&ada, &["Email address"]).await;
    ada.type_keys("ada@example.com").await;
    tabs_through(&ada, &["Password"]).await;
    ada.type_keys(PASSWORD).await;
    tabs_through(&ada, &["Show", "Create account"]).await;
    ada.enter().await;

    ada.is_at("/me").await;
    let menu = ["Profile", "Sign-in & security", "Devices", "Organisations", "Privacy & data"];
    let top = ["Skip to the content", "Vestibule", "Sign out"];
    tabs_through(&ada, &[&top[..], &menu[..2]].concat()).await;
    ada.enter().await;
    ada.is_at("/me/security").await;
    tabs_through(&ada, &[&top[..], &menu, &["Send the link again"]].concat()).await;
}

#[actix_web::test]
async fn enter_in_a_field_submits_and_an_error_takes_the_focus() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    app.verified("ada@example.com").await;

    ada.open("/login").await;
    ada.fill("Email address", "ada@example.com").await;
    ada.fill("Password", "not her password").await;
    ada.enter().await;
    ada.reads("Wrong email or password.").await;
    ada.is_alerted().await;
    assert_eq!(ada.ask(FOCUS).await, "Password");
    assert!(ada.ask(RING).await.as_f64() >= Some(2.0), "the focus on the field cannot be seen");
    assert_eq!(
        ada.field("Email address").await.prop("value").await.unwrap(),
        Some("ada@example.com".to_owned())
    );
    ada.type_keys(PASSWORD).await;
    ada.enter().await;
    ada.is_at("/me").await;
}

#[actix_web::test]
async fn a_password_can_be_shown_and_is_hidden_again_before_it_is_sent() {
    let app = TestApp::open().await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;

    ada.open("/login").await;
    ada.fill("Password", PASSWORD).await;
    tabs_through(&ada, &["Show"]).await;
    assert_eq!(ada.ask("document.activeElement.getAttribute('aria-label')").await, "Show password");
    ada.enter().await;
    assert_eq!(ada.ask("document.getElementById('password').type").await, "text");
    assert_eq!(ada.ask(FOCUS).await, "Hide");
    let sent = "(form => (form.addEventListener('submit', event => event.preventDefault()),\
        form.requestSubmit(), form.elements.password.type))(document.forms[0])";
    assert_eq!(ada.ask(sent).await, Value::from("password"));
}
