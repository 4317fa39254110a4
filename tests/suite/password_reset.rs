//! A new password through a mailed link.

use chrono::TimeDelta;
use serde_json::json;

use crate::house::{House, PASSWORD, Visitor, visitor::Answer};

const NEW: &str = "a new and better password";

/// Asks for a link; the token in the newest letter to `arrives_at`.
async fn reset_token(house: &House, typed: &str, arrives_at: &str) -> String {
    house.send_letters().await;
    house.curl().post_json("/forgot-password", json!({ "email": typed })).await.is(200);
    house.token_for(arrives_at).await
}

async fn reset(visitor: &Visitor, token: &str) -> Answer {
    visitor.post_json("/reset-password", json!({ "token": token, "password": NEW })).await
}

async fn sign_in(house: &House, address: &str, password: &str) -> Answer {
    house.curl().post_json("/login", json!({ "email": address, "password": password })).await
}

fn link(token: &str) -> String {
    format!("/reset-password?token={token}")
}

#[actix_web::test]
async fn whoever_forgot_their_password_sets_a_new_one_and_is_signed_in_nowhere_case_45() {
    let house = House::open().await;
    let (laptop, phone) = (house.verified("ada@example.com").await, house.browser());
    phone.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    let browser = house.browser();

    browser.get("/forgot-password").await.is(200);
    browser.post("/forgot-password", &[("email", "ada@example.com")]).await.is(200).says("Look at your mail");
    let token = house.token_for("ada@example.com").await;
    let page = browser.get(&link(&token)).await.is(200).says("value=\"ada@example.com\"");
    page.says("signs this account out on every device").hides("This browser is signed in as");
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", NEW)];
    browser.post("/reset-password", &form).await.goes_to("/login");

    browser.get("/login").await.is(200).says("Your new password is saved. Sign in with it.");
    assert_eq!(browser.cookie("session"), None);
    laptop.get("/me").await.refuses(401, "sign_in_required");
    phone.get("/me").await.goes_to("/login?next=%2Fme");
    assert_eq!(house.count("sessions").await, 0);
    sign_in(&house, "ada@example.com", PASSWORD).await.refuses(401, "wrong_credentials");
    sign_in(&house, "ada@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn every_address_gets_the_same_answer_and_only_people_get_mail() {
    let house = House::open().await;
    house.claimant("claimed@example.com").await;
    house.verified("settled@example.com").await;
    let before = house.catcher.received();

    let (mut programs, mut browsers) = (Vec::new(), Vec::new());
    for address in ["unknown@example.com", "claimed@example.com", "settled@example.com"] {
        let answer = house.curl().post_json("/forgot-password", json!({ "email": address })).await;
        programs.push(answer.is(200).outline(address));
        let answer = house.browser().post("/forgot-password", &[("email", address)]).await;
        browsers.push(answer.is(200).outline(address));
    }

    for outlines in [programs, browsers] {
        assert!(outlines.iter().all(|outline| *outline == outlines[0]), "{outlines:#?}");
    }
    house.send_letters().await;
    assert_eq!(house.catcher.received(), before + 4);
    assert!(house.letters_to("unknown@example.com").await.is_empty());
}

#[actix_web::test]
async fn what_cannot_be_an_address_is_told_so() {
    let house = House::open().await;
    let page = house.browser().post("/forgot-password", &[("email", "ada at home")]).await.is(422);
    page.says("value=\"ada at home\"").says("aria-invalid");
    house.curl().post_json("/forgot-password", json!({})).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn the_letter_goes_to_the_stored_spelling_and_never_to_the_typed_one_case_118() {
    let house = House::open().await;
    house.verified("Kay.Ada@example.com").await;

    let typed = "\u{212A}AY.ada@EXAMPLE.com";
    house.curl().post_json("/forgot-password", json!({ "email": typed })).await.is(200);

    assert_eq!(house.letters_to("Kay.Ada@example.com").await.len(), 2);
    assert_eq!(house.catcher.received(), 2);
}

#[actix_web::test]
async fn a_link_works_once() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;
    reset(&house.curl(), &token).await.is(200);

    let again = json!({ "token": token, "password": "whoever reads old mail" });
    house.curl().post_json("/reset-password", again).await.refuses(422, "dead_reset_link");
    house.curl().get(&link(&token)).await.refuses(422, "dead_reset_link");

    sign_in(&house, "ada@example.com", NEW).await.is(200);
}

#[actix_web::test]
async fn looking_at_a_link_does_not_use_it_up_case_01() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    house.browser().head(&link(&token)).await.is(200);
    for _ in 0..2 {
        house.browser().get(&link(&token)).await.is(200);
        house.curl().get(&link(&token)).await.is(200).hides(&token);
    }

    sign_in(&house, "ada@example.com", PASSWORD).await.is(200);
    reset(&house.curl(), &token).await.is(200);
}

#[actix_web::test]
async fn only_the_newest_link_works_case_07() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let first = reset_token(&house, "ada@example.com", "ada@example.com").await;
    let second = reset_token(&house, "ada@example.com", "ada@example.com").await;

    reset(&house.curl(), &first).await.refuses(422, "dead_reset_link");

    reset(&house.curl(), &second).await.is(200);
}

#[actix_web::test]
async fn a_link_works_for_an_hour_and_a_dead_one_says_so_at_once() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    house.wait(TimeDelta::seconds(3_599));
    house.browser().get(&link(&token)).await.is(200);
    house.wait(TimeDelta::seconds(1));

    let page = house.browser().get(&link(&token)).await.is(422).hides("type=\"password\"");
    page.says("This link no longer works").says("href=\"/forgot-password\"").says("Send me a new link");
    reset(&house.curl(), &token).await.refuses(422, "dead_reset_link");
    sign_in(&house, "ada@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn what_was_never_a_link_is_a_dead_one() {
    let house = House::open().await;
    for rubbish in ["", "x", "%00", &"x".repeat(4000)] {
        house.browser().get(&link(rubbish)).await.is(422).says("This link no longer works");
    }
    house.curl().get("/reset-password").await.refuses(422, "dead_reset_link");
    reset(&house.curl(), "\0").await.refuses(422, "dead_reset_link");
}

#[actix_web::test]
async fn a_new_password_is_judged_like_any_and_the_link_survives_a_bad_one() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    for bad in ["short", "password1", "ada@example.com"] {
        let body = json!({ "token": token, "password": bad });
        let refusal = house.curl().post_json("/reset-password", body).await.refuses(422, "invalid");
        assert!(refusal.json()["fields"]["password"].is_string(), "{bad}");
    }
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", "a new and bitter password")];
    let page = house.browser().post("/reset-password", &form).await.is(422).hides(NEW).hides("bitter");
    page.says("The two are not the same.").says(&token);
    sign_in(&house, "ada@example.com", PASSWORD).await.is(200);

    reset(&house.curl(), &token).await.is(200);
}

#[actix_web::test]
async fn a_new_password_ends_every_other_link_of_the_account_case_08() {
    let house = House::open().await;
    house.claimant("ada@example.com").await;
    let verify = house.token_for("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    reset(&house.curl(), &token).await.is(200);

    let answer = house.curl().post_json("/verify-email", json!({ "token": verify })).await;
    answer.refuses(422, "dead_link");
}

#[actix_web::test]
async fn a_reset_proves_the_mailbox_and_ends_the_other_claims_case_15() {
    let house = House::open().await;
    let eve = house.curl();
    let body = json!({ "email": "ADA@example.com", "password": "the squatter's own", "name": "Eve" });
    eve.post_json("/signup", body).await.is(201);
    let eves = house.token_for("ADA@example.com").await;
    house.wait(TimeDelta::minutes(1));
    let ada = house.claimant("ada@example.com").await;
    let token = reset_token(&house, "ADA@example.com", "ada@example.com").await;

    reset(&house.curl(), &token).await.is(200);

    for session in [&eve, &ada] {
        session.get("/me").await.refuses(401, "sign_in_required");
    }
    let user = sign_in(&house, "ada@example.com", NEW).await.is(200).json()["user"].clone();
    assert_eq!((&user["emailVerified"], &user["email"]), (&json!(true), &json!("ada@example.com")));
    sign_in(&house, "ada@example.com", "the squatter's own").await.refuses(401, "wrong_credentials");
    house.curl().post_json("/verify-email", json!({ "token": eves })).await.refuses(422, "dead_link");
    assert_eq!(house.count("users").await, 1);
}

#[actix_web::test]
async fn the_owner_of_a_confirmed_address_gets_the_link_and_no_claimant_does() {
    let house = House::open().await;
    house.verified("Ada@example.com").await;
    house.wait(TimeDelta::minutes(1));
    house.claimant("ADA@example.com").await;

    let token = reset_token(&house, "ada@EXAMPLE.com", "Ada@example.com").await;
    reset(&house.curl(), &token).await.is(200);

    let user = sign_in(&house, "ada@example.com", NEW).await.is(200).json()["user"].clone();
    assert_eq!(user["email"], "Ada@example.com");
    assert!(house.letters_to("ADA@example.com").await.is_empty());
}

#[actix_web::test]
async fn a_browser_signed_in_as_somebody_else_is_told_and_stays_signed_in_case_13() {
    let house = House::open().await;
    house.verified("ada@example.com").await;
    house.verified("ben@example.com").await;
    let ben = house.browser();
    ben.post("/login", &[("email", "ben@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    let page =
        ben.get(&link(&token)).await.is(200).says("This browser is signed in as <bdi>ben@example.com</bdi>");
    page.says("The new password is for <bdi>ada@example.com</bdi>");
    let form = [("token", token.as_str()), ("password", NEW), ("repeat", NEW)];
    ben.post("/reset-password", &form).await.is(303);

    ben.get("/me").await.is(200).says("ben@example.com");
    sign_in(&house, "ben@example.com", PASSWORD).await.is(200);
}

#[actix_web::test]
async fn the_browser_that_was_signed_in_as_the_account_gives_its_cookie_back() {
    let house = House::open().await;
    let ada = house.verified("ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "ada@example.com").await;

    reset(&ada, &token).await.is(200);

    assert_eq!(ada.cookie("session"), None);
}

#[actix_web::test]
async fn the_owner_is_told_of_the_new_password() {
    let house = House::open().await;
    house.verified("Ada@example.com").await;
    let token = reset_token(&house, "ada@example.com", "Ada@example.com").await;
    let phone = house.curl().named("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");

    reset(&phone, &token).await.is(200);

    let letters = house.letters_to("Ada@example.com").await;
    assert_eq!(letters.len(), 3);
    let letter = &letters[2];
    assert_eq!(letter.subject, "Your password for Vestibule was changed");
    assert!(letter.text.contains("21 November 2026, 14:05 UTC") && letter.text.contains("Firefox on Linux"));
    assert!(letter.text.contains(&format!("{}/not-me?token=", house.base_url)));
    assert!(!letter.text.contains(NEW));
}
