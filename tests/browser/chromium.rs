//! Chromium, and a person who sits before it.
//!
//! Each test starts a driver of its own, and through it as many browsers as it has people: each with a profile and a
//! user agent of its own. All of it is gone at the end of the test, however that ends.

use std::{
    fmt::Debug,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    key::Key,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::harness::{PASSWORD, TestApp};

/// Chrome on Linux.
pub const LAPTOP: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
/// Safari on iPhone.
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";

// How long a page may take to show what a test waits for. A busy machine is slow; a wrong page never gets there.
pub const PATIENCE: Duration = Duration::from_secs(20);

const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--lang=en-GB",
];

/// The driver of one test. Its browsers end with it.
pub struct Chromium {
    driver: Child,
    // Closing it would end the driver at its next word.
    _words: BufReader<ChildStdout>,
    address: String,
    // Profiles, and what else they leave behind.
    folder: TempDir,
}

impl Chromium {
    /// Starts the driver on a port of its own.
    pub fn start() -> Self {
        // It takes a port that is free in IPv4, and ends where somebody has the same one in IPv6.
        (0..10).find_map(|_| Self::begin()).expect("chromedriver begins")
    }

    fn begin() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new(setting("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".to_owned()))
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("chromedriver; `bin/test browser` installs it");
        let mut words = BufReader::new(driver.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            if words.read_line(&mut line).unwrap() == 0 {
                driver.wait().unwrap();
                return None;
            }
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim().trim_end_matches('.').to_owned();
            }
        };
        Some(Self { driver, _words: words, address: format!("http://127.0.0.1:{port}"), folder })
    }

    /// Somebody with a browser of their own.
    pub async fn browser(&self, app: &TestApp, user_agent: &str) -> Browser {
        self.browser_with(app, user_agent, json!({})).await
    }

    /// Somebody who has turned scripts off.
    pub async fn browser_without_scripts(&self, app: &TestApp, user_agent: &str) -> Browser {
        let prefs = json!({ "profile.managed_default_content_settings.javascript": 2 });
        self.browser_with(app, user_agent, prefs).await
    }

    async fn browser_with(&self, app: &TestApp, user_agent: &str, prefs: Value) -> Browser {
        let profile = tempfile::tempdir_in(&self.folder).unwrap().keep();
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.display()));
        flags.push(format!("--user-agent={user_agent}"));
        let mut options = json!({ "args": flags, "prefs": prefs });
        if let Some(binary) = setting("CHROMIUM") {
            options["binary"] = binary.into();
        }
        let Value::Object(wishes) = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }) else {
            unreachable!("an object is an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(Capabilities::from_iter(wishes))
            .connect(&self.address)
            .await
            .unwrap();
        Browser { client, base: app.base_url.clone() }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browsers are in the driver's group, and end with it.
        if let Some(group) = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.driver.wait();
            // Whoever is left would write into the folder while it is removed.
            let start = Instant::now();
            while test_kill_process_group(group).is_ok() && start.elapsed() < PATIENCE {
                thread::yield_now();
            }
        }
    }
}

/// Somebody before a browser.
pub struct Browser {
    pub client: Client,
    base: String,
}

impl Browser {
    /// Types an address: a path on this site, or a link from an email.
    pub async fn open(&self, address: &str) {
        let url =
            if address.starts_with('/') { format!("{}{address}", self.base) } else { address.to_owned() };
        self.client.goto(&url).await.unwrap();
    }

    /// Follows the link with these words.
    pub async fn follow(&self, words: &str) {
        self.find(&format!("//a[normalize-space()={words:?}]")).await.click().await.unwrap();
    }

    /// Presses the button with these words; the first, where several have them.
    pub async fn press(&self, words: &str) {
        let button = self.button(words).await;
        // A refusal that is on the page already answers nothing that is pressed now.
        let mark = "document.querySelectorAll('[role=alert]').forEach(old => old.dataset.answered = '')";
        self.client.execute(mark, vec![]).await.unwrap();
        button.click().await.unwrap();
    }

    /// The button with these words.
    pub async fn button(&self, words: &str) -> Element {
        self.find(&format!("//button[normalize-space()={words:?}]")).await
    }

    /// Types into the field with this label, in the place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The field with this label.
    pub async fn field(&self, label: &str) -> Element {
        self.find(&format!("//*[@id=//label[normalize-space()={label:?}]/@for]")).await
    }

    async fn find(&self, xpath: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(xpath)).await;
        match found {
            Ok(element) => element,
            Err(_) => panic!("{xpath} is not on this page:\n{}", self.text().await),
        }
    }

    /// Presses keys, wherever the focus is.
    pub async fn type_keys(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab.
    pub async fn tab(&self) {
        self.type_keys(&char::from(Key::Tab).to_string()).await;
    }

    /// Presses Enter.
    pub async fn enter(&self) {
        self.type_keys(&char::from(Key::Return).to_string()).await;
    }

    /// Opens what is folded behind these words.
    pub async fn unfold(&self, words: &str) {
        self.find(&format!("//summary[normalize-space()={words:?}]")).await.click().await.unwrap();
    }

    /// What can be read in each element that a selector finds.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(selector)).await.unwrap() {
            texts.push(element.text().await.unwrap());
        }
        texts
    }

    /// What can be seen on the page, as text.
    pub async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// The path and query of this page.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        assert_eq!(url.origin().ascii_serialization(), self.base, "left the house");
        url[url::Position::BeforePath..].to_owned()
    }

    /// This page is there, or will be in a moment.
    pub async fn is_at(&self, path: &str) {
        let start = Instant::now();
        loop {
            let here = self.path().await;
            if here == path {
                return;
            }
            if start.elapsed() > PATIENCE {
                panic!("at {here} and not at {path}:\n{}", self.text().await);
            }
        }
    }

    /// These words can be seen, or will be in a moment.
    pub async fn reads(&self, words: &str) {
        let start = Instant::now();
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            if start.elapsed() > PATIENCE {
                panic!("`{words}` cannot be seen on {}:\n{text}", self.path().await);
            }
        }
    }

    /// These words are nowhere on the page, nor in its source.
    pub async fn hides(&self, words: &str) {
        let source = self.client.source().await.unwrap();
        assert!(!source.contains(words), "`{words}` is on {}:\n{}", self.path().await, self.text().await);
    }

    /// What an expression is, in this page.
    pub async fn ask(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), vec![]).await.unwrap()
    }

    /// The form that was pressed last came back with what is wrong with it.
    pub async fn is_refused(&self) {
        self.find("//*[@role='alert'][not(@data-answered)]").await;
    }

    /// What has the focus is an alert or the field that one is about, or will be in a moment.
    pub async fn is_alerted(&self) {
        let alert = Locator::Css("[role=alert]:focus, .field:has([role=alert]) :focus");
        if self.client.wait().at_most(PATIENCE).for_element(alert).await.is_err() {
            panic!("no alert has the focus:\n{}", self.text().await);
        }
    }

    /// Whether the page's own scripts run: whether a page can change its own title.
    pub async fn runs_scripts(&self) -> bool {
        let page = "data:text/html,<title>still</title><script>document.title='moved'</script>";
        self.client.goto(page).await.unwrap();
        self.client.title().await.unwrap() == "moved"
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        self.tell("goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    /// What the console said since it was last asked, refusals by the content security policy among it.
    pub async fn console(&self) -> Vec<Value> {
        self.log("browser").await
    }

    /// What pages of this house asked for since it was last asked.
    pub async fn requests(&self) -> Vec<String> {
        let mut asked = Vec::new();
        for entry in self.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let (event, params) = (&event["message"]["method"], &event["message"]["params"]);
            // The browser's own first page asks for things too.
            let is_ours = params["documentURL"].as_str().is_some_and(|page| page.starts_with(&self.base));
            let url = params["request"]["url"].as_str().unwrap_or_default();
            // A page may have no such picture; the browser's own picker of dates has one.
            if event == "Network.requestWillBeSent" && is_ours && !url.starts_with("data:") {
                asked.push(url.to_owned());
            }
        }
        asked
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let Value::Array(entries) = self.tell("se/log", json!({ "type": kind })).await else {
            panic!("no log of kind {kind}")
        };
        entries
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        self.command(Method::POST, path, Some(body)).await
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let command = DriverCommand { method, path: path.to_owned(), body };
        self.client.issue_cmd(command).await.unwrap()
    }

    /// Plugs in a device that keeps passkeys and makes sure who holds it (WebDriver, §11 of WebAuthn Level 3). Whoever
    /// holds it touches it at once.
    pub async fn plug_in_authenticator(&self) -> String {
        let wishes = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        self.tell("webauthn/authenticator", wishes).await.as_str().unwrap().to_owned()
    }

    /// Unplugs it.
    pub async fn unplug(&self, authenticator: &str) {
        self.command(Method::DELETE, &format!("webauthn/authenticator/{authenticator}"), None).await;
    }

    /// Everything that a device keeps, private keys included.
    pub async fn passkeys_in(&self, authenticator: &str) -> Vec<Value> {
        let path = format!("webauthn/authenticator/{authenticator}/credentials");
        let Value::Array(kept) = self.command(Method::GET, &path, None).await else { panic!("no list") };
        kept
    }

    /// Puts one into a device.
    pub async fn put_passkey(&self, authenticator: &str, passkey: Value) {
        self.tell(&format!("webauthn/authenticator/{authenticator}/credential"), passkey).await;
    }

    /// Takes all of them out.
    pub async fn empty(&self, authenticator: &str) {
        let path = format!("webauthn/authenticator/{authenticator}/credentials");
        self.command(Method::DELETE, &path, None).await;
    }

    /// From now on somebody touches the device at once, or nobody does.
    pub async fn touch(&self, authenticator: &str, at_once: bool) {
        let params = json!({ "authenticatorId": authenticator, "enabled": at_once });
        self.devtools("WebAuthn.setAutomaticPresenceSimulation", params).await;
    }

    /// Signs in with the password that everybody in the tests has, and is in.
    pub async fn arrives(&self, address: &str) {
        self.open("/login").await;
        self.sign_in(address, PASSWORD).await;
        self.is_at("/me").await;
    }

    /// Signs in through the form.
    pub async fn sign_in(&self, address: &str, password: &str) {
        self.fill("Email address", address).await;
        self.fill("Password", password).await;
        self.press("Sign in").await;
    }
}

/// What WebDriver does not name, and Chromium's driver understands.
#[derive(Debug)]
struct DriverCommand {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(Value::to_string))
    }
}

/// A variable that tells where things are on this machine.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first link in an email.
pub fn link_in(text: &str) -> &str {
    text.split_whitespace().find(|word| word.starts_with("http")).expect("a link")
}
