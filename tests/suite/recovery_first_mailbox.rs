//! What an attacker tried with a borrowed session and the password: each a story that must fail.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    harness::{PASSWORD, TestApp, Visitor, token_in},
    passkeys,
    recovery::{ADA, ELSEWHERE, LATER, X, Y, adds_passkey, gets_back, intruder, moves, not_me, ways_back},
};

const FURTHER: &str = "eve@example.org";

async fn undo_link(app: &TestApp, address: &str) -> String {
    let emails = app.emails_to(address).await;
    let undo = emails.iter().rev().find(|email| email.text.contains("/me/email/undo")).unwrap();
    token_in(undo.text.split_once("/me/email/undo?").unwrap().1).unwrap()
}

/// Somebody in the owner's browser, stepped up, a while after its sign-up.
async fn borrowed(app: &TestApp) -> Visitor {
    let owner = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    owner.steps_up().await;
    owner
}

/// A mailbox that came later undoes a move of its own, and spends nothing of what the first one was sent.
#[actix_web::test]
async fn a_later_mailbox_that_undoes_its_own_move_spends_no_link_of_the_first() {
    for way in ["undo", "alert"] {
        let app = TestApp::open().await;
        let session = borrowed(&app).await;
        adds_passkey(&app, &session).await;
        let alert = ways_back(&app, ADA, false).await.remove(0);
        app.wait(TimeDelta::minutes(2));
        moves(&app, &session).await;
        let first = undo_link(&app, ADA).await;
        app.wait(TimeDelta::minutes(2));
        app.db_execute("DELETE FROM passkeys").await;
        let thief = app.curl().named(X);
        thief.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
        thief.steps_up().await;
        app.wait(TimeDelta::minutes(2));
        thief.put_json("/me/email", json!({ "email": FURTHER })).await.is(200);
        let token = app.token_for(FURTHER).await;
        thief.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
        app.wait(TimeDelta::minutes(2));
        let undo = undo_link(&app, ELSEWHERE).await;
        app.curl().post_json("/me/email/undo", json!({ "token": undo })).await.is(200);
        assert_eq!(app.texts("SELECT email AS text FROM users").await, [ELSEWHERE]);

        match way {
            "undo" => {
                app.curl().post_json("/me/email/undo", json!({ "token": first })).await.is(200);
            }
            _ => not_me(&app, &alert).await,
        }

        assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA], "{way}");
        // What the later mailboxes hold is spent.
        let spent = app.count("tokens WHERE purpose = 'undo_email' AND used_at IS NULL").await;
        assert_eq!(spent, 0, "{way}");
    }
}

/// The passkey with which a disowned sign-in began opens nothing alone from then on, whoever added it; nor after a reset.
#[actix_web::test]
async fn a_passkey_that_opened_a_disowned_session_is_in_dispute_whoever_added_it() {
    for is_signed_out in [false, true] {
        let app = TestApp::open().await;
        let session = borrowed(&app).await;
        let mut key = adds_passkey(&app, &session).await;
        app.wait(TimeDelta::minutes(2));
        let thief = app.curl().named(X);
        passkeys::signs_in(&thief, &mut key).await.is(200);
        let alert = ways_back(&app, ADA, true).await.pop().unwrap();
        if is_signed_out {
            thief.post_json("/logout", json!({})).await.is(200);
        }

        let page = app.curl().get(&format!("/not-me?token={alert}")).await.is(200).json();
        app.browser().get(&format!("/not-me?token={alert}")).await.is(200).says("Remove the passkey");
        not_me(&app, &alert).await;

        let kept = &page["kept"]["passkeys"][0];
        assert_eq!(kept["isDisowned"], true, "{page}");
        assert_ne!(kept["addedOn"], "", "the session that added it is named");
        passkeys::signs_in(&app.curl().named(X), &mut key).await.is(401);
        let reset = app.emails_to(ADA).await;
        let reset = reset.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
        let form = json!({ "token": token_in(&reset.text).unwrap(), "password": LATER });
        app.curl().post_json("/reset-password", form).await.is(200);
        passkeys::signs_in(&app.curl().named(X), &mut key).await.is(401);
        assert_eq!(app.count("passkeys").await, 1, "a mailbox removes no factor at once");
    }
}

/// Whoever moved their app to a new phone gave the old one: the mailbox takes neither away at once.
#[actix_web::test]
async fn a_session_that_gave_an_older_factor_adds_what_goes_after_a_delay_only() {
    let app = TestApp::open().await;
    let owner = app.with_app(ADA).await;
    app.wait(TimeDelta::minutes(2));
    let phone = app.curl().named(Y);
    phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    phone.submits_code(&app.next_code(&owner.secret)).await.is(200);
    app.wait(TimeDelta::minutes(2));
    phone.post_json("/auth/confirm", json!({ "code": app.next_code(&owner.secret) })).await.is(200);
    let secret = app.waiting_app(&phone).await;
    phone.confirms_app(&app.code(&secret)).await.is(200);
    let alert = ways_back(&app, ADA, true).await.pop().unwrap();

    let page = app.curl().get(&format!("/not-me?token={alert}")).await.is(200).json();
    not_me(&app, &alert).await;

    assert_eq!(
        (&page["undone"]["authenticatorApp"], &page["kept"]["authenticatorApp"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(app.count("totp").await, 1);
    assert_eq!(app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
}

/// A passkey of a stranger's, without another factor, still goes at once: there was nothing older to give.
#[actix_web::test]
async fn a_factor_that_was_the_first_goes_at_once() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    let thief = intruder(&app, X).await;
    thief.steps_up().await;
    adds_passkey(&app, &thief).await;
    not_me(&app, &ways_back(&app, ADA, true).await.pop().unwrap()).await;
    assert_eq!(app.count("passkeys").await, 0);
    gets_back(&app).await;
}

/// Beside an operator's reset of all factors, one that is disputed opens nothing alone.
#[actix_web::test]
async fn a_dispute_counts_beside_an_operator_s_reset() {
    let app = TestApp::today().await;
    let session = borrowed(&app).await;
    let mut key = adds_passkey(&app, &session).await;
    let told = ways_back(&app, ADA, false).await.remove(0);
    assert_eq!(app.command(&["user", "reset-2fa", ADA]).code, Some(0));

    not_me(&app, &told).await;

    assert_eq!(app.count("passkeys WHERE disputed_at IS NOT NULL").await, 1);
    passkeys::signs_in(&app.curl().named(X), &mut key).await.is(401);
}

/// Whoever added the factor does not stop its removal from the browser in which they did.
#[actix_web::test]
async fn the_browser_that_brought_a_factor_does_not_stop_its_removal_by_it() {
    let app = TestApp::today().await;
    app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    let thief = intruder(&app, X).await;
    app.wait(TimeDelta::minutes(2));
    thief.steps_up().await;
    let mut key = adds_passkey(&app, &thief).await;
    assert_eq!(app.command(&["user", "reset-2fa", ADA]).code, Some(0));
    let device = thief.cookie("known");
    let again = app.curl().named(X);
    if let Some(device) = device {
        again.set_cookie("known", &device);
    }
    passkeys::signs_in(&again, &mut key).await.is(200);

    again.post_json("/me/factor-reset/stop", json!({})).await.is(422);

    assert_eq!(app.count("users WHERE factors_reset_at IS NOT NULL").await, 1);
}
