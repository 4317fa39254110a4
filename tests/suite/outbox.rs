//! Emails that wait: written with the change they tell of, sent once, never lost, never in the way.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    error::{Error, Result},
    mail::{Catcher, EmailAddress},
};

use crate::harness::{PASSWORD, TestApp, an_email, free_port};

const WAITING: &str = "outbox WHERE sent_at IS NULL AND parked_at IS NULL";

/// One number from the metrics.
async fn metric(app: &TestApp, name: &str) -> String {
    let text = app.curl().get("/metrics").await.is(200).body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default();
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// The emails that were given up, as an operator sees them.
fn parked(app: &TestApp) -> Value {
    let output = app.command(&["jobs", "list", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.out).unwrap()
}

#[actix_web::test]
async fn an_email_whose_change_was_rolled_back_is_never_sent() {
    let app = TestApp::open().await;
    let ada = EmailAddress::parse("ada@example.com").unwrap();

    let outcome: Result<()> = app
        .inner
        .write(move |tx| {
            tx.mail(None, an_email(ada))?;
            Err(Error::Conflict)
        })
        .await;

    assert!(matches!(outcome, Err(Error::Conflict)));
    assert!(app.emails_to("ada@example.com").await.is_empty());
    assert_eq!(app.count("outbox").await, 0);
}

#[actix_web::test]
async fn mail_that_cannot_leave_for_ten_minutes_arrives_afterwards_once_case_20() {
    let port = free_port();
    let app = TestApp::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{port}"))]).await;
    let ada = app.unverified_user("ada@example.com").await;
    for _ in 0..20 {
        app.send_emails().await;
        app.wait(TimeDelta::seconds(30));
    }
    assert_eq!(app.count(WAITING).await, 1);
    assert_eq!(metric(&app, "vestibule_outbox_emails").await, "1");
    assert_eq!(metric(&app, "vestibule_outbox_age_seconds").await, "600");
    ada.get("/me").await.is(200);

    let catcher = Catcher::start(([127, 0, 0, 1], port).into()).unwrap();
    for _ in 0..40 {
        app.wait(TimeDelta::seconds(30));
        app.send_emails().await;
    }

    assert_eq!(catcher.received(), 1);
    assert_eq!(catcher.emails()[0].to, "ada@example.com");
    assert_eq!(app.count(WAITING).await, 0);
    assert_eq!(metric(&app, "vestibule_outbox_emails").await, "0");
    let token = crate::harness::token_in(&catcher.emails()[0].text).unwrap();
    ada.post_json("/verify-email", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn an_email_that_another_node_took_and_never_sent_leaves_when_its_lease_ends() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    // The node that takes it dies before it sends.
    let taken = app
        .inner
        .write(|tx| vestibule::internals::take_due_emails(tx, 4, &BTreeMap::new(), 4))
        .await
        .unwrap();
    assert_eq!(taken.len(), 1);

    assert!(app.emails_to("ada@example.com").await.is_empty());
    app.wait(TimeDelta::seconds(60));

    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
    app.wait(TimeDelta::days(1));
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn a_poisoned_email_is_parked_seen_and_tried_again_and_holds_up_nobody() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let sealed = app.texts("SELECT sealed AS text FROM outbox").await.concat();
    app.db_execute("UPDATE outbox SET sealed = 'spilled coffee'").await;
    for number in 0..6 {
        app.unverified_user(&format!("ben{number}@example.com")).await;
    }

    app.send_emails().await;

    assert_eq!(app.catcher.received(), 6);
    assert_eq!(metric(&app, "vestibule_outbox_parked").await, "1");
    assert_eq!(metric(&app, "vestibule_outbox_emails").await, "0");
    let seen = parked(&app);
    assert_eq!(seen["outbox"]["waiting"], 0);
    let [email] = &seen["parked"].as_array().unwrap()[..] else { panic!("one letter: {seen}") };
    assert_eq!((&email["kind"], &email["attempts"]), (&json!("verify_email"), &json!(1)));
    assert_eq!(email["lastError"], "the email does not open with today's keys");
    let output = app.command(&["jobs", "list"]);
    assert!(output.out.starts_with("outbox: 0 waiting; 1 given up\n"), "{output:?}");
    assert!(output.out.contains("verify_email") && output.out.contains("today's keys"), "{output:?}");
    assert!(!output.out.contains("ada@example.com"), "an operator need not know whose");

    // Time alone does not bring it back; an operator does, once the trouble is over.
    app.wait(TimeDelta::days(30));
    app.send_emails().await;
    assert_eq!(app.catcher.received(), 6);
    app.db_execute(&format!("UPDATE outbox SET sealed = '{sealed}' WHERE sent_at IS NULL")).await;
    assert_eq!(app.command(&["jobs", "retry"]).out, "1 email(s) are back in the queue.\n");
    assert_eq!(app.command(&["jobs", "run", "outbox"]).out, "outbox: 1 email(s) tried\n");

    assert_eq!(app.catcher.emails()[0].to, "ada@example.com");
    assert_eq!(app.catcher.received(), 7);
    assert_eq!(parked(&app)["parked"], json!([]));
    assert_eq!(metric(&app, "vestibule_outbox_parked").await, "0");
}

#[actix_web::test]
async fn an_email_that_the_server_refuses_for_good_is_parked_and_holds_up_nobody() {
    let app = TestApp::open().await;
    // The built-in catcher cannot carry letters beyond ASCII before the @.
    app.unverified_user("\u{e9}lodie@example.com").await;
    app.unverified_user("ada@example.com").await;

    app.send_emails().await;

    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
    let seen = parked(&app);
    let reason = seen["parked"][0]["lastError"].as_str().unwrap_or_default();
    assert!(reason.contains("SMTPUTF8"), "{seen}");
}

#[actix_web::test]
async fn an_email_cannot_be_read_while_it_waits_and_is_wiped_once_sent() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;

    let disk = app.dump_storage().await;
    assert_eq!(app.count("outbox WHERE sealed IS NOT NULL").await, 1);
    let emails = app.emails_to("ada@example.com").await;

    let token = app.token_for("ada@example.com").await;
    assert!(disk.contains("ada@example.com"), "the disk has been read");
    for readable in [token.as_str(), "verify-email?token", "Confirm my address", "Hello,", &emails[0].subject]
    {
        assert!(!disk.contains(readable), "{readable}");
    }
    assert_eq!(app.count("outbox WHERE sealed IS NOT NULL").await, 0);
    assert_eq!(app.count("outbox WHERE sent_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn an_email_sealed_under_an_older_key_still_leaves() {
    let port = free_port();
    let app = TestApp::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{port}"))]).await;
    app.unverified_user("ada@example.com").await;
    let old = app.settings["SECRET_KEY"].clone();
    let smtp = format!("smtp://{}", app.catcher.addr());
    let new = "another key, which took the place of the first";

    let node = app
        .second_node_with(&[("SECRET_KEY", new), ("SECRET_KEY_PREVIOUS", &old), ("SMTP_URL", &smtp)])
        .await;

    assert_eq!(node.emails_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn a_second_try_is_the_same_email_to_whoever_sorts_it() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    let sealed = app.texts("SELECT sealed AS text FROM outbox").await.concat();
    app.send_emails().await;
    // The node died after the server took the email and before that was noted.
    app.db_execute(&format!("UPDATE outbox SET sent_at = NULL, sealed = '{sealed}'")).await;
    app.wait(TimeDelta::minutes(2));

    let emails = app.emails_to("ada@example.com").await;

    assert_eq!(emails.len(), 2);
    assert_eq!(emails[0].message_id, emails[1].message_id);
    assert_eq!(emails[0].text, emails[1].text);
}

#[actix_web::test]
async fn a_sign_up_whose_mail_server_is_down_is_whole() {
    let app = TestApp::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{}", free_port()))]).await;
    app.unverified_user("ada@example.com").await;
    app.send_emails().await;

    let offer = json!({ "email": "ada@example.com", "password": PASSWORD });
    let again = app.curl();
    again.post_json("/login", offer).await.is(200);
    again.post_json("/verify-email/resend", json!({})).await.is(200);
    assert_eq!(app.count(WAITING).await, 2);
}
