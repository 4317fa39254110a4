//! How many sessions an account has, and how they are listed.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor};

const ADA: &str = "ada@example.com";

async fn capped() -> TestApp {
    TestApp::with(&[("SESSIONS_PER_ACCOUNT", "4"), ("TRUSTED_PROXIES", "127.0.0.1")]).await
}

async fn signs_in(app: &TestApp, ip: &str) -> Visitor {
    let visitor = app.curl().with("x-forwarded-for", ip);
    visitor.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    app.wait(TimeDelta::seconds(1));
    visitor
}

#[actix_web::test]
async fn one_session_too_many_ends_the_least_recently_used_of_the_network_with_the_most() {
    // Where the four are, which of them is used again, and which ends when a fifth begins somewhere else.
    for (ips, used, ended) in [
        (["203.0.113.1", "198.51.100.1", "198.51.100.2", "192.0.2.1"], None, 1),
        (["203.0.113.1", "198.51.100.1", "198.51.100.2", "192.0.2.1"], Some(1), 2),
        (["203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.1"], Some(0), 1),
        // As many on each: the least recently used of all.
        (["203.0.113.1", "198.51.100.1", "192.0.2.1", "100.64.0.1"], None, 0),
        (["203.0.113.1", "198.51.100.1", "192.0.2.1", "100.64.0.1"], Some(0), 1),
        (["2001:db8:1:1::1", "2001:db8:2:1::1", "2001:db8:2:2::1", "2001:db8:3:1::1"], None, 1),
    ] {
        let app = capped().await;
        app.verified(ADA).await.post("/logout", &[]).await.is(200);
        let mut devices = Vec::new();
        for ip in ips {
            devices.push(signs_in(&app, ip).await);
        }
        if let Some(used) = used {
            app.wait(TimeDelta::minutes(2));
            devices[used].get("/me").await.is(200);
        }

        let fifth = signs_in(&app, "100.127.0.1").await;

        for (number, device) in devices.iter().enumerate() {
            let status = device.get("/me").await.status.as_u16();
            assert_eq!(status, if number == ended { 401 } else { 200 }, "{ips:?}, {used:?}: {number}");
        }
        fifth.get("/me").await.is(200);
        assert_eq!(app.count("audit WHERE event = 'session_displaced' AND detail LIKE '%session%'").await, 1);
    }
}

#[actix_web::test]
async fn a_flood_of_sign_ins_ends_its_own_sessions() {
    let app = capped().await;
    let ada = app.verified(ADA).await.with("x-forwarded-for", "203.0.113.1");
    for number in 0..20 {
        signs_in(&app, &format!("198.51.100.{number}")).await;
    }

    ada.get("/me").await.is(200);
    assert_eq!(app.count("sessions").await, 4);
}

#[actix_web::test]
async fn sessions_that_have_ended_are_in_nobodys_way() {
    let app = capped().await;
    app.verified(ADA).await;
    for _ in 0..3 {
        signs_in(&app, "203.0.113.1").await;
    }
    app.wait(TimeDelta::days(2));

    for _ in 0..4 {
        signs_in(&app, "203.0.113.1").await;
    }

    assert_eq!(app.count("audit WHERE event = 'session_displaced'").await, 0);
}

#[actix_web::test]
async fn devices_are_listed_fifty_on_a_page() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    for _ in 0..99 {
        signs_in(&app, "203.0.113.1").await;
    }

    let (mut seen, mut path, mut pages) = (Vec::new(), "/me/sessions".to_owned(), Vec::new());
    loop {
        let page = ada.get(&path).await.is(200).json();
        let sessions = page["sessions"].as_array().unwrap();
        pages.push(sessions.len());
        seen.extend(sessions.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/me/sessions?cursor={next}");
    }

    assert_eq!(pages, [50, 50]);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 100);
    let browser = ada.clone().with("accept", "text/html");
    let page = browser.get("/me/sessions").await.is(200).says("Sign out everywhere else (99)");
    page.says("/me/sessions?cursor=");
    let page = browser.get("/me/security").await.is(200).says("See all 100");
    assert_eq!(page.body.matches("/revoke\"").count(), 3, "the one that asks, and three more");
    let last = browser.get(&path).await.is(200).says("Sign out everywhere else (99)");
    last.hides("/me/sessions?cursor=").hides("No other devices");
    let gone = ada.get("/me/sessions?cursor=0123456789abcdef0123456789abcdef").await.is(200).json();
    assert_eq!((gone["sessions"].as_array().unwrap().len(), gone["next"].is_null()), (0, true));
}
