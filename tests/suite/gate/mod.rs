//! The gate, as a proxy asks it: what the peers before a real application see stands in `peers`.

mod assertion;
mod checks;
mod commands;
mod endings;
mod field;
mod handover;
mod keys;
mod needs;

use actix_web::http::Method;

use crate::harness::{Answer, TestApp, Visitor};

/// The host of an application.
pub const WIKI: &str = "wiki.localhost:8080";

/// A site that trusts the proxy on this machine, with an application at [`WIKI`].
pub struct Gate {
    pub app: TestApp,
}

impl Gate {
    /// With these options of `vestibule app add`.
    pub async fn with(options: &[&str]) -> Self {
        Self::of(TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await, options)
    }

    /// The same in this house.
    pub fn of(app: TestApp, options: &[&str]) -> Self {
        let added = app.command(&[&["app", "add", WIKI, "--name", "Wiki"], options].concat());
        assert_eq!(added.code, Some(0), "{}", added.err);
        Self { app }
    }

    /// A browser at the host: what it asks of the application, its proxy asks here.
    pub fn browser(&self) -> Visitor {
        let browser = asks(self.app.browser(), "GET", "/x");
        browser.with("sec-fetch-mode", "navigate")
    }

    /// A script in a page of the application.
    pub fn script(&self) -> Visitor {
        asks(self.app.browser(), "GET", "/x").with("sec-fetch-mode", "cors")
    }

    /// A program without a browser.
    pub fn program(&self) -> Visitor {
        asks(self.app.curl(), "GET", "/x")
    }

    /// Somebody signed in here goes to the host, and is let in: the browser with the cookie of that host.
    pub async fn lets_in(&self, me: &Visitor) -> Visitor {
        let host = self.browser();
        let code = self.way_back(&host, me, "/x").await;
        host.get_once(&code).await.goes_to("/x");
        host
    }

    /// The way back to the host, as somebody signed in here gets it.
    pub async fn way_back(&self, host: &Visitor, me: &Visitor, to: &str) -> String {
        let enter = self.start(host, to).await;
        let page = me.clone().with("accept", "application/json").get_once(&enter).await.is(200).json();
        local(page["location"].as_str().unwrap(), &origin(WIKI))
    }

    /// Where the host sends a browser off to.
    pub async fn start(&self, host: &Visitor, to: &str) -> String {
        let query = serde_urlencoded::to_string([("to", to)]).unwrap();
        let answer = host.get_once(&format!("/.vestibule/start?{query}")).await.is(303);
        local(answer.location().unwrap(), &self.app.base_url)
    }

    /// Whether the request of this visitor goes through, by `/gate/check`.
    pub async fn is_let_in(&self, host: &Visitor) -> bool {
        match check(host).await.status.as_u16() {
            200 => true,
            303 | 401 | 403 => false,
            other => panic!("{other}"),
        }
    }
}

/// The origin of a host of these tests.
pub fn origin(host: &str) -> String {
    format!("http://{host}")
}

/// The path of an address that leads here.
#[track_caller]
pub fn local(address: &str, origin: &str) -> String {
    address.strip_prefix(origin).unwrap_or_else(|| panic!("{address} is not at {origin}")).to_owned()
}

/// The same visitor with another request on its way.
pub fn asks(visitor: Visitor, method: &str, uri: &str) -> Visitor {
    let visitor = visitor.with("x-forwarded-host", WIKI).with("x-forwarded-proto", "http");
    visitor.with("x-forwarded-method", method).with("x-forwarded-uri", uri)
}

/// What a proxy gets that passes every answer on.
pub async fn check(host: &Visitor) -> Answer {
    host.get_once("/gate/check?vestibule=1").await
}

/// What nginx gets.
pub async fn verify(host: &Visitor) -> Answer {
    host.get_once("/gate/verify").await
}

/// The id in the header for the user; nothing where it is empty, and no answer without it.
#[track_caller]
pub fn user_in(answer: &Answer) -> Option<String> {
    let user = answer.headers.get("remote-user").unwrap().to_str().unwrap();
    (!user.is_empty()).then(|| user.to_owned())
}

/// Sends a form at the host.
pub async fn post_at(host: &Visitor, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = serde_urlencoded::to_string(fields).unwrap();
    host.send(Method::POST, path, Some(("application/x-www-form-urlencoded", body))).await
}

/// Another browser than the tests' own, on another system.
pub const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";
