//! A panic costs one answer and is one line of the log. The house has no route that panics, so an application that
//! embeds it brings some.

use std::{net::TcpListener, process::Command};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::Method,
    web::{self, Data, ServiceConfig},
};
use serde_json::Value;
use vestibule::{app::App, error::Result, log, server};

use crate::harness::{TestApp, Visitor};

const PANICS: [&str; 6] = [
    "/panics/handler",
    "/panics/extractor",
    "/panics/read",
    "/panics/write",
    "/panics/blocking",
    "/panics/later",
];

/// What an extractor panics over.
struct Trap;

impl FromRequest for Trap {
    type Error = vestibule::error::Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        panic!("in an extractor")
    }
}

fn routes(service: &mut ServiceConfig) {
    service
        .route("/fine", web::get().to(async || "fine"))
        .route("/panics/handler", web::route().to(async || -> String { panic!("in a handler") }))
        .route("/panics/extractor", web::route().to(async |_: Trap| ""))
        .route(
            "/panics/read",
            web::route()
                .to(async |app: Data<App>| app.read(|_| -> Result<String> { panic!("in a read") }).await),
        )
        .route(
            "/panics/write",
            web::route()
                .to(async |app: Data<App>| app.write(|_| -> Result<String> { panic!("in a write") }).await),
        )
        .route(
            "/panics/blocking",
            web::route().to(async || {
                log::spawn_blocking(|| -> String { panic!("on the blocking pool") })
                    .await
                    .map_err(vestibule::error::Error::internal)
            }),
        )
        .route(
            "/panics/later",
            web::route().to(async || -> String {
                tokio::task::yield_now().await;
                let text = "ada@example.com — é";
                text[..text.len() - 1].to_owned()
            }),
        );
}

/// The house with these routes, at a port of its own.
fn embedded(app: &TestApp) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    actix_web::rt::spawn(server::start_with(&app.inner, listener, routes).unwrap());
    port
}

#[actix_web::test]
async fn a_panic_is_answered_like_any_other_fault_and_stops_nobody() {
    let app = TestApp::open().await;
    let port = embedded(&app);
    let (curl, browser) = (Visitor::curl(port), Visitor::browser(port));
    for path in PANICS {
        // More often than there are threads, or connections to the database.
        for method in [Method::GET, Method::POST].into_iter().cycle().take(10) {
            let answer = curl.send(method, path, None).await.refuses(500, "internal");
            assert_eq!(answer.json()["requestId"], answer.header("x-request-id"), "{path}");
        }
        let page = browser.get(path).await.is(500);
        let number = page.header("x-request-id");
        assert!(page.body.contains(&format!("<code>{number}</code>")), "{path}: {}", page.body);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")] {
            assert_eq!(page.header(name), value, "{path}");
        }
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(!page.body.contains("panic") && !page.body.contains("src/"), "{path}: {}", page.body);
        curl.get("/fine").await.is(200);
        curl.get("/readyz").await.is(200);
    }
    let metrics = curl.get("/metrics").await.is(200).body;
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("vestibule_requests_total{route=\"none\",status=\"500\"} "))
    );
    app.verified("ada@example.com").await;
}

/// As a program of its own, since a process has one log: this test runs itself, and reads what that printed.
#[actix_web::test]
#[expect(clippy::disallowed_methods, reason = "a test that runs itself says so in the environment")]
async fn a_panic_is_one_json_line_with_the_id_of_its_request() {
    const ITSELF: &str = "panics::a_panic_is_one_json_line_with_the_id_of_its_request";
    const EMBEDDING: &str = "VESTIBULE_TEST_EMBEDDING";
    if std::env::var_os(EMBEDDING).is_some() {
        let log = log::start("info", true).unwrap();
        // The test's own program may have left the beginning of a line.
        log.print("\n".to_owned());
        let app = TestApp::open().await;
        let curl = Visitor::curl(embedded(&app));
        for path in PANICS {
            curl.get(path).await.is(500);
        }
        drop(log);
        return;
    }

    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args([ITSELF, "--exact", "--nocapture"]).env(EMBEDDING, "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();

    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{out}{err}");
    assert!(!err.contains("panicked"), "a panic is told in the log only: {err}");
    let lines: Vec<Value> = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let requests: Vec<&Value> =
        lines.iter().filter(|line| line["message"] == "request" && line["status"] == 500).collect();
    assert_eq!(requests.len(), PANICS.len(), "{out}");
    for request in requests {
        let told: Vec<&Value> = lines
            .iter()
            .filter(|line| line["level"] == "ERROR" && line["request.id"] == request["request.id"])
            .collect();
        let [panic] = told[..] else { panic!("{request} has {told:?}") };
        assert_eq!(panic["message"], "panicked", "{panic}");
        assert!(panic["location"].as_str().unwrap().starts_with("tests/suite/panics.rs:"), "{panic}");
        assert!(panic["panic"].is_string(), "{panic}");
    }
    assert!(!out.contains("ada@") && out.contains("byte index"), "what was cut is not told: {out}");
}
