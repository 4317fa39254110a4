//! Between a stolen cookie and a stolen account: new devices, changed devices, "this wasn't me", the history.

use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor};

const CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const CHROME_NEXT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn signs_in(visitor: &Visitor) {
    visitor.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
}

async fn alerts(app: &TestApp) -> Vec<String> {
    let emails = app.emails_to("ada@example.com").await;
    emails
        .into_iter()
        .filter(|email| email.subject.starts_with("New sign-in"))
        .map(|email| email.text)
        .collect()
}

#[actix_web::test]
async fn the_first_sign_in_is_compared_with_the_sign_up() {
    for (browser, told) in [(None, 0), (Some(FIREFOX), 1)] {
        let app = TestApp::open().await;
        app.verified("ada@example.com").await;
        let curl = app.curl();

        signs_in(&browser.map_or(curl, |browser| app.curl().named(browser))).await;

        assert_eq!(alerts(&app).await.len(), told, "{browser:?}");
    }
}

#[actix_web::test]
async fn a_sign_in_from_a_new_device_is_told_once_case_50() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    signs_in(&app.curl()).await;
    let firefox = app.curl().named(FIREFOX);

    signs_in(&firefox).await;
    let told = alerts(&app).await;
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["Firefox on Windows", "21 November 2026, 14:05 UTC", "127.0.0.0/24", "/not-me?token="] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }

    app.wait(TimeDelta::days(1));
    signs_in(&firefox).await;
    assert_eq!(alerts(&app).await.len(), 1, "its cookie is known now");
}

#[actix_web::test]
async fn a_browser_without_cookies_from_the_same_neighbourhood_is_familiar_case_50() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    signs_in(&app.curl().named(CHROME)).await;
    assert_eq!(alerts(&app).await.len(), 1, "it is not what signed up");
    app.wait(TimeDelta::minutes(2));

    signs_in(&app.curl().named(CHROME)).await;

    assert_eq!(alerts(&app).await.len(), 1);
}

#[actix_web::test]
async fn a_made_up_cookie_is_not_a_known_device() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    signs_in(&app.curl()).await;
    let stranger = app.curl().named(FIREFOX);
    stranger.set_cookie("known", "00000000.bm90IG91cnM");

    signs_in(&stranger).await;

    assert_eq!(alerts(&app).await.len(), 1);
}

#[actix_web::test]
async fn this_was_not_me_takes_away_what_was_planted_since() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    signs_in(&app.curl()).await;
    let thief = app.curl().named(FIREFOX);
    signs_in(&thief).await;
    let token = crate::harness::token_in(&alerts(&app).await.remove(0)).unwrap();
    thief.steps_up().await;
    let secret = app.waiting_app(&thief).await;
    thief.confirms_app(&app.code(&secret)).await.is(200);
    app.send_emails().await;

    app.curl().post_json("/not-me", json!({ "token": token })).await.is(200);

    let reset = app.token_for("ada@example.com").await;
    let form = json!({ "token": reset, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);
    let form = json!({ "email": "ada@example.com", "password": "another fine passphrase" });
    let told = app.curl().post_json("/login", form).await.is(200).json();
    assert_eq!(told["user"]["email"], "ada@example.com", "{told}");
    for table in ["totp", "recovery_codes"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[actix_web::test]
async fn this_was_not_me_signs_out_everything_and_blocks_the_password() {
    let app = TestApp::open().await;
    let owner = app.verified("ada@example.com").await;
    signs_in(&app.curl()).await;
    let thief = app.curl().named(FIREFOX);
    signs_in(&thief).await;
    let email = alerts(&app).await.remove(0);
    let token = crate::harness::token_in(&email).unwrap();

    let reader = app.browser();
    reader.get(&format!("/not-me?token={token}")).await.is(200).says("Firefox on Windows");
    reader.head(&format!("/not-me?token={token}")).await.is(200);
    thief.get("/me").await.is(200);
    reader.post("/not-me", &[("token", &token)]).await.is(200);

    thief.get("/me").await.refuses(401, "sign_in_required");
    owner.get("/me").await.refuses(401, "sign_in_required");
    let login = json!({ "email": "ada@example.com", "password": PASSWORD });
    app.curl().post_json("/login", login).await.refuses(401, "wrong_credentials");
    reader.post("/not-me", &[("token", &token)]).await.is(422);
    let reset = app.token_for("ada@example.com").await;
    let form = json!({ "token": reset, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);
    let login = json!({ "email": "ada@example.com", "password": "another fine passphrase" });
    app.curl().post_json("/login", login).await.is(200);
}

#[actix_web::test]
async fn another_family_or_platform_in_mid_session_locks_it_for_thief_and_owner() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let owner = app.curl().named(CHROME);
    signs_in(&owner).await;
    let thief = app.curl().named(FIREFOX);
    thief.set_cookie("session", &owner.cookie("session").unwrap());

    thief.get("/me").await.refuses(401, "session_locked");
    owner.get("/me").await.refuses(401, "session_locked");

    signs_in(&owner).await;
    let sessions = owner.get("/me/sessions").await.is(200).json();
    let warnings: Vec<_> =
        sessions["sessions"].as_array().unwrap().iter().filter_map(|s| s["warning"].as_str()).collect();
    assert!(warnings.is_empty(), "the locked one ended when its own browser signed in again: {warnings:?}");
    assert_eq!(app.count("audit WHERE event = 'session_locked'").await, 1);
}

#[actix_web::test]
async fn whoever_holds_a_locked_session_is_told_why_until_they_sign_in_again() {
    const WHY: &str = "You were signed out because this session was used from another device. Sign in again.";
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let owner = app.curl().named(CHROME);
    signs_in(&owner).await;
    let page = owner.clone().with("accept", "text/html");
    let thief = page.clone().named(FIREFOX);
    thief.get("/").await.is(200).says(WHY);

    for _ in 0..2 {
        owner.post_json("/me/name", json!({ "name": "Ada" })).await.refuses(401, "session_locked").says(WHY);
        page.get("/me/security").await.goes_to("/login?next=%2Fme%2Fsecurity");
        for path in ["/login?next=%2Fme%2Fsecurity", "/", "/signup"] {
            page.get(path).await.is(200).says(WHY);
        }
    }
    let stranger = app.browser();
    let made_up = app.browser();
    made_up.set_cookie("session", &"A".repeat(43));
    for other in [&stranger, &made_up] {
        other.get("/login").await.is(200).hides("another device");
        other.clone().with("accept", "*/*").get("/me").await.refuses(401, "sign_in_required");
    }

    page.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    page.get("/me").await.is(200).hides("another device");
    page.post("/logout", &[]).await.is(303);
    page.get("/login").await.is(200).says("signed out on this device").hides("another device");
}

#[actix_web::test]
async fn a_locked_session_is_flagged_in_the_list() {
    let app = TestApp::open().await;
    let elsewhere = app.verified("ada@example.com").await;
    let owner = app.curl().named(CHROME);
    signs_in(&owner).await;
    let thief = app.curl().named(FIREFOX);
    thief.set_cookie("session", &owner.cookie("session").unwrap());
    thief.get("/me").await.is(401);

    let sessions = elsewhere.get("/me/sessions").await.is(200).json();
    let flagged = sessions["sessions"].as_array().unwrap().iter().find(|s| s["warning"].is_string()).unwrap();
    assert!(flagged["warning"].as_str().unwrap().contains("Firefox on Windows"), "{flagged}");
    let id = flagged["id"].as_str().unwrap();
    elsewhere.delete(&format!("/me/sessions/{id}")).await.is(200);
}

#[actix_web::test]
async fn a_newer_version_of_the_same_browser_goes_on() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let before = app.curl().named(CHROME);
    signs_in(&before).await;

    let after = before.clone().named(CHROME_NEXT);
    after.get("/me").await.is(200);
    after.get("/me").await.is(200);
}

#[actix_web::test]
async fn one_jar_for_several_programs_is_a_person_at_a_keyboard() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let curl = app.curl().named("Chrome/120 macOS");
    signs_in(&curl).await;

    curl.clone().named("curl/8.9.1").get("/me").await.is(200);
    curl.clone().named("python-requests/2.32").get("/me").await.is(200);
    let sessions = curl.get("/me/sessions").await.is(200).json();
    assert!(sessions["sessions"].to_string().contains("Chrome on macOS"), "{sessions}");
    curl.clone().named(FIREFOX).get("/me").await.refuses(401, "session_locked");
}

#[actix_web::test]
async fn the_history_tells_who_tried_and_what_came_of_it_case_125() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.wait(TimeDelta::seconds(1));
    let stranger = app.curl().named(FIREFOX);
    stranger
        .post_json("/login", json!({ "email": "ada@example.com", "password": "a wrong guess" }))
        .await
        .is(401);
    app.wait(TimeDelta::minutes(1));
    let owner = app.curl().named(CHROME);
    signs_in(&owner).await;

    let logins = owner.get("/me/logins").await.is(200).json();

    let rows = logins["logins"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{logins}");
    let told =
        |row: usize| (rows[row]["deviceName"].as_str().unwrap(), rows[row]["outcome"].as_str().unwrap());
    assert_eq!(told(0), ("Chrome on macOS", "success"));
    assert_eq!(told(1), ("Firefox on Windows", "wrong_password"));
    assert_eq!(rows[1]["reason"], "wrong password");
    assert_eq!(rows[2]["method"], "sign_up");
    assert_eq!(rows[0]["at"], "2026-11-21T14:06:01Z");
    owner.clone().with("accept", "text/html").get("/me/security").await.is(200).says("wrong password");
}

#[actix_web::test]
async fn the_history_comes_in_pages_and_forgets_after_ninety_days_case_125() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let owner = app.curl();
    for _ in 0..60 {
        signs_in(&owner).await;
        app.wait(TimeDelta::seconds(1));
    }

    let first = owner.get("/me/logins").await.is(200).json();
    assert_eq!(first["logins"].as_array().unwrap().len(), 50);
    let cursor = first["next"].as_str().unwrap();
    let second = owner.get(&format!("/me/logins?cursor={cursor}")).await.is(200).json();
    assert_eq!(second["logins"].as_array().unwrap().len(), 11);
    assert!(second["next"].is_null());

    app.wait(TimeDelta::days(91));
    signs_in(&owner).await;
    assert_eq!(app.count("sign_ins").await, 1);
}

#[actix_web::test]
async fn the_history_of_others_is_not_shown() {
    let app = TestApp::open().await;
    app.verified("ben@example.com").await;
    let ada = app.verified("ada@example.com").await;
    let bens = app.curl();
    bens.post_json("/login", json!({ "email": "ben@example.com", "password": PASSWORD })).await.is(200);
    for _ in 0..51 {
        bens.post_json("/login", json!({ "email": "ben@example.com", "password": PASSWORD })).await.is(200);
    }
    let cursor = bens.get("/me/logins").await.json()["next"].as_str().unwrap().to_owned();

    let logins = ada.get(&format!("/me/logins?cursor={cursor}")).await.is(200).json();

    assert!(logins["logins"].as_array().unwrap().is_empty(), "{logins}");
}

#[actix_web::test]
async fn every_act_leaves_an_audit_row_without_secrets_case_123() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.post_json("/login", json!({ "email": "ada@example.com", "password": "a wrong guess" }))
        .await
        .is(401);
    curl.post_json("/auth/confirm", json!({ "password": "a wrong guess" })).await.is(422);
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200);
    curl.put_json("/me/password", json!({ "newPassword": "another fine passphrase" })).await.is(200);

    for event in [
        "signed_up",
        "email_confirmed",
        "sign_in_failed",
        "step_up_failed",
        "stepped_up",
        "email_change_requested",
        "password_changed",
        "other_sessions_revoked",
    ] {
        // With the confirmation, and with the new password.
        let times = if event == "other_sessions_revoked" { 2 } else { 1 };
        let noted = app.count(&format!("audit WHERE event = '{event}' AND ip = '127.0.0.1'")).await;
        assert_eq!(noted, times, "{event}");
    }
    let secret = curl.cookie("session").unwrap();
    for word in [PASSWORD, "a wrong guess", "another fine passphrase", secret.as_str()] {
        assert_eq!(app.count(&format!("audit WHERE detail LIKE '%{word}%'")).await, 0);
    }
}

#[actix_web::test]
async fn the_history_of_a_claim_tells_nobody_who_else_tries() {
    for is_taken in [true, false] {
        let app = TestApp::open().await;
        if is_taken {
            app.verified("ada@example.com").await;
        }
        let unverified_user = app.unverified_user("ada@example.com").await;
        let guess = json!({ "email": "ada@example.com", "password": "a wrong guess" });
        app.curl().named(FIREFOX).post_json("/login", guess).await.is(401);

        let logins = unverified_user.get("/me/logins").await.is(200).json();

        assert_eq!(logins["logins"].as_array().unwrap().len(), 1, "only the sign-up: {logins}");
    }
}

#[actix_web::test]
async fn whoever_was_signed_out_as_a_stranger_is_a_stranger_from_then_on() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    signs_in(&app.curl()).await;
    let thief = app.curl().named(FIREFOX);
    signs_in(&thief).await;
    let token = crate::harness::token_in(&alerts(&app).await[0]).unwrap();
    app.curl().post_json("/not-me", json!({ "token": token })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    let form = json!({ "token": reset, "password": PASSWORD });
    app.curl().post_json("/reset-password", form).await.is(200);
    app.wait(TimeDelta::minutes(2));

    signs_in(&thief).await;

    assert_eq!(alerts(&app).await.len(), 2, "the owner is asked again");
}

#[actix_web::test]
async fn a_reset_that_wins_a_squatters_account_forgets_the_squatter_case_21() {
    let app = TestApp::open().await;
    let squatter = app.unverified_user("ada@example.com").await;
    app.token_for("ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    let form = json!({ "token": reset, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);

    squatter.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(app.count("sign_ins").await, 0);
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 1);
}
