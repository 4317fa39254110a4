//! Looks a page over in each width and scheme.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    chromium::{Browser, setting},
    harness::TestApp,
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
                self.run_axe(browser, &place).await;
            }
            self.measure(browser, &format!("{name} at {width} px"), width).await;
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

    pub fn report(self) {
        assert!(self.found.is_empty(), "{} things are wrong:\n{}", self.found.len(), self.found.join("\n"));
    }
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
