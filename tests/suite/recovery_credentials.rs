//! What an intruder leaves behind opens the account to them again: each kind of credential, and what was begun with it.

use chrono::TimeDelta;
use serde_json::json;

use vestibule::jobs::{self, Job};

use crate::{
    harness::{PASSWORD, TestApp, Visitor, token_in},
    magic_link, passkeys,
    recovery::{
        ADA, ELSEWHERE, LATER, X, Y, adds_passkey, gets_back, intruder, moves, not_me, resets, signs_in,
        ways_back,
    },
};

/// The first alert of an account, which an intruder caused who has the password; they are stepped up.
async fn begins(app: &TestApp) -> (Visitor, String) {
    let before = ways_back(app, ADA, true).await.len();
    app.wait(TimeDelta::minutes(1));
    let thief = intruder(app, X).await;
    thief.steps_up().await;
    (thief, ways_back(app, ADA, true).await.remove(before))
}

/// The owner resets the password, which keeps the intruder's passkey; they come in by it, and leave others behind.
#[actix_web::test]
async fn what_a_left_passkey_lets_in_after_a_reset_is_undone_by_the_first_alert() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let (thief, alert) = begins(&app).await;
    let mut left = adds_passkey(&app, &thief).await;
    app.wait(TimeDelta::minutes(1));
    resets(&app).await;
    app.wait(TimeDelta::minutes(1));
    let again = app.curl().named(Y);
    passkeys::signs_in(&again, &mut left).await.is(200);
    passkeys::confirms(&again, &mut left).await;
    adds_passkey(&app, &again).await;
    moves(&app, &again).await;
    let later = app.curl().named(X);
    passkeys::signs_in(&later, &mut left).await.is(200);
    passkeys::confirms(&later, &mut left).await;
    adds_passkey(&app, &later).await;
    assert_eq!(app.count("passkeys").await, 3);

    not_me(&app, &alert).await;

    assert_eq!(app.count("passkeys").await, 0);
    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    gets_back(&app).await.get("/me").await.is(200);
}

/// In a browser that the account knew long before, somebody comes in by what an intruder had added: that session is disowned
/// with it. A factor from there goes after the delay, and opens nothing by itself until then.
#[actix_web::test]
async fn each_kind_of_credential_hands_the_doubt_on() {
    for kind in ["passkey", "app", "recovery code", "mailbox"] {
        let app = TestApp::open().await;
        let known = app.verified(ADA).await;
        let (thief, alert) = begins(&app).await;
        match kind {
            "passkey" => {
                let mut left = adds_passkey(&app, &thief).await;
                passkeys::signs_in(&known, &mut left).await.is(200);
                passkeys::confirms(&known, &mut left).await;
            }
            "mailbox" => {
                moves(&app, &thief).await;
                let token = magic_link::asked(&app, &known, ELSEWHERE).await;
                magic_link::enter(&known, &token).await.is(200);
                known.steps_up().await;
            }
            _ => {
                let key = app.waiting_app(&thief).await;
                let added = thief.confirms_app(&app.code(&key)).await.is(200).json();
                let codes = added["recoveryCodes"].as_array().unwrap();
                signs_in(&known, PASSWORD).await;
                for (turn, path) in ["/login/2fa", "/auth/confirm"].into_iter().enumerate() {
                    app.wait(TimeDelta::minutes(1));
                    let code = if kind == "app" { json!(app.code(&key)) } else { codes[turn].clone() };
                    known.post_json(path, json!({ "code": code })).await.is(200);
                }
            }
        }
        let mut later = adds_passkey(&app, &known).await;

        not_me(&app, &alert).await;

        assert_eq!(app.count("passkeys").await + app.count("totp").await, 1, "{kind}");
        passkeys::signs_in(&app.curl(), &mut later).await.refuses(401, "unknown_passkey");
        app.wait(TimeDelta::hours(25));
        jobs::run_once(&app.inner, Job::FactorResets, true).await.unwrap();
        assert_eq!(app.count("passkeys").await, 0, "{kind}");
        resets(&app).await;
        signs_in(&app.curl(), LATER).await;
    }
}

/// Whoever stole a session of a known browser, and the password, adds a passkey and does something else later: whichever email
/// the owner answers, the passkey is listed, and in dispute.
#[actix_web::test]
async fn whatever_is_answered_what_the_same_session_added_before_is_in_dispute() {
    for later in ["password", "move", "deletion", "move first"] {
        // Commands go by the machine's clock.
        let app = TestApp::today().await;
        let stolen = app.verified(ADA).await;
        app.wait(TimeDelta::hours(1));
        let stolen = if stolen.get("/me").await.status == 200 { stolen } else { app.curl() };
        signs_in(&stolen, PASSWORD).await;
        stolen.steps_up().await;
        if later == "move first" {
            moves(&app, &stolen).await;
        }
        let mut theirs = adds_passkey(&app, &stolen).await;
        app.send_emails().await;
        app.wait(TimeDelta::minutes(2));
        match later {
            "password" => {
                let form = json!({ "currentPassword": PASSWORD, "newPassword": LATER });
                passkeys::confirms(&stolen, &mut theirs).await;
                stolen.put_json("/me/password", form).await.is(200);
            }
            "move" => {
                passkeys::confirms(&stolen, &mut theirs).await;
                moves(&app, &stolen).await;
            }
            "deletion" => {
                passkeys::confirms(&stolen, &mut theirs).await;
                stolen.post_json("/me/delete", json!({})).await.is(200);
            }
            _ => {}
        }
        app.send_emails().await;
        if later.starts_with("move") {
            let emails = app.emails_to(ADA).await;
            let undo =
                emails.iter().rev().find(|email| email.text.contains("/me/email/undo?token=")).unwrap();
            let token = token_in(&undo.text).unwrap();
            app.curl().post_json("/me/email/undo", json!({ "token": token })).await.is(200);
        } else {
            let link = ways_back(&app, ADA, false).await.pop().unwrap();
            let kept = app.curl().get(&format!("/not-me?token={link}")).await.is(200).json()["kept"].clone();
            assert_eq!(kept["passkeys"][0]["isDisowned"], true, "{later}: {kept}");
            not_me(&app, &link).await;
        }

        passkeys::signs_in(&app.curl(), &mut theirs).await.refuses(401, "unknown_passkey");
        assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA], "{later}");
        // An operator who resets everything does not end the dispute.
        app.command(&["user", "reset-2fa", ADA]);
        passkeys::signs_in(&app.curl(), &mut theirs).await.refuses(401, "unknown_passkey");
        app.wait(TimeDelta::hours(26));
        jobs::run_once(&app.inner, Job::FactorResets, true).await.unwrap();
        assert_eq!(app.count("passkeys").await, 0, "{later}");
    }
}

/// The mailbox alone takes no factor away at once: not of a session that was answered for, nor of one that is older than what
/// the link tells of. And its owner stops the removal in the browser that they always used.
#[actix_web::test]
async fn whoever_reads_the_mailbox_disputes_a_factor_and_its_owner_stops_that() {
    let app = TestApp::open().await;
    let laptop = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(2));
    let phone = app.curl().named(Y);
    signs_in(&phone, PASSWORD).await;
    app.send_emails().await;
    laptop.steps_up().await;
    laptop.post_json(&format!("/me/sessions/{}/was-me", phone.session_id().await), json!({})).await.is(200);
    phone.steps_up().await;
    let mut mine = adds_passkey(&app, &phone).await;
    app.send_emails().await;
    let told = ways_back(&app, ADA, false).await.pop().unwrap();
    app.wait(TimeDelta::minutes(2));

    not_me(&app, &told).await;
    assert_eq!(app.count("passkeys").await, 1);
    app.send_emails().await;
    resets(&app).await;
    let form = json!({ "email": ADA, "password": LATER });
    laptop.post_json("/login", form.clone()).await.is(200);
    let options = passkeys::asks(&laptop, "/login/2fa/passkey/options").await;
    laptop.post_json("/login/2fa", mine.get(&options)).await.is(200);
    let strange = app.curl().named(Y);
    strange.post_json("/login", form).await.is(200);
    let options = passkeys::asks(&strange, "/login/2fa/passkey/options").await;
    strange.post_json("/login/2fa", mine.get(&options)).await.is(200);

    strange.post_json("/me/factor-reset/stop", json!({})).await.is(422);
    laptop.post_json("/me/factor-reset/stop", json!({})).await.is(200);
    passkeys::signs_in(&app.curl(), &mut mine).await.is(200);
}

/// A later mailbox spends no way back of the first.
#[actix_web::test]
async fn a_later_mailbox_has_no_say_about_what_the_first_was_told() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    let (thief, alert) = begins(&app).await;
    moves(&app, &thief).await;
    app.wait(TimeDelta::minutes(1));
    let other = app.curl().named(Y);
    other.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
    let theirs = ways_back(&app, ELSEWHERE, true).await.pop().unwrap();
    not_me(&app, &theirs).await;

    not_me(&app, &alert).await;

    assert_eq!(app.texts("SELECT email AS text FROM users").await, [ADA]);
    gets_back(&app).await.get("/me").await.is(200);
}

/// Recovery codes that a disowned session made are void, also where its browser was known.
#[actix_web::test]
async fn recovery_codes_of_a_disowned_session_are_void() {
    let app = TestApp::open().await;
    let owner = app.with_app(ADA).await;
    app.wait(TimeDelta::minutes(2));
    owner.curl.post_json("/auth/confirm", json!({ "code": app.code(&owner.secret) })).await.is(200);
    owner.curl.post_json("/me/2fa/recovery-codes", json!({})).await.is(200);
    app.send_emails().await;
    let emails = app.emails_to(ADA).await;
    let told = emails.iter().rev().find(|email| email.subject.contains("recovery codes")).unwrap();

    not_me(&app, &token_in(&told.text).unwrap()).await;

    assert_eq!((app.count("recovery_codes").await, app.count("totp").await), (0, 1));
}

/// After a move of one's own an answer counts as before.
#[actix_web::test]
async fn an_answer_from_the_mailbox_counts_after_a_move_of_ones_own() {
    for by_owner in [true, false] {
        let app = TestApp::open().await;
        let laptop = app.verified(ADA).await;
        app.wait(TimeDelta::minutes(2));
        let mover = if by_owner { laptop } else { intruder(&app, X).await };
        mover.steps_up().await;
        moves(&app, &mover).await;
        app.wait(TimeDelta::minutes(2));
        let phone = app.curl().named(Y);
        phone.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
        let alert = ways_back(&app, ELSEWHERE, true).await.pop().unwrap();
        app.curl().post_json("/not-me/was-me", json!({ "token": alert })).await.is(200);
        app.wait(TimeDelta::minutes(2));
        let tablet = app.curl().named(X);
        tablet.post_json("/login", json!({ "email": ELSEWHERE, "password": PASSWORD })).await.is(200);
        let next = match by_owner {
            true => ways_back(&app, ELSEWHERE, true).await.pop().unwrap(),
            false => ways_back(&app, ADA, true).await.remove(0),
        };

        let page = app.curl().get(&format!("/not-me?token={next}")).await.is(200).json();

        let id = phone.session_id().await;
        let is_listed = page["signIns"].as_array().unwrap().iter().any(|one| one["id"] == id);
        assert_eq!(is_listed, !by_owner, "{page}");
    }
}

/// A copy of the cookie that says "known here" tells nothing on another system: its owner hears of the sign-in, and what it
/// adds is not spared.
#[actix_web::test]
async fn a_known_browser_that_another_system_claims_to_be_is_unknown() {
    for (agent, is_told) in [(Y, true), (X, false)] {
        let app = TestApp::open().await;
        let own = app.curl().named(X);
        app.verified(ADA).await;
        app.wait(TimeDelta::minutes(1));
        signs_in(&own, PASSWORD).await;
        app.send_emails().await;
        app.wait(TimeDelta::minutes(1));
        let before = ways_back(&app, ADA, true).await.len();
        let copy = app.curl().named(agent);
        copy.set_cookie("known", &own.cookie("known").unwrap());

        signs_in(&copy, PASSWORD).await;

        assert_eq!(ways_back(&app, ADA, true).await.len() - before, usize::from(is_told), "{agent}");
        let unknown = app.count("sessions WHERE browser_known_since IS NULL").await;
        assert_eq!(unknown, 1 + i64::from(is_told), "{agent}");
    }
}

/// What stays after the button can still be disowned by the email that told of it; and the passkey whose removal waits opens
/// nothing by itself meanwhile.
#[actix_web::test]
async fn a_factor_that_stays_keeps_its_link_and_one_in_dispute_opens_nothing_alone() {
    let app = TestApp::open().await;
    let stolen = app.verified(ADA).await;
    app.wait(TimeDelta::minutes(1));
    let (_, alert) = begins(&app).await;
    app.wait(TimeDelta::minutes(1));
    stolen.steps_up().await;
    let mut theirs = adds_passkey(&app, &stolen).await;
    let told = ways_back(&app, ADA, false).await.remove(0);
    app.wait(TimeDelta::minutes(1));

    not_me(&app, &alert).await;
    passkeys::signs_in(&app.curl(), &mut theirs).await.is(200);
    let kept = app.curl().get(&format!("/not-me?token={told}")).await.is(200).json()["kept"].clone();
    let form = json!({ "token": told, "removeFactors": [kept["passkeys"][0]["id"]] });
    app.curl().post_json("/not-me", form).await.is(200);

    passkeys::signs_in(&stolen, &mut theirs).await.refuses(401, "unknown_passkey");
    assert_eq!(app.count("sign_ins WHERE outcome = 'disputed_passkey'").await, 1);
    assert_eq!(app.count("passkeys").await, 1);
}
