//! What docs/recipes.md tells applications to write, run as it stands there, behind nginx and without it.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    process::Command,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::ground::{Ground, spoofing};
use crate::harness::{
    TestApp, Visitor, free_port,
    proxies::{Proxy, Running},
};

#[path = "../../../examples/gate/visitor.rs"]
mod visitor;

/// The blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string("docs/recipes.md").unwrap();
    let start = format!("\n```{language}\n");
    page.split(&start)
        .skip(1)
        .map(|rest| rest.split_inclusive("```").next().unwrap().trim_end_matches('`').to_owned())
        .collect()
}

/// Where a peer is installed, as the environment says.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
fn installed(setting: &str) -> Option<String> {
    let place = std::env::var(setting).ok();
    if place.is_none() {
        eprintln!("SKIPPED: {setting} is not set, so its recipe is not run; `bin/test peers` installs it");
    }
    place
}

#[test]
fn every_recipe_is_short_and_names_who_may_say_so() {
    let mut all = Vec::new();
    for (language, number) in [("js", 2), ("python", 1), ("ruby", 1), ("go", 1), ("rust", 1)] {
        let found = blocks(language);
        assert_eq!(found.len(), number, "{language}");
        all.extend(found);
    }
    for recipe in &all {
        assert!(recipe.lines().count() <= 20, "{recipe}");
        assert!(recipe.contains("127.0.0.1"), "{recipe}");
    }
    assert_eq!(blocks("rust"), [fs::read_to_string("examples/gate/visitor.rs").unwrap()]);
}

/// An application that answers `/` with who is there refuses whoever does not come from the proxy, and knows, through the proxy,
/// who is there.
async fn learns_who_is_there(behind: u16, application: Option<Running>) {
    // From another address of this machine.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], behind))).await.unwrap();
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let request =
        "GET / HTTP/1.1\r\nhost: wiki\r\nremote-user: root\r\nremote-email: r\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 ") || answer.starts_with("HTTP/1.0 403 "), "{answer}");
    assert!(answer.contains("Come through the proxy.") && !answer.contains("root"), "{answer}");

    let Some(ground) = Ground::before(Proxy::Nginx, behind, application).await else { return };
    let ada = ground.app.verified("ada@example.com").await;
    ada.put_json("/me/name", json!({ "name": "Zoë" })).await.is(200);
    let browser = ground.browser("wiki");
    browser.get_once("/").await.is(303);
    ground.comes_in(&browser, "wiki", &ada, "/").await;
    let told = spoofing(browser).get_once("/").await.is(200).json();
    assert_eq!(told["id"], ground.app.user_id("ada@example.com").await.as_str());
    assert_eq!(told["email"], "ada@example.com");
    assert!(told["name"].is_null() || told["name"] == "Zoë", "{told}");
}

/// Starts a recipe for Express.
async fn express(modules: &str, recipe: &str, vestibule: &str) -> (tempfile::TempDir, u16, Running) {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let file = folder.path().join("app.js");
    fs::write(&file, recipe).unwrap();
    let mut node = Command::new("node");
    node.arg(&file).env("NODE_PATH", modules).env("PORT", port.to_string()).env("VESTIBULE", vestibule);
    let running = Running::at(&mut node, port).await;
    (folder, port, running)
}

#[actix_web::test]
async fn express_learns_who_is_there() {
    let Some(modules) = installed("PEER_MODULES") else { return };
    let (_folder, port, running) = express(&modules, &blocks("js")[0], "").await;
    let nobody = Visitor::curl(port).get_once("/").await.is(200).json();
    assert_eq!(nobody, Value::Null);
    learns_who_is_there(port, Some(running)).await;
}

#[actix_web::test]
async fn express_asks_who_is_there() {
    let Some(modules) = installed("PEER_MODULES") else { return };
    let app = TestApp::open().await;
    let (_folder, port, _running) = express(&modules, &blocks("js")[1], &app.base_url).await;
    let ada = app.verified("ada@example.com").await;
    let told = ada.at(port).get_once("/").await.is(200).json();
    assert_eq!((&told["email"], &told["emailVerified"]), (&json!("ada@example.com"), &json!(true)));
    app.curl().at(port).get_once("/").await.goes_to("/login?next=/");
    ada.post("/logout", &[]).await.is(200);
    ada.at(port).get_once("/").await.goes_to("/login?next=/");
}

#[actix_web::test]
async fn django_learns_who_is_there() {
    let Some(python) = installed("GATE_PYTHON") else { return };
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    fs::write(folder.path().join("visitor.py"), &blocks("python")[0]).unwrap();
    let site = fs::canonicalize("tests/peers/recipe.py").unwrap();
    let mut django = Command::new(python);
    django.arg(site).current_dir(folder.path()).env("PORT", port.to_string());
    let running = Running::at(&mut django, port).await;
    assert_eq!(Visitor::curl(port).get_once("/").await.is(200).json(), Value::Null);
    learns_who_is_there(port, Some(running)).await;
}

async fn page(visitor: visitor::Visitor) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "id": visitor.id, "email": visitor.email }))
}

#[actix_web::test]
async fn actix_learns_who_is_there() {
    let port = free_port();
    let site = || App::new().route("/", web::get().to(page));
    let server = HttpServer::new(site).workers(1).disable_signals().bind(("127.0.0.1", port)).unwrap();
    actix_web::rt::spawn(server.run());
    Visitor::curl(port).get_once("/").await.is(403);
    learns_who_is_there(port, None).await;
}
