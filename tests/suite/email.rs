//! Another address.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor, token_in};

async fn stepped_up(app: &TestApp, address: &str) -> Visitor {
    let curl = app.verified(address).await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl
}

async fn asks(curl: &Visitor, address: &str) {
    curl.put_json("/me/email", json!({ "email": address })).await.is(200);
}

async fn address_of(curl: &Visitor) -> String {
    curl.get("/me").await.is(200).json()["user"]["email"].as_str().unwrap().to_owned()
}

/// The token of the newest email to `address` whose subject has this word.
async fn token(app: &TestApp, address: &str, path: &str) -> String {
    let emails = app.emails_to(address).await;
    let email = emails.iter().rev().find(|email| email.text.contains(path)).unwrap();
    let (_, link) = email.text.split_once(path).unwrap();
    token_in(link).unwrap()
}

#[actix_web::test]
async fn nothing_changes_until_the_link_in_the_new_mailbox_is_used_case_11() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    let other = app.curl();
    other.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);

    asks(&curl, "new@example.com").await;
    assert_eq!(address_of(&curl).await, "ada@example.com");
    let link = token(&app, "new@example.com", "/me/email/confirm").await;
    curl.get(&format!("/me/email/confirm?token={link}")).await.is(200);
    assert_eq!(address_of(&curl).await, "ada@example.com", "a GET changes nothing");

    let old_secret = curl.cookie("session").unwrap();
    let done = curl.post_json("/me/email/confirm", json!({ "token": link })).await.is(200).json();

    assert_eq!(done["emailVerified"], true);
    assert_eq!(address_of(&curl).await, "new@example.com");
    assert_ne!(curl.cookie("session").unwrap(), old_secret, "this session goes on with a new secret");
    other.get("/me").await.refuses(401, "sign_in_required");
    app.curl().post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(401);
    app.curl().post_json("/login", json!({ "email": "new@example.com", "password": PASSWORD })).await.is(200);
}

#[actix_web::test]
async fn a_change_that_waits_is_shown_with_the_profile_and_can_be_cancelled_there() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    assert!(curl.get("/me").await.json()["pendingEmail"].is_null());
    asks(&curl, "new@example.com").await;
    assert_eq!(curl.get("/me").await.json()["pendingEmail"], "new@example.com");
    let browser = curl.clone().with("accept", "text/html");
    browser.get("/me").await.is(200).says("new@example.com").says("action=\"/me/email/cancel\"");

    let link = token(&app, "new@example.com", "/me/email/confirm").await;
    let cancelled = curl.post_json("/me/email/cancel", json!({})).await.is(200).json();
    assert_eq!(cancelled["cancelled"], true);
    assert!(curl.get("/me").await.json()["pendingEmail"].is_null());
    curl.post_json("/me/email/confirm", json!({ "token": link })).await.refuses(422, "dead_link");
    assert_eq!(app.count("audit WHERE event = 'email_change_stopped'").await, 1);
    let again = curl.post_json("/me/email/cancel", json!({})).await.is(200).json();
    assert_eq!(again["cancelled"], false);
    assert_eq!(app.count("audit WHERE event = 'email_change_stopped'").await, 1);
}

#[actix_web::test]
async fn the_old_address_is_told_at_once_and_can_stop_it_case_12() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "new@example.com").await;

    let undo = token(&app, "ada@example.com", "/me/email/undo").await;
    let owner = app.browser();
    owner.get(&format!("/me/email/undo?token={undo}")).await.is(200).says("new@example.com");
    let led = owner.post("/me/email/undo", &[("token", &undo)]).await.is(303);
    assert!(led.location().unwrap().starts_with("/not-me?token="), "{:?}", led.location());

    let link = token(&app, "new@example.com", "/me/email/confirm").await;
    curl.post_json("/me/email/confirm", json!({ "token": link })).await.refuses(422, "dead_link");
    assert_eq!(address_of(&curl).await, "ada@example.com");
}

#[actix_web::test]
async fn the_old_address_can_take_itself_back_for_seven_days_case_12() {
    let app = TestApp::open().await;
    let thief = stepped_up(&app, "ada@example.com").await;
    asks(&thief, "thief@example.com").await;
    let link = token(&app, "thief@example.com", "/me/email/confirm").await;
    thief.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);
    for planted in [
        "INSERT INTO organisations (id, name, slug, created_at) SELECT 'o', 'Evil', 'evil', created_at FROM users",
        "INSERT INTO connections (id, organisation_id, name, issuer, metadata, read_at, expires_at, mapping, \
         sends_unsigned, allows_idp_initiated, asks_second_factor, created_at) SELECT 'c', 'o', 'Evil', 'i', '', \
         created_at, created_at, '{}', FALSE, FALSE, FALSE, created_at FROM users",
        "INSERT INTO identities (id, connection_id, format, name, user_id, created_at, last_used_at) \
         SELECT 'i', 'c', 'persistent', 'planted', id, created_at, created_at FROM users",
    ] {
        app.db_execute(planted).await;
    }
    app.wait(TimeDelta::days(6));

    let undo = token(&app, "ada@example.com", "/me/email/undo").await;
    let owner = app.browser();
    let answer = owner.post("/me/email/undo", &[("token", &undo)]).await.is(303);

    let reset = token_in(answer.header("location")).unwrap();
    thief.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("identities").await, 0, "nor by an organisation of the thief's");
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    app.curl().post_json("/login", login).await.refuses(401, "wrong_credentials");
    let new = [
        ("token", reset.as_str()),
        ("password", "another fine passphrase"),
        ("repeat", "another fine passphrase"),
    ];
    owner.post("/reset-password", &new).await.goes_to("/login");
    let login = json!({ "email": "ada@example.com", "password": "another fine passphrase" });
    app.curl().post_json("/login", login).await.is(200);
}

#[actix_web::test]
async fn after_seven_days_the_old_address_is_the_old_address() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "new@example.com").await;
    let link = token(&app, "new@example.com", "/me/email/confirm").await;
    curl.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);
    let undo = token(&app, "ada@example.com", "/me/email/undo").await;

    app.wait(TimeDelta::days(7));

    app.curl().post_json("/me/email/undo", json!({ "token": undo })).await.refuses(422, "dead_link");
}

#[actix_web::test]
async fn the_answer_never_tells_whether_the_new_address_is_taken_case_10() {
    let app = TestApp::open().await;
    app.verified("ben@example.com").await;
    let curl = stepped_up(&app, "ada@example.com").await;

    let free = curl.put_json("/me/email", json!({ "email": "free@example.com" })).await.is(200);
    let taken = curl.put_json("/me/email", json!({ "email": "ben@example.com" })).await.is(200);

    assert_eq!(free.body.replace("free@", "x@"), taken.body.replace("ben@", "x@"));
    let to_ben = app.emails_to("ben@example.com").await;
    let newest = to_ben.last().unwrap();
    assert!(newest.subject.starts_with("You already have"), "{}", newest.subject);
    assert!(token_in(&newest.text).is_none(), "no link that moves anything");
}

#[actix_web::test]
async fn an_address_taken_meanwhile_fails_cleanly_case_10() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "new@example.com").await;
    let link = token(&app, "new@example.com", "/me/email/confirm").await;
    app.verified("new@example.com").await;

    curl.post_json("/me/email/confirm", json!({ "token": link })).await.refuses(422, "dead_link");

    assert_eq!(address_of(&curl).await, "ada@example.com");
}

#[actix_web::test]
async fn confirming_a_new_address_ends_the_claims_to_it() {
    let app = TestApp::open().await;
    let unverified_user = app.unverified_user("new@example.com").await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "new@example.com").await;
    let link = token(&app, "new@example.com", "/me/email/confirm").await;

    curl.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);

    unverified_user.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("users").await, 1);
}

#[actix_web::test]
async fn a_slip_of_the_finger_gives_nobody_the_account() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "stranger@example.com").await;
    let link = token(&app, "stranger@example.com", "/me/email/confirm").await;

    let stranger = app.browser();
    stranger.get(&format!("/me/email/confirm?token={link}")).await.is(200).hides("ada@example.com");
    let program = app.curl();
    program.get(&format!("/me/email/confirm?token={link}")).await.is(200).hides("ada@example.com");
    stranger.post("/me/email/confirm", &[("token", &link)]).await.is(422);
    stranger.post("/me/email/confirm", &[("token", &link), ("password", "a wrong guess")]).await.is(422);
    app.curl().post_json("/me/email/confirm", json!({ "token": link })).await.is(422);

    assert_eq!(address_of(&curl).await, "ada@example.com");
}

#[actix_web::test]
async fn every_other_link_dies_with_the_old_address_case_08() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = token(&app, "ada@example.com", "/reset-password").await;
    asks(&curl, "new@example.com").await;
    let link = token(&app, "new@example.com", "/me/email/confirm").await;

    curl.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);

    let form = json!({ "token": reset, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.refuses(422, "dead_reset_link");
}

#[actix_web::test]
async fn only_the_newest_link_moves_the_account_and_only_once() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "first@example.com").await;
    let first = token(&app, "first@example.com", "/me/email/confirm").await;
    asks(&curl, "second@example.com").await;
    let second = token(&app, "second@example.com", "/me/email/confirm").await;

    curl.post_json("/me/email/confirm", json!({ "token": first })).await.refuses(422, "dead_link");
    curl.post_json("/me/email/confirm", json!({ "token": second })).await.is(200);
    curl.post_json("/me/email/confirm", json!({ "token": second })).await.refuses(422, "dead_link");
}

#[actix_web::test]
async fn ones_own_address_and_what_is_none_are_refused() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;

    for wrong in ["ada@example.com", "not an address", ""] {
        let refused = curl.put_json("/me/email", json!({ "email": wrong })).await.refuses(422, "invalid");
        assert!(refused.json()["fields"]["email"].is_string());
    }
}

#[actix_web::test]
async fn a_thief_cannot_close_the_old_mailboxs_way_back_case_12() {
    let app = TestApp::open().await;
    let thief = stepped_up(&app, "ada@example.com").await;
    asks(&thief, "first@example.com").await;
    let link = token(&app, "first@example.com", "/me/email/confirm").await;
    thief.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);
    thief.put_json("/me/password", json!({ "newPassword": "the thief's own phrase" })).await.is(200);
    asks(&thief, "second@example.com").await;
    let link = token(&app, "second@example.com", "/me/email/confirm").await;
    thief.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);

    let undo = token(&app, "ada@example.com", "/me/email/undo").await;
    let thiefs = token(&app, "first@example.com", "/me/email/undo").await;
    let answer = app.browser().post("/me/email/undo", &[("token", &undo)]).await.is(303);

    assert!(answer.header("location").starts_with("/reset-password?token="), "{}", answer.header("location"));
    assert_eq!(app.count("users WHERE email = 'ada@example.com'").await, 1);
    thief.get("/me").await.refuses(401, "sign_in_required");
    app.curl().post_json("/me/email/undo", json!({ "token": thiefs })).await.refuses(422, "dead_link");
}

#[actix_web::test]
async fn the_link_of_the_first_email_takes_the_address_back_too() {
    let app = TestApp::open().await;
    let thief = stepped_up(&app, "ada@example.com").await;
    asks(&thief, "thief@example.com").await;
    let first = token(&app, "ada@example.com", "/me/email/undo").await;
    let link = token(&app, "thief@example.com", "/me/email/confirm").await;
    thief.post_json("/me/email/confirm", json!({ "token": link })).await.is(200);

    app.curl().post_json("/me/email/undo", json!({ "token": first })).await.is(200);

    assert_eq!(app.count("users WHERE email = 'ada@example.com'").await, 1);
}

#[actix_web::test]
async fn one_account_does_not_write_to_many_strangers() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let curl = stepped_up(&app, "ada@example.com").await;
    for number in 1..=5 {
        asks(&curl, &format!("stranger{number}@example.com")).await;
    }

    let late = curl.put_json("/me/email", json!({ "email": "late@example.com" })).await;

    late.refuses(429, "too_many_attempts");
    assert!(app.emails_to("late@example.com").await.is_empty());
}

#[actix_web::test]
async fn of_fifty_that_use_one_link_at_once_one_moves_the_account_case_06() {
    let app = TestApp::open().await;
    let curl = stepped_up(&app, "ada@example.com").await;
    asks(&curl, "new@example.com").await;
    let link = token(&app, "new@example.com", "/me/email/confirm").await;

    let tries = (0..50).map(|_| {
        let (one, body) = (curl.clone(), json!({ "token": link }));
        async move { one.post_json("/me/email/confirm", body).await.status.as_u16() }
    });
    let answers = join_all(tries).await;

    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 401, 422].contains(status)), "{answers:?}");
    assert_eq!(app.count("audit WHERE event = 'email_changed'").await, 1);
}

#[actix_web::test]
async fn of_two_accounts_that_move_to_one_address_at_once_one_gets_it_case_10() {
    let app = TestApp::open().await;
    let (ada, ben) = (stepped_up(&app, "ada@example.com").await, stepped_up(&app, "ben@example.com").await);
    asks(&ada, "both@example.com").await;
    let adas = token(&app, "both@example.com", "/me/email/confirm").await;
    asks(&ben, "both@example.com").await;
    let emails = app.emails_to("both@example.com").await;
    let bens = emails.iter().filter_map(|email| token_in(&email.text)).find(|link| *link != adas).unwrap();

    let uses = [(&ada, adas), (&ben, bens)].map(|(who, link)| {
        let who = who.clone();
        async move { who.post_json("/me/email/confirm", json!({ "token": link })).await.status.as_u16() }
    });
    let mut answers = join_all(uses).await;

    answers.sort_unstable();
    assert_eq!(answers, [200, 422]);
    assert_eq!(app.count("users WHERE email = 'both@example.com'").await, 1);
}
