//! A press by mistake costs an hour, not an account: what "this wasn't me" removed goes back, for seven days.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use crate::{
    harness::{TestApp, Visitor},
    magic_link, passkeys,
    recovery::{ADA, LATER, X, adds_passkey, gets_back, intruder, not_me, ways_back},
};

async fn removed(visitor: &Visitor) -> Vec<Value> {
    visitor.get("/me/security").await.is(200).json()["removed"].as_array().unwrap().clone()
}

async fn steps_up(visitor: &Visitor) {
    visitor.post_json("/auth/confirm", json!({ "password": LATER })).await.is(200);
}

fn way_of(one: &Value) -> String {
    format!("/me/security/removed/{}/put-back", one["id"].as_str().unwrap())
}

#[actix_web::test]
async fn a_passkey_goes_back_once_with_new_codes_and_an_email() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let myself = intruder(&app, X).await;
    myself.steps_up().await;
    let mut device = adds_passkey(&app, &myself).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    not_me(&app, &alert).await;
    let owner = gets_back(&app).await;
    let offered = removed(&owner).await;
    assert_eq!((offered.len(), &offered[0]["kind"]), (1, &json!("passkey")), "{offered:?}");
    owner.post_json(&way_of(&offered[0]), json!({})).await.refuses(403, "reauthentication_required");
    steps_up(&owner).await;
    let page = owner.clone().with("accept", "text/html").get("/me/security").await.is(200);
    page.says("Removed when you said").says("Put back");

    let told = owner.post_json(&way_of(&offered[0]), json!({})).await.is(200).json();

    assert_eq!(told["recoveryCodes"].as_array().unwrap().len(), 10, "{told}");
    assert_eq!(removed(&owner).await, Vec::<Value>::new());
    owner.post_json(&way_of(&offered[0]), json!({})).await.refuses(404, "not_found");
    passkeys::signs_in(&app.curl(), &mut device).await.is(200);
    assert_eq!(app.emails_that_say(ADA, "A passkey that was removed was put back").await, 1);
    assert_eq!(app.count("passkeys").await, 1);
}

#[actix_web::test]
async fn an_app_goes_back_unless_another_took_its_place() {
    for has_another in [false, true] {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        intruder(&app, X).await;
        let codes = magic_link::App::of(&app, ADA).await;
        let alert = ways_back(&app, ADA, true).await.remove(0);
        not_me(&app, &alert).await;
        assert_eq!(app.count("totp").await, 0);
        let owner = gets_back(&app).await;
        steps_up(&owner).await;
        if has_another {
            let other = magic_link::App::of(&app, ADA).await;
            owner.post_json("/auth/confirm", json!({ "code": other.code(&app) })).await.is(200);
        }
        let offered = removed(&owner).await.remove(0);

        let answer = owner.post_json(&way_of(&offered), json!({})).await;

        if has_another {
            answer.refuses(422, "invalid").says("another authenticator app");
            assert_eq!(removed(&owner).await.len(), 1, "a refusal changes nothing");
        } else {
            answer.is(200);
            app.wait(TimeDelta::minutes(2));
            let curl = app.curl();
            curl.post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200);
            curl.post_json("/login/2fa", json!({ "code": codes.code(&app) })).await.is(200);
        }
    }
}

#[actix_web::test]
async fn of_fifty_at_once_one_puts_it_back_and_nobody_elses_can() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let myself = intruder(&app, X).await;
    myself.steps_up().await;
    adds_passkey(&app, &myself).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    not_me(&app, &alert).await;
    let owner = gets_back(&app).await;
    let way = way_of(&removed(&owner).await[0]);
    let other = app.verified("bea@example.com").await;
    other.steps_up().await;
    other.post_json(&way, json!({})).await.refuses(404, "not_found");
    let sessions = join_all((0..5).map(|_| async {
        let one = app.curl();
        one.post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200);
        steps_up(&one).await;
        one
    }));
    let sessions = sessions.await;

    let answers = join_all((0..50).map(|n| sessions[n % sessions.len()].post_json(&way, json!({})))).await;

    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((done, app.count("passkeys").await), (1, 1));
}

#[actix_web::test]
async fn after_seven_days_it_is_gone_and_so_is_what_was_kept() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let myself = intruder(&app, X).await;
    myself.steps_up().await;
    adds_passkey(&app, &myself).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    not_me(&app, &alert).await;
    let owner = gets_back(&app).await;
    let way = way_of(&removed(&owner).await[0]);
    let kept = "security_changes WHERE kind = 'credential_removed' AND sealed IS NOT NULL";
    app.wait(TimeDelta::days(6));
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(app.count(kept).await, 1);
    app.wait(TimeDelta::days(1) + TimeDelta::minutes(1));

    let owner = app.curl();
    owner.post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200);
    steps_up(&owner).await;
    assert_eq!(removed(&owner).await, Vec::<Value>::new());
    owner.post_json(&way, json!({})).await.refuses(404, "not_found");
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(app.count(kept).await, 0);
}
