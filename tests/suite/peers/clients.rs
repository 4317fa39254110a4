//! Applications that are not ours, which sign people in here: the npm package openid-client, certified by the OpenID Foundation.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, TestApp, Visitor},
    oauth::{Notes, REDIRECT_URI, told},
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
    /// Nothing where it is not on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    fn of(notes: &Notes) -> Option<Self> {
        let Ok(modules) = std::env::var("PEER_MODULES") else {
            eprintln!(
                "SKIPPED: PEER_MODULES is not set, so openid-client does not sign in; `bin/test peers` installs it"
            );
            return None;
        };
        let asked = json!({
            "issuer": notes.app.base_url, "clientId": notes.client_id, "secret": notes.secret, "redirectUri": REDIRECT_URI,
        });
        let mut process = Command::new("node")
            .arg("tests/peers/openid-client.js")
            .arg(asked.to_string())
            .env("NODE_PATH", modules)
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

/// Where a page leads on to.
fn leads_on(page: &str) -> String {
    let (_, rest) =
        page.split_once("http-equiv=\"refresh\" content=\"0;url=").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().replace("&#38;", "&")
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
        return leads_on(&answer.is(200).body);
    }
    // Any program on the device could be at its address: it is asked about.
    let request = told(answer.location().unwrap(), "request").unwrap();
    let form = [("request", &*request), ("decision", "allow")];
    leads_on(&browser.post("/oauth/consent", &form).await.is(200).body)
}

#[actix_web::test]
async fn people_sign_in_to_openid_client_with_a_password_and_a_code() {
    for kind in ["web", "native"] {
        let notes = Notes::of(TestApp::today().await, kind, &[]);
        let Some(mut client) = Client::of(&notes) else { return };
        let owner = notes.app.with_app("bob@example.com").await;
        let browser = notes.app.browser();
        let address = client.line();
        let back = signs_in(&notes, &browser, &address, &owner.secret).await;
        let learned = client.learns(&back);
        let id = notes.app.user_id("bob@example.com").await;
        assert_eq!(learned["claims"]["sub"], id.as_str());
        assert_eq!(
            (&learned["claims"]["acr"], &learned["userinfo"]["email"]),
            (&json!("2fa"), &json!("bob@example.com"))
        );
        assert_eq!(learned["isRotated"], true);
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
