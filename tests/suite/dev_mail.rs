//! Mail on a developer's machine: caught and shown at `/dev/mail`, or left to what catches it already.
//!
//! Port 1025 is one for the whole machine: these tests take turns at it (`port_1025`), and where somebody else holds the
//! port, say so and leave.

use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::json;
use vestibule::mail::Catcher;

use crate::harness::{Ground, PASSWORD, TestApp, eventually, port_1025};

fn usual_place() -> SocketAddr {
    ([127, 0, 0, 1], 1025).into()
}

fn person(address: &str) -> serde_json::Value {
    json!({ "email": address, "password": PASSWORD, "name": "Ada" })
}

#[actix_web::test]
async fn without_a_mail_server_emails_are_caught_and_shown() {
    let _turn = port_1025();
    if TcpListener::bind(usual_place()).is_err() {
        return eprintln!("skipped: {} is taken", usual_place());
    }
    let ground = Ground::with(&[("SMTP_URL", ""), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();
    curl.post_json("/signup", person("ada@example.com")).await.is(201);

    let shown = eventually("a letter at /dev/mail", async || {
        let shown = curl.get("/dev/mail").await.is(200).json();
        (shown["emails"].as_array().unwrap().len() == 1).then_some(shown)
    })
    .await;

    let email = &shown["emails"][0];
    assert_eq!(email["to"], "ada@example.com");
    let link = email["links"][0].as_str().unwrap();
    let path = link.strip_prefix(&format!("http://localhost:{}", vestibule.port)).unwrap();
    assert!(path.starts_with("/verify-email?token="), "{path}");
    let page = curl.clone().with("accept", "text/html");
    page.get("/dev/mail").await.is(200).says("ada@example.com");
    page.get(&format!("/dev/mail/{}", email["id"])).await.is(200).says(link);
    let framed = page
        .get(&format!("/dev/mail/{}/html", email["id"]))
        .await
        .is(200)
        .says("<h1")
        .says("target=\"_top\"");
    assert!(framed.header("content-security-policy").contains("style-src 'unsafe-inline'"));
    assert!(!framed.header("content-security-policy").contains("script-src"), "nothing runs there");
    assert_eq!(framed.header("x-frame-options"), "SAMEORIGIN");
    let source = curl.get(&format!("/dev/mail/{}/source", email["id"])).await.is(200);
    assert_eq!(source.header("content-type"), "text/plain; charset=utf-8");
    source.says("\r\nSubject: ").says("\r\nContent-Type: multipart/alternative");
    curl.get("/dev/mail/4711/source").await.refuses(404, "not_found");
    curl.get("/dev/mail/4711/html").await.refuses(404, "not_found");
    curl.get("/dev/mail/4711").await.refuses(404, "not_found");
    curl.get(path).await.is(200);
}

#[actix_web::test]
async fn what_listens_on_port_1025_already_gets_the_emails() {
    let _turn = port_1025();
    let Ok(mailpit) = Catcher::start(usual_place()) else {
        return eprintln!("skipped: {} is taken", usual_place());
    };
    let ground = Ground::with(&[("SMTP_URL", ""), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    vestibule.curl().post_json("/signup", person("ada@example.com")).await.is(201);

    eventually("a letter", async || (mailpit.received() == 1).then_some(())).await;

    assert_eq!(mailpit.emails()[0].to, "ada@example.com");
    assert_eq!(vestibule.curl().get("/dev/mail").await.is(200).json()["emails"], json!([]));
    vestibule.stop();
    assert!(TcpStream::connect(usual_place()).is_ok(), "the house does not close what it did not open");
}

#[actix_web::test]
async fn a_second_instance_says_which_one_shows_its_mail() {
    if TcpListener::bind(usual_place()).is_err() {
        return eprintln!("skipped: {} is taken", usual_place());
    }
    let settings = [("SMTP_URL", ""), ("BCRYPT_COST", "4")];
    let (first_ground, second_ground) = (Ground::with(&settings), Ground::with(&settings));
    let first = first_ground.serve().await;
    let second = second_ground.serve().await;
    second.curl().post_json("/signup", person("ada@example.com")).await.is(201);

    let page = format!("http://localhost:{}/dev/mail", first.port);
    eventually("the letter on the page of the first", async || {
        let shown = first.curl().get("/dev/mail").await.is(200).json();
        (shown["emails"][0]["to"] == "ada@example.com").then_some(())
    })
    .await;
    assert_eq!(second.curl().get("/dev/mail").await.is(200).json()["shownAt"], json!(page));
    second.curl().with("accept", "text/html").get("/dev/mail").await.is(200).says(&page);
    let log = second.log();
    assert!(log.contains(&format!("Mail:               {page}")), "{log}");
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(&page)), "{log}");
}

#[actix_web::test]
async fn caught_mail_is_for_whoever_sits_at_this_machine() {
    let app = TestApp::open().await;

    app.curl().get("/dev/mail").await.is(200);
    for header in ["x-forwarded-for", "forwarded"] {
        let proxied = app.curl().with(header, "for=127.0.0.1");
        proxied.get("/dev/mail").await.refuses(404, "not_found");
        proxied.get("/dev/mail/1").await.refuses(404, "not_found");
    }
}

#[actix_web::test]
async fn in_production_there_is_no_caught_mail() {
    let app = TestApp::with(&[
        ("MODE", "production"),
        ("BASE_URL", "https://id.example.com"),
        ("BCRYPT_COST", "10"),
    ])
    .await;

    app.curl().get("/dev/mail").await.refuses(404, "not_found");
    app.curl().get("/dev/mail/1").await.refuses(404, "not_found");
}
