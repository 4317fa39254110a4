//! What strangers can do to an address that nobody confirmed: little, and its owner is never kept out by it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    internals::{Actor, forget_limits},
    jobs::{self, Job},
};

use crate::harness::{PASSWORD, TestApp, Visitor, constants};

fn most_unverified() -> usize {
    constants::number("src/accounts/email_verification.rs", "MOST_UNVERIFIED")
}

fn mails(name: &str) -> usize {
    constants::number("src/model/rate_limit.rs", name)
}

const ADA: &str = "ada@example.com";
const OPEN_IT: &str = "If you already have an email from us today, open it";

async fn guarded() -> TestApp {
    TestApp::with(&[
        ("THROTTLE", "on"),
        ("SIGNUPS_PER_NETWORK", "1000"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
        // Whoever signed up is there the day after as well.
        ("SESSION_IDLE", "5d"),
        ("SESSION_LIFE", "5d"),
    ])
    .await
}

/// A stranger somewhere in a neighbourhood of the network.
fn from(app: &TestApp, neighbourhood: u8, host: u8) -> Visitor {
    app.curl().with("x-forwarded-for", &format!("203.0.{neighbourhood}.{host}"))
}

/// Ways to have an email sent to an address that nobody confirmed, by whoever holds an account with it or by anybody.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    SignUp,
    SendAgain,
    ForgotPassword,
    MagicLink,
}

const WAYS: [Way; 4] = [Way::SignUp, Way::SendAgain, Way::ForgotPassword, Way::MagicLink];

impl Way {
    /// What a program is told.
    async fn ask(self, visitor: &Visitor, number: usize) -> Value {
        let named = json!({ "email": ADA });
        let answer = match self {
            Way::SignUp => {
                let body =
                    json!({ "email": ADA, "password": format!("{PASSWORD} {number}"), "name": "Mallory" });
                visitor.post_json("/signup", body).await.is(201)
            }
            Way::SendAgain => visitor.post_json("/verify-email/resend", json!({})).await.is(200),
            Way::ForgotPassword => visitor.post_json("/forgot-password", named).await.is(200),
            Way::MagicLink => visitor.post_json("/login/magic-link", named).await.is(200),
        };
        answer.json()["message"].clone()
    }
}

/// Somebody signed up in each of some neighbourhoods, long enough ago that none of it counts.
async fn with_accounts(app: &TestApp, neighbourhoods: u8) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for neighbourhood in 0..neighbourhoods {
        let visitor = from(app, neighbourhood, 1);
        Way::SignUp.ask(&visitor, usize::from(neighbourhood)).await;
        visitors.push(visitor);
    }
    app.wait(TimeDelta::days(1));
    app.emails_to(ADA).await;
    app.catcher.clear();
    visitors
}

#[actix_web::test]
async fn five_emails_a_day_go_to_an_address_that_nobody_confirmed_three_of_them_by_one_network() {
    let most = [mails("MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK"), mails("MAILS_TO_UNCONFIRMED")];
    for way in WAYS {
        let app = guarded().await;
        let visitors = with_accounts(&app, 4).await;
        let (mut sent, mut told) = (Vec::new(), Vec::new());
        for (neighbourhood, visitor) in visitors.iter().enumerate() {
            for host in 1..5 {
                // Another machine of the neighbourhood is no other network.
                let visitor =
                    visitor.clone().with("x-forwarded-for", &format!("203.0.{neighbourhood}.{host}"));
                told.push(way.ask(&visitor, 10 * neighbourhood + host).await);
                app.wait(TimeDelta::minutes(13));
            }
            sent.push(app.emails_to(ADA).await.len());
        }

        assert_eq!(sent, [most[0], most[1], most[1], most[1]], "{way:?}");
        assert!(told.iter().all(|message| *message == told[0]), "{way:?}: {told:?}");
        assert!(told[0].as_str().unwrap().contains(OPEN_IT), "{way:?}: {told:?}");
        app.wait(TimeDelta::days(1));
        way.ask(&visitors[0], 99).await;
        assert_eq!(app.emails_to(ADA).await.len(), most[1] + 1, "{way:?}");
    }
}

#[actix_web::test]
async fn emails_of_all_kinds_count_together() {
    let app = guarded().await;
    let ways = [Way::SendAgain, Way::ForgotPassword, Way::MagicLink, Way::SignUp];
    let visitors = with_accounts(&app, 3).await;
    for visitor in &visitors {
        for (number, way) in ways.into_iter().enumerate() {
            way.ask(visitor, 10 + number).await;
        }
        app.wait(TimeDelta::minutes(13));
    }
    assert_eq!(app.emails_to(ADA).await.len(), mails("MAILS_TO_UNCONFIRMED"));
}

#[actix_web::test]
async fn whoever_confirmed_the_address_gets_what_they_ask_for() {
    let app = guarded().await;
    app.verified(ADA).await;
    let ada = from(&app, 1, 1);
    for way in [Way::ForgotPassword, Way::MagicLink] {
        for number in 0..5 {
            way.ask(&ada, number).await;
            app.wait(TimeDelta::minutes(13));
        }
    }
    assert_eq!(app.emails_to(ADA).await.len(), 1 + 10);
}

#[actix_web::test]
async fn what_is_asked_for_where_nobody_signed_up_takes_no_email_from_whoever_does() {
    let app = guarded().await;
    for neighbourhood in 0..4 {
        for way in [Way::ForgotPassword, Way::MagicLink] {
            way.ask(&from(&app, neighbourhood, 7), 0).await;
            app.wait(TimeDelta::minutes(13));
        }
    }

    app.unverified_user(ADA).await;

    assert_eq!(app.emails_to(ADA).await.len(), 1);
}

#[actix_web::test]
async fn a_link_that_is_not_sent_leaves_the_last_one_that_was_good() {
    let app = guarded().await;
    let [visitor] = &with_accounts(&app, 1).await[..] else { panic!("one") };
    for number in 0..5 {
        Way::SendAgain.ask(visitor, number).await;
        // Each arrives before the next is asked for.
        app.send_emails().await;
        app.wait(TimeDelta::minutes(13));
    }
    let emails = app.emails_to(ADA).await;
    assert_eq!(emails.len(), mails("MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK"));

    let token = app.token_for(ADA).await;
    visitor.post_json("/verify-email", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn an_operator_who_clears_the_address_clears_what_each_network_has_had() {
    let app = guarded().await;
    let [visitor] = &with_accounts(&app, 1).await[..] else { panic!("one") };
    for number in 0..8 {
        Way::SendAgain.ask(visitor, number).await;
        app.wait(TimeDelta::minutes(13));
    }
    let before = app.emails_to(ADA).await.len();

    app.inner.write(|tx| forget_limits(tx, &Actor::operator(), ADA)).await.unwrap().unwrap();

    Way::SendAgain.ask(visitor, 9).await;
    assert_eq!(app.emails_to(ADA).await.len(), before + 1);
}

#[actix_web::test]
async fn pages_say_what_to_do_where_no_email_comes_for_every_address_alike() {
    let app = TestApp::open().await;
    app.verified("settled@example.com").await;
    app.unverified_user("claimed@example.com").await;
    for address in ["settled@example.com", "claimed@example.com", "unknown@example.com"] {
        let browser = app.browser();
        browser.post("/forgot-password", &[("email", address)]).await.is(200).says(OPEN_IT);
        browser.post("/login/magic-link", &[("email", address)]).await.goes_to("/login/magic-link/sent");
        browser.get("/login/magic-link/sent").await.is(200).says(OPEN_IT);
        let form = [("name", "Ada"), ("email", address), ("password", PASSWORD)];
        browser.post("/signup", &form).await.goes_to("/me");
        browser.get("/me").await.is(200).says(OPEN_IT);
        browser.post("/verify-email/resend", &[]).await.goes_to("/me");
        browser.get("/me").await.is(200).says(OPEN_IT);
    }
}

#[actix_web::test]
async fn at_most_twenty_accounts_wait_for_one_address_and_the_crowd_makes_room() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    // Ada was first, from a network of her own; then came another, and then the crowd.
    let mut visitors = vec![from(&app, 1, 1), from(&app, 2, 1)];
    visitors.extend((2..most_unverified()).map(|number| from(&app, 3, u8::try_from(number).unwrap())));
    for (number, visitor) in visitors.iter().enumerate() {
        Way::SignUp.ask(visitor, number).await;
        app.wait(TimeDelta::seconds(1));
    }
    assert_eq!(app.count("users").await, i64::try_from(most_unverified()).unwrap());

    for number in 0..2 {
        Way::SignUp.ask(&from(&app, 9, number), 100 + usize::from(number)).await;
        app.wait(TimeDelta::seconds(1));
    }

    assert_eq!(app.count("users").await, i64::try_from(most_unverified()).unwrap());
    for (number, visitor) in visitors.iter().enumerate() {
        let is_ended = [2, 3].contains(&number);
        visitor.get("/me").await.is(if is_ended { 401 } else { 200 });
    }
    assert_eq!(app.count("audit WHERE event = 'unverified_account_removed'").await, 2);
}

#[actix_web::test]
async fn the_oldest_makes_room_where_no_network_is_known() {
    let app = TestApp::open().await;
    let mut visitors = Vec::new();
    for number in 0..most_unverified() {
        visitors.push(app.curl());
        Way::SignUp.ask(&visitors[number], number).await;
        app.wait(TimeDelta::seconds(1));
    }
    app.db_execute("UPDATE sign_ins SET ip = '', network = 'unknown'").await;

    Way::SignUp.ask(&app.curl(), 99).await;

    for (number, visitor) in visitors.iter().enumerate() {
        visitor.get("/me").await.is(if number == 0 { 401 } else { 200 });
    }
}

#[actix_web::test]
async fn nothing_that_a_stranger_typed_stands_in_an_email_to_an_address_that_nobody_confirmed() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let mallory = app.curl().named("Winner-Call-Bob/1.0");
    let body = json!({ "email": ADA, "password": PASSWORD, "name": "Winner Call Bob" });
    mallory.post_json("/signup", body).await.is(201);
    for way in [Way::SendAgain, Way::ForgotPassword, Way::MagicLink] {
        way.ask(&mallory, 0).await;
    }
    app.wait(TimeDelta::days(6));
    jobs::run_once(&app.inner, Job::Unconfirmed, true).await.unwrap();
    // Nor in one to an address that somebody else wants to move to.
    let eve = app.verified("eve@example.com").await.named("Winner-Call-Bob/1.0");
    eve.put_json("/me/name", json!({ "name": "Winner Call Bob" })).await.is(200);
    eve.steps_up().await;
    eve.put_json("/me/email", json!({ "email": "bea@example.com" })).await.is(200);

    let mut emails = app.emails_to(ADA).await;
    assert_eq!(emails.len(), 5);
    emails.extend(app.emails_to("bea@example.com").await);
    assert_eq!(emails.len(), 6);
    for email in emails {
        for face in [&email.subject, &email.text, &email.html] {
            assert!(!face.contains("Winner") && !face.contains("Bob"), "{face}");
        }
        assert_eq!(email.text.lines().next(), Some("Hello,"));
    }
}
