//! A person at two applications behind nginx, as `vestibule app config` prints it.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use crate::{
    chromium::{Browser, Chromium, LAPTOP, PHONE, setting},
    harness::{PASSWORD, TestApp, eventually, free_port},
    inspector::Inspector,
};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `wiki` and `notes` at one nginx, which listens at this port; nothing where there is no nginx here.
async fn proxied(app: &TestApp, folder: &tempfile::TempDir) -> Option<(u16, [Running; 2])> {
    let nginx = setting("NGINX").unwrap_or_else(|| "/usr/sbin/nginx".to_owned());
    if !fs::exists(&nginx).unwrap() {
        eprintln!("SKIPPED: there is no {nginx}, so nobody goes through it");
        return None;
    }
    let (port, behind) = (free_port(), free_port());
    let mut all = String::new();
    for (name, title) in [("wiki", "Wiki"), ("notes", "Notes")] {
        let host = format!("{name}.localhost:{port}");
        assert_eq!(app.command(&["app", "add", &host, "--name", title]).code, Some(0));
        let (upstream, here) = (format!("127.0.0.1:{behind}"), format!("127.0.0.1:{}", app.port));
        let config = ["app", "config", &host, "nginx", "--upstream", &upstream, "--vestibule", &here];
        all += &app.command(&config).out;
    }
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {};", place(what)))
        .concat();
    let head = format!("daemon off; master_process off; pid {}; events {{}}", place("pid"));
    let file = place("nginx.conf");
    fs::write(&file, format!("{head}\nhttp {{ access_log off; {temporary}\n{all}\n}}\n")).unwrap();
    let proxy = Command::new(nginx).args(["-e", "stderr", "-c", &file]).stderr(Stdio::null()).spawn();
    let application = Command::new("python3").args(["tests/peers/environ.py", &behind.to_string()]).spawn();
    let running = [Running(proxy.unwrap()), Running(application.unwrap())];
    for port in [port, behind] {
        eventually("a program that listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
    }
    Some((port, running))
}

/// What the page of the application says that it was given.
async fn knows(browser: &Browser, words: &str) {
    eventually("the application", async || browser.text().await.contains(words).then_some(())).await;
}

#[actix_web::test]
async fn one_sign_in_opens_two_applications_and_one_button_closes_both() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let Some((port, _running)) = proxied(&app, &folder).await else { return };
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

    // Somebody else's phone ends that session.
    let elsewhere = app.curl();
    owner.submits_password(&elsewhere).await.is(200);
    elsewhere.submits_code(&app.next_code(&owner.secret)).await.is(200);
    elsewhere.post("/me/sessions/revoke-all", &[]).await.is(200);
    for page in [format!("{wiki}/x"), format!("{notes}/y")] {
        laptop.open(&page).await;
        laptop.reads("Sign in").await;
    }

    // The button at the application.
    app.verified("bob@example.com").await;
    phone.open(&format!("{wiki}/")).await;
    phone.reads("Sign in").await;
    phone.sign_in("bob@example.com", PASSWORD).await;
    knows(&phone, "bob@example.com").await;
    phone.open(&format!("{wiki}/.vestibule/logout")).await;
    phone.reads("Sign out of Wiki").await;
    phone.press("Sign out").await;
    phone.reads("You are signed out on this device.").await;
    phone.open(&format!("{notes}/")).await;
    phone.reads("Sign in").await;
}

#[actix_web::test]
async fn its_pages_are_fit_for_everybody() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let Some((port, _running)) = proxied(&app, &folder).await else { return };
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
