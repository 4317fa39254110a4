//! What runs by itself: once in a cluster, resumed after a kill, and out of everybody's way.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job, Outcome};

use crate::harness::{PASSWORD, TestApp};

const ADA: &str = "ada@example.com";

async fn run(app: &TestApp, job: Job) -> usize {
    match jobs::run_once(&app.inner, job, true).await.unwrap() {
        Outcome::Done(count) => count,
        other => panic!("{other:?}"),
    }
}

async fn metric(app: &TestApp, name: &str) -> String {
    let metrics = app.curl().get("/metrics").await.is(200).body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or("0").to_owned()
}

#[actix_web::test]
async fn an_account_that_nobody_confirms_is_told_after_five_days_and_ends_after_seven() {
    let app = TestApp::open().await;
    let unverified_user = app.unverified_user(ADA).await;
    app.verified("ben@example.com").await;
    let old = app.token_for(ADA).await;
    app.wait(TimeDelta::days(5) - TimeDelta::seconds(1));
    assert_eq!(run(&app, Job::Unconfirmed).await, 0);
    app.wait(TimeDelta::seconds(1));

    assert_eq!((run(&app, Job::Unconfirmed).await, run(&app, Job::Unconfirmed).await), (1, 0));

    let emails = app.emails_to(ADA).await;
    assert_eq!(emails.len(), 2);
    assert_eq!(emails[1].subject, "Last chance to confirm your email address for Vestibule");
    assert!(emails[1].text.contains("28 November 2026, 14:05 UTC"), "{}", emails[1].text);
    assert_ne!(app.token_for(ADA).await, old);
    app.wait(TimeDelta::days(2) - TimeDelta::seconds(1));
    assert_eq!(run(&app, Job::Unconfirmed).await, 0);
    app.wait(TimeDelta::seconds(1));
    assert_eq!(run(&app, Job::Unconfirmed).await, 1);
    unverified_user.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.texts("SELECT email AS text FROM users").await, ["ben@example.com"]);
    assert_eq!(app.count("audit WHERE event = 'unverified_account_expired' AND actor_kind = 'job'").await, 1);
    assert_eq!(metric(&app, "vestibule_job_items_total{what=\"unverified\"}").await, "1");
    assert_eq!(metric(&app, "vestibule_job_runs_total{job=\"unconfirmed\",outcome=\"done\"}").await, "5");
}

#[actix_web::test]
async fn the_link_in_the_warning_confirms_and_the_account_stays() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    app.send_emails().await;
    app.wait(TimeDelta::days(5));
    run(&app, Job::Unconfirmed).await;
    let token = app.token_for(ADA).await;
    app.wait(TimeDelta::hours(47));

    app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);

    app.wait(TimeDelta::days(3));
    assert_eq!(run(&app, Job::Unconfirmed).await, 0);
    app.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
}

#[actix_web::test]
async fn nobody_ends_unwarned_however_long_the_house_was_closed() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    app.wait(TimeDelta::days(100));
    assert_eq!(run(&app, Job::Unconfirmed).await, 1, "the warning");
    assert_eq!(app.count("users").await, 1);
    app.wait(TimeDelta::days(2));
    assert_eq!(run(&app, Job::Unconfirmed).await, 1);
    assert_eq!(app.count("users").await, 0);
}

/// An owner has the address: strangers' claims to it are no news, and end without a word.
#[actix_web::test]
async fn a_claim_to_an_address_that_is_somebodys_ends_without_an_email_to_them() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.unverified_user(ADA).await;
    let before = app.emails_to(ADA).await.len();
    for days in [5, 2] {
        app.wait(TimeDelta::days(days));
        run(&app, Job::Unconfirmed).await;
    }
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.emails_to(ADA).await.len(), before);
}

#[actix_web::test]
async fn what_has_ended_is_swept_and_what_lives_stays() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let curl = app.verified(ADA).await;
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    app.send_emails().await;
    let tables = ["sessions", "tokens", "throttles", "sign_ins", "outbox"];
    for table in tables {
        assert!(app.count(table).await > 0, "{table}");
    }
    assert_eq!(run(&app, Job::Sweep).await, 0);
    curl.get("/me").await.is(200);

    app.wait(TimeDelta::minutes(30));
    run(&app, Job::Sweep).await;
    assert_eq!(app.count("sessions").await, 0);
    app.wait(TimeDelta::days(8));
    run(&app, Job::Sweep).await;
    assert_eq!((app.count("tokens").await, app.count("throttles").await), (0, 0));
    assert_eq!((app.count("sign_ins").await, app.count("outbox").await), (1, 2));
    app.wait(TimeDelta::days(83));
    run(&app, Job::Sweep).await;
    assert_eq!((app.count("sign_ins").await, app.count("outbox").await), (0, 0));
    for what in ["sessions", "tokens", "throttles", "sign_ins", "emails"] {
        assert_ne!(
            metric(&app, &format!("vestibule_job_items_total{{what=\"{what}\"}}")).await,
            "0",
            "{what}"
        );
    }
}

/// At nobody's door as well: whoever mistypes their address is known by it alone; it is not theirs to delete.
#[actix_web::test]
async fn where_somebody_came_from_is_forgotten_after_a_while() {
    let app = TestApp::with(&[("FAILED_SIGN_IN_LIFE", "400d")]).await;
    app.verified("ben@example.com").await;
    for address in [ADA, "ben@example.com"] {
        app.curl().post_json("/login", json!({ "email": address, "password": "a wrong one" })).await.is(401);
    }
    let strangers = "audit WHERE event = 'sign_in_failed' AND ip IS NOT NULL";
    assert_eq!(app.count(strangers).await, 2);
    app.wait(TimeDelta::days(90) + TimeDelta::seconds(1));

    run(&app, Job::Sweep).await;

    assert_eq!(app.count("audit WHERE ip IS NOT NULL").await, 0);
    assert_eq!(app.count("audit WHERE event = 'sign_in_failed'").await, 2);
}

#[actix_web::test]
async fn an_email_that_waits_is_never_swept() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    app.wait(TimeDelta::days(1_000));
    run(&app, Job::Sweep).await;
    assert_eq!(app.emails_to(ADA).await.len(), 1);
}

#[actix_web::test]
async fn more_rows_than_one_step_takes_are_swept_in_several() {
    let app = TestApp::open().await;
    let mut script = String::new();
    for number in 0..1_234 {
        script += &format!(
            "INSERT INTO throttles (key, count, ends_at) VALUES ('k{number}', 1, '2026-01-01 00:00:00'); "
        );
    }
    // The last one is further ahead than any limit reaches: the clock was wrong.
    script += "INSERT INTO throttles (key, count, ends_at) VALUES ('lives', 1, '2026-11-22 00:00:00'), \
               ('wrong', 1, '2027-01-01 00:00:00');";
    app.inner.write(move |tx| Ok(tx.conn.batch_execute(&script)?)).await.unwrap();

    assert_eq!(run(&app, Job::Sweep).await, 1_235);

    assert_eq!(app.texts("SELECT key AS text FROM throttles").await, ["lives"]);
}

#[actix_web::test]
async fn of_many_nodes_that_find_a_job_due_one_runs_it() {
    let app = TestApp::with(&[("DATABASE_POOL", "16")]).await;
    let nodes = join_all((0..4).map(|_| app.second_node())).await;
    for round in 0..5 {
        let number = round;
        app.unverified_user(&format!("person{number}@example.com")).await;
        app.wait(TimeDelta::days(7));
        run(&app, Job::Unconfirmed).await;
        app.wait(TimeDelta::days(2));

        let runs =
            join_all(nodes.iter().map(|node| jobs::run_once(&node.inner, Job::Unconfirmed, true))).await;

        let done: usize = runs
            .into_iter()
            .map(|run| match run.unwrap() {
                Outcome::Done(count) => count,
                Outcome::NotOurs => 0,
                Outcome::Interrupted(_) => panic!("nobody took it away"),
            })
            .sum();
        assert_eq!(done, 1);
    }
    assert_eq!(app.count("audit WHERE event = 'unverified_account_expired'").await, 5);
}

#[actix_web::test]
async fn a_job_that_another_node_holds_is_left_alone_until_its_lease_runs_out() {
    let app = TestApp::open().await;
    run(&app, Job::Sweep).await;
    // A node that was killed in the middle.
    app.db_execute("UPDATE jobs SET holder = 'gone', held_until = '2026-11-21 14:06:00'").await;
    assert_eq!(jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap(), Outcome::NotOurs);
    let output = app.command(&["jobs", "list"]);
    assert!(output.out.contains("sweep: removes"), "{output:?}");

    app.wait(TimeDelta::minutes(1));

    assert_eq!(jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap(), Outcome::Done(0));
    assert_eq!(app.count("jobs WHERE holder IS NULL AND held_until IS NULL").await, 1);
}

/// One account whose rows cannot be removed must not keep the others here.
#[actix_web::test]
async fn what_fails_for_one_person_is_noted_and_holds_up_nobody_else() {
    let app = TestApp::open().await;
    for name in ["ada", "ben", "cleo"] {
        let curl = app.verified(&format!("{name}@example.com")).await;
        curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
        curl.post_json("/me/delete", json!({})).await.is(200);
    }
    let block = "CREATE TABLE blocker (user_id TEXT NOT NULL REFERENCES users (id)); \
                 INSERT INTO blocker SELECT id FROM users WHERE email = 'ben@example.com';";
    app.inner.write(move |tx| Ok(tx.conn.batch_execute(block)?)).await.unwrap();
    app.wait(TimeDelta::days(30));

    assert_eq!(run(&app, Job::Deletions).await, 2);

    assert_eq!(app.texts("SELECT email AS text FROM users").await, ["ben@example.com"]);
    // Whole: nothing of what the failed step did before is left.
    assert_eq!(app.count("users WHERE locked_at IS NULL").await, 1);
    assert!(app.count("audit WHERE subject_id = (SELECT id FROM users)").await > 3);
    assert_eq!(app.count("outbox WHERE kind = 'deletion_done'").await, 2);
    let listed: Value = serde_json::from_str(&app.command(&["jobs", "list", "--json"]).out).unwrap();
    let job = listed["jobs"].as_array().unwrap().iter().find(|job| job["name"] == "deletions").unwrap();
    assert_eq!(job["lastError"], "1 of them failed; the log says why");
    app.inner.write(|tx| Ok(tx.conn.batch_execute("DROP TABLE blocker")?)).await.unwrap();
    assert_eq!(run(&app, Job::Deletions).await, 1);
}
