//! What operators see: the counters, and the number on a page that went wrong.

use diesel::{RunQueryDsl, sql_query};
use serde_json::json;
use vestibule::jobs::{self, Job};

use crate::harness::{PASSWORD, TestApp};

#[actix_web::test]
async fn the_metrics_are_prometheus_text_with_every_family_described() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    // A counter without a sample is not shown.
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();

    for visitor in [app.curl(), app.browser()] {
        let answer = visitor.get("/metrics").await.is(200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        for family in [
            "vestibule_requests_total counter",
            "vestibule_request_seconds histogram",
            "vestibule_sign_ins_total counter",
            "vestibule_hash_queue gauge",
            "vestibule_outbox_emails gauge",
            "vestibule_outbox_age_seconds gauge",
            "vestibule_outbox_parked gauge",
            "vestibule_job_runs_total counter",
            "vestibule_job_items_total counter",
        ] {
            assert!(answer.body.contains(&format!("# TYPE {family}\n")), "{family}: {}", answer.body);
        }
        let is_sample = |line: &str| {
            line.rsplit_once(' ')
                .is_some_and(|(name, value)| name.starts_with("vestibule_") && value.parse::<f64>().is_ok())
        };
        let odd: Vec<&str> =
            answer.body.lines().filter(|line| !line.starts_with("# ") && !is_sample(line)).collect();
        assert_eq!(odd, Vec::<&str>::new());
    }
}

#[actix_web::test]
async fn a_stranger_on_another_network_sees_no_metrics() {
    let elsewhere = TestApp::with(&[("METRICS_FROM", "192.0.2.0/24")]).await;
    elsewhere.curl().get("/metrics").await.refuses(404, "not_found");
    elsewhere.browser().get("/metrics").await.is(404).hides("vestibule_");
    TestApp::with(&[("METRICS_FROM", "none")]).await.curl().get("/metrics").await.refuses(404, "not_found");
}

#[actix_web::test]
async fn behind_a_proxy_the_metrics_look_at_the_client_and_not_at_the_proxy() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let elsewhere = app.curl().with("x-forwarded-for", "203.0.113.9");
    elsewhere.get("/metrics").await.refuses(404, "not_found");
    let pretender = app.curl().with("x-forwarded-for", "127.0.0.1, 203.0.113.9");
    pretender.get("/metrics").await.refuses(404, "not_found");
    app.curl().get("/metrics").await.is(200);
}

#[actix_web::test]
async fn requests_are_counted_by_pattern_and_never_by_path() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    for id in ["feedfacefeedfacefeedfacefeedface", "feedfacefeedfacefeedfacefeedfacf"] {
        ada.delete(&format!("/me/sessions/{id}")).await.is(404);
        ada.get(&format!("/nowhere/{id}?token={id}")).await.is(404);
    }

    let metrics = metrics(&app).await;

    assert_eq!(sample(&metrics, r#"requests_total{route="/me/sessions/{id}",status="404"}"#), 2);
    assert_eq!(sample(&metrics, r#"requests_total{route="none",status="404"}"#), 2);
    assert_eq!(sample(&metrics, r#"requests_total{route="/signup",status="201"}"#), 1);
    for private in ["feedface", "nowhere", "token", "ada@", "127.0.0.1"] {
        assert!(!metrics.contains(private), "`{private}` is in {metrics}");
    }
}

#[actix_web::test]
async fn sign_ins_are_counted_by_method_and_outcome() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    for (password, status) in [(PASSWORD, 200), ("not her password", 401), ("nor this one", 401)] {
        let form = json!({ "email": "ada@example.com", "password": password });
        app.curl().post_json("/login", form).await.is(status);
    }
    app.browser().post("/login", &[("email", "nobody@example.com"), ("password", PASSWORD)]).await.is(401);

    let metrics = metrics(&app).await;

    assert_eq!(sample(&metrics, r#"sign_ins_total{method="password",outcome="success"}"#), 1);
    assert_eq!(sample(&metrics, r#"sign_ins_total{method="password",outcome="failure"}"#), 3);
    assert_eq!(sample(&metrics, r#"sign_ins_total{method="sign_up",outcome="success"}"#), 1);
}

#[actix_web::test]
async fn second_factors_are_counted_by_factor_and_outcome() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for (code, status) in [
        ("000000", 422),
        ("0000-0000-0000", 422),
        ("nothing like it", 422),
        (&app.next_code(&ada.secret), 200),
        (&ada.recovery_codes[0], 200),
    ] {
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        device.submits_code(code).await.is(status);
    }

    let metrics = metrics(&app).await;

    for (factor, outcome) in [
        ("totp", "success"),
        ("totp", "failure"),
        ("recovery_code", "success"),
        ("recovery_code", "failure"),
        ("none", "failure"),
    ] {
        let name = format!(r#"second_factors_total{{factor="{factor}",outcome="{outcome}"}}"#);
        assert_eq!(sample(&metrics, &name), 1, "{name}");
    }
}

#[actix_web::test]
async fn the_outbox_is_seen_to_wait_and_to_empty() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    app.wait(chrono::TimeDelta::seconds(90));
    let before = metrics(&app).await;
    assert_eq!((sample(&before, "outbox_emails"), sample(&before, "outbox_age_seconds")), (1, 90));

    app.send_emails().await;

    let after = metrics(&app).await;
    assert_eq!((sample(&after, "outbox_emails"), sample(&after, "outbox_age_seconds")), (0, 0));
    assert_eq!(sample(&after, r#"emails_total{outcome="sent"}"#), 1);
}

#[actix_web::test]
async fn when_the_database_fails_the_page_shows_a_number_to_ask_about_and_nothing_else() {
    let app = TestApp::open().await;
    let ada = app.unverified_user("ada@example.com").await;
    let secret = ada.cookie("session").unwrap();
    let taken = app.inner.write(|tx| Ok(sql_query("ALTER TABLE sessions RENAME TO taken").execute(tx.conn)?));
    taken.await.unwrap();
    let browser = ada.clone().with("accept", "text/html").with("x-request-id", "<b>mine</b>");

    let (page, json) = (browser.get("/me").await.is(500), ada.get("/me").await.refuses(500, "internal"));

    let number = page.header("x-request-id");
    assert!(!number.is_empty() && number != json.header("x-request-id"));
    let shown = page.body.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>"));
    assert_eq!(shown.map(|(shown, _)| shown), Some(number), "{}", page.body);
    assert_eq!(json.json()["requestId"], json.header("x-request-id"));
    for answer in [page, json] {
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        for internal in
            ["no such table", "relation", "select", "sqlite", "postgres", "diesel", "src/", &secret]
        {
            assert!(!answer.body.to_lowercase().contains(internal), "`{internal}` is in {}", answer.body);
        }
    }
    // Whoever needs no row is served as before.
    app.browser().get("/login").await.is(200);
}

async fn metrics(app: &TestApp) -> String {
    app.curl().get("/metrics").await.is(200).body
}

/// The value of one sample; 0 where it is not there.
fn sample(metrics: &str, name: &str) -> i64 {
    let name = format!("vestibule_{name} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |value| value.parse().unwrap())
}
