//! Step-up: before anything dangerous, "it is still you".

use chrono::TimeDelta;
use serde_json::json;

use crate::house::{House, PASSWORD, Visitor};

async fn steps_up(curl: &Visitor) {
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
}

async fn asks(curl: &Visitor, address: &str) -> crate::house::Answer {
    curl.put_json("/me/email", json!({ "email": address })).await
}

#[actix_web::test]
async fn signing_in_is_not_a_step_up_case_72() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let curl = house.curl();
    curl.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);

    let refused = asks(&curl, "new@example.com").await.refuses(403, "reauthentication_required").json();

    assert_eq!(
        (refused["confirm"].as_str(), &refused["methods"]),
        (Some("/auth/confirm"), &json!(["password"]))
    );
    assert!(refused["error"].as_str().unwrap().contains("Re-authentication required"));
    assert!(house.letters_to("new@example.com").await.is_empty(), "nothing was sent");
}

#[actix_web::test]
async fn three_sensitive_acts_within_five_minutes_need_one_confirmation() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    steps_up(&curl).await;

    for number in 1..=3 {
        house.wait(TimeDelta::seconds(90));
        asks(&curl, &format!("new{number}@example.com")).await.is(200);
    }

    house.wait(TimeDelta::seconds(31));
    asks(&curl, "late@example.com").await.refuses(403, "reauthentication_required");
}

#[actix_web::test]
async fn a_step_up_is_good_in_its_own_session_only_case_72() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    let other = house.curl();
    other.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    steps_up(&curl).await;

    asks(&other, "new@example.com").await.refuses(403, "reauthentication_required");
}

#[actix_web::test]
async fn a_step_up_gives_the_session_a_new_secret_and_kills_the_old_one_case_37() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;
    let (id, old) = (curl.session_id().await, curl.cookie("session").unwrap());

    let until = curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200).json();

    assert_eq!(until["confirmedUntil"], "2026-11-21T14:10:00Z");
    assert_ne!(curl.cookie("session").unwrap(), old);
    assert_eq!(curl.session_id().await, id, "it is the same device in the list");
    let thief = house.curl();
    thief.set_cookie("session", &old);
    thief.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_wrong_password_proves_nothing_and_guesses_are_limited() {
    let house = House::with(&[("THROTTLE", "on")]).await;
    let curl = house.verified("ada@example.com").await;

    for _ in 0..5 {
        curl.post_json("/auth/confirm", json!({ "password": "not my password" }))
            .await
            .refuses(422, "invalid");
    }
    let refused = curl
        .post_json("/auth/confirm", json!({ "password": PASSWORD }))
        .await
        .refuses(429, "too_many_attempts");

    assert_eq!(refused.header("retry-after"), "60");
    asks(&curl, "new@example.com").await.refuses(403, "reauthentication_required");
    house.wait(TimeDelta::seconds(60));
    steps_up(&curl).await;
}

#[actix_web::test]
async fn a_browser_confirms_and_goes_on_to_the_page_it_wanted() {
    let house = House::open().await;
    let browser = signed_in(&house).await;

    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    browser.get("/auth/confirm?next=%2Fme%2Femail").await.is(200).says("/me/email");
    let form = [("password", PASSWORD), ("next", "/me/email")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/email");

    browser.get("/me/email").await.is(200).says("ada@example.com");
}

#[actix_web::test]
async fn an_interrupted_form_comes_back_filled_once_and_then_goes_through_case_75() {
    let house = House::open().await;
    let browser = signed_in(&house).await;

    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let confirm = interrupted.header("location").to_owned();
    assert!(confirm.starts_with("/auth/confirm?resume="), "{confirm}");
    let resume = confirm.split_once('=').unwrap().1.to_owned();
    browser.get(&confirm).await.is(200).says(&resume);
    let way = format!("/auth/continue?resume={resume}");
    browser.post("/auth/confirm", &[("password", PASSWORD), ("resume", &resume)]).await.goes_to(&way);

    browser.get(&way).await.is(200).says("new@example.com").says("action=\"/me/email\"").says("Continue");
    browser.get(&way).await.is(422);
    browser.post("/me/email", &[("email", "new@example.com")]).await.goes_to("/me");
    assert_eq!(house.letters_to("new@example.com").await.len(), 1);
}

#[actix_web::test]
async fn an_interrupted_form_is_sealed_and_opens_in_its_own_session_only() {
    let house = House::open().await;
    let browser = signed_in(&house).await;
    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let resume = interrupted.header("location").split_once('=').unwrap().1.to_owned();

    assert_eq!(house.count("tokens WHERE claim LIKE '%new@example.com%'").await, 0);
    let other = house.browser();
    other.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    other.get(&format!("/auth/continue?resume={resume}")).await.is(422).hides("new@example.com");
}

#[actix_web::test]
async fn an_interrupted_password_is_never_kept() {
    let house = House::open().await;
    let browser = signed_in(&house).await;

    let form = [("newPassword", "another fine passphrase"), ("repeat", "another fine passphrase")];
    browser.post("/me/password", &form).await.goes_to("/auth/confirm?next=%2Fme%2Fpassword");

    assert_eq!(house.count("tokens WHERE purpose = 'interrupted'").await, 0);
}

#[actix_web::test]
async fn an_interrupted_form_is_gone_after_five_minutes() {
    let house = House::open().await;
    let browser = signed_in(&house).await;
    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let resume = interrupted.header("location").split_once('=').unwrap().1.to_owned();

    house.wait(TimeDelta::minutes(5));

    browser.get(&format!("/auth/continue?resume={resume}")).await.is(422);
}

#[actix_web::test]
async fn the_step_up_page_never_leads_to_another_site() {
    let house = House::open().await;
    let browser = signed_in(&house).await;

    let form = [("password", PASSWORD), ("next", "//evil.example")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/security");
}

#[actix_web::test]
async fn a_mere_claim_is_led_to_confirm_its_address_and_then_on() {
    let house = House::open().await;
    let claimant = house.claimant("ada@example.com").await;
    asks(&claimant, "new@example.com").await.refuses(403, "email_unverified");
    let browser = house.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);

    browser.get("/me/email").await.goes_to("/verify-email/needed?next=%2Fme%2Femail");
    browser.get("/verify-email/needed?next=%2Fme%2Femail").await.is(200).says("ada@example.com");
    let token = house.token_for("ada@example.com").await;

    browser.get(&format!("/verify-email?token={token}")).await.goes_to("/me/email");
}

async fn signed_in(house: &House) -> Visitor {
    house.verified("ada@example.com").await;
    let browser = house.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    browser
}

#[actix_web::test]
async fn of_fifty_step_ups_with_one_secret_one_gets_the_next() {
    let house = House::open().await;
    let curl = house.verified("ada@example.com").await;

    let tries = (0..50).map(|_| {
        let one = curl.clone();
        async move { one.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.status.as_u16() }
    });
    let answers = futures_util::future::join_all(tries).await;

    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 401].contains(status)), "{answers:?}");
}
