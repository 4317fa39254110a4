//! Getting an account back, the chains about step-up: what an intruder tries, and what comes of it.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    ids::{Id, UserId},
    internals::{Actor, add_member},
    kinds::Role,
};

use crate::{
    harness::{PASSWORD, TestApp, Visitor},
    idp::{Acme, ada, comes_back, request_in},
};

#[actix_web::test]
async fn chain_8_a_stolen_session_and_the_password_change_nothing_without_the_second_factor() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let laptop = app.curl();
    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&app.next_code(&ada.secret)).await.is(200);
    let thief = app.curl();
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
    assert!(app.emails_to("thief@example.com").await.is_empty());
    ada.submits_password(&app.curl()).await.is(200);
    ada.curl.post_json("/auth/confirm", json!({ "code": ada.recovery_codes[0] })).await.is(200);
}

#[actix_web::test]
async fn chain_11_a_new_owner_steps_up_again_and_every_owner_hears_of_it() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    let cleo = joins(&app, "cleo@example.com", Role::Owner).await;
    let bea = joins(&app, "bea@example.com", Role::Viewer).await;
    let bea_elsewhere = app.curl();
    bea_elsewhere
        .post_json("/login", json!({ "email": "bea@example.com", "password": PASSWORD }))
        .await
        .is(200);
    for one in [&ada, &bea, &bea_elsewhere] {
        one.steps_up().await;
    }
    let member = async |one: &Visitor| format!("/organisations/acme/members/{}", id_of(one).await);

    ada.put_json(&member(&bea).await, json!({ "role": "owner" })).await.is(200);

    for one in [&bea, &bea_elsewhere] {
        one.delete(&member(&cleo).await).await.refuses(403, "reauthentication_required");
        one.get("/organisations/acme/sso").await.refuses(403, "reauthentication_required");
    }
    assert_eq!(app.emails_that_say("bea@example.com", "You are now an owner of Acme").await, 1);
    for owner in ["ada@example.com", "cleo@example.com"] {
        let emails = app.emails_to(owner).await;
        let told = emails.iter().filter(|email| email.subject == "There is a new owner of Acme");
        let texts: Vec<&str> = told.map(|email| email.text.as_str()).collect();
        assert!(matches!(texts[..], [text] if text.contains("bea@example.com")), "{owner}: {texts:?}");
    }
    // She takes the organisation over, and nobody misses it.
    bea.steps_up().await;
    bea.put_json(&member(&ada).await, json!({ "role": "viewer" })).await.is(200);
    bea.delete(&member(&cleo).await).await.is(200);
    bea.delete(&member(&ada).await).await.is(200);
    assert_eq!(app.emails_that_say("ada@example.com", "Your role in Acme has changed").await, 1);
    for owner in ["ada@example.com", "cleo@example.com"] {
        assert_eq!(app.emails_that_say(owner, "You no longer belong to Acme").await, 1, "{owner}");
    }
}

#[actix_web::test]
async fn whom_a_provider_makes_an_owner_steps_up_again_and_every_owner_hears_of_it() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let (browser, elsewhere) = (app.browser(), app.browser());
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let request = request_in(&browser.get("/auth/saml/confirm").await);
    let response = acme.says(&app, &request, &ada());
    comes_back(&app, &browser, &response, &request.relay_state).await.is(303);
    browser.get("/me/email").await.is(200);

    acme.signs_in(&app, &elsewhere, &ada().in_groups(&["owners"])).await.goes_to("/me");

    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    let new = ada().called("bea").at("bea@example.com").in_groups(&["owners"]);
    acme.signs_in(&app, &app.browser(), &new).await.goes_to("/me");
    assert_eq!(app.emails_that_say("bea@example.com", "You are now an owner of Acme").await, 1);
    assert_eq!(app.emails_that_say("ada@example.com", "You are now an owner of Acme").await, 1);
    assert_eq!(app.emails_that_say("ada@example.com", "There is a new owner of Acme").await, 1);
    assert_eq!(app.emails_that_say("boss@acme.example", "There is a new owner of Acme").await, 2);
    // And no longer one, as the provider says later.
    acme.signs_in(&app, &app.browser(), &ada()).await.goes_to("/me");
    assert_eq!(app.emails_that_say("ada@example.com", "Your role in Acme has changed").await, 1);
}

#[actix_web::test]
async fn chain_14_an_intruders_wrong_step_ups_never_slow_the_owners() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let owner = app.with_app("ada@example.com").await;
    let mut codes = owner.recovery_codes.iter();
    for _ in 0..3 {
        let intruder = app.curl();
        owner.submits_password(&intruder).await.is(200);
        intruder.submits_code(&app.next_code(&owner.secret)).await.is(200);
        let guesses = [json!({ "password": "a wrong guess" }), json!({ "code": "000000" })];
        for number in 0..10 {
            app.wait(TimeDelta::seconds(15));
            let expected = if number < 9 { 422 } else { 401 };
            intruder.post_json("/auth/confirm", guesses[number % 2].clone()).await.is(expected);

            owner.curl.steps_up().await;
            app.wait(TimeDelta::seconds(15));
        }
        intruder.get("/me").await.refuses(401, "sign_in_required");
        let code: Value = json!({ "code": codes.next().unwrap() });
        owner.curl.post_json("/auth/confirm", code).await.is(200);
    }
    // One email an hour, however often it happens.
    let words = "A device was signed out of Vestibule";
    assert_eq!(app.emails_that_say("ada@example.com", words).await, 1);
}

/// Somebody confirmed who belongs to the one organisation that there is.
async fn joins(app: &TestApp, address: &str, role: Role) -> Visitor {
    let curl = app.verified(address).await;
    let user = UserId::from_text(id_of(&curl).await);
    let organisation = app.texts("SELECT id AS text FROM organisations").await.remove(0);
    let add = app
        .inner
        .write(move |tx| add_member(tx, &Actor::operator(), &Id::from_text(organisation), &user, role));
    assert!(add.await.unwrap());
    curl
}

async fn id_of(visitor: &Visitor) -> String {
    visitor.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned()
}
