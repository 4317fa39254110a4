//! Getting an account back: what somebody did who had the password for a while is undone, whichever link is pressed.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::{PASSWORD, TestApp, Visitor, authenticator::Authenticator, token_in},
    passkeys,
};

pub const ADA: &str = "ada@example.com";
pub const ELSEWHERE: &str = "eve@example.net";
pub const X: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
pub const Y: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
pub const LATER: &str = "another fine passphrase";

/// Somebody who knows the password, in a browser that the account does not know.
pub async fn intruder(app: &TestApp, browser: &str) -> Visitor {
    let intruder = app.curl().named(browser);
    signs_in(&intruder, PASSWORD).await;
    intruder
}

pub async fn signs_in(visitor: &Visitor, password: &str) {
    visitor.post_json("/login", json!({ "email": ADA, "password": password })).await.is(200);
}

/// The links "this wasn't me" to an address, the oldest first: of sign-ins, or of everything else.
pub async fn ways_back(app: &TestApp, address: &str, of_sign_ins: bool) -> Vec<String> {
    let emails = app.emails_to(address).await;
    let meant = emails.iter().filter(|email| email.text.contains("/not-me?token="));
    let meant = meant.filter(|email| email.subject.starts_with("New sign-in") == of_sign_ins);
    meant.map(|email| token_in(email.text.split_once("/not-me?").unwrap().1).unwrap()).collect()
}

pub async fn not_me(app: &TestApp, token: &str) {
    app.curl().post_json("/not-me", json!({ "token": token })).await.is(200);
}

/// The link for a new password that went to the owner.
async fn reset_link(app: &TestApp) -> String {
    let emails = app.emails_to(ADA).await;
    let newest = emails.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
    token_in(&newest.text).unwrap()
}

/// Follows the link for a new password that went to the owner, and signs in with it.
pub async fn gets_back(app: &TestApp) -> Visitor {
    let reset = reset_link(app).await;
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);
    let owner = app.curl();
    let told = owner.post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200).json();
    assert_eq!(told["user"]["email"], ADA, "{told}");
    owner
}

/// Sets the password by mail.
pub async fn resets(app: &TestApp) {
    // What waits goes out first: of emails that leave together, none is the newest.
    app.send_emails().await;
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = reset_link(app).await;
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);
}

/// Moves the account to the intruder's own address.
pub async fn moves(app: &TestApp, intruder: &Visitor) {
    intruder.put_json("/me/email", json!({ "email": ELSEWHERE })).await.is(200);
    let token = app.token_for(ELSEWHERE).await;
    intruder.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
}

pub async fn adds_passkey(app: &TestApp, visitor: &Visitor) -> Authenticator {
    let mut device = Authenticator::new(app);
    passkeys::adds(visitor, &mut device).await.is(201);
    device
}

#[actix_web::test]
async fn chain_1_the_first_sign_in_after_the_sign_up_is_told_and_its_passkey_removed() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    let mut device = adds_passkey(&app, &thief).await;

    let alert = ways_back(&app, ADA, true).await.remove(0);
    let page = app.browser().get(&format!("/not-me?token={alert}")).await.is(200);
    page.says("The passkey");
    not_me(&app, &alert).await;

    assert_eq!(app.count("passkeys").await, 0);
    thief.get("/me").await.refuses(401, "sign_in_required");
    passkeys::signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
    gets_back(&app).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn chain_1_the_email_about_the_passkey_leads_back_as_well() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    adds_passkey(&app, &thief).await;
    let told = ways_back(&app, ADA, false).await.remove(0);
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = reset_link(&app).await;
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);
    assert_eq!(app.count("passkeys").await, 1, "a reset by mail removes no factor");
    assert_eq!(app.emails_that_say(ADA, "You can still sign in with").await, 1);
    // Whoever comes in with it is asked for that factor, and reads whose it may be.
    let owner = app.browser();
    owner.post("/login", &[("email", ADA), ("password", LATER)]).await.goes_to("/login/2fa?next=%2Fme");
    owner
        .get("/login/2fa")
        .await
        .is(200)
        .says("A passkey was added")
        .says("before you chose your new password");

    not_me(&app, &told).await;

    assert_eq!(app.count("passkeys").await, 0);
    gets_back(&app).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn chain_2_each_of_two_alerts_removes_what_was_added_between_them() {
    for pressed in [0, 1] {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        let thief = intruder(&app, X).await;
        thief.steps_up().await;
        let mut device = adds_passkey(&app, &thief).await;
        app.wait(TimeDelta::minutes(2));
        let again = app.curl().named(Y);
        passkeys::signs_in(&again, &mut device).await.is(200);
        let alerts = ways_back(&app, ADA, true).await;
        assert_eq!(alerts.len(), 2);

        not_me(&app, &alerts[pressed]).await;

        assert_eq!(app.count("passkeys").await, 0, "pressed {pressed}");
        again.get("/me").await.refuses(401, "sign_in_required");
        gets_back(&app).await.get("/me").await.is(200);
    }
}

#[actix_web::test]
async fn chain_3_what_the_owner_adds_meanwhile_in_a_known_device_stays() {
    let app = TestApp::open().await;
    let laptop = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    intruder(&app, X).await;
    app.wait(TimeDelta::minutes(2));
    // A new phone, of which the owner is told as well.
    let phone = app.curl().named(Y);
    signs_in(&phone, PASSWORD).await;
    laptop.steps_up().await;
    let mut own = adds_passkey(&app, &laptop).await;
    let alerts = ways_back(&app, ADA, true).await;

    not_me(&app, &alerts[0]).await;

    assert_eq!(app.count("passkeys").await, 1);
    passkeys::signs_in(&app.curl(), &mut own).await.is(200);
}

#[actix_web::test]
async fn chain_4_the_address_comes_back_and_the_reset_goes_to_its_owner() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    moves(&app, &thief).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);

    not_me(&app, &alert).await;

    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    assert_eq!(app.emails_that_say(ELSEWHERE, "/reset-password").await, 0);
    thief.get("/me").await.refuses(401, "sign_in_required");
    gets_back(&app).await.get("/me").await.is(200);
    let known = json!({ "email": ADA, "password": PASSWORD });
    thief.post_json("/login", known).await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn chain_5_a_deletion_that_the_intruder_asked_for_is_cancelled() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    thief.post_json("/me/delete", json!({})).await.is(200);
    let alert = ways_back(&app, ADA, true).await.remove(0);

    not_me(&app, &alert).await;

    assert_eq!(app.count("users WHERE deletes_at IS NOT NULL").await, 0);
    gets_back(&app).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_deletion_that_the_owner_asked_for_before_is_not_cancelled() {
    let app = TestApp::open().await;
    let owner = app.verified(ADA).await;
    owner.steps_up().await;
    owner.post_json("/me/delete", json!({})).await.is(200);
    app.wait(TimeDelta::minutes(2));
    intruder(&app, X).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);

    not_me(&app, &alert).await;

    assert_eq!(app.count("users WHERE deletes_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn chain_6_undoing_a_move_removes_what_the_same_session_added_days_before() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = app.curl().named(X);
    let remembered = json!({ "email": ADA, "password": PASSWORD, "remember": true });
    thief.post_json("/login", remembered).await.is(200);
    thief.steps_up().await;
    let mut device = adds_passkey(&app, &thief).await;
    app.wait(TimeDelta::days(2));
    passkeys::confirms(&thief, &mut device).await;
    moves(&app, &thief).await;
    let emails = app.emails_to(ADA).await;
    let undo = emails.iter().rev().find(|email| email.text.contains("/me/email/undo")).unwrap();
    let undo = token_in(&undo.text).unwrap();

    app.curl().post_json("/me/email/undo", json!({ "token": undo })).await.is(200);

    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    assert_eq!(app.count("passkeys").await, 0);
}

#[actix_web::test]
async fn chain_9_a_changed_password_makes_every_other_browser_a_stranger_again() {
    let app = TestApp::open().await;
    let laptop = app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    app.wait(TimeDelta::minutes(2));
    laptop.steps_up().await;
    let new = json!({ "currentPassword": PASSWORD, "newPassword": LATER });
    laptop.put_json("/me/password", new).await.is(200);
    assert_eq!(ways_back(&app, ADA, true).await.len(), 1);

    app.wait(TimeDelta::minutes(2));
    signs_in(&laptop, LATER).await;
    assert_eq!(ways_back(&app, ADA, true).await.len(), 1, "this browser stays known");
    signs_in(&thief, LATER).await;
    assert_eq!(ways_back(&app, ADA, true).await.len(), 2);
}

#[actix_web::test]
async fn chain_10_who_resets_by_mail_gets_in_however_often_strangers_guessed() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    app.verified(ADA).await;
    for _ in 0..10 {
        app.wait(TimeDelta::minutes(1));
        let guess = json!({ "email": ADA, "password": "a wrong guess" });
        app.curl().named(X).post_json("/login", guess).await.refuses(401, "wrong_credentials");
    }
    app.wait(TimeDelta::minutes(1));
    let new_device = app.curl().named(Y);
    let known = json!({ "email": ADA, "password": PASSWORD });
    new_device.post_json("/login", known).await.refuses(429, "too_many_attempts");
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let reset = reset_link(&app).await;
    new_device.post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);

    signs_in(&new_device, LATER).await;
}

#[actix_web::test]
async fn chain_12_the_later_mailbox_cannot_close_the_ways_back_of_the_first() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    thief.steps_up().await;
    moves(&app, &thief).await;
    app.wait(TimeDelta::minutes(2));
    adds_passkey(&app, &thief).await;
    let theirs = ways_back(&app, ELSEWHERE, false).await.remove(0);

    let page = app.curl().get(&format!("/not-me?token={theirs}")).await.is(200);
    not_me(&app, &theirs).await;

    assert_eq!(page.json()["undone"]["address"], json!(null), "a later mailbox is told no other address");
    assert_eq!(app.emails_that_say(ELSEWHERE, "/reset-password").await, 0);
    // Whatever it did, the owner's own alert still works.
    not_me(&app, &alert).await;
    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    gets_back(&app).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_later_mailbox_that_undoes_a_second_move_gets_no_password_link() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    moves(&app, &thief).await;
    app.wait(TimeDelta::minutes(2));
    thief.put_json("/me/email", json!({ "email": "eve@example.org" })).await.is(200);
    let token = app.token_for("eve@example.org").await;
    thief.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
    let emails = app.emails_to(ELSEWHERE).await;
    let undo = emails.iter().rev().find(|email| email.text.contains("/me/email/undo")).unwrap();
    let undo = token_in(&undo.text).unwrap();

    let answer = app.browser().post("/me/email/undo", &[("token", &undo)]).await.goes_to("/login");

    drop(answer);
    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    gets_back(&app).await.get("/me").await.is(200);
}

#[actix_web::test]
async fn chain_13_whoever_reads_the_mailbox_takes_no_factor_away_at_once() {
    let app = TestApp::open().await;
    let owner = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    owner.steps_up().await;
    adds_passkey(&app, &owner).await;
    app.wait(TimeDelta::days(3));
    let told = ways_back(&app, ADA, false).await.remove(0);

    not_me(&app, &told).await;

    assert_eq!(app.count("passkeys").await, 1);
    let reset = reset_link(&app).await;
    app.curl().post_json("/reset-password", json!({ "token": reset, "password": LATER })).await.is(200);
    let answer = app.curl().post_json("/login", json!({ "email": ADA, "password": LATER })).await.is(200);
    assert_eq!(answer.json()["twoFactorRequired"], true);
}

#[actix_web::test]
async fn a_mailbox_that_came_later_undoes_no_move_back_to_the_first() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    moves(&app, &thief).await;
    app.wait(TimeDelta::minutes(2));
    // The owner knows the new address, and moves the account back by hand.
    let owner = app.curl();
    owner.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
    owner.steps_up().await;
    owner.put_json("/me/email", json!({ "email": ADA })).await.is(200);
    let emails = app.emails_to(ADA).await;
    let confirm = emails.iter().rev().find(|email| email.text.contains("/me/email/confirm")).unwrap();
    owner.post_json("/me/email/confirm", json!({ "token": token_in(&confirm.text).unwrap() })).await.is(200);

    let emails = app.emails_to(ELSEWHERE).await;
    for email in emails.iter().filter(|email| email.text.contains("/me/email/undo")) {
        let undo = json!({ "token": token_in(&email.text).unwrap() });
        app.curl().post_json("/me/email/undo", undo).await.refuses(422, "dead_link");
    }
    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
}

#[actix_web::test]
async fn an_owner_who_left_a_mailbox_is_not_given_back_to_it() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    // A new phone of the owner's, for which nobody answers.
    let phone = intruder(&app, Y).await;
    phone.steps_up().await;
    moves(&app, &phone).await;
    app.wait(TimeDelta::days(1));
    let thief = app.curl().named(X);
    thief.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
    let alert = ways_back(&app, ELSEWHERE, true).await.remove(0);

    not_me(&app, &alert).await;

    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ELSEWHERE]);
    assert_eq!(app.emails_that_say(ADA, "/reset-password?").await, 0);
    assert_eq!(app.emails_that_say(ELSEWHERE, "/reset-password?").await, 1);
}

#[actix_web::test]
async fn chain_8_a_known_password_gives_no_more_guesses_at_the_second_factor() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let ada = app.with_app(ADA).await;
    for _ in 0..9 {
        app.wait(TimeDelta::seconds(20));
        ada.curl.post_json("/auth/confirm", json!({ "code": "000000" })).await.refuses(422, "invalid");
    }
    app.wait(TimeDelta::minutes(1));
    ada.curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);

    let tenth = ada.curl.post_json("/auth/confirm", json!({ "code": "000000" })).await;

    tenth.refuses(401, "sign_in_ended");
}

/// A sign-in after a reset by mail is in doubt like any other, and listed: what its person clears stays.
#[actix_web::test]
async fn of_the_sign_ins_after_a_reset_the_owner_keeps_their_own() {
    for is_cleared in [true, false] {
        let app = TestApp::open().await;
        app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        intruder(&app, X).await;
        let alert = ways_back(&app, ADA, true).await.remove(0);
        app.wait(TimeDelta::minutes(1));
        resets(&app).await;
        let owner = app.curl();
        signs_in(&owner, LATER).await;
        owner.post_json("/auth/confirm", json!({ "password": LATER })).await.is(200);
        adds_passkey(&app, &owner).await;
        app.wait(TimeDelta::minutes(1));
        let page = app.curl().get(&format!("/not-me?token={alert}")).await.is(200).json();
        let own = owner.session_id().await;
        let listed = page["signIns"].as_array().unwrap();
        assert!(listed.iter().any(|one| one["id"] == own), "{page}");

        let trusted = if is_cleared { vec![own] } else { vec![] };
        app.curl().post_json("/not-me", json!({ "token": alert, "trusted": trusted })).await.is(200);

        assert_eq!(app.count("passkeys").await, i64::from(is_cleared));
    }
}

/// The mailbox that an intruder moved the account to resets as well, and that heals nothing.
#[actix_web::test]
async fn a_reset_in_the_mailbox_that_the_account_was_moved_to_heals_nothing() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    moves(&app, &thief).await;
    let alert = ways_back(&app, ADA, true).await.remove(0);
    app.wait(TimeDelta::minutes(1));
    app.curl().post_json("/forgot-password", json!({ "email": ELSEWHERE })).await.is(200);
    let emails = app.emails_to(ELSEWHERE).await;
    let link = emails.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
    let form = json!({ "token": token_in(&link.text).unwrap(), "password": "of the intruder alone" });
    app.curl().post_json("/reset-password", form).await.is(200);
    app.wait(TimeDelta::minutes(1));
    let later = app.curl().named(Y);
    let form = json!({ "email": ELSEWHERE, "password": "of the intruder alone" });
    later.post_json("/login", form).await.is(200);
    later.post_json("/auth/confirm", json!({ "password": "of the intruder alone" })).await.is(200);
    adds_passkey(&app, &later).await;

    not_me(&app, &alert).await;

    assert_eq!(app.count("passkeys").await, 0);
    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    gets_back(&app).await.get("/me").await.is(200);
}
