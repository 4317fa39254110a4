//! Many at once: exactly one wins, nobody sees a 500, and nothing half-done stays behind.

use std::collections::BTreeMap;

use actix_web::http::Method;
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::harness::{Answer, PASSWORD, TestApp, Visitor, constants, test_server, token_in};

const MANY: usize = 50;
const ROUNDS: usize = 3;

/// A house where many requests really meet: a connection for each of them, or nearly.
async fn busy_app() -> TestApp {
    TestApp::with(&[("DATABASE_POOL", "24")]).await
}

/// How often each status came.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status.as_u16()).or_default() += 1;
    }
    counts
}

#[track_caller]
fn assert_only(answers: &[Answer], expected: &[u16]) {
    for answer in answers {
        assert!(
            expected.contains(&answer.status.as_u16()),
            "{}: {} {}",
            answer.request,
            answer.status,
            answer.body
        );
    }
}

async fn confirm(curl: &Visitor, token: &str) -> Answer {
    curl.post_json("/verify-email", json!({ "token": token })).await
}

async fn sign_in(curl: &Visitor, address: &str, password: &str) -> Answer {
    curl.post_json("/login", json!({ "email": address, "password": password })).await
}

#[actix_web::test]
async fn of_fifty_who_confirm_one_link_one_does_and_the_others_learn_that_it_is_done_case_06() {
    let app = busy_app().await;
    for round in 0..ROUNDS {
        let address = format!("ada{round}@example.com");
        app.unverified_user(&address).await;
        let token = app.token_for(&address).await;
        let curl = app.curl();

        let answers = join_all((0..MANY).map(|_| confirm(&curl, &token))).await;

        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (409, MANY - 1)]));
        assert_eq!(app.count("audit WHERE event = 'email_confirmed'").await, round as i64 + 1);
    }
}

#[actix_web::test]
async fn of_fifty_claims_to_one_address_two_confirmed_at_once_leave_one_account() {
    let app = busy_app().await;
    let unverified_users = join_all((0..MANY).map(|_| app.unverified_user("ada@example.com"))).await;
    let emails = app.emails_to("ada@example.com").await;
    let tokens: Vec<_> = emails.iter().map(|email| token_in(&email.text).unwrap()).collect();
    let most = constants::number("src/accounts/email_verification.rs", "MOST_UNVERIFIED");
    assert_eq!(tokens.len(), most, "each claim that is left has a link of its own");
    let curl = app.curl();

    let (one, other) = join(confirm(&curl, &tokens[7]), confirm(&curl, &tokens[12])).await;

    let answers = [one, other];
    assert_eq!(statuses(&answers)[&200], 1, "{answers:?}");
    assert_only(&answers, &[200, 409, 422]);
    assert_one_is_left(&app, &unverified_users).await;
}

#[actix_web::test]
async fn of_fifty_claims_to_one_address_all_confirmed_at_once_one_account_is_left() {
    let app = busy_app().await;
    let unverified_users = join_all((0..MANY).map(|_| app.unverified_user("ada@example.com"))).await;
    let emails = app.emails_to("ada@example.com").await;
    let tokens: Vec<_> = emails.iter().map(|email| token_in(&email.text).unwrap()).collect();
    let curl = app.curl();

    let answers = join_all(tokens.iter().map(|token| confirm(&curl, token))).await;

    assert_eq!(statuses(&answers)[&200], 1, "{answers:?}");
    assert_only(&answers, &[200, 409, 422]);
    assert_one_is_left(&app, &unverified_users).await;
}

/// One account, confirmed, and of all the jars only its own still opens it.
async fn assert_one_is_left(app: &TestApp, unverified_users: &[Visitor]) {
    assert_eq!(app.count("users").await, 1);
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 1);
    assert_eq!(app.count("sessions").await, 1);
    let answers = join_all(unverified_users.iter().map(|unverified_user| unverified_user.get("/me"))).await;
    assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (401, unverified_users.len() - 1)]));
    let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(winner.json()["user"]["emailVerified"], true);
}

#[actix_web::test]
async fn of_fifty_who_redeem_one_reset_link_one_sets_the_password() {
    let app = busy_app().await;
    for round in 0..ROUNDS {
        let address = format!("ada{round}@example.com");
        app.verified(&address).await;
        let curl = app.curl();
        curl.post_json("/forgot-password", json!({ "email": address })).await.is(200);
        let token = app.token_for(&address).await;
        let passwords: Vec<_> = (0..MANY).map(|number| format!("{PASSWORD} number {number}")).collect();

        let tries = passwords.iter().map(|password| {
            curl.post_json("/reset-password", json!({ "token": token, "password": password }))
        });
        let answers = join_all(tries).await;

        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (422, MANY - 1)]));
        let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
        for loser in answers.into_iter().filter(|answer| answer.status != 200) {
            loser.refuses(422, "dead_reset_link");
        }
        sign_in(&curl, &address, &passwords[winner]).await.is(200);
        sign_in(&curl, &address, &passwords[(winner + 1) % MANY]).await.is(401);
        sign_in(&curl, &address, PASSWORD).await.is(401);
    }
}

#[actix_web::test]
async fn a_reset_and_a_confirmation_of_another_claim_at_once_leave_one_account() {
    let app = busy_app().await;
    for round in 0..4 * ROUNDS {
        let address = format!("ada{round}@example.com");
        app.unverified_user(&address).await;
        let confirmation = app.token_for(&address).await;
        app.wait(TimeDelta::seconds(1));
        app.unverified_user(&address).await;
        let curl = app.curl();
        curl.post_json("/forgot-password", json!({ "email": address })).await.is(200);
        let reset = app.token_for(&address).await;

        let new_password = json!({ "token": reset, "password": format!("{PASSWORD} anew") });
        let (one, other) =
            join(confirm(&curl, &confirmation), curl.post_json("/reset-password", new_password)).await;

        let answers = [one, other];
        assert_eq!(statuses(&answers)[&200], 1, "{answers:?}");
        assert_only(&answers, &[200, 409, 422]);
    }
    assert_eq!(app.count("users").await, 4 * ROUNDS as i64);
    assert_eq!(app.count("users WHERE email_verified_at IS NULL").await, 0);
}

#[actix_web::test]
async fn of_fifty_who_sign_out_one_device_one_does_and_its_requests_are_answered_or_refused_case_42() {
    let app = busy_app().await;
    let laptop = app.verified("ada@example.com").await;
    for round in 0..ROUNDS {
        let phone = app.curl();
        sign_in(&phone, "ada@example.com", PASSWORD).await.is(200);
        let path = format!("/me/sessions/{}", phone.session_id().await);
        // The phone's requests have its activity to note as well.
        app.wait(TimeDelta::minutes(2));

        let requests = (0..MANY).map(async |number| match number % 2 {
            0 => phone.get("/me/sessions").await,
            _ => phone.put_json("/me/name", json!({ "name": format!("Ada {number}") })).await,
        });
        let revocations = (0..MANY).map(|_| laptop.delete(&path));
        let (answers, revoked) = join(join_all(requests), join_all(revocations)).await;

        assert_only(&answers, &[200, 401]);
        assert_eq!(statuses(&revoked), BTreeMap::from([(200, 1), (404, MANY - 1)]));
        phone.get("/me").await.is(401);
        assert_eq!(app.count("audit WHERE event = 'session_revoked'").await, round as i64 + 1);
    }
}

#[actix_web::test]
async fn fifty_who_sign_out_everywhere_else_leave_each_other_whole_answers() {
    let app = busy_app().await;
    app.verified("ada@example.com").await;
    for _ in 0..ROUNDS {
        let devices: Vec<_> = (0..MANY).map(|_| app.curl()).collect();
        let answers =
            join_all(devices.iter().map(|device| sign_in(device, "ada@example.com", PASSWORD))).await;
        assert_only(&answers, &[200]);
        app.wait(TimeDelta::minutes(2));

        let all =
            join_all(devices.iter().map(|device| device.send(Method::POST, "/me/sessions/revoke-all", None)));
        let (revoked, read) = join(all, join_all(devices.iter().map(|device| device.get("/me")))).await;

        assert_only(&revoked, &[200, 401]);
        assert_only(&read, &[200, 401]);
    }
}

#[actix_web::test]
async fn whoever_signs_in_to_a_claim_while_another_is_confirmed_is_let_in_or_refused() {
    let app = busy_app().await;
    for round in 0..ROUNDS {
        let address = format!("ada{round}@example.com");
        app.unverified_user(&address).await;
        let token = app.token_for(&address).await;
        // The newest claim is the one that its password signs in to; each browser holds a session of it already.
        app.wait(TimeDelta::seconds(1));
        let loser = app.curl();
        let fields = json!({ "email": address, "password": OTHER_PASSWORD, "name": "Eve" });
        loser.post_json("/signup", fields).await.is(201);
        let browsers: Vec<_> = (0..MANY / 2).map(|_| app.curl()).collect();
        for browser in &browsers {
            sign_in(browser, &address, OTHER_PASSWORD).await.is(200);
        }
        app.wait(TimeDelta::minutes(2));

        let sign_ins = join_all(browsers.iter().map(|browser| sign_in(browser, &address, OTHER_PASSWORD)));
        let curl = app.curl();
        let (answers, confirmed) = join(sign_ins, confirm(&curl, &token)).await;

        confirmed.is(200);
        assert_only(&answers, &[200, 401]);
        let left = join_all(browsers.iter().map(|browser| browser.get("/me"))).await;
        assert_only(&left, &[401]);
    }
}

#[actix_web::test]
async fn whoever_signs_in_while_their_own_claim_is_confirmed_is_let_in() {
    let app = busy_app().await;
    for round in 0..2 * ROUNDS {
        let address = format!("ada{round}@example.com");
        app.unverified_user(&address).await;
        let token = app.token_for(&address).await;
        let curl = app.curl();

        let sign_ins = join_all((0..MANY).map(|_| sign_in(&curl, &address, PASSWORD)));
        let other = app.curl();
        let (answers, confirmed) = join(sign_ins, confirm(&other, &token)).await;

        confirmed.is(200);
        assert_only(&answers, &[200]);
    }
}

const OTHER_PASSWORD: &str = "a quite different horse";

#[actix_web::test]
async fn whoever_is_busy_in_a_claim_while_another_is_confirmed_is_answered_or_signed_out() {
    let app = busy_app().await;
    for round in 0..2 * ROUNDS {
        let address = format!("ada{round}@example.com");
        app.unverified_user(&address).await;
        let token = app.token_for(&address).await;
        app.wait(TimeDelta::seconds(1));
        let loser = app.unverified_user(&address).await;
        let browsers: Vec<_> = (0..MANY / 5).map(|_| app.curl()).collect();
        for browser in &browsers {
            sign_in(browser, &address, PASSWORD).await.is(200);
        }
        let curl = app.curl();
        curl.post_json("/forgot-password", json!({ "email": address })).await.is(200);

        let requests = browsers.iter().enumerate().map(async |(number, browser)| match number % 4 {
            0 => loser.send(Method::POST, "/verify-email/resend", None).await,
            1 => browser.send(Method::POST, "/me/sessions/revoke-all", None).await,
            2 => browser.send(Method::POST, "/logout", None).await,
            _ => browser.post_json("/forgot-password", json!({ "email": address })).await,
        });
        let (answers, confirmed) = join(join_all(requests), confirm(&curl, &token)).await;

        confirmed.is(200);
        assert_only(&answers, &[200, 401]);
        assert_eq!(app.count("users WHERE email_verified_at IS NULL").await, 0);
    }
}

#[actix_web::test]
async fn fifty_requests_at_a_minutes_end_note_the_activity_once_case_56() {
    let app = busy_app().await;
    let curl = app.verified("ada@example.com").await;
    count_writes_of_sessions(&app).await;
    for round in 0..ROUNDS as i64 {
        app.wait(TimeDelta::minutes(1));

        let answers = join_all((0..MANY).map(|_| curl.get("/me"))).await;

        assert_only(&answers, &[200]);
        assert_eq!(app.count("session_writes").await, round + 1);
    }
}

/// Has the database note each row of `sessions` that is written.
async fn count_writes_of_sessions(app: &TestApp) {
    let notes = match test_server() {
        None => {
            "CREATE TABLE session_writes (n INTEGER); \
             CREATE TRIGGER note AFTER UPDATE ON sessions BEGIN INSERT INTO session_writes VALUES (1); END"
        }
        Some(_) => {
            "CREATE TABLE session_writes (n INTEGER); \
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO session_writes VALUES (1); RETURN NULL; END $$; \
             CREATE TRIGGER note AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION note()"
        }
    };
    app.inner.write(move |tx| Ok(tx.conn.batch_execute(notes)?)).await.unwrap();
}

#[actix_web::test]
async fn a_request_that_waited_or_wrote_reads_what_is_there_by_then() {
    let app = TestApp::open().await;
    let request = async {
        let before = app.count("sessions").await;
        app.unverified_user("ada@example.com").await;
        let meanwhile = app.count("sessions").await;
        app.db_execute("DELETE FROM sessions").await;
        [before, meanwhile, app.count("sessions").await]
    };

    assert_eq!(app.inner.db().with_read_snapshot(request).await, [0, 1, 0]);
}
