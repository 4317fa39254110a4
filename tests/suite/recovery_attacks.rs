//! What an attacker tried against getting an account back, each a story that must fail.

use chrono::TimeDelta;
use futures_util::future::{join, join3};
use serde_json::json;

use crate::{
    harness::{PASSWORD, TestApp, token_in},
    idp::{Acme, ada, id_of},
    magic_link,
    recovery::{ADA, LATER, X, Y, adds_passkey, gets_back, intruder, not_me, signs_in, ways_back},
};

const ELSEWHERE: &str = "eve@example.net";
const WITH_LIMITS: [(&str, &str); 1] = [("THROTTLE", "on")];

async fn newest(app: &TestApp, address: &str, words: &str) -> String {
    let emails = app.emails_to(address).await;
    let found = emails.iter().rev().find(|email| email.text.contains(words));
    token_in(&found.unwrap_or_else(|| panic!("no email with {words}")).text).unwrap()
}

/// A set-up that waits for its first code is of the session that began it: nobody else reads or replaces it.
#[actix_web::test]
async fn an_app_that_is_being_set_up_is_nobody_elses() {
    let app = TestApp::open().await;
    let owner = app.verified(ADA).await;
    owner.steps_up().await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    let mine = owner.post_json("/me/2fa/totp", json!({})).await.is(200).json()["secret"].clone();
    thief.get("/me/2fa/totp/confirm").await.is(422);
    let theirs = thief.post_json("/me/2fa/totp", json!({})).await.is(200).json()["secret"].clone();
    assert_ne!(mine, theirs);
    assert_eq!(owner.get("/me/2fa/totp/confirm").await.is(200).json()["secret"], mine);

    thief.confirms_app(&app.code(mine.as_str().unwrap())).await.is(422);
    owner.confirms_app(&app.code(mine.as_str().unwrap())).await.is(200);

    thief.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("totp_setups").await, 0, "what waited ended with its session");
}

/// Where a browser of that kind brought a cookie from that network, one without is another person's.
#[actix_web::test]
async fn a_colleague_with_the_same_browser_is_told_of_once_cookies_were_seen_there() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let laptop = app.curl().named(Y);
    signs_in(&laptop, PASSWORD).await;
    app.wait(TimeDelta::days(1));
    signs_in(&laptop, PASSWORD).await;
    let before = ways_back(&app, ADA, true).await.len();

    signs_in(&app.curl().named(Y), PASSWORD).await;

    assert_eq!(ways_back(&app, ADA, true).await.len(), before + 1);
}

/// An account that slept longer than its history tells its owner of whoever wakes it.
#[actix_web::test]
async fn a_sign_in_to_an_account_without_history_left_is_told() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::days(91));
    app.db_execute("DELETE FROM sign_ins").await;

    signs_in(&app.curl().named(X), PASSWORD).await;

    assert_eq!(ways_back(&app, ADA, true).await.len(), 1);
}

/// A reset by mail ends no doubt that it is itself in, nor one that came after it.
#[actix_web::test]
async fn the_email_about_a_reset_undoes_what_the_resetter_did() {
    for pressed in ["password", "first alert"] {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        intruder(&app, X).await;
        app.send_emails().await;
        app.wait(TimeDelta::minutes(1));
        app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
        let reset = newest(&app, ADA, "/reset-password?token=").await;
        let form = json!({ "token": reset, "password": LATER });
        app.curl().post_json("/reset-password", form).await.is(200);
        app.send_emails().await;
        let thief = app.curl().named(Y);
        signs_in(&thief, LATER).await;
        thief.post_json("/auth/confirm", json!({ "password": LATER })).await.is(200);
        adds_passkey(&app, &thief).await;
        app.send_emails().await;
        let link = match pressed {
            "password" => newest(&app, ADA, "Your password for").await,
            _ => ways_back(&app, ADA, true).await.remove(0),
        };

        not_me(&app, &link).await;

        assert_eq!(app.count("passkeys").await, 0, "{pressed}");
    }
}

/// Whoever has just read the mailbox is let in, however often strangers guess; and is told of all the same.
#[actix_web::test]
async fn a_reset_by_mail_opens_a_way_past_the_guesses_of_strangers() {
    let app = TestApp::with(&WITH_LIMITS).await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    let guess = json!({ "email": ADA, "password": "a guess of somebody" });
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = newest(&app, ADA, "/reset-password?token=").await;
    let owner = app.curl().named(X);
    owner.post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);
    for _ in 0..12 {
        app.curl().named(Y).post_json("/login", guess.clone()).await;
        app.wait(TimeDelta::seconds(15));
    }
    app.curl().named(Y).post_json("/login", guess).await.is(429);

    owner.post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200);

    assert_eq!(ways_back(&app, ADA, true).await.len(), 1, "spared the wait, not the alert");
}

/// What one account's sessions change is bounded, so that no alert is buried.
#[actix_web::test]
async fn a_session_cannot_bury_an_alert_under_others() {
    let app = TestApp::with(&WITH_LIMITS).await;
    let thief = app.verified(ADA).await;
    thief.steps_up().await;
    adds_passkey(&app, &thief).await;
    let mut refused = 0;
    for _ in 0..40 {
        let made = thief.post_json("/me/2fa/recovery-codes", json!({})).await;
        refused += i32::from(made.status == 429);
    }
    assert!(refused >= 10, "{refused}");
    assert!(ways_back(&app, ADA, false).await.len() <= 31);
}

/// Hashes for people who are signed in are counted like any.
#[actix_web::test]
async fn one_account_does_not_keep_the_hashers_busy() {
    let app = TestApp::with(&WITH_LIMITS).await;
    let ada = app.verified(ADA).await;
    ada.steps_up().await;
    for n in 0..5 {
        let new = json!({ "newPassword": format!("another passphrase {n}"), "currentPassword": PASSWORD });
        ada.put_json("/me/password", new).await.is(200);
    }

    ada.put_json("/me/password", json!({ "newPassword": "one passphrase too many" })).await.is(429);
}

/// The address that an account left is nobody else's as long as it can be taken back.
#[actix_web::test]
async fn nobody_takes_an_address_that_its_account_can_take_back() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    thief.put_json("/me/email", json!({ "email": ELSEWHERE })).await.is(200);
    let token = app.token_for(ELSEWHERE).await;
    thief.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
    let undo = newest(&app, ADA, "/me/email/undo?token=").await;
    let squatter = app.curl();
    let person = json!({ "email": ADA, "password": PASSWORD, "name": "Eve" });
    squatter.post_json("/signup", person).await.is(201);
    let claim = app.token_for(ADA).await;
    squatter.post_json("/verify-email", json!({ "token": claim })).await.refuses(409, "address_reserved");

    app.curl().post_json("/me/email/undo", json!({ "token": undo })).await.is(200);

    thief.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.texts("SELECT email AS text FROM users WHERE email_verified_at IS NOT NULL").await, [ADA]);
    app.wait(TimeDelta::days(8));
    assert_eq!(app.texts("SELECT email AS text FROM users WHERE email_verified_at IS NOT NULL").await, [ADA]);
}

/// A move that was asked for with one proof is not finished with one proof by an account that has two by now.
#[actix_web::test]
async fn a_pending_move_needs_what_the_account_needs_now() {
    let app = TestApp::open().await;
    let owner = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    thief.put_json("/me/email", json!({ "email": ELSEWHERE })).await.is(200);
    let token = app.token_for(ELSEWHERE).await;
    owner.steps_up().await;
    adds_passkey(&app, &owner).await;

    let form = json!({ "token": token, "password": PASSWORD });
    app.curl().post_json("/me/email/confirm", form).await.refuses(401, "sign_in_required");

    assert_eq!(owner.get("/me").await.is(200).json()["user"]["email"], ADA);
}

/// Stopping a move leads on to what else its asker did.
#[actix_web::test]
async fn whoever_stops_a_move_is_led_to_the_way_back() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    thief.put_json("/me/email", json!({ "email": ELSEWHERE })).await.is(200);
    let undo = newest(&app, ADA, "/me/email/undo?token=").await;
    let owner = app.browser();

    let led = owner.post("/me/email/undo", &[("token", &undo)]).await.is(303);

    let page = owner.get(led.location().unwrap()).await.is(200);
    page.says("Another address was asked for, and stopped").says("This wasn't me");
    assert_eq!(app.count("users").await, 1);
}

/// A session ends with the membership that it came through.
#[actix_web::test]
async fn who_is_taken_out_of_an_organisation_is_signed_out_of_what_it_opened() {
    let app = TestApp::open().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await;
    let member = browser.clone().with("accept", "application/json");
    let id = id_of(&member).await;
    acme.owner.steps_up().await;

    acme.owner.delete(&format!("/organisations/acme/members/{id}")).await.is(200);

    member.get("/me").await.refuses(401, "sign_in_required");
}

/// A link proves the spelling that it was sent to, and no other that folds to the same.
#[actix_web::test]
async fn a_link_to_one_spelling_makes_no_account_of_another() {
    let app = TestApp::open().await;
    for (sent, used) in [("Bea@example.com", "bea@example.com"), ("cleo@example.com", "Cleo@example.com")] {
        let person = json!({ "email": sent, "password": PASSWORD, "name": "Eve" });
        app.curl().post_json("/signup", person).await.is(201);
        let emails = app.emails_to(sent).await;
        let text = &emails.last().unwrap().text;
        let link = text.lines().find(|line| line.contains("/use-address?token=")).unwrap();
        let token = link.split("token=").nth(1).unwrap().split('&').next().unwrap();
        let form = |email: &str| json!({ "token": token, "email": email, "name": "Ada", "password": LATER });
        app.curl().post_json("/use-address", form(used)).await.refuses(422, "dead_link");
        app.curl().post_json("/use-address", form(sent)).await.is(201);
    }
}

/// Strangers who have emails sent to an address keep nobody from moving there.
#[actix_web::test]
async fn a_full_mailbox_keeps_nobody_from_their_own_new_address() {
    let app = TestApp::with(&WITH_LIMITS).await;
    let stranger = app.verified("eve@example.com").await;
    stranger.steps_up().await;
    for _ in 0..5 {
        stranger.put_json("/me/email", json!({ "email": "ada.new@example.com" })).await;
        app.wait(TimeDelta::minutes(2));
        stranger.steps_up().await;
    }
    let owner = app.verified(ADA).await;
    owner.steps_up().await;

    owner.put_json("/me/email", json!({ "email": "ada.new@example.com" })).await.is(200);

    let sent = app.count("outbox WHERE kind = 'confirm_new_address'").await;
    assert!(sent <= 5, "{sent}");
}

/// Where an account that slept with two factors is asked for a second one, the app of somebody else opens nothing.
#[actix_web::test]
async fn an_owner_gets_back_past_an_app_that_was_added_by_somebody_else() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    intruder(&app, X).await;
    app.send_emails().await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    magic_link::App::of(&app, ADA).await;

    not_me(&app, &alert).await;

    assert_eq!(app.count("totp").await, 0);
    gets_back(&app).await.get("/me").await.is(200);
}

/// A session that ends while its request waits changes nothing any more.
#[actix_web::test]
async fn what_was_let_in_before_the_button_does_not_happen_after_it() {
    for _ in 0..5 {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        let thief = intruder(&app, X).await;
        thief.steps_up().await;
        thief.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
        app.send_emails().await;
        let alert = ways_back(&app, ADA, true).await.remove(0);
        let press = async { not_me(&app, &alert).await };
        let acts = async {
            join3(
                thief.post_json("/me/delete", json!({})),
                thief.put_json("/me/email", json!({ "email": ELSEWHERE })),
                thief.post_json("/organisations/acme/sso/domains", json!({ "domain": "evil.example" })),
            )
            .await
        };

        join(press, acts).await;

        let owner = gets_back(&app).await;
        owner.get("/me").await.is(200);
        assert_eq!(app.count("users WHERE deletes_at IS NOT NULL").await, 0);
        assert_eq!(app.count("tokens WHERE purpose = 'change_email' AND used_at IS NULL").await, 0);
    }
}
