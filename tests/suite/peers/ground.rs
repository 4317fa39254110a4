//! A proxy before an application, and what visitors do there.

use std::path::Path;

use actix_web::http::Method;
use serde_json::Value;

use crate::{
    gate::local,
    harness::{
        Answer, TestApp, Visitor, eventually, free_port,
        proxies::{Proxy, Running, environ},
    },
};

/// One proxy before one application, at hosts of two domains: `wiki.localhost`, `club.localhost`, `robots.localhost`, which
/// takes API keys, and `notes.test`. The check of
/// `lost.localhost` is down, that of `dying.localhost` gets killed, and that of `stranger.localhost` does not trust the proxy.
pub(super) struct Ground {
    pub(super) proxy: Proxy,
    pub(super) app: TestApp,
    /// The one that trusts nobody.
    pub(super) stranger: TestApp,
    /// All that was printed.
    pub(super) printed: String,
    /// Where the check listens that gets killed.
    pub(super) dying: u16,
    port: u16,
    _folder: tempfile::TempDir,
    _running: (Running, Option<Running>),
}

impl Ground {
    /// Before the application that says what it was given.
    pub(super) async fn start(proxy: Proxy) -> Option<Self> {
        proxy.program()?;
        let behind = free_port();
        Self::before(proxy, behind, Some(environ(behind).await)).await
    }

    /// Before one that listens at a port, and ends with this if it is a program of its own.
    pub(super) async fn before(proxy: Proxy, behind: u16, application: Option<Running>) -> Option<Self> {
        Self::changed(proxy, behind, application, &[], |_, _| ()).await
    }

    /// The same with settings of its own, and with a change of what was printed, given the folder of the proxy.
    pub(super) async fn changed(
        proxy: Proxy,
        behind: u16,
        application: Option<Running>,
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut Vec<String>, &Path),
    ) -> Option<Self> {
        proxy.program()?;
        let app = TestApp::with(&[&[("TRUSTED_PROXIES", "127.0.0.1")][..], settings].concat()).await;
        let stranger = TestApp::open().await;
        let (port, dying) = (free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let mut printed = Vec::new();
        for (name, options, here, there) in [
            ("wiki.localhost", &["--name", "Wiki", "--open", "/public"][..], &app, app.port),
            ("club.localhost", &["--name", "Club"], &app, app.port),
            ("robots.localhost", &["--bearer", "on"], &app, app.port),
            ("notes.test", &["--prefix", "/entrance", "--preflight", "pass"], &app, app.port),
            ("lost.localhost", &["--open", "/public"], &app, 1),
            ("dying.localhost", &["--open", "/public"], &app, dying),
            ("stranger.localhost", &["--open", "/public"], &stranger, stranger.port),
        ] {
            let host = format!("{name}:{port}");
            assert_eq!(here.command(&[&["app", "add", &host], options].concat()).code, Some(0));
            printed.push(proxy.config(here, &host, behind, there));
        }
        change(&mut printed, folder.path());
        let running = (proxy.start(port, folder.path(), &printed).await?, application);
        let printed = printed.concat();
        let ground = Self { proxy, app, stranger, printed, dying, port, _folder: folder, _running: running };
        // Traefik listens before it has read its files.
        for name in ["wiki", "club", "robots", "lost", "dying", "stranger"] {
            let script = ground.script(name);
            let reads = async || (script.get_once("/x").await.status != 404).then_some(());
            eventually("a proxy that knows its hosts", reads).await;
        }
        Some(ground)
    }

    pub(super) fn host(&self, name: &str) -> String {
        let domain = if name == "notes" { "test" } else { "localhost" };
        format!("{name}.{domain}:{}", self.port)
    }

    pub(super) fn origin(&self, name: &str) -> String {
        format!("http://{}", self.host(name))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn browser(&self, name: &str) -> Visitor {
        Visitor::browser(self.port).with("host", &self.host(name)).with("sec-fetch-mode", "navigate")
    }

    /// A program with this API key.
    pub(super) fn program(&self, name: &str, key: &str) -> Visitor {
        let program = Visitor::curl(self.port).with("host", &self.host(name));
        spoofing(program).with("authorization", &format!("Bearer {key}"))
    }

    pub(super) fn script(&self, name: &str) -> Visitor {
        script(&self.browser(name))
    }

    /// From a page of the host to here, and the way back that somebody signed in here gets.
    pub(super) async fn way_back(&self, browser: &Visitor, name: &str, me: &Visitor, to: &str) -> String {
        let prefix = if name == "notes" { "/entrance" } else { "/.vestibule" };
        let start = browser.get_once(to).await.is(303);
        let start = local(start.location().unwrap(), &self.origin(name));
        assert!(start.starts_with(&format!("{prefix}/start?to=")), "{:?}: {start}", self.proxy);
        let enter = local(browser.get_once(&start).await.is(303).location().unwrap(), &self.app.base_url);
        let back = page(me).get_once(&enter).await.is(303);
        local(back.location().unwrap(), &self.origin(name))
    }

    /// All the way.
    pub(super) async fn comes_in(&self, browser: &Visitor, name: &str, me: &Visitor, to: &str) {
        let back = self.way_back(browser, name, me, to).await;
        browser.get_once(&back).await.goes_to(to);
    }

    /// Somebody new, and their browser, which came in.
    pub(super) async fn somebody(&self, name: &str, address: &str) -> (Visitor, Visitor) {
        let (me, browser) = (self.app.verified(address).await, self.browser(name));
        self.comes_in(&browser, name, &me, "/x").await;
        (me, browser)
    }

    /// What the application says that it was given.
    #[track_caller]
    pub(super) fn told(&self, answer: Answer) -> Value {
        let answer = answer.is(200);
        assert_eq!(answer.header("x-application"), "here", "{:?}: {}", self.proxy, answer.request);
        answer.json()
    }

    /// The application never heard of it.
    #[track_caller]
    pub(super) fn is_closed(&self, answer: &Answer) {
        assert_eq!(answer.header("x-application"), "", "{:?}: {}", self.proxy, answer.request);
    }
}

/// A visitor here who comes from another site.
pub(super) fn page(me: &Visitor) -> Visitor {
    me.clone().with("accept", "text/html").with("sec-fetch-site", "cross-site")
}

pub(super) fn script(visitor: &Visitor) -> Visitor {
    visitor.clone().with("sec-fetch-mode", "cors")
}

/// The same visitor, sent by another site.
pub(super) fn foreign(visitor: &Visitor) -> Visitor {
    script(visitor).with("sec-fetch-site", "cross-site").with("origin", "https://evil.example")
}

/// The same, as it opens a WebSocket (RFC 6455 §4.1).
pub(super) fn socket(visitor: Visitor) -> Visitor {
    let visitor = visitor.with("upgrade", "websocket").with("connection", "upgrade");
    visitor
        .with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with("sec-websocket-version", "13")
        .with("sec-fetch-mode", "websocket")
}

pub(super) async fn options(visitor: Visitor, path: &str) -> Answer {
    visitor.send(Method::OPTIONS, path, None).await
}

#[track_caller]
pub(super) fn text(told: &Value, name: &str) -> String {
    told[name].as_str().unwrap_or_default().to_owned()
}

// What tells an application under WSGI who is there.
pub(super) const IDENTITY: [&str; 6] =
    ["remote-user", "remote-email", "remote-name", "remote-groups", "vestibule-acr", "vestibule-auth-time"];

/// A visitor who passes for somebody else, in every spelling that such an application cannot tell apart.
pub(super) fn spoofing(visitor: Visitor) -> Visitor {
    let spelled = IDENTITY.iter().flat_map(|name| match name.split('-').collect::<Vec<_>>()[..] {
        [a, b] => ["-", "_", "."].map(|dash| format!("{a}{dash}{b}")).to_vec(),
        [a, b, c] => {
            let dashes = ["--", "-_", "_-", "__", "..", ".-", "_."];
            dashes.iter().map(|d| format!("{a}{}{b}{}{c}", &d[..1], &d[1..])).collect()
        }
        _ => unreachable!(),
    });
    let visitor = spelled.fold(visitor, |visitor, name| visitor.with(&name, "root"));
    visitor.with("x-original-url", "/public").with("forwarded", "host=evil;proto=https")
}
