//! What becomes of an email, whatever the mail server says and however long it takes.

mod addresses;
mod certificate;
mod server;
mod slow;

use chrono::TimeDelta;
use serde_json::Value;
use vestibule::{clock::Clock, mail::EmailAddress};

use self::server::MailServer;
use crate::harness::{TestApp, an_email};

const WAITING: &str = "outbox WHERE sent_at IS NULL AND parked_at IS NULL";
const GIVEN_UP: &str = "outbox WHERE parked_at IS NOT NULL";

async fn app_that_sends_to(server: &MailServer) -> TestApp {
    TestApp::with(&[("SMTP_URL", &format!("smtp://user:password@{}", server.addr))]).await
}

/// Emails to these addresses, posted at once.
async fn post(app: &TestApp, addresses: Vec<String>) {
    let posted = app.inner.write(move |tx| {
        for address in &addresses {
            let to = EmailAddress::parse(address).unwrap();
            tx.mail(None, an_email(to))?;
        }
        Ok(())
    });
    posted.await.unwrap();
}

async fn metric(app: &TestApp, name: &str) -> String {
    let text = app.curl().get("/metrics").await.is(200).body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default();
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Erasure {
    /// It waits, and arrives once the server is mended.
    Kept,
    /// It is given up.
    Ended,
}
use Erasure::{Ended, Kept};

const TABLE: &[(&str, &str, Erasure)] = &[
    // The server does not want us at all.
    ("", "554 5.7.1 your address is blocked", Kept),
    ("", "554 no SMTP service here", Kept),
    ("", "550 5.7.1 service unavailable; client host blocked using a list", Kept),
    ("", "521 this host takes no email", Kept),
    ("", "421 4.7.0 too many connections", Kept),
    ("EHLO", "550 5.7.1 that is not your name", Kept),
    ("EHLO", "502 not implemented", Kept),
    ("EHLO", "504 5.5.2 need a fully qualified name", Kept),
    ("AUTH", "535 5.7.8 wrong password", Kept),
    ("AUTH", "534 5.7.9 a password for programs is needed", Kept),
    ("AUTH", "538 5.7.11 encryption needed", Kept),
    ("AUTH", "454 4.7.0 cannot look now", Kept),
    ("MAIL", "530 5.7.0 sign in first", Kept),
    ("MAIL", "550 5.7.60 no permission to send as this sender", Kept),
    ("MAIL", "553 5.7.1 sender address is not owned by user", Kept),
    ("MAIL", "501 5.1.7 bad sender", Kept),
    ("MAIL", "550 5.1.8 domain of sender not found", Kept),
    ("MAIL", "552 5.2.2 our disk is full", Kept),
    ("MAIL", "452 4.3.1 our disk is full", Kept),
    ("MAIL", "354 what", Kept),
    // But for what it knows of the email by then.
    ("MAIL", "552 5.3.4 message size exceeds fixed limit", Ended),
    ("MAIL", "552 message size exceeds fixed maximum message size", Ended),
    ("MAIL", "553 5.6.7 addresses beyond ASCII are not permitted for this sender", Ended),
    // A recipient that we may not write to, or not now.
    ("RCPT", "554 5.7.1 relay access denied", Kept),
    ("RCPT", "550 relay not permitted", Kept),
    ("RCPT", "550-please turn on authentication\r\n550 relaying denied", Kept),
    ("RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", Kept),
    ("RCPT", "550 5.7.54 unable to relay recipient in non-accepted domain", Kept),
    ("RCPT", "503 5.5.1 bad sequence of commands", Kept),
    ("RCPT", "500 what", Kept),
    ("RCPT", "530 sign in first", Kept),
    ("RCPT", "550 5.1.7 sender unknown", Kept),
    ("RCPT", "450 4.2.0 greylisted", Kept),
    ("RCPT", "452 4.2.2 mailbox full", Kept),
    ("RCPT", "552 5.2.2 mailbox full", Kept),
    ("RCPT", "552 quota exceeded", Kept),
    ("RCPT", "554 5.4.6 too many hops", Kept),
    ("RCPT", "421 4.3.2 going down", Kept),
    // Final in form, and nothing is said for certain.
    ("RCPT", "550 5.0.0 rejected", Kept),
    ("RCPT", "550 5.1.0 address rejected", Kept),
    ("RCPT", "550 5.1.0 sender unknown to any user here", Kept),
    ("RCPT", "553 5.1.4 the address is ambiguous", Kept),
    ("RCPT", "550 5.1.90 you have reached the daily limit for recipients", Kept),
    ("RCPT", "550 5.2.1 the account that you tried to reach is disabled", Kept),
    ("RCPT", "552 5.2.2 larger than the system's limit, or the mailbox is full", Kept),
    ("RCPT", "550 5.2.4 a mailing list that cannot be expanded", Kept),
    ("RCPT", "554 5.3.2 the system takes no messages", Kept),
    ("RCPT", "550 5.4.1 recipient address rejected: access denied", Kept),
    ("RCPT", "554 5.4.4 name service error: host not found", Kept),
    ("RCPT", "550 5.5.0 requested action not taken: mailbox unavailable", Kept),
    ("RCPT", "550 5.7.705 the tenant has exceeded its threshold", Kept),
    ("RCPT", "550 requested action not taken: mailbox unavailable", Kept),
    ("RCPT", "550 mailbox unavailable: mailbox not found, no access, or policy", Kept),
    ("RCPT", "550 unrouteable address", Kept),
    ("RCPT", "550 invalid IP address", Kept),
    ("RCPT", "550-the response was: 550 unknown user\r\n550 sender verify failed", Kept),
    ("RCPT", "551 we do not relay", Kept),
    ("RCPT", "553 mailbox name not allowed", Kept),
    // Nobody is there.
    ("RCPT", "550 5.1.1 user unknown", Ended),
    ("RCPT", "550-5.1.1 the account\r\n550 5.1.1 does not exist", Ended),
    ("RCPT", "550 5.1.1 user unknown in relay recipient table", Ended),
    ("RCPT", "550 5.1.2 no such domain", Ended),
    ("RCPT", "553 5.1.3 bad address syntax", Ended),
    ("RCPT", "501 5.1.3 bad recipient address syntax", Ended),
    ("RCPT", "550 5.1.6 the mailbox has moved", Ended),
    ("RCPT", "550 5.1.10 recipient not found by address lookup", Ended),
    ("RCPT", "556 5.1.10 the domain takes no email", Ended),
    ("RCPT", "556 no email here", Ended),
    ("RCPT", "550 5.0.0 unknown user", Ended),
    ("RCPT", "550 the mailbox doesn't exist", Ended),
    ("RCPT", "553 invalid recipient", Ended),
    ("RCPT", "552 5.2.3 too long for this mailbox", Ended),
    ("RCPT", "550 no such user here", Ended),
    ("RCPT", "550 user unknown in relay recipient table", Ended),
    ("RCPT", "551 user not local", Ended),
    // Before the content it cannot be about the content.
    ("DATA", "554 no valid recipients", Kept),
    ("DATA", "503 5.5.1 no", Kept),
    ("DATA", "550 5.7.1 no", Kept),
    ("DATA", "451 4.3.0 later", Kept),
    ("DATA", "250 fine", Kept),
    ("DATA", "550 5.4.5 daily sending quota exceeded", Kept),
    ("DATA", "550 5.1.1 user unknown", Ended),
    // After it, it may be.
    (".", "550 5.7.60 the client may not send as this sender", Kept),
    (".", "554 5.7.1 rejected by policy", Kept),
    (".", "550 sender verification failed", Kept),
    (".", "552 5.2.2 mailbox full", Kept),
    (".", "500 what", Kept),
    (".", "451 4.7.1 try again", Kept),
    (".", "421 4.3.2 going down", Kept),
    (".", "550 5.4.5 daily sending quota exceeded", Kept),
    (".", "552 5.7.0 blocked for its content", Kept),
    (".", "552 requested mail action aborted: exceeded storage allocation", Kept),
    (".", "552 the mailbox's size is exceeded", Kept),
    (".", "554 5.2.0 the mailbox does not take it", Kept),
    (".", "554 5.3.0 something is wrong", Kept),
    (".", "554 message rejected: email address is not verified", Kept),
    (".", "554 transaction failed", Kept),
    (".", "550 unknown user agent", Kept),
    (".", "555 5.5.2 syntax error", Kept),
    (".", "552 5.3.4 too big", Ended),
    (".", "554 5.6.0 bad content", Ended),
    (".", "554 5.6.1 a kind of content that is not supported", Ended),
    (".", "552 too big", Ended),
    (".", "550 5.1.1 user unknown", Ended),
];

#[actix_web::test]
async fn which_part_of_the_conversation_was_refused_decides_what_becomes_of_an_email() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    for (number, (at, reply, erasure)) in TABLE.iter().enumerate() {
        let (row, address) = (format!("{at:?} {reply:?}"), format!("row{number}@example.com"));
        let connections = server.connections();
        // A connection that was kept knows neither greeting nor sign-in.
        let before = server.taken().len();
        server.says(at, reply);
        if number > 0 && matches!(*at, "" | "EHLO" | "AUTH") {
            server.says("NOOP", "421 4.4.2 idle for too long");
        }
        app.unverified_user(&address).await;
        app.send_emails().await;

        assert!(server.connections() >= connections && server.taken().len() == before, "{row}");
        let expected = if *erasure == Ended { (0, 1) } else { (1, 0) };
        assert_eq!((app.count(WAITING).await, app.count(GIVEN_UP).await), expected, "{row}");
        let reason = app.texts("SELECT last_error AS text FROM outbox WHERE sent_at IS NULL").await.concat();
        let is_told = reason.contains(&reply[..3]) || reply.starts_with(['2', '3']);
        assert!(is_told && !reason.contains('@') && reason.ends_with('.'), "{row}: {reason}");

        server.is_mended();
        app.wait(TimeDelta::hours(3));
        app.send_emails().await;
        assert_eq!(server.taken_for(&address), usize::from(*erasure == Kept), "{row}");
        if *erasure == Ended {
            app.db_execute("DELETE FROM outbox WHERE parked_at IS NOT NULL").await;
        }
    }
}

#[actix_web::test]
async fn a_server_that_refuses_us_is_asked_by_a_few_and_all_wait_and_it_is_said() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    server.says("MAIL", "550 5.7.60 no permission to send as this sender");
    post(&app, (0..200).map(|number| format!("n{number}@d{number}.example")).collect()).await;

    app.send_emails().await;

    assert!(server.connections() <= 10, "{} connections for one answer", server.connections());
    assert_eq!(app.count(WAITING).await, 200);
    assert_eq!(metric(&app, "vestibule_outbox_refused").await, "200");
    let output = app.command(&["jobs", "list", "--json"]);
    let listed: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(listed["outbox"]["refused"], 200);
    let [trouble] = &listed["troubles"].as_array().unwrap()[..] else { panic!("one reason: {listed}") };
    assert_eq!(trouble["count"], 200);
    assert!(trouble["lastError"].as_str().unwrap().contains("MAIL_FROM"), "{listed}");
    assert!(app.command(&["jobs", "list"]).out.contains("200 wait: The mail server takes no email from us"));
    let doctor = app.command(&["doctor"]).out;
    assert!(
        doctor.lines().any(|line| line.starts_with("problem  outbox") && line.contains("200 of 200")),
        "{doctor}"
    );

    // One that leaves takes all with it.
    server.is_mended();
    app.unverified_user("ada@example.com").await;
    app.send_emails().await;
    assert_eq!(server.taken().len(), 201);
    assert_eq!(app.count(WAITING).await, 0);
    assert_eq!(metric(&app, "vestibule_outbox_refused").await, "0");
}

#[actix_web::test]
async fn an_operator_who_mended_the_server_need_not_wait() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    server.says("RCPT", "554 5.7.1 relay access denied");
    post(&app, vec!["ada@example.com".to_owned(), "ben@example.org".to_owned()]).await;
    for _ in 0..12 {
        app.send_emails().await;
        app.wait(TimeDelta::hours(1));
    }
    app.send_emails().await;
    server.is_mended();
    app.send_emails().await;
    assert_eq!(server.taken().len(), 0);

    assert_eq!(app.command(&["jobs", "retry"]).out, "2 email(s) are back in the queue.\n");
    app.clock.advance(Clock::system().now() - app.inner.now());
    app.send_emails().await;

    assert_eq!(server.taken().len(), 2);
}

#[actix_web::test]
async fn an_email_that_the_server_keeps_out_for_four_days_arrives_and_after_five_it_is_given_up() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    server.says("", "554 5.7.1 blocked");
    let four_days = 4 * 24;
    app.unverified_user("ada@example.com").await;
    for _ in 0..four_days {
        app.send_emails().await;
        app.wait(TimeDelta::hours(1));
    }
    assert_eq!((app.count(WAITING).await, app.count(GIVEN_UP).await), (1, 0));
    server.is_mended();
    app.send_emails().await;
    assert_eq!(server.taken_for("ada@example.com"), 1);

    server.says("NOOP", "421 idle");
    server.says("", "554 5.7.1 blocked");
    app.unverified_user("ben@example.com").await;
    for _ in 0..four_days + 25 {
        app.send_emails().await;
        app.wait(TimeDelta::hours(1));
    }
    assert_eq!((app.count(WAITING).await, app.count(GIVEN_UP).await), (0, 1));
    // Put back by an operator, it has as long again.
    app.command(&["jobs", "retry"]);
    app.db_execute("UPDATE outbox SET due_at = created_at WHERE sent_at IS NULL").await;
    app.send_emails().await;
    assert_eq!((app.count(WAITING).await, app.count(GIVEN_UP).await), (1, 0));
}

#[actix_web::test]
async fn a_server_that_knows_no_ehlo_is_greeted_with_helo() {
    for refusal in ["500 unrecognized command", "502 not implemented"] {
        let server = MailServer::open();
        server.says("EHLO", refusal);
        let app = TestApp::with(&[("SMTP_URL", &format!("smtp://{}", server.addr))]).await;
        post(&app, vec!["ada@example.com".to_owned()]).await;
        app.send_emails().await;
        assert_eq!(server.taken_for("ada@example.com"), 1, "{refusal}");
    }
}
