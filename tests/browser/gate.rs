//! A person at two applications behind nginx and Traefik, as `vestibule app config` prints it.

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE},
    harness::{
        PASSWORD, TestApp, eventually, free_port,
        proxies::{Proxy, Running, environ},
    },
    inspector::Inspector,
    passkeys::{adds_first, signs_out},
};

/// `wiki` and `notes` at one proxy, which listens at this port; nothing where there is none here.
async fn proxied(app: &TestApp, proxy: Proxy, folder: &tempfile::TempDir) -> Option<(u16, [Running; 2])> {
    proxy.program()?;
    let (port, behind) = (free_port(), free_port());
    let mut printed = Vec::new();
    for (name, title) in [("wiki", "Wiki"), ("notes", "Notes")] {
        let host = format!("{name}.localhost:{port}");
        assert_eq!(app.command(&["app", "add", &host, "--name", title]).code, Some(0));
        printed.push(proxy.config(app, &host, behind, app.port));
    }
    let running = [proxy.start(port, folder.path(), &printed).await?, environ(behind).await];
    // Traefik listens before it has read its files.
    for name in ["wiki", "notes"] {
        let nobody = crate::harness::Visitor::curl(port).with("host", &format!("{name}.localhost:{port}"));
        let reads = async || (nobody.get_once("/").await.status == 401).then_some(());
        eventually("a proxy that knows its hosts", reads).await;
    }
    Some((port, running))
}

/// What the page of the application says that it was given.
async fn knows(browser: &Browser, words: &str) {
    eventually("the application", async || browser.text().await.contains(words).then_some(())).await;
}

/// With a password and a code, and with a passkey, at two hosts; from another browser, and with the button.
async fn people_come_and_go(proxy: Proxy) {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let Some((port, _running)) = proxied(&app, proxy, &folder).await else { return };
    let owner = app.with_app("ada@example.com").await;
    let chromium = Chromium::start();
    let laptop = chromium.browser(&app, LAPTOP).await;
    let phone = chromium.browser(&app, PHONE).await;
    let [wiki, notes] = ["wiki", "notes"].map(|name| format!("http://{name}.localhost:{port}"));
    let id = app.user_id("ada@example.com").await;

    // With a password and a code, of which the second page is two forms away from the application.
    laptop.open(&format!("{wiki}/x?a=1&b=%26")).await;
    laptop.reads("Sign in").await;
    laptop.sign_in("ada@example.com", PASSWORD).await;
    laptop.reads("6-digit code").await;
    laptop.fill("6-digit code", &app.next_code(&owner.secret)).await;
    laptop.press("Sign in").await;
    knows(&laptop, &format!("\"HTTP_REMOTE_USER\": \"{id}\"")).await;
    knows(&laptop, "\"QUERY_STRING\": \"a=1&b=%26\"").await;
    knows(&laptop, "\"HTTP_VESTIBULE_ACR\": \"2fa\"").await;
    let url = laptop.client.current_url().await.unwrap();
    assert_eq!(url.as_str(), format!("{wiki}/x?a=1&b=%26"));
    let seen = laptop.text().await;
    assert!(seen.contains("gate=") && !seen.contains("session="), "{seen}");
    laptop.open(&format!("{notes}/y")).await;
    knows(&laptop, &format!("\"HTTP_REMOTE_USER\": \"{id}\"")).await;

    // Her phone signs that device out, and the next request to either is refused.
    phone.open("/login?next=/me/sessions").await;
    phone.sign_in("ada@example.com", PASSWORD).await;
    phone.fill("6-digit code", &app.next_code(&owner.secret)).await;
    phone.press("Sign in").await;
    phone.is_at("/me/sessions").await;
    phone.press("Sign out Chrome on Linux").await;
    phone.reads("That device is signed out").await;
    for page in [format!("{wiki}/x"), format!("{notes}/y")] {
        laptop.open(&page).await;
        laptop.reads("Sign in").await;
    }

    // With a passkey, which belongs to this site and opens both.
    app.verified("bob@example.com").await;
    laptop.arrives("bob@example.com").await;
    let device = laptop.plug_in_authenticator().await;
    adds_first(&laptop, "My laptop").await;
    signs_out(&laptop, &device).await;
    laptop.touch(&device, true).await;
    laptop.open(&format!("{wiki}/z")).await;
    knows(&laptop, "bob@example.com").await;
    knows(&laptop, "\"HTTP_VESTIBULE_ACR\": \"phr\"").await;
    laptop.open(&format!("{notes}/z")).await;
    knows(&laptop, "bob@example.com").await;

    // The button at the application.
    laptop.touch(&device, false).await;
    laptop.open(&format!("{wiki}/.vestibule/logout")).await;
    laptop.reads("Sign out of Wiki").await;
    laptop.press("Sign out").await;
    laptop.reads("You are signed out on this device.").await;
    laptop.open(&format!("{notes}/")).await;
    laptop.reads("Sign in").await;
}

#[actix_web::test]
async fn people_come_and_go_through_nginx() {
    people_come_and_go(Proxy::Nginx).await;
}

#[actix_web::test]
async fn people_come_and_go_through_traefik() {
    people_come_and_go(Proxy::Traefik).await;
}

#[actix_web::test]
async fn its_pages_are_fit_for_everybody() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let Some((port, _running)) = proxied(&app, Proxy::Nginx, &folder).await else { return };
    app.verified("ada@example.com").await;
    let chromium = Chromium::start();
    let ada = chromium.browser(&app, LAPTOP).await;
    ada.arrives("ada@example.com").await;
    let mut inspector = Inspector::new(&app);
    let host = format!("wiki.localhost%3A{port}");
    for code in ["application_forbidden", "second_factor_required", "send_again", "cookie_not_kept", "other"]
    {
        ada.open(&format!("/gate/trouble?host={host}&code={code}&to=%2Fx")).await;
        inspector.look(&ada, &format!("gate-trouble-{code}")).await;
    }
    ada.open(&format!("/gate/logout?host={host}")).await;
    inspector.look(&ada, "gate-logout").await;
    ada.open(&format!("/gate/trouble?host={host}&code=application_forbidden")).await;
    ada.press("Use another account").await;
    ada.reads("Sign in").await;
    app.verified("bob@example.com").await;
    ada.sign_in("bob@example.com", PASSWORD).await;
    eventually("the application", async || ada.text().await.contains("bob@example.com").then_some(())).await;
    inspector.report();
}
