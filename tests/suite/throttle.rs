//! How often things may be tried.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::house::{Answer, House, PASSWORD, Visitor};

async fn guarded() -> House {
    House::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "1000")]).await
}

async fn tries(visitor: &Visitor, address: &str, password: &str) -> Answer {
    visitor.post_json("/login", json!({ "email": address, "password": password })).await
}

#[actix_web::test]
async fn a_sixth_attempt_in_a_minute_has_to_wait_and_is_told_how_long() {
    let house = guarded().await;
    house.verified("ada@example.com").await;
    let stranger = house.curl();

    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    let refused = tries(&stranger, "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");

    assert_eq!(refused.header("retry-after"), "60");
    assert!(refused.json()["error"].as_str().unwrap().contains("a minute"), "{}", refused.body);
    house.wait(TimeDelta::seconds(60));
    tries(&stranger, "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn an_address_that_nobody_has_is_limited_alike() {
    let house = guarded().await;
    let stranger = house.curl();

    for _ in 0..5 {
        tries(&stranger, "nobody@example.com", "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&stranger, "nobody@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn another_spelling_of_an_address_is_no_new_bucket_case_17() {
    let house = guarded().await;
    let stranger = house.curl();

    for spelling in
        ["ada@example.com", "ADA@example.com", "Ada@Example.com", "ada@EXAMPLE.COM", " ada@example.com"]
    {
        tries(&stranger, spelling, "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&stranger, "aDa@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn fifty_guesses_at_once_get_no_more_looks_than_five_case_49() {
    let house = guarded().await;
    house.verified("ada@example.com").await;

    let guesses = (0..50).map(|_| {
        let stranger = house.curl();
        async move { tries(&stranger, "ada@example.com", "a wrong guess").await.status.as_u16() }
    });
    let answers = join_all(guesses).await;

    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 45, "{answers:?}");
}

#[actix_web::test]
async fn a_success_does_not_clear_the_networks_count_case_47() {
    let house = House::with(&[("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "4")]).await;
    house.verified("ada@example.com").await;
    let visitor = house.curl();

    for address in ["one@example.com", "two@example.com", "three@example.com"] {
        tries(&visitor, address, "a wrong guess").await.refuses(401, "wrong_credentials");
    }
    tries(&visitor, "ada@example.com", PASSWORD).await.is(200);

    tries(&visitor, "four@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn one_household_of_ipv6_addresses_is_one_client_case_49() {
    let settings = [("THROTTLE", "on"), ("LOGIN_PER_NETWORK", "2"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let house = House::with(&settings).await;
    let from = |ip: &str| house.curl().with("x-forwarded-for", ip);

    tries(&from("2001:db8:1:2::1"), "one@example.com", "a wrong guess").await.is(401);
    tries(&from("2001:db8:1:2:ffff::2"), "two@example.com", "a wrong guess").await.is(401);
    tries(&from("2001:db8:1:2:eeee::3"), "three@example.com", "a wrong guess").await.is(429);
    tries(&from("2001:db8:1:3::1"), "four@example.com", "a wrong guess").await.is(401);
}

#[actix_web::test]
async fn ten_failures_close_the_door_to_strangers_but_not_to_the_owners_browser_case_46() {
    let house = guarded().await;
    let owner = house.verified("ada@example.com").await;
    let stranger = house.curl();
    fails(&house, &stranger, 10).await;

    let refused = tries(&stranger, "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    assert!(refused.json()["error"].as_str().unwrap().contains("15 minutes"), "{}", refused.body);
    owner.post("/logout", &[]).await.is(200);
    tries(&owner, "ada@example.com", PASSWORD).await.is(200);

    house.wait(TimeDelta::minutes(15));
    tries(&stranger, "ada@example.com", PASSWORD).await.is(200);
}

/// Wrong guesses, a minute apart, so that only their number in a row counts.
async fn fails(house: &House, visitor: &Visitor, times: usize) {
    for _ in 0..times {
        house.wait(TimeDelta::minutes(1));
        tries(visitor, "ada@example.com", "a wrong guess").await.is(401);
    }
}

#[actix_web::test]
async fn a_claim_to_the_address_neither_knows_the_browser_nor_clears_the_count() {
    let house = guarded().await;
    house.verified("ada@example.com").await;
    let attacker = house.curl();
    let own = "the attacker's very own phrase";
    let body = json!({ "email": "ada@example.com", "password": own, "name": "Mallory" });
    attacker.post_json("/signup", body).await.is(201);
    fails(&house, &attacker, 8).await;

    house.wait(TimeDelta::minutes(1));
    tries(&attacker, "ada@example.com", own).await.is(200);
    fails(&house, &attacker, 2).await;

    house.wait(TimeDelta::minutes(1));
    tries(&house.curl(), "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    // The attacker's browser is known to the attacker's own claim, and opens nothing else.
    tries(&attacker, "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    tries(&attacker, "ada@example.com", own).await.is(200);
}

#[actix_web::test]
async fn a_success_starts_the_owners_count_again() {
    let house = guarded().await;
    house.verified("ada@example.com").await;
    let visitor = house.curl();
    fails(&house, &visitor, 9).await;
    tries(&visitor, "ada@example.com", PASSWORD).await.is(200);

    fails(&house, &house.curl(), 9).await;
}

#[actix_web::test]
async fn counts_hold_on_every_node_and_after_a_restart() {
    let house = guarded().await;
    let stranger = house.curl();
    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(401);
    }

    let second = house.second_node().await;

    tries(&stranger.at(second.port), "ada@example.com", "a wrong guess").await.is(429);
}

#[actix_web::test]
async fn thirty_sign_ups_an_hour_come_from_one_client() {
    let house = House::with(&[("THROTTLE", "on"), ("SIGNUPS_PER_NETWORK", "3")]).await;
    for number in 0..3 {
        house.claimant(&format!("person{number}@example.com")).await;
    }

    let body = json!({ "email": "late@example.com", "password": PASSWORD, "name": "Late" });
    house.curl().post_json("/signup", body.clone()).await.refuses(429, "too_many_attempts");
    assert_eq!(house.count("users").await, 3);

    house.wait(TimeDelta::hours(1));
    house.curl().post_json("/signup", body).await.is(201);
}

#[actix_web::test]
async fn a_mailbox_is_not_bombed_whatever_strangers_ask_for_case_18() {
    let house = guarded().await;
    house.verified("ada@example.com").await;

    for _ in 0..20 {
        let stranger = house.curl();
        stranger.post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
        house.claimant("ada@example.com").await;
        house.wait(TimeDelta::minutes(2));
    }

    let letters = house.letters_to("ada@example.com").await;
    let resets = letters.iter().filter(|letter| letter.subject.starts_with("Set a new password")).count();
    let known = letters.iter().filter(|letter| letter.subject.starts_with("You already have")).count();
    assert_eq!((resets, known), (5, 5));
}

#[actix_web::test]
async fn a_link_asked_for_again_at_once_has_to_wait_a_minute() {
    let house = guarded().await;
    let claimant = house.claimant("ada@example.com").await;

    let refused = claimant.post("/verify-email/resend", &[]).await.refuses(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), "60");

    house.wait(TimeDelta::minutes(1));
    claimant.post("/verify-email/resend", &[]).await.is(200);
}

#[actix_web::test]
async fn throttled_pages_are_pages() {
    let house = House::with(&[("THROTTLE", "on"), ("LOGIN_PER_ADDRESS", "1")]).await;
    let browser = house.browser();
    let form = [("email", "ada@example.com"), ("password", "a wrong guess")];
    browser.post("/login", &form).await.is(401).says("do not belong together");

    let browser = browser.with("referer", &format!("{}/login?next=%2Fme", house.base_url));
    let page = browser.post("/login", &form).await.is(429).says("Too many attempts").says("<!doctype html>");
    page.says("href=\"/login?next=%2Fme\">Try again</a>");
}

/// The page that a wrong guess is answered with has no token in its address, unless the form's own has.
#[actix_web::test]
async fn whoever_guessed_too_often_behind_a_link_is_led_back_to_the_link() {
    let house = House::with(&[("THROTTLE", "on")]).await;
    house.claimant("ada@example.com").await;
    let token = house.token_for("ada@example.com").await;
    let link = format!("/verify-email?token={token}");
    let mut browser = house.browser();
    browser.get(&link).await.is(200).says(&format!("action=\"{link}\""));
    let page = loop {
        browser = browser.with("referer", &format!("{}{link}", house.base_url));
        let page = browser.post(&link, &[("token", &token), ("password", "a wrong guess")]).await;
        if page.status == 429 {
            break page;
        }
        page.is(422).says(&format!("action=\"{link}\""));
    };

    page.says(&format!("href=\"{link}\">Try again</a>"));
    browser.get(&link).await.is(200);
}

#[actix_web::test]
async fn the_limits_tell_nobody_whether_an_address_is_confirmed() {
    let mut seen = Vec::new();
    for is_taken in [true, false] {
        let house = guarded().await;
        if is_taken {
            house.verified("ada@example.com").await;
        }
        let claimant = house.curl();
        let own = "the claimant's very own phrase";
        let body = json!({ "email": "ada@example.com", "password": own, "name": "Mallory" });
        claimant.post_json("/signup", body).await.is(201);
        let mut answers = Vec::new();
        for password in
            ["a wrong guess"; 8].into_iter().chain([own, own, "a wrong guess", own, "a wrong guess", own])
        {
            answers.push(tries(&claimant, "ada@example.com", password).await.status.as_u16());
            answers.push(tries(&house.curl(), "ada@example.com", password).await.status.as_u16());
            house.wait(TimeDelta::seconds(40));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains(&429) && seen[0].contains(&200), "{seen:?}");
}

#[actix_web::test]
async fn a_form_and_json_fill_the_same_bucket_case_19() {
    let house = guarded().await;
    let (browser, curl) = (house.browser(), house.curl());
    for _ in 0..2 {
        let form = [("email", "ada@example.com"), ("password", "a wrong guess")];
        browser.post("/login", &form).await.is(401);
        tries(&curl, "ada@example.com", "a wrong guess").await.is(401);
    }
    tries(&curl, "ada@example.com", "a wrong guess").await.is(401);

    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(429);
    tries(&curl, "ada@example.com", PASSWORD).await.is(429);
}

#[actix_web::test]
async fn the_owner_reads_that_somebody_keeps_trying_and_strangers_cannot_fill_the_history() {
    let house = guarded().await;
    let ada = house.verified("ada@example.com").await;
    let stranger = house.curl();
    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(401);
    }
    for _ in 0..20 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(429);
    }

    let logins = ada.get("/me/logins").await.is(200).json();

    let outcomes: Vec<_> =
        logins["logins"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    let count = |word: &str| outcomes.iter().filter(|outcome| *outcome == word).count();
    assert_eq!((count("wrong_password"), count("throttled"), count("success")), (5, 1, 1), "{logins}");
}
