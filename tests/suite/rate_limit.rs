//! How often things may be tried.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

pub async fn guarded() -> TestApp {
    TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "1000")]).await
}

pub async fn tries(visitor: &Visitor, address: &str, password: &str) -> Answer {
    visitor.post_json("/login", json!({ "email": address, "password": password })).await
}

#[actix_web::test]
async fn a_sixth_attempt_in_a_minute_has_to_wait_and_is_told_how_long() {
    let app = guarded().await;
    app.verified("ada@example.com").await;
    let stranger = app.curl();

    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    let refused = tries(&stranger, "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");

    assert_eq!(refused.header("retry-after"), "60");
    assert!(refused.json()["error"].as_str().unwrap().contains("a minute"), "{}", refused.body);
    app.wait(TimeDelta::seconds(60));
    tries(&stranger, "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn an_address_that_nobody_has_is_limited_alike() {
    let app = guarded().await;
    let stranger = app.curl();

    for _ in 0..5 {
        tries(&stranger, "nobody@example.com", "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&stranger, "nobody@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn another_spelling_of_an_address_is_no_new_bucket_case_17() {
    let app = guarded().await;
    let stranger = app.curl();

    for spelling in
        ["ada@example.com", "ADA@example.com", "Ada@Example.com", "ada@EXAMPLE.COM", " ada@example.com"]
    {
        tries(&stranger, spelling, "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&stranger, "aDa@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn fifty_guesses_at_once_get_no_more_looks_than_five_case_49() {
    let app = guarded().await;
    app.verified("ada@example.com").await;

    let guesses = (0..50).map(|_| {
        let stranger = app.curl();
        async move { tries(&stranger, "ada@example.com", "a wrong guess").await.status.as_u16() }
    });
    let answers = join_all(guesses).await;

    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 45, "{answers:?}");
}

#[actix_web::test]
async fn a_success_does_not_clear_the_networks_count_case_47() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "4")]).await;
    app.verified("ada@example.com").await;
    let visitor = app.curl();

    for address in ["one@example.com", "two@example.com", "three@example.com"] {
        tries(&visitor, address, "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&visitor, "ada@example.com", PASSWORD).await.is(200);

    tries(&visitor, "four@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn one_household_of_ipv6_addresses_is_one_client_case_49() {
    let settings = [("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "2"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::with(&settings).await;
    let from = |ip: &str| app.curl().with("x-forwarded-for", ip);

    tries(&from("2001:db8:1:2::1"), "one@example.com", "a wrong guess").await.is(401);
    tries(&from("2001:db8:1:2:ffff::2"), "two@example.com", "a wrong guess").await.is(401);
    tries(&from("2001:db8:1:2:eeee::3"), "three@example.com", "a wrong guess").await.is(429);
    tries(&from("2001:db8:1:3::1"), "four@example.com", "a wrong guess").await.is(401);
}

#[actix_web::test]
async fn ten_failures_close_the_door_to_strangers_but_not_to_the_owners_browser_case_46() {
    let app = guarded().await;
    let owner = app.verified("ada@example.com").await;
    let stranger = app.curl();
    fails(&app, &stranger, 10).await;

    let refused = tries(&stranger, "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    assert!(refused.json()["error"].as_str().unwrap().contains("15 minutes"), "{}", refused.body);
    owner.post("/logout", &[]).await.is(200);
    tries(&owner, "ada@example.com", PASSWORD).await.is(200);

    app.wait(TimeDelta::minutes(15));
    tries(&stranger, "ada@example.com", PASSWORD).await.is(200);
}

/// Wrong guesses, a minute apart, so that only their number in a row counts.
async fn fails(app: &TestApp, visitor: &Visitor, times: usize) {
    for _ in 0..times {
        app.wait(TimeDelta::minutes(1));
        tries(visitor, "ada@example.com", "a wrong guess").await.is(401);
    }
}

#[actix_web::test]
async fn a_claim_to_the_address_neither_knows_the_browser_nor_clears_the_count() {
    let app = guarded().await;
    app.verified("ada@example.com").await;
    let attacker = app.curl();
    let own = "the attacker's very own phrase";
    let body = json!({ "email": "ada@example.com", "password": own, "name": "Mallory" });
    attacker.post_json("/signup", body).await.is(201);
    fails(&app, &attacker, 8).await;

    app.wait(TimeDelta::minutes(1));
    tries(&attacker, "ada@example.com", own).await.is(200);
    fails(&app, &attacker, 2).await;

    app.wait(TimeDelta::minutes(1));
    tries(&app.curl(), "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    // The attacker's browser is known to the attacker's own claim, and opens nothing else.
    tries(&attacker, "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    tries(&attacker, "ada@example.com", own).await.is(200);
}

#[actix_web::test]
async fn a_success_starts_the_owners_count_again() {
    let app = guarded().await;
    app.verified("ada@example.com").await;
    let visitor = app.curl();
    fails(&app, &visitor, 9).await;
    tries(&visitor, "ada@example.com", PASSWORD).await.is(200);

    fails(&app, &app.curl(), 9).await;
}

#[actix_web::test]
async fn counts_hold_on_every_node_and_after_a_restart() {
    let app = guarded().await;
    let stranger = app.curl();
    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(401);
    }

    let second = app.second_node().await;

    tries(&stranger.at(second.port), "ada@example.com", "a wrong guess").await.is(429);
}

#[actix_web::test]
async fn thirty_sign_ups_an_hour_come_from_one_client() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("SIGNUPS_PER_NETWORK", "3")]).await;
    for number in 0..3 {
        app.unverified_user(&format!("person{number}@example.com")).await;
    }

    let body = json!({ "email": "late@example.com", "password": PASSWORD, "name": "Late" });
    app.curl().post_json("/signup", body.clone()).await.refuses(429, "too_many_attempts");
    assert_eq!(app.count("users").await, 3);

    app.wait(TimeDelta::hours(1));
    app.curl().post_json("/signup", body).await.is(201);
}

#[actix_web::test]
async fn a_mailbox_is_not_bombed_whatever_strangers_ask_for_case_18() {
    let app = guarded().await;
    app.verified("ada@example.com").await;

    for _ in 0..20 {
        let stranger = app.curl();
        stranger.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
        app.unverified_user("ada@example.com").await;
        app.wait(TimeDelta::minutes(2));
    }

    let emails = app.emails_to("ada@example.com").await;
    let resets = emails.iter().filter(|email| email.subject.starts_with("Set a new password")).count();
    let known = emails.iter().filter(|email| email.subject.starts_with("You already have")).count();
    assert_eq!((resets, known), (5, 5));
}

#[actix_web::test]
async fn a_link_asked_for_again_at_once_has_to_wait_a_minute() {
    let app = guarded().await;
    let unverified_user = app.unverified_user("ada@example.com").await;

    let refused = unverified_user.post("/verify-email/resend", &[]).await.refuses(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), "60");

    app.wait(TimeDelta::minutes(1));
    unverified_user.post("/verify-email/resend", &[]).await.is(200);
}

#[actix_web::test]
async fn throttled_pages_are_pages() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_ADDRESS", "1")]).await;
    let browser = app.browser();
    let form = [("email", "ada@example.com"), ("password", "a wrong guess")];
    browser.post("/login", &form).await.is(401).says("Wrong email or password.");

    browser.post("/login", &form).await.is(429).says("Too many attempts").says("<!doctype html>");
}

/// The page that a wrong guess is answered with has no token in its address, unless the form's own has.
#[actix_web::test]
async fn whoever_guessed_too_often_behind_a_link_is_led_back_to_the_link() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    app.unverified_user("ada@example.com").await;
    let token = app.token_for("ada@example.com").await;
    let link = format!("/verify-email?token={token}");
    let mut browser = app.browser();
    browser.get(&link).await.is(200).says("action=\"/verify-email\"");
    let link = "/verify-email";
    let page = loop {
        browser = browser.with("referer", &format!("{}{link}", app.base_url));
        let page = browser.post(link, &[("token", &token), ("password", "a wrong guess")]).await;
        if page.status == 429 {
            break page;
        }
        page.is(422).says("action=\"/verify-email\"");
    };

    page.says(&format!("href=\"{link}\">Try again</a>"));
    browser.get(link).await.is(200);
}

#[actix_web::test]
async fn the_limits_tell_nobody_whether_an_address_is_confirmed() {
    let mut seen = Vec::new();
    for is_taken in [true, false] {
        let app = guarded().await;
        if is_taken {
            app.verified("ada@example.com").await;
        }
        let unverified_user = app.curl();
        let own = "the claimant's very own phrase";
        let body = json!({ "email": "ada@example.com", "password": own, "name": "Mallory" });
        unverified_user.post_json("/signup", body).await.is(201);
        let mut answers = Vec::new();
        for password in
            ["a wrong guess"; 8].into_iter().chain([own, own, "a wrong guess", own, "a wrong guess", own])
        {
            answers.push(tries(&unverified_user, "ada@example.com", password).await.status.as_u16());
            answers.push(tries(&app.curl(), "ada@example.com", password).await.status.as_u16());
            app.wait(TimeDelta::seconds(40));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains(&429) && seen[0].contains(&200), "{seen:?}");
}

#[actix_web::test]
async fn a_form_and_json_fill_the_same_bucket_case_19() {
    let app = guarded().await;
    let (browser, curl) = (app.browser(), app.curl());
    for _ in 0..2 {
        let form = [("email", "ada@example.com"), ("password", "a wrong guess")];
        browser.post("/login", &form).await.is(401);
        tries(&curl, "ada@example.com", "a wrong guess").await.is(401);
    }
    tries(&curl, "ada@example.com", "a wrong guess").await.is(401);

    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(429);
    tries(&curl, "ada@example.com", PASSWORD).await.is(429);
}

/// Who was too fast loses nothing that was typed but the password, and sees in the same form how long to wait.
#[actix_web::test]
async fn what_was_sent_too_often_comes_back_in_its_own_form() {
    let app = TestApp::with(&[
        ("THROTTLE", "on"),
        ("LOGIN_PER_ADDRESS", "1"),
        ("SIGNUPS_PER_NETWORK", "1"),
        ("MAILS_PER_HOUR", "1"),
    ])
    .await;
    let ada = app.verified("ada@example.com").await.with("accept", "text/html");
    let confirm = ("/auth/confirm", vec![("password", "a wrong guess")]);
    let stranger = app.browser();
    let network = |address: &'static str| vec![("email", address), ("password", PASSWORD), ("name", "Eve")];
    let mailed = |address: &'static str| vec![("email", address), ("next", "/me/sessions")];
    for (visitor, path, form) in [
        (
            &stranger,
            "/login",
            vec![("email", "eve@example.com"), ("password", "guess"), ("next", "/me/sessions")],
        ),
        (&stranger, "/signup", network("eve@example.com")),
        (&stranger, "/forgot-password", mailed("eve@example.com")),
        (&stranger, "/login/magic-link", mailed("eve@example.com")),
        (&ada, confirm.0, confirm.1),
    ] {
        visitor.post(path, &form).await;
        let again = visitor.post(path, &form).await.is(429);
        let seconds: u32 = again.header("retry-after").parse().unwrap();
        let again = again
            .says("Too many attempts. Wait ")
            .says(&format!("data-wait=\"{seconds}\""))
            .says(&format!("action=\"{path}\""))
            .hides(PASSWORD);
        for (name, value) in form.iter().filter(|(name, _)| ["email", "name", "next"].contains(name)) {
            if again.body.contains(&format!("name=\"{name}\"")) {
                assert!(again.body.contains(&format!("value=\"{value}\"")), "{path} forgot {name}");
            }
        }
        let program = app.curl();
        program.post(path, &form).await;
    }
    // A program reads what it always read.
    tries(&app.curl(), "eve@example.com", "guess").await.refuses(429, "too_many_attempts");
}
