//! Applications that are not ours, which sign people in here: of npm openid-client, certified by the OpenID Foundation, and
//! oauth4webapi; of PyPI Authlib and oic. Each checks what it gets by itself.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, TestApp, Visitor},
    oauth::{Notes, REDIRECT_URI, leads_on, told},
};

/// An application that waits for its visitor.
struct Client {
    process: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Client {
    /// One of tests/peers; nothing where it is not on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    fn of(notes: &Notes, script: &str) -> Option<Self> {
        let setting = if script.ends_with(".py") { "CLIENTS_PYTHON" } else { "PEER_MODULES" };
        let Ok(place) = std::env::var(setting) else {
            eprintln!(
                "SKIPPED: {setting} is not set, so {script} does not sign in; `bin/test peers` installs it"
            );
            return None;
        };
        let asked = json!({
            "issuer": notes.app.base_url, "clientId": notes.client_id, "secret": notes.secret, "redirectUri": REDIRECT_URI,
        });
        let mut command = match setting {
            "PEER_MODULES" => Command::new("node"),
            _ => Command::new(&place),
        };
        let mut process = command
            .arg(format!("tests/peers/{script}"))
            .arg(asked.to_string())
            .env("NODE_PATH", place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (says, hears) = (BufReader::new(process.stdout.take().unwrap()), process.stdin.take().unwrap());
        Some(Self { process, says, hears })
    }

    /// What it says next: the site's own threads answer it meanwhile.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// What it learns of a visitor who went where it token, and came back there.
    fn learns(&mut self, back: &str) -> Value {
        writeln!(self.hears, "{back}").unwrap();
        let learned: Value = serde_json::from_str(&self.line()).unwrap();
        assert_eq!(learned["failed"], Value::Null, "{learned}");
        learned
    }
}

async fn signs_in(notes: &Notes, browser: &Visitor, address: &str, secret: &str) -> String {
    let path = address.strip_prefix(notes.app.base_url.as_str()).unwrap_or_else(|| panic!("{address}"));
    let here = browser.get_once(path).await.is(303).location().unwrap().to_owned();
    let login = browser.get_once(&here).await.is(303);
    let next = told(login.location().unwrap(), "next").unwrap();
    let form = [("email", "bob@example.com"), ("password", PASSWORD), ("next", &next)];
    browser.post("/login", &form).await.is(303);
    let form = [("code", &*notes.app.next_code(secret)), ("next", &next)];
    browser.post("/login/2fa", &form).await.goes_to(&next);
    let answer = browser.get_once(&next).await;
    if answer.status != 303 {
        return leads_on(&answer.is(200));
    }
    // Any program on the device could be at its address: it is asked about.
    let request = told(answer.location().unwrap(), "request").unwrap();
    let form = [("request", &*request), ("decision", "allow")];
    leads_on(&browser.post("/oauth/consent", &form).await.is(200))
}

/// Somebody signs in to an application with a password and a code: what it learned of them, and their browser.
async fn learned(kind: &str, script: &str) -> Option<(Value, Notes, Visitor)> {
    let notes = Notes::of(TestApp::today().await, kind, &[]);
    let mut client = Client::of(&notes, script)?;
    // Until the second code half a minute passes here, and a token is not of the future where it is read.
    notes.app.wait(TimeDelta::seconds(-60));
    let owner = notes.app.with_app("bob@example.com").await;
    let browser = notes.app.browser();
    let address = client.line();
    let back = signs_in(&notes, &browser, &address, &owner.secret).await;
    let learned = client.learns(&back);
    let id = notes.app.user_id("bob@example.com").await;
    let claims = &learned["claims"];
    assert_eq!((&claims["sub"], &claims["acr"]), (&json!(id.as_str()), &json!("2fa")), "{script}");
    assert_eq!(learned["userinfo"]["email"], "bob@example.com", "{script}");
    assert_eq!(learned["isRotated"], true, "{script}");
    Some((learned, notes, browser))
}

#[actix_web::test]
async fn people_sign_in_to_openid_client_with_a_password_and_a_code() {
    for kind in ["web", "native"] {
        let Some((learned, notes, browser)) = learned(kind, "openid-client.js").await else { return };
        if kind == "web" {
            assert_eq!(
                (&learned["introspected"]["active"], &learned["revoked"]["active"]),
                (&json!(true), &json!(false))
            );
        }
        let logout = learned["logout"].as_str().unwrap();
        let logout = logout.strip_prefix(notes.app.base_url.as_str()).unwrap();
        browser.get_once(logout).await.goes_to("/login");
        browser.get_once("/me").await.goes_to("/login?next=%2Fme");
    }
}

#[actix_web::test]
async fn and_to_oauth4webapi_which_checks_each_answer_by_itself() {
    for kind in ["web", "native"] {
        let Some((learned, ..)) = learned(kind, "oauth4webapi.js").await else { return };
        assert_eq!(learned["again"]["sid"], learned["claims"]["sid"]);
    }
}

#[actix_web::test]
async fn and_to_authlib() {
    for kind in ["web", "native"] {
        let Some((learned, ..)) = learned(kind, "authlib_client.py").await else { return };
        assert_eq!((&learned["again"]["sub"], &learned["revoked"]), (&learned["claims"]["sub"], &json!(200)));
    }
}

#[actix_web::test]
async fn and_to_oic_which_posts_its_token_to_userinfo() {
    learned("web", "oic_client.py").await;
}
