//! Getting an account back, the chains about step-up: what an intruder tries, and what comes of it.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::house::House;

#[actix_web::test]
async fn chain_8_a_stolen_session_and_the_password_change_nothing_without_the_second_factor() {
    let house = House::open().await;
    let ada = house.with_app("ada@example.com").await;
    let laptop = house.curl();
    ada.knocks(&laptop).await.is(200);
    laptop.offers(&house.next_code(&ada.secret)).await.is(200);
    let thief = house.curl();
    thief.set_cookie("session", &laptop.cookie("session").unwrap());

    thief.steps_up().await;

    let address = json!({ "email": "thief@example.com" });
    let password = json!({ "newPassword": "the thief's own passphrase" });
    for (method, path, body) in [
        (Method::POST, "/me/2fa/recovery-codes", json!({})),
        (Method::POST, "/me/2fa/totp", json!({})),
        (Method::POST, "/me/passkeys/options", json!({})),
        (Method::POST, "/me/passkeys", json!({})),
        (Method::DELETE, "/me/2fa/totp", json!({})),
        (Method::PUT, "/me/email", address),
        (Method::PUT, "/me/password", password),
        (Method::POST, "/me/delete", json!({})),
    ] {
        let body = Some(("application/json", body.to_string()));
        let refused = thief.send(method, path, body).await.refuses(403, "reauthentication_required");
        assert_eq!(refused.json()["methods"], json!(["totp", "recovery_code"]), "{path}");
    }
    assert!(house.letters_to("thief@example.com").await.is_empty());
    ada.knocks(&house.curl()).await.is(200);
    ada.curl.post_json("/auth/confirm", json!({ "code": ada.recovery_codes[0] })).await.is(200);
}

#[actix_web::test]
async fn chain_14_an_intruders_wrong_step_ups_never_slow_the_owners() {
    let house = House::with(&[("THROTTLE", "on")]).await;
    let owner = house.with_app("ada@example.com").await;
    let mut codes = owner.recovery_codes.iter();
    for _ in 0..3 {
        let intruder = house.curl();
        owner.knocks(&intruder).await.is(200);
        intruder.offers(&house.next_code(&owner.secret)).await.is(200);
        let guesses = [json!({ "password": "a wrong guess" }), json!({ "code": "000000" })];
        for number in 0..10 {
            house.wait(TimeDelta::seconds(15));
            let expected = if number < 9 { 422 } else { 401 };
            intruder.post_json("/auth/confirm", guesses[number % 2].clone()).await.is(expected);

            owner.curl.steps_up().await;
            house.wait(TimeDelta::seconds(15));
        }
        intruder.get("/me").await.refuses(401, "sign_in_required");
        let code: Value = json!({ "code": codes.next().unwrap() });
        owner.curl.post_json("/auth/confirm", code).await.is(200);
    }
    // One email an hour, however often it happens.
    let words = "A device was signed out of Vestibule";
    assert_eq!(house.letters_that_say("ada@example.com", words).await, 1);
}
