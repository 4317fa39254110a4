//! "Is this your address? Use it": the reader of an email to an address that nobody confirmed starts with that address.

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::{
    jobs::{self, Job},
    mail::Caught,
};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

const ADA: &str = "ada@example.com";
const OWN: &str = "a phrase that is Ada's alone";

/// The link in an email, as its path; nothing where it has none.
fn start_link(email: &Caught) -> Option<String> {
    let (_, rest) = email.text.split_once("/use-address?")?;
    Some(format!("/use-address?{}", rest.lines().next().unwrap()))
}

fn token_of(link: &str) -> &str {
    link.split_once("token=").unwrap().1.split('&').next().unwrap()
}

async fn newest_link(app: &TestApp) -> String {
    app.emails_to(ADA).await.iter().rev().find_map(start_link).unwrap()
}

fn form(token: &str, email: &str) -> Value {
    json!({ "token": token, "email": email, "name": "Ada", "password": OWN })
}

async fn uses(visitor: &Visitor, link: &str) -> Answer {
    visitor.post_json("/use-address", form(token_of(link), ADA)).await
}

async fn signs_in(app: &TestApp, password: &str) -> u16 {
    let answer = app.curl().post_json("/login", json!({ "email": ADA, "password": password })).await;
    answer.status.as_u16()
}

/// Mallory uses up every email of the day and ends each account that one of them is about: what is left of it is the link.
#[actix_web::test]
async fn whoever_uses_up_the_emails_of_the_day_keeps_nobody_out() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    for number in 0..8 {
        let mallory = app.curl().with("x-forwarded-for", &format!("203.0.{number}.1"));
        let body = json!({ "email": ADA, "password": format!("{PASSWORD} {number}"), "name": "Mallory" });
        mallory.post_json("/signup", body).await.is(201);
        app.send_emails().await;
        if number < 6 {
            mallory
                .post_json("/auth/confirm", json!({ "password": format!("{PASSWORD} {number}") }))
                .await
                .is(200);
            mallory.post_json("/me/delete", json!({})).await.is(200);
        }
        app.wait(TimeDelta::minutes(2));
    }
    let browser = app.browser();
    let sign_up = [("name", "Ada"), ("email", ADA), ("password", OWN)];
    browser.post("/signup", &sign_up).await.goes_to("/me");
    assert_eq!(app.emails_to(ADA).await.len(), 5, "none is left for Ada");

    let link = newest_link(&app).await;
    browser
        .get(&link)
        .await
        .is(200)
        .says("Create your account")
        .says("This browser is signed in to an account");
    let fields = [("token", token_of(&link)), ("email", ADA), ("name", "Ada"), ("password", OWN)];
    browser.post("/use-address", &fields).await.goes_to("/me");

    browser
        .get("/me")
        .await
        .is(200)
        .says("Your account is ready")
        .says("Confirmed")
        .hides("Not confirmed yet");
    assert_eq!(app.count("users").await, 1);
    app.wait(TimeDelta::hours(1));
    assert_eq!(signs_in(&app, OWN).await, 200);
    assert_eq!(signs_in(&app, &format!("{PASSWORD} 7")).await, 401);
}

#[actix_web::test]
async fn a_program_gets_a_confirmed_account_and_a_session() {
    let app = TestApp::open().await;
    let mallory = app.unverified_user(ADA).await;
    let link = newest_link(&app).await;
    let ada = app.curl();

    let made = uses(&ada, &link).await.is(201).json();

    assert_eq!((&made["user"]["email"], &made["user"]["emailVerified"]), (&json!(ADA), &json!(true)));
    assert_eq!(made["user"]["name"], "Ada");
    assert_eq!(ada.get("/me").await.is(200).json()["user"]["emailVerified"], true);
    mallory.get("/me").await.is(401);
    assert_eq!(signs_in(&app, PASSWORD).await, 401);
}

#[actix_web::test]
async fn every_email_to_an_address_that_nobody_confirmed_has_the_link_and_no_other_has() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    let curl = app.curl();
    let ask = async || {
        curl.post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
        curl.post_json("/login/magic-link", json!({ "email": ADA })).await.is(200);
    };
    ask().await;
    app.wait(TimeDelta::days(6));
    jobs::run_once(&app.inner, Job::Unconfirmed, true).await.unwrap();
    let emails = app.emails_to(ADA).await;
    assert_eq!(emails.len(), 4, "{emails:?}");
    for email in &emails {
        assert!(start_link(email).is_some() && email.html.contains("/use-address?"), "{}", email.text);
    }

    // The others are from six days ago.
    let last = emails.iter().find(|email| email.subject.starts_with("Last chance")).unwrap();
    uses(&curl, &start_link(last).unwrap()).await.is(201);
    app.catcher.clear();
    ask().await;
    app.unverified_user(ADA).await;
    let emails = app.emails_to(ADA).await;
    assert_eq!(emails.len(), 3, "{emails:?}");
    for email in &emails {
        assert!(start_link(email).is_none() && !email.html.contains("/use-address"), "{}", email.text);
    }
}

#[actix_web::test]
async fn looking_at_the_link_changes_nothing() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    let link = newest_link(&app).await;

    for visitor in [app.browser(), app.curl()] {
        visitor.get(&link).await.is(200).says(ADA);
        visitor.head(&link).await.is(200);
    }

    assert_eq!((app.count("users").await, app.count("sessions").await), (1, 1));
    uses(&app.curl(), &link).await.is(201);
}

#[actix_web::test]
async fn a_link_is_good_once_for_a_day_for_its_own_address_and_until_somebody_confirms_it() {
    let ways = [
        "used",
        "old",
        "another address",
        "another token",
        "no token",
        "confirmed",
        "confirmed by its account",
    ];
    for way in ways {
        let app = TestApp::open().await;
        app.unverified_user(ADA).await;
        let link = newest_link(&app).await;
        let (mut token, mut email) = (token_of(&link).to_owned(), ADA);
        match way {
            "used" => drop(uses(&app.curl(), &link).await.is(201)),
            "old" => app.wait(TimeDelta::days(1)),
            "another address" => email = "bea@example.com",
            "another token" => token = app.token_for(ADA).await,
            "no token" => token.clear(),
            "confirmed" => {
                app.unverified_user(ADA).await;
                uses(&app.curl(), &newest_link(&app).await).await.is(201);
            }
            _ => {
                let token = app.token_for(ADA).await;
                app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);
            }
        }
        let (status, code) = match way {
            "confirmed" | "confirmed by its account" => (409, "already_confirmed"),
            _ => (422, "dead_link"),
        };
        let before = app.count("users").await;

        let curl = app.curl();
        curl.get(&format!("/use-address?token={token}&email={email}")).await.refuses(status, code);
        curl.post_json("/use-address", form(&token, email)).await.refuses(status, code);

        assert_eq!(app.count("users").await, before, "{way}");
    }
}

#[actix_web::test]
async fn what_is_wrong_with_the_form_is_said_and_the_link_stays_good() {
    let app = TestApp::open().await;
    app.unverified_user(ADA).await;
    let link = newest_link(&app).await;
    let browser = app.browser();

    for (name, password, says) in [
        ("", OWN, "Enter a name."),
        ("Ada", "short", "Use at least 8 characters."),
        ("Ada", "iloveyou", "too common and easy to guess"),
        ("Ada", "adaexample", "mostly your address"),
    ] {
        let fields = [("token", token_of(&link)), ("email", ADA), ("name", name), ("password", password)];
        let page = browser.post(&link, &fields).await.is(422).says("role=\"alert\"").says(says);
        page.hides(&format!("value=\"{password}\""));
    }

    uses(&app.curl(), &link).await.is(201);
}

#[actix_web::test]
async fn of_two_links_that_are_used_at_once_one_makes_an_account() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    app.unverified_user(ADA).await;
    let first = newest_link(&app).await;
    app.unverified_user(ADA).await;
    let second = newest_link(&app).await;
    assert_ne!(first, second);
    let (one, other) = (app.curl(), app.curl());

    let answers = join(uses(&one, &first), uses(&other, &second)).await;

    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(app.count("users").await, 1);
}
