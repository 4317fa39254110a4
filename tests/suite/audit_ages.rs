//! What leaves the audit, and when.

use chrono::TimeDelta;
use diesel::{RunQueryDsl, sql_query};
use serde_json::json;
use vestibule::jobs::{self, Job};

use crate::{
    audit_events::declared,
    harness::{PASSWORD, TestApp},
};

const ADA: &str = "ada@example.com";

/// A house with something of every kind in its audit.
async fn lived_in(settings: &[(&str, &str)]) -> TestApp {
    let app = TestApp::with(settings).await;
    let ada = app.with_app(ADA).await;
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": ADA, "password": "a wrong guess" })).await.is(401);
    curl.post_json("/login", json!({ "email": "nobody@example.com", "password": "a wrong guess" }))
        .await
        .is(401);
    curl.post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    curl.post_json("/login/magic-link", json!({ "email": ADA })).await.is(200);
    ada.submits_password(&curl).await.is(200);
    curl.submits_code("000000").await.is(422);
    curl.submits_code(&app.next_code(&ada.secret)).await.is(200);
    curl.post_json("/auth/confirm", json!({ "password": "a wrong guess" })).await.is(422);
    curl.post("/logout", &[]).await.is(200);
    app
}

async fn swept(app: &TestApp) {
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
}

fn of_kinds(kinds: &[&str]) -> Vec<String> {
    let events = declared().into_iter().filter(|event| kinds.contains(&event.kind.as_str()));
    events.map(|event| event.name).collect()
}

fn sign_in_events() -> Vec<String> {
    of_kinds(&["of_sign_in"])
}

fn attempt_events() -> Vec<String> {
    of_kinds(&["attempt", "failure"])
}

async fn events(app: &TestApp, names: &[String]) -> i64 {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    app.count(&format!("audit WHERE event IN ({})", names.join(", "))).await
}

#[actix_web::test]
async fn sign_ins_and_networks_go_with_the_history_and_attempts_after_a_life_of_their_own() {
    // Spans in days: of the history and of failed sign-ins, and what is left after ten.
    for (history, failed, sign_ins_stay, attempts_stay) in
        [("9d", "11d", false, true), ("11d", "9d", true, false), ("11d", "11d", true, true)]
    {
        let app = lived_in(&[("HISTORY_LIFE", history), ("FAILED_SIGN_IN_LIFE", failed)]).await;
        let all = app.count("audit").await;
        let (sign_ins, attempts) =
            (events(&app, &sign_in_events()).await, events(&app, &attempt_events()).await);
        let networks = app.count("audit WHERE ip IS NOT NULL").await;
        assert!(sign_ins >= 4 && attempts >= 5 && networks > attempts, "{sign_ins} {attempts} {networks}");

        swept(&app).await;
        assert_eq!(app.count("audit").await, all, "nothing is old yet");
        app.wait(TimeDelta::days(10));
        swept(&app).await;

        let left = |count: i64, stays: bool| if stays { count } else { 0 };
        assert_eq!(
            events(&app, &sign_in_events()).await,
            left(sign_ins, sign_ins_stay),
            "{history} {failed}"
        );
        assert_eq!(
            events(&app, &attempt_events()).await,
            left(attempts, attempts_stay),
            "{history} {failed}"
        );
        assert_eq!(app.count("audit WHERE ip IS NOT NULL").await > 0, sign_ins_stay, "{history} {failed}");
        // What changed something stays, without saying from where.
        let lasting = all - sign_ins - attempts;
        let rest = left(sign_ins, sign_ins_stay) + left(attempts, attempts_stay);
        assert_eq!(app.count("audit").await, lasting + rest);
        assert_eq!(app.count("audit WHERE event = 'signed_up'").await, 1);
    }
}

/// The lists name events as the program writes them.
#[actix_web::test]
async fn every_kind_of_event_that_has_a_life_is_one_that_is_written() {
    let app = lived_in(&[]).await;
    let written = app.texts("SELECT DISTINCT event AS text FROM audit").await;
    let (sign_ins, attempts) = (sign_in_events(), attempt_events());
    for name in
        sign_ins.iter().chain(&attempts).filter(|name| *name != "sso_refused" && *name != "provider_refused")
    {
        assert!(written.iter().any(|event| event == name), "{name} is not in {written:?}");
    }
}

#[actix_web::test]
async fn more_than_one_sweep_takes_at_once_goes_all_the_same() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let wrong = json!({ "email": ADA, "password": "a wrong guess" });
    for _ in 0..3 {
        app.curl().post_json("/login", wrong.clone()).await.is(401);
    }
    for number in 0..8 {
        app
            .db_execute(&format!(
                "INSERT INTO audit (id, at, actor_kind, ip, event, detail) SELECT id || '{number}', at, actor_kind, ip, event, \
                 detail FROM audit WHERE event = 'sign_in_failed'"
            ))
            .await;
    }
    assert!(app.count("audit WHERE event = 'sign_in_failed'").await > 500);
    app.wait(TimeDelta::days(91));

    swept(&app).await;

    assert_eq!(app.count("audit WHERE event = 'sign_in_failed'").await, 0);
    assert_eq!(app.count("audit WHERE ip IS NOT NULL").await, 0);
    app.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
}

/// Whoever holds the connection: the rule is the database's.
#[actix_web::test]
async fn what_happened_is_neither_removed_nor_rewritten() {
    let app = lived_in(&[]).await;
    let statement =
        async |statement: String| app.inner.write(move |tx| Ok(sql_query(statement).execute(tx.conn)?)).await;
    let events = app.texts("SELECT DISTINCT event AS text FROM audit").await;
    assert!(events.len() > 10, "{events:?}");
    for event in events {
        let may_go = sign_in_events().iter().chain(&attempt_events()).any(|name| *name == event);
        let of_event = format!("audit WHERE event = '{event}'");
        let count = app.count(&of_event).await;

        for set in [
            "event = 'renamed_by_nobody'",
            "at = '2026-01-01 00:00:00'",
            "actor_kind = 'job'",
            "id = 'another'",
            "ip = '192.0.2.1'",
            "session_id = 'another'",
            "detail = '{\"to\":\"eve@example.com\"}'",
        ] {
            assert!(
                statement(format!("UPDATE audit SET {set} WHERE event = '{event}'")).await.is_err(),
                "{event}: {set}"
            );
        }
        assert_eq!(statement(format!("DELETE FROM {of_event}")).await.is_ok(), may_go, "{event}");
        assert_eq!(app.count(&of_event).await, if may_go { 0 } else { count }, "{event}");
    }
    // But it may lose its people.
    let wiped = "UPDATE audit SET ip = NULL, session_id = NULL, detail = '{}', actor_id = 'nobody'";
    let left = usize::try_from(app.count("audit").await).unwrap();
    assert!(left > 0);
    assert_eq!(statement(wiped.to_owned()).await.unwrap(), left);
}
