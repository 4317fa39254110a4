//! The clock was wrong for a while: what was written then is believed no further ahead than it may reach.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    internals::{Actor, FactorResetAsked, ask_for_factor_reset},
    jobs::{self, Job, Outcome},
};

use crate::harness::{PASSWORD, TestApp, Visitor, token_in};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const ADDRESS: &str = "ada@example.com";

/// How far the clock is ahead, and comes back.
fn ahead() -> TimeDelta {
    TimeDelta::days(400)
}

async fn limited() -> TestApp {
    TestApp::with(&[("THROTTLE", "on")]).await
}

async fn sign_in(visitor: &Visitor, password: &str) -> u16 {
    let form = json!({ "email": ADDRESS, "password": password });
    visitor.post_json("/login", form).await.status.as_u16()
}

async fn signed_in(app: &TestApp) -> Visitor {
    let curl = app.curl();
    assert_eq!(sign_in(&curl, PASSWORD).await, 200);
    curl
}

/// What is limited: whether its visitor is signed in, where it goes, what it says.
fn limits() -> Vec<(&'static str, bool, &'static str, Value)> {
    vec![
        ("passwords", false, "/login", json!({ "email": ADDRESS, "password": "a wrong guess" })),
        (
            "passwords of nobody",
            false,
            "/login",
            json!({ "email": "bob@example.com", "password": "a wrong guess" }),
        ),
        (
            "accounts",
            false,
            "/signup",
            json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve" }),
        ),
        ("resets", false, "/forgot-password", json!({ "email": ADDRESS })),
        ("links to sign in", false, "/login/magic-link", json!({ "email": ADDRESS })),
        ("challenges", false, "/login/passkey/options", json!({})),
        ("passwords at a step-up", true, "/auth/confirm", json!({ "password": "a wrong guess" })),
    ]
}

#[actix_web::test]
async fn no_limit_that_was_reached_in_the_future_holds_until_then() {
    for (what, is_signed_in, path, body) in limits() {
        let app = limited().await;
        app.verified(ADDRESS).await;
        let visitor = async || if is_signed_in { signed_in(&app).await } else { app.curl() };
        app.wait(ahead());
        let curl = visitor().await;
        let mut tries = 0;
        while curl.post_json(path, body.clone()).await.status != 429 {
            tries += 1;
            assert!(tries < 500, "{what}: no limit");
            // Longer than the shortest window holds, so that the longest is reached as well.
            if path == "/login" && tries % 4 == 0 {
                app.wait(TimeDelta::seconds(61));
            }
        }

        app.wait(-ahead());

        let curl = visitor().await;
        let answer = curl.post_json(path, body).await;
        assert_ne!(answer.status, 429, "{what}: Retry-After {}", answer.header("retry-after"));
    }
}

#[actix_web::test]
async fn eleven_wrong_passwords_under_the_wrong_clock_keep_nobody_out_under_the_right_one() {
    let app = limited().await;
    app.verified(ADDRESS).await;
    app.wait(ahead());
    for _ in 0..11 {
        sign_in(&app.curl(), "a wrong guess").await;
        app.wait(TimeDelta::minutes(1));
    }
    assert_eq!(sign_in(&app.curl(), PASSWORD).await, 429);

    app.wait(-ahead() - TimeDelta::minutes(11));

    assert_eq!(sign_in(&app.curl(), PASSWORD).await, 200);
}

#[actix_web::test]
async fn a_clock_that_is_a_little_ahead_opens_no_limit() {
    let app = limited().await;
    app.verified(ADDRESS).await;
    app.wait(TimeDelta::minutes(2));
    let guesses = async || {
        let mut admitted = 0;
        while sign_in(&app.curl(), "a wrong guess").await != 429 {
            admitted += 1;
        }
        admitted
    };
    assert!(guesses().await > 0);

    // Another node, whose clock is behind.
    app.wait(-TimeDelta::minutes(2));

    assert_eq!(guesses().await, 0);
}

#[actix_web::test]
async fn an_email_that_was_asked_for_in_the_future_can_be_asked_for_again() {
    let app = limited().await;
    app.unverified_user(ADDRESS).await;
    app.wait(ahead());
    signed_in(&app).await.post_json("/verify-email/resend", json!({})).await.is(200);
    signed_in(&app).await.post_json("/verify-email/resend", json!({})).await.is(429);
    app.send_emails().await;

    app.wait(-ahead());

    signed_in(&app).await.post_json("/verify-email/resend", json!({})).await.is(200);
    let token = app.token_for(ADDRESS).await;
    app.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn what_runs_by_itself_goes_on_after_the_clock_came_back() {
    let app = TestApp::open().await;
    app.wait(ahead());
    for job in Job::ALL {
        jobs::run_once(&app.inner, job, true).await.unwrap();
    }

    app.wait(-ahead());

    for job in Job::ALL {
        let outcome = jobs::run_once(&app.inner, job, false).await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{}: {outcome:?}", job.name());
        // And rests after that, as ever.
        assert_eq!(jobs::run_once(&app.inner, job, false).await.unwrap(), Outcome::NotOurs);
    }
}

#[actix_web::test]
async fn a_job_that_a_node_took_in_the_future_and_never_laid_down_is_taken_over() {
    let app = TestApp::open().await;
    for job in Job::ALL {
        jobs::run_once(&app.inner, job, true).await.unwrap();
    }
    app.db_execute("UPDATE jobs SET holder = 'gone', held_until = '2027-12-26 14:05:00', next_at = '2026-11-21 14:05:00'").await;

    for job in Job::ALL {
        let outcome = jobs::run_once(&app.inner, job, false).await.unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{}: {outcome:?}", job.name());
    }

    // One that is held for as long as a lease lasts is held.
    app.db_execute("UPDATE jobs SET holder = 'there', held_until = '2026-11-21 14:05:30', next_at = '2026-11-21 14:05:00'").await;
    for job in Job::ALL {
        assert_eq!(jobs::run_once(&app.inner, job, false).await.unwrap(), Outcome::NotOurs, "{}", job.name());
    }
}

#[actix_web::test]
async fn a_code_that_was_used_in_the_future_bars_none_of_today() {
    let app = TestApp::open().await;
    let ada = app.with_app(ADDRESS).await;
    app.wait(ahead());
    let device = app.curl();
    ada.submits_password(&device).await.is(200);
    device.submits_code(&app.code(&ada.secret)).await.is(200);

    app.wait(-ahead() + TimeDelta::minutes(1));

    let (device, thief) = (app.curl(), app.curl());
    ada.submits_password(&device).await.is(200);
    ada.submits_password(&thief).await.is(200);
    let code = app.code(&ada.secret);
    device.submits_code(&code).await.is(200);
    thief.submits_code(&code).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn an_app_that_was_to_be_set_up_in_the_future_is_set_up_anew() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    app.wait(ahead());
    let curl = signed_in(&app).await;
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;

    app.wait(-ahead());

    let curl = signed_in(&app).await;
    curl.steps_up().await;
    assert_ne!(curl.confirms_app(&app.code(&secret)).await.status, 200);
    let secret = app.waiting_app(&curl).await;
    curl.confirms_app(&app.code(&secret)).await.is(200);
}

#[actix_web::test]
async fn a_session_from_the_future_is_over_and_one_that_was_used_there_lasts_as_long_as_any() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    let remembered = app.curl();
    let form = json!({ "email": ADDRESS, "password": PASSWORD, "remember": true });
    remembered.post_json("/login", form).await.is(200);
    app.wait(TimeDelta::days(5));
    remembered.get("/me").await.is(200);
    remembered.steps_up().await;
    let begun_there = signed_in(&app).await;

    app.wait(-TimeDelta::days(5));

    begun_there.get("/me").await.refuses(401, "sign_in_required");
    let list = remembered.get("/me/sessions").await.is(200).json();
    let sessions = list["sessions"].as_array().unwrap();
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["lastActiveAt"], "2026-11-21T14:05:00Z");
    assert!(
        sessions.iter().all(|session| session["createdAt"].as_str() <= Some("2026-11-21T14:10:00Z")),
        "{list}"
    );
    remembered.post_json("/me/passkeys/options", json!({})).await.refuses(403, "reauthentication_required");

    app.wait(TimeDelta::days(14) + TimeDelta::minutes(1));
    remembered.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_clock_that_is_a_little_ahead_signs_nobody_out() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    app.wait(TimeDelta::minutes(3));
    let curl = signed_in(&app).await;
    curl.steps_up().await;
    curl.post_json("/forgot-password", json!({ "email": ADDRESS })).await.is(200);
    let reset = app.token_for(ADDRESS).await;

    app.wait(-TimeDelta::minutes(3));

    curl.get("/me").await.is(200);
    curl.post_json("/me/passkeys/options", json!({})).await.is(200);
    let form = json!({ "token": reset, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);
}

#[actix_web::test]
async fn links_from_the_future_are_dead_and_can_be_asked_for_anew() {
    let app = TestApp::open().await;
    app.unverified_user("bob@example.com").await;
    app.verified(ADDRESS).await;
    let asked = async || {
        let curl = app.curl();
        curl.post_json("/forgot-password", json!({ "email": ADDRESS })).await.is(200);
        let reset = app.token_for(ADDRESS).await;
        curl.post_json("/login/magic-link", json!({ "email": ADDRESS })).await.is(200);
        let magic = app.token_for(ADDRESS).await;
        let bob = app.curl();
        let form = json!({ "email": "bob@example.com", "password": PASSWORD });
        bob.post_json("/login", form).await.is(200);
        bob.post_json("/verify-email/resend", json!({})).await.is(200);
        let confirm = app.token_for("bob@example.com").await;
        (curl, reset, magic, confirm)
    };
    let reset_with = |token: &str| json!({ "token": token, "password": "another fine passphrase" });
    app.wait(ahead());
    let (curl, reset, magic, confirm) = asked().await;
    let browser = app.browser();
    browser.post("/login/magic-link", &[("email", "nobody@example.com")]).await.is(303);
    browser.get("/login/magic-link/sent").await.is(200);

    app.wait(-ahead());

    curl.post_json("/login/magic-link/verify", json!({ "token": magic })).await.is(422);
    curl.post_json("/reset-password", reset_with(&reset)).await.is(422);
    curl.post_json("/verify-email", json!({ "token": confirm })).await.is(422);
    browser.get("/login/magic-link/sent").await.goes_to("/login/magic-link");
    let (curl, reset, magic, confirm) = asked().await;
    curl.post_json("/login/magic-link/verify", json!({ "token": magic })).await.is(200);
    curl.post_json("/verify-email", json!({ "token": confirm })).await.is(200);
    app.curl().post_json("/reset-password", reset_with(&reset)).await.is(200);
}

#[actix_web::test]
async fn a_way_back_is_open_whenever_it_was_made() {
    let app = TestApp::open().await;
    app.verified(ADDRESS).await;
    signed_in(&app).await;
    app.wait(ahead());
    assert_eq!(sign_in(&app.curl().named(FIREFOX), PASSWORD).await, 200);
    let emails = app.emails_to(ADDRESS).await;
    let told = emails.iter().rev().find(|email| email.text.contains("/not-me?token=")).unwrap();
    let token = token_in(&told.text).unwrap();

    app.wait(-ahead());

    app.curl().post_json("/not-me", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn a_browser_becomes_known_again_after_all_were_forgotten_in_the_future() {
    let app = limited().await;
    app.verified(ADDRESS).await;
    app.db_execute("UPDATE users SET browsers_known_from = '2027-12-26 14:05:00'").await;
    app.wait(TimeDelta::minutes(1));
    let owner = signed_in(&app).await;
    for _ in 0..11 {
        app.wait(TimeDelta::minutes(1));
        sign_in(&app.curl(), "a wrong guess").await;
    }

    assert_eq!(sign_in(&app.curl(), PASSWORD).await, 429);
    assert_eq!(sign_in(&owner, PASSWORD).await, 200);
}

#[actix_web::test]
async fn a_reset_that_was_asked_for_in_the_future_can_be_asked_for_again() {
    let app = TestApp::open().await;
    app.with_app(ADDRESS).await;
    let ask =
        || app.inner.write(|tx| ask_for_factor_reset(tx, &Actor::operator(), &ADDRESS.parse().unwrap()));
    app.wait(ahead());
    assert!(matches!(ask().await.unwrap(), FactorResetAsked::Until(_)));
    assert!(matches!(ask().await.unwrap(), FactorResetAsked::UnderWay(_)));

    app.wait(-ahead());

    let FactorResetAsked::Until(at) = ask().await.unwrap() else { panic!("it waits for the future") };
    assert!(at - app.clock.now() < TimeDelta::days(30));
    assert!(matches!(ask().await.unwrap(), FactorResetAsked::UnderWay(again) if again == at));
}
