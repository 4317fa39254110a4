//! A copy of everything that is held about somebody.

use std::fmt::Write;

use diesel::connection::SimpleConnection;
use serde_json::{Value, json};
use vestibule::internals::PERSONAL_DATA;

use crate::{
    docs::block,
    harness::{PASSWORD, TestApp, Visitor},
};

const ADA: &str = "ada@example.com";

async fn stepped_up(app: &TestApp) -> Visitor {
    let curl = app.verified(ADA).await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl
}

#[actix_web::test]
async fn a_copy_takes_a_fresh_proof_case_77() {
    let app = TestApp::open().await;
    let curl = app.verified(ADA).await;
    app.curl().get("/me/export").await.refuses(401, "sign_in_required");
    curl.get("/me/export").await.refuses(403, "reauthentication_required");
    assert_eq!(app.count("audit WHERE event = 'exported'").await, 0);
}

#[actix_web::test]
async fn it_holds_what_the_readme_says_and_no_secrets() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app).await;
    app.curl().post_json("/login", json!({ "email": ADA, "password": "a wrong one" })).await.is(401);
    // Another person's rows are not hers.
    app.verified("ben@example.com").await;
    curl.post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let link = app.token_for(ADA).await;

    let answer = curl.get("/me/export").await.is(200);

    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"my-account.json\"");
    let document = answer.json();
    assert_eq!(document["profile"]["email"], ADA);
    assert_eq!(document["signInMethods"], json!([{ "method": "password", "blockedAt": null }]));
    assert_eq!(document["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(document["signIns"].as_array().unwrap().len(), 2);
    let mut kinds: Vec<&str> =
        document["mails"].as_array().unwrap().iter().map(|mail| mail["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["reset_password", "verify_email"]);
    let events: Vec<&str> =
        document["audit"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert!(events.contains(&"email_confirmed") && events.contains(&"exported"), "{events:?}");

    let (_, promised) = block("export");
    for (section, value) in document.as_object().unwrap() {
        assert!(promised.contains(&format!("`{section}`")), "{section} is not in docs/personal-data.md");
        let row = promised.lines().find(|line| line.contains(&format!("`{section}`"))).unwrap();
        let first = value.get(0).unwrap_or(value);
        for key in first.as_object().into_iter().flat_map(|object| object.keys()) {
            assert!(row.contains(&format!("`{key}`")), "{section}.{key} is not in docs/personal-data.md");
        }
    }
    for section in PERSONAL_DATA.iter().flat_map(|entry| entry.export) {
        assert!(document.get(section.name).is_some(), "{}", section.name);
    }
    let hash = app.texts("SELECT password_hash AS text FROM users WHERE email = 'ada@example.com'").await;
    let digest = app.texts("SELECT secret_hash AS text FROM sessions").await;
    let cookie = curl.cookie("session").unwrap();
    for secret in hash.iter().chain(&digest).chain([&link, &cookie]) {
        assert!(!answer.body.contains(secret.as_str()));
    }
    answer.hides("ben@example.com").hides("sealed");
}

#[actix_web::test]
async fn a_browser_gets_the_file_after_confirming_that_it_is_them() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let browser = app.browser();
    browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.goes_to("/me");
    browser.get("/me/export").await.goes_to("/auth/confirm?next=%2Fme%2Fexport&strength=any");
    let way = browser.post("/auth/confirm", &[("password", PASSWORD), ("next", "/me/export")]).await;
    way.goes_to("/me/export");

    let file = browser.get("/me/export").await.is(200);

    assert_eq!(file.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(file.json()["profile"]["name"], "Ada");
    browser.head("/me/export").await.is(200);
    assert_eq!(app.count("audit WHERE event = 'exported'").await, 1, "a look at the headers takes no copy");
}

/// It comes in pieces: no page of rows is ever more than a few hundred.
#[actix_web::test]
async fn a_long_history_is_whole_and_in_order() {
    const ATTEMPTS: usize = 5_401;
    let app = TestApp::open().await;
    let curl = stepped_up(&app).await;
    let id = app.texts("SELECT id AS text FROM users").await.remove(0);
    let mut script = String::new();
    for number in 0..ATTEMPTS - 1 {
        let (minute, hour, day) = (number % 60, number / 60 % 24, 1 + number / 1_440);
        write!(
            script,
            "INSERT INTO sign_ins (id, user_id, at, ip, network, browser, os, device_type, method, outcome, is_new_device) \
             VALUES ('{number:032x}', '{id}', '2026-11-{day:02} {hour:02}:{minute:02}:00', '203.0.113.{}', \
             '203.0.113.0/24', 'Firefox', 'Linux', 'computer', 'password', 'wrong_password', false); ",
            number % 250
        )
        .unwrap();
    }
    app.inner.write(move |tx| Ok(tx.conn.batch_execute(&script)?)).await.unwrap();

    let document: Value = curl.get("/me/export").await.is(200).json();

    let attempts = document["signIns"].as_array().unwrap();
    assert_eq!(attempts.len(), ATTEMPTS);
    let times: Vec<&str> = attempts.iter().map(|attempt| attempt["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
}
