//! Looks a page over in each width and scheme.

use std::{fs, path::Path, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    chromium::{Browser, setting},
    harness::TestApp,
};

/// A phone, at which every page is looked at, light and dark.
const PHONE: u32 = 390;

/// What else: of these each page meets a third, and all with `EVERY_LOOK=1`.
const REST: [(u32, Scheme); 6] = [
    (320, Scheme::Light),
    (1280, Scheme::Light),
    (1280, Scheme::Dark),
    (320, Scheme::Dark),
    (1280, Scheme::Forced),
    (320, Scheme::Forced),
];

#[derive(Debug, Clone, Copy)]
enum Scheme {
    Light,
    Dark,
    /// The few colours of the person's system.
    Forced,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
            Scheme::Forced => "forced",
        }
    }

    async fn turn_on(self, browser: &Browser) {
        let (scheme, forced) = match self {
            Scheme::Forced => ("light", "active"),
            scheme => (scheme.name(), "none"),
        };
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "forced-colors", "value": forced },
        ] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
    }
}

/// Looks a page over in each width and scheme, and keeps what is wrong with it.
pub struct Inspector<'a> {
    app: &'a TestApp,
    axe: String,
    found: Vec<String>,
    /// The pages as they stood in the browser, for html-validate.
    pages: TempDir,
    looks: usize,
}

impl<'a> Inspector<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(path).expect("axe-core; `bin/test browser` installs it");
        Self { app, axe, found: Vec::new(), pages: tempfile::tempdir().unwrap(), looks: 0 }
    }

    /// The page that `browser` shows now; `name` is for the report.
    pub async fn look(&mut self, browser: &Browser, name: &str) {
        // Read before axe, whose own source is none of the page's doing.
        self.read_logs(browser, name).await;
        self.compare_summary(browser, name).await;
        let page = browser.ask("'<!doctype html>' + document.documentElement.outerHTML").await;
        let page = page.as_str().unwrap();
        fs::write(self.pages.path().join(format!("{name}.html")), page).unwrap();
        keep(&format!("{name}.html"), page.as_bytes());
        browser.client.execute(&self.axe, vec![]).await.unwrap();
        self.looks += 1;
        let is_met = |place: usize| setting("EVERY_LOOK").is_some() || (place + self.looks).is_multiple_of(3);
        let rest = REST.into_iter().enumerate().filter(|(place, _)| is_met(*place)).map(|(_, look)| look);
        let looks: Vec<_> = [(PHONE, Scheme::Light), (PHONE, Scheme::Dark)].into_iter().chain(rest).collect();
        for (width, scheme) in looks {
            let size =
                json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
            browser.devtools("Emulation.setDeviceMetricsOverride", size).await;
            scheme.turn_on(browser).await;
            let place = format!("{name} at {width} px, {}", scheme.name());
            photograph(browser, &format!("{name}-{width}-{}", scheme.name())).await;
            self.run_axe(browser, &place).await;
            self.measure(browser, &place, width).await;
        }
        Scheme::Light.turn_on(browser).await;
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
        let squeezed = "[...document.querySelectorAll('main :is(h1, h2, h3, .name)')].filter(one => one.checkVisibility() \
            && one.textContent.trim().length > 8 && one.getBoundingClientRect().width < 80).map(one => one.outerHTML)";
        for one in browser.ask(squeezed).await.as_array().unwrap() {
            self.found.push(format!("{place}: less than 80 px wide: {one}"));
        }
        let small = "[...document.querySelectorAll('button, .button, summary, .menu a, input:not([type=hidden]):not([type=checkbox]):not(.unseen)')]\
            .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44).map(one => one.outerHTML)";
        for one in browser.ask(small).await.as_array().unwrap() {
            self.found.push(format!("{place}: less than 44 px high: {one}"));
        }
    }

    /// The summary of what is wrong leads to fields of this page, in the page's own order.
    async fn compare_summary(&mut self, browser: &Browser, name: &str) {
        let strays = "[...document.querySelectorAll('.note.bad a')].map(link => document.querySelector(link.hash))\
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

    /// What is wrong, in one go; with what html-validate says of all pages.
    pub fn report(mut self) {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        let told = Command::new("node")
            .arg(tool.join("node_modules/html-validate/bin/html-validate.mjs"))
            .arg("--config")
            .arg(tool.join("htmlvalidate.json"))
            .args(["--formatter", "text"])
            .arg(self.pages.path())
            .output()
            .expect("node; `bin/test browser` installs it");
        if !told.status.success() {
            let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
            self.found.push(format!("html-validate: {out}{err}"));
        }
        assert!(self.found.is_empty(), "{} things are wrong:\n{}", self.found.len(), self.found.join("\n"));
    }
}

/// A picture of the page, for people to look at.
pub async fn photograph(browser: &Browser, name: &str) {
    if setting("PICTURES").is_some() {
        let picture =
            browser.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        keep(&format!("{name}.png"), &STANDARD.decode(picture["data"].as_str().unwrap()).unwrap());
    }
}

/// Keeps a file where `PICTURES` names a folder.
fn keep(name: &str, content: &[u8]) {
    if let Some(folder) = setting("PICTURES") {
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(name), content).unwrap();
    }
}
