//! The gate behind proxies that are not ours: nginx, Caddy and Traefik, each started from exactly what `vestibule app config`
//! prints, before a program under WSGI that says what it was given.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::{
    gate::{local, post_at},
    harness::{Answer, PASSWORD, TestApp, Visitor, eventually, free_port},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nginx,
    Caddy,
    Traefik,
}

use Kind::{Caddy, Nginx, Traefik};

impl Kind {
    /// Where it is on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    fn program(self) -> Option<String> {
        let (setting, usual) = match self {
            Nginx => ("NGINX", "/usr/sbin/nginx"),
            Caddy => ("CADDY", "/usr/bin/caddy"),
            Traefik => ("TRAEFIK", "/usr/bin/traefik"),
        };
        let program = std::env::var(setting).unwrap_or_else(|_| usual.to_owned());
        if !Path::new(&program).exists() {
            eprintln!(
                "SKIPPED: there is no {program} ({setting}), so {self:?} asks nothing; `bin/test peers` installs it"
            );
            return None;
        }
        Some(program)
    }

    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One proxy before one application at three hosts: `wiki`, `notes`, and `lost`, whose check nobody answers.
struct Ground {
    kind: Kind,
    app: TestApp,
    port: u16,
    _folder: tempfile::TempDir,
    _running: [Running; 2],
}

impl Ground {
    async fn start(kind: Kind) -> Option<Self> {
        let program = kind.program()?;
        let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
        let (port, behind) = (free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let mut printed = Vec::new();
        for (name, options, here) in [
            ("wiki", &["--name", "Wiki", "--open", "/public"][..], app.port),
            ("notes", &["--prefix", "/entrance"], app.port),
            ("lost", &["--open", "/public"], 1),
        ] {
            let host = format!("{name}.localhost:{port}");
            assert_eq!(app.command(&[&["app", "add", &host], options].concat()).code, Some(0));
            let (upstream, here) = (format!("127.0.0.1:{behind}"), format!("127.0.0.1:{here}"));
            let config =
                ["app", "config", &host, &kind.word(), "--upstream", &upstream, "--vestibule", &here];
            let config = app.command(&config);
            assert_eq!(config.code, Some(0), "{}", config.err);
            printed.push((name, config.out));
        }
        let proxy = proxy(kind, &program, port, folder.path(), &printed);
        let application =
            Command::new("python3").args(["tests/peers/environ.py", &behind.to_string()]).spawn();
        let running = [Running(proxy), Running(application.unwrap())];
        for port in [port, behind] {
            let there = async || TcpStream::connect(("127.0.0.1", port)).ok();
            eventually("a program that listens", there).await;
        }
        let ground = Self { kind, app, port, _folder: folder, _running: running };
        // Traefik listens before it has read its files.
        let script = ground.script("wiki");
        let reads = async || (script.get_once("/x").await.status == 401).then_some(());
        eventually("a proxy that knows its hosts", reads).await;
        Some(ground)
    }

    fn host(&self, name: &str) -> String {
        format!("{name}.localhost:{}", self.port)
    }

    fn browser(&self, name: &str) -> Visitor {
        Visitor::browser(self.port).with("host", &self.host(name)).with("sec-fetch-mode", "navigate")
    }

    fn script(&self, name: &str) -> Visitor {
        self.browser(name).with("sec-fetch-mode", "cors")
    }

    /// Goes all the way from a page of the host to here and back.
    async fn comes_in(&self, browser: &Visitor, name: &str, prefix: &str, me: &Visitor, to: &str) {
        let origin = format!("http://{}", self.host(name));
        let start = browser.get_once(to).await.is(303);
        let start = local(start.location().unwrap(), &origin);
        assert!(start.starts_with(&format!("{prefix}/start?to=")), "{start}");
        let enter = local(browser.get_once(&start).await.is(303).location().unwrap(), &self.app.base_url);
        let here = me.clone().with("accept", "text/html").with("sec-fetch-site", "cross-site");
        let back = local(here.get_once(&enter).await.is(303).location().unwrap(), &origin);
        browser.get_once(&back).await.goes_to(to);
    }

    fn check(&self, answer: Answer) -> Value {
        let answer = answer.is(200);
        assert_eq!(answer.header("x-application"), "here", "{:?}: {}", self.kind, answer.request);
        answer.json()
    }
}

fn proxy(kind: Kind, program: &str, port: u16, folder: &Path, printed: &[(&str, String)]) -> Child {
    let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let all: String = printed.iter().map(|(_, text)| text.as_str()).collect();
    let mut command = Command::new(program);
    match kind {
        Nginx => {
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|what| format!("{what}_temp_path {};", place(what)))
                .concat();
            let head = format!(
                "daemon off; master_process off; pid {}; error_log stderr crit; events {{}}",
                place("pid")
            );
            let whole = format!("{head}\nhttp {{ access_log off; {temporary}\n{all}\n}}\n");
            fs::write(place("nginx.conf"), whole).unwrap();
            command.args(["-e", "stderr", "-c", &place("nginx.conf")]);
        }
        Caddy => {
            fs::write(place("Caddyfile"), format!("{{\n\tadmin off\n\tauto_https off\n}}\n{all}\n")).unwrap();
            command.args(["run", "--adapter", "caddyfile", "--config", &place("Caddyfile")]);
            command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
        }
        Traefik => {
            fs::create_dir(place("dynamic")).unwrap();
            for (name, text) in printed {
                fs::write(place(&format!("dynamic/{name}.yml")), text).unwrap();
            }
            command.arg(format!("--entryPoints.web.address=127.0.0.1:{port}"));
            command.arg(format!("--providers.file.directory={}", place("dynamic")));
            command.args([
                "--log.level=ERROR",
                "--global.checkNewVersion=false",
                "--global.sendAnonymousUsage=false",
            ]);
        }
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

// What a visitor writes to pass for somebody else, in both spellings that a program cannot tell apart.
const SPOOFS: [(&str, &str); 10] = [
    ("remote-user", "root"),
    ("remote_user", "root"),
    ("remote-email", "root@example.com"),
    ("remote_email", "root@example.com"),
    ("remote-groups", "acme:owner"),
    ("remote_groups", "acme:owner"),
    ("vestibule-acr", "phr"),
    ("vestibule_acr", "phr"),
    ("x-original-url", "/public"),
    ("forwarded", "host=evil;proto=https"),
];

fn spoofing(visitor: Visitor) -> Visitor {
    SPOOFS.iter().fold(visitor, |visitor, (name, value)| visitor.with(name, value))
}

#[track_caller]
fn knows(told: &Value, name: &str) -> String {
    told[name].as_str().unwrap_or_default().to_owned()
}

async fn a_proxy_asks_and_believes_nobody_else(kind: Kind) {
    let Some(ground) = Ground::start(kind).await else { return };
    let (app, wiki) = (&ground.app, ground.browser("wiki"));
    let ada = app.verified("ada@example.com").await;
    let id = app.user_id("ada@example.com").await;

    // Nobody is there: a page leads to sign in, a program gets 401, an open path stays open and knows nobody.
    let origin = format!("http://{}", ground.host("wiki"));
    let start = format!("{origin}/.vestibule/start?to=%2Fx%3Fa%3D1%26vestibule-acr%3Dphr");
    wiki.get_once("/x?a=1&vestibule-acr=phr").await.goes_to(&start);
    let refused = spoofing(ground.script("wiki")).get_once("/x").await.refuses(401, "sign_in_required");
    assert_eq!(refused.json()["signIn"], format!("{origin}/.vestibule/start?to=%2Fx").as_str());
    let told = ground.check(spoofing(wiki.clone()).get_once("/public/a?b=c").await);
    for name in ["HTTP_REMOTE_USER", "HTTP_REMOTE_EMAIL", "HTTP_REMOTE_GROUPS", "HTTP_VESTIBULE_ACR"] {
        assert_eq!(knows(&told, name), "", "{kind:?}: {name}");
    }
    for (name, value) in [
        ("x-forwarded-uri", "/public"),
        ("x-original-uri", "/public"),
        ("x-rewrite-url", "/public"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-forwarded-host", "evil"),
    ] {
        ground.script("wiki").with(name, value).get_once("/x").await.is(401);
    }
    for path in ["/public/..%2fx", "/public/%2e%2e/x", "/public;/../x", "/publicity"] {
        let status = ground.script("wiki").get_once(path).await.status;
        assert!(status.is_client_error(), "{kind:?} {path}: {status}");
    }

    // Somebody comes in, with all that their address said.
    let to = "/x?q=%26%23%25&u=caf%C3%A9";
    ground.comes_in(&wiki, "wiki", "/.vestibule", &ada, to).await;
    let told = ground.check(spoofing(wiki.clone()).get_once(to).await);
    assert_eq!(knows(&told, "HTTP_REMOTE_USER"), id.as_str(), "{kind:?}");
    assert_eq!(knows(&told, "HTTP_REMOTE_EMAIL"), "ada@example.com");
    assert_eq!(knows(&told, "HTTP_REMOTE_NAME"), "Ada");
    assert_eq!(knows(&told, "HTTP_REMOTE_GROUPS"), "");
    assert_eq!(knows(&told, "HTTP_VESTIBULE_ACR"), "1fa");
    assert_eq!(knows(&told, "QUERY_STRING"), "q=%26%23%25&u=caf%C3%A9");
    assert_eq!(knows(&told, "HTTP_HOST"), ground.host("wiki"));
    // A body survives, as does what the application itself refuses, its own token, and a query of one of our names.
    let form = wiki.clone().with("authorization", "Bearer of-its-own");
    let told = ground.check(post_at(&form, "/x?vestibule-recent=1", &[("note", "a b&c")]).await);
    assert_eq!(
        (knows(&told, "body"), knows(&told, "REQUEST_METHOD")),
        ("note=a+b%26c".into(), "POST".into())
    );
    assert_eq!(knows(&told, "HTTP_AUTHORIZATION"), "Bearer of-its-own");
    for status in [401, 403, 404, 500] {
        let answer = wiki.get_once(&format!("/status/{status}")).await.is(status);
        assert_eq!(answer.header("x-application"), "here", "{kind:?} {status}");
    }
    // Another site sends nothing with this cookie, and opens no line.
    let foreign = ground_foreign(&wiki);
    post_at(&foreign, "/x", &[("note", "evil")]).await.refuses(403, "cross_origin");
    let socket = foreign.with("upgrade", "websocket").with("connection", "upgrade");
    let socket =
        socket.with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").with("sec-websocket-version", "13");
    socket.get_once("/socket").await.refuses(403, "cross_origin");

    // Another host knows nobody until they come in there, without being asked again.
    let notes = ground.browser("notes");
    notes.set_cookie("gate", &wiki.cookie("gate").unwrap());
    ground.comes_in(&notes, "notes", "/entrance", &ada, "/n").await;
    assert_eq!(knows(&ground.check(notes.get_once("/n").await), "HTTP_REMOTE_USER"), id.as_str());
    assert_eq!(notes.get_once("/entrance/me").await.is(200).json()["user"]["id"], id.as_str());

    // Where nobody answers the check nothing is open, not even what would be.
    for path in ["/x", "/public"] {
        let lost = spoofing(ground.script("lost"));
        lost.set_cookie("gate", &wiki.cookie("gate").unwrap());
        let answer = lost.get_once(path).await;
        assert!(answer.status.is_server_error(), "{kind:?} {path}: {}", answer.status);
        assert_ne!(answer.header("x-application"), "here");
    }

    // The device is revoked in another browser: both hosts are closed at the next request.
    let elsewhere = app.curl();
    elsewhere.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    elsewhere.post("/me/sessions/revoke-all", &[]).await.is(200);
    ground_script(&wiki).get_once("/x").await.refuses(401, "sign_in_required");
    ground_script(&notes).get_once("/n").await.refuses(401, "sign_in_required");
    let late = wiki.clone().with("referer", &format!("{origin}/x/edit"));
    let trouble = post_at(&late, "/x", &[("note", "late")]).await.is(303);
    assert!(trouble.location().unwrap().ends_with("&code=send_again&to=%2Fx%2Fedit"), "{kind:?}");

    // Signing out at the application.
    ground.comes_in(&wiki, "wiki", "/.vestibule", &elsewhere, "/x").await;
    let out = wiki.clone().with("accept", "*/*");
    out.send(Method::POST, "/.vestibule/logout", Some(("application/x-www-form-urlencoded", String::new())))
        .await
        .is(200);
    elsewhere.get("/me").await.is(401);
    ground_script(&wiki).get_once("/x").await.is(401);
}

fn ground_script(visitor: &Visitor) -> Visitor {
    visitor.clone().with("sec-fetch-mode", "cors")
}

fn ground_foreign(visitor: &Visitor) -> Visitor {
    ground_script(visitor).with("sec-fetch-site", "cross-site").with("origin", "https://evil.example")
}

#[actix_web::test]
async fn nginx_from_its_printed_configuration() {
    a_proxy_asks_and_believes_nobody_else(Nginx).await;
}

#[actix_web::test]
async fn caddy_from_its_printed_configuration() {
    a_proxy_asks_and_believes_nobody_else(Caddy).await;
}

#[actix_web::test]
async fn traefik_from_its_printed_configuration() {
    a_proxy_asks_and_believes_nobody_else(Traefik).await;
}
