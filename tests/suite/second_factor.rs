//! Between the first factor and the second: a sign-in that waits, and whoever guesses at its code.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, Owner, PASSWORD, TestApp, Visitor};

#[actix_web::test]
async fn the_first_factor_opens_nothing_yet() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let (browser, curl) = (app.browser(), app.curl());

    ada.submits_password(&browser).await.goes_to("/login/2fa?next=%2Fme");
    let asked = ada.submits_password(&curl).await.is(200).json();

    assert_eq!(asked, json!({ "twoFactorRequired": true, "methods": ["totp", "recovery_code"] }));
    for visitor in [&browser, &curl] {
        assert_eq!((visitor.cookie("session"), visitor.cookie("known")), (None, None));
    }
    browser.get("/me").await.goes_to("/login?next=%2Fme");
    curl.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(curl.get("/login/2fa").await.is(200).json()["methods"], json!(["totp", "recovery_code"]));
    browser
        .get("/login/2fa?next=%2Fme")
        .await
        .is(200)
        .says("autocomplete=\"one-time-code\"")
        .hides(&ada.address);
    assert_eq!(app.count("audit WHERE event = 'second_factor_asked'").await, 2);
}

#[actix_web::test]
async fn a_right_code_leads_to_where_the_browser_wanted_to_go() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.browser();
    let form = [
        ("email", ada.address.as_str()),
        ("password", PASSWORD),
        ("next", "/me/sessions"),
        ("remember", "on"),
    ];
    browser.post("/login", &form).await.goes_to("/login/2fa?next=%2Fme%2Fsessions");
    browser.get("/login/2fa?next=%2Fme%2Fsessions").await.is(200).says("value=\"/me/sessions\"");
    let wrong = browser.post("/login/2fa", &[("code", "000000"), ("next", "/me/sessions")]).await.is(422);
    wrong.says("role=\"alert\"").says("value=\"/me/sessions\"");

    let code = app.next_code(&ada.secret);
    let answer = browser.post("/login/2fa", &[("code", &code), ("next", "/me/sessions")]).await;

    let answer = answer.goes_to("/me/sessions");
    let remembered = answer.headers.get_all("set-cookie").any(|cookie| {
        let cookie = cookie.to_str().unwrap();
        cookie.starts_with("session=") && cookie.contains("Max-Age=2592000")
    });
    assert!(remembered, "\"remember this device\" was chosen before the code");
    browser.get("/me").await.is(200);
    // The wait is over.
    browser.get("/login/2fa").await.goes_to("/login");
}

#[actix_web::test]
async fn a_code_is_good_once_and_none_before_it_any_more_case_57() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let before = app.next_code(&ada.secret);
    let code = app.next_code(&ada.secret);
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&code).await.is(200);

    let thief = app.curl();
    ada.submits_password(&thief).await.is(200);
    thief.submits_code(&code).await.refuses(422, "invalid").says("has already been used");
    thief.submits_code(&before).await.refuses(422, "invalid");
    // Nor is it a step-up.
    phone.post_json("/auth/confirm", json!({ "code": code })).await.refuses(422, "invalid");

    thief.submits_code(&app.next_code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn a_code_used_at_a_step_up_signs_nobody_in_case_57() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let code = app.next_code(&ada.secret);
    ada.curl.post_json("/auth/confirm", json!({ "code": code })).await.is(200);

    let thief = app.curl();
    ada.submits_password(&thief).await.is(200);
    thief.submits_code(&code).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn a_clock_may_be_off_by_one_step_each_way_and_then_is_named_case_60() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for off in [-1, 0, 1] {
        app.wait(TimeDelta::minutes(5));
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        device.submits_code(&app.code_off(&ada.secret, off)).await.is(200);
    }
    for off in [-2, 2, -20, 20] {
        app.wait(TimeDelta::minutes(5));
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        let refused = device.submits_code(&app.code_off(&ada.secret, off)).await.refuses(422, "invalid");
        refused.says("check the time on your phone");
    }
}

#[actix_web::test]
async fn a_fast_clock_spends_the_steps_it_passed_case_57() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    app.wait(TimeDelta::minutes(1));
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.code_off(&ada.secret, 1)).await.is(200);

    let thief = app.curl();
    ada.submits_password(&thief).await.is(200);
    for off in [-1, 0, 1] {
        thief.submits_code(&app.code_off(&ada.secret, off)).await.refuses(422, "invalid");
    }
}

#[actix_web::test]
async fn of_fifty_devices_with_one_code_one_gets_in_case_57() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let ada = app.with_app("ada@example.com").await;
    for round in 1..=3 {
        let devices: Vec<_> = (0..50).map(|_| app.curl()).collect();
        join_all(devices.iter().map(|device| ada.submits_password(device))).await;
        let code = app.next_code(&ada.secret);

        let answers = join_all(devices.iter().map(|device| device.submits_code(&code))).await;

        assert_eq!((how_many(&answers, 200), how_many(&answers, 422)), (1, 49));
        assert_eq!(app.count("sessions WHERE second_factor = 'totp'").await, round + 1);
    }
}

#[actix_web::test]
async fn of_fifty_right_codes_for_one_sign_in_one_gets_in() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let ada = app.with_app("ada@example.com").await;
    for _ in 0..3 {
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        let code = app.next_code(&ada.secret);
        let same: Vec<_> = (0..50).map(|_| device.clone()).collect();

        let answers = join_all(same.iter().map(|device| device.submits_code(&code))).await;

        assert_eq!((how_many(&answers, 200), how_many(&answers, 401)), (1, 49));
    }
}

#[actix_web::test]
async fn five_wrong_codes_end_the_sign_in_and_its_owner_hears_of_it_case_48() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let thief = app.curl();
    // The history is in the order of its times.
    app.wait(TimeDelta::seconds(1));
    ada.submits_password(&thief).await.is(200);
    for code in ["000000", "111111", "0000-0000-0000", "not a code"] {
        thief.submits_code(code).await.refuses(422, "invalid");
    }
    // Nothing is no guess.
    thief.submits_code("").await.refuses(422, "invalid").says("Enter a code.");

    thief.submits_code("222222").await.refuses(401, "sign_in_ended");

    thief.submits_code(&app.next_code(&ada.secret)).await.refuses(401, "sign_in_ended");
    thief.get("/login/2fa").await.refuses(401, "sign_in_ended");
    assert_eq!(app.emails_that_say(&ada.address, "A sign-in to Vestibule was stopped").await, 1);
    assert_eq!(app.count("audit WHERE event = 'second_factor_failed'").await, 5);
    let tried = ada.curl.get("/me/logins").await.is(200).json();
    assert_eq!(tried["logins"][0]["outcome"], "wrong_code");
    // Nobody else's sign-in ended with it.
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn a_browser_is_told_that_its_sign_in_has_ended() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.browser();
    ada.submits_password(&browser).await.is(303);
    for _ in 0..4 {
        browser.post("/login/2fa", &[("code", "000000")]).await.is(422);
    }

    browser.post("/login/2fa", &[("code", "000000")]).await.goes_to("/login");

    browser.get("/login").await.is(200).says("That sign-in has ended");
}

#[actix_web::test]
async fn fifty_guesses_at_once_are_five_case_49() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let ada = app.with_app("ada@example.com").await;
    for round in 1..=3 {
        let thief = app.curl();
        ada.submits_password(&thief).await.is(200);
        let same: Vec<_> = (0..50).map(|_| thief.clone()).collect();

        let answers = join_all(
            same.iter()
                .enumerate()
                .map(async |(number, thief)| thief.submits_code(&format!("{number:06}")).await),
        )
        .await;

        // Whoever was wrong while the fifth was reads that it is over.
        assert_eq!(how_many(&answers, 422) + how_many(&answers, 401), 50);
        assert!(how_many(&answers, 422) <= 4);
        assert_eq!(app.count("audit WHERE event = 'second_factor_failed'").await, 5 * round);
    }
}

/// The limits on codes are looked at, those on passwords are out of the way.
async fn app_that_counts_codes() -> TestApp {
    TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_ADDRESS", "1000"), ("LOGIN_PER_NETWORK", "1000")]).await
}

/// Gives the password, then five wrong codes.
async fn guess_five_times(ada: &Owner, thief: &Visitor) {
    ada.submits_password(thief).await.is(200);
    for number in 0..5 {
        let expected = if number < 4 { 422 } else { 401 };
        thief.submits_code("000000").await.is(expected);
    }
}

#[actix_web::test]
async fn codes_are_counted_over_all_sign_ins_and_apart_from_passwords_case_48() {
    let app = app_that_counts_codes().await;
    let ada = app.with_app("ada@example.com").await;
    for _ in 0..9 {
        let form = json!({ "email": ada.address, "password": "not her password" });
        app.curl().post_json("/login", form).await.refuses(401, "wrong_credentials");
    }
    let thief = app.curl();
    guess_five_times(&ada, &thief).await;
    guess_five_times(&ada, &thief).await;

    // The password still opens the first door: it did not fail. Behind it, no code is looked at any more.
    ada.submits_password(&thief).await.is(200).says("twoFactorRequired");
    let refused = thief.submits_code(&app.next_code(&ada.secret)).await.refuses(429, "too_many_attempts");

    assert_eq!(refused.header("retry-after"), (15 * 60 - 30).to_string());
    thief.submits_code(&ada.recovery_codes[0]).await.refuses(429, "too_many_attempts");
    assert_eq!(app.count("recovery_codes WHERE used_at IS NOT NULL").await, 0);
    let wrong = json!({ "email": ada.address, "password": "not her password" });
    app.curl().post_json("/login", wrong).await.refuses(401, "wrong_credentials");
}

#[actix_web::test]
async fn guesses_at_a_step_up_are_no_guesses_at_a_sign_in_case_48() {
    let app = app_that_counts_codes().await;
    let ada = app.with_app("ada@example.com").await;
    let laptop = app.curl();
    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&app.next_code(&ada.secret)).await.is(200);
    for code in ["000000", "0000-0000-0000", "nothing like it", "000000", "000000"] {
        laptop.post_json("/auth/confirm", json!({ "code": code })).await.refuses(422, "invalid");
    }
    guess_five_times(&ada, &laptop).await;

    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&app.next_code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn whoever_guesses_locks_out_strangers_and_never_a_browser_that_was_let_in_before_case_46() {
    let app = app_that_counts_codes().await;
    let ada = app.with_app("ada@example.com").await;
    let laptop = app.curl();
    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&app.next_code(&ada.secret)).await.is(200);
    laptop.send(Method::POST, "/logout", None).await.is(200);
    for _ in 0..2 {
        guess_five_times(&ada, &app.curl()).await;
    }

    let (stranger, code) = (app.curl(), app.next_code(&ada.secret));
    ada.submits_password(&stranger).await.is(200);
    stranger.submits_code(&code).await.refuses(429, "too_many_attempts");

    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&code).await.is(200);
}

#[actix_web::test]
async fn the_end_of_a_cool_down_gives_ten_guesses_and_no_more_case_61() {
    let app = app_that_counts_codes().await;
    let ada = app.with_app("ada@example.com").await;
    let thief = app.curl();
    for round in 1..=3 {
        guess_five_times(&ada, &thief).await;
        guess_five_times(&ada, &thief).await;
        ada.submits_password(&thief).await.is(200);
        thief.submits_code("000000").await.refuses(429, "too_many_attempts");
        assert_eq!(app.count("audit WHERE event = 'second_factor_failed'").await, 10 * round);
        app.wait(TimeDelta::minutes(15));
    }

    // And whoever has the app comes in again.
    ada.submits_password(&thief).await.is(200);
    thief.submits_code(&app.code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn a_waiting_sign_in_lives_for_ten_minutes_case_44() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let (quick, slow) = (app.curl(), app.browser());
    ada.submits_password(&quick).await.is(200);
    ada.submits_password(&slow).await.is(303);
    app.wait(TimeDelta::seconds(599));
    quick.submits_code(&app.code(&ada.secret)).await.is(200);

    app.wait(TimeDelta::seconds(1));

    slow.post("/login/2fa", &[("code", &app.next_code(&ada.secret))]).await.goes_to("/login");
    slow.get("/login").await.is(200).says("That sign-in has ended: it took too long");
    slow.get("/me").await.goes_to("/login?next=%2Fme");
}

#[actix_web::test]
async fn signing_out_drops_a_waiting_sign_in_case_44() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.browser();
    ada.submits_password(&browser).await.is(303);
    let kept = browser.cookie("state").unwrap();

    browser.post("/logout", &[]).await.goes_to("/login");

    browser.get("/login/2fa").await.goes_to("/login");
    // Nor does the cookie open anything for whoever copied it before.
    let thief = app.curl();
    thief.set_cookie("state", &kept);
    thief.submits_code(&app.next_code(&ada.secret)).await.refuses(401, "sign_in_ended");
    assert_eq!(app.count("tokens WHERE purpose = 'pending_sign_in'").await, 0);
}

#[actix_web::test]
async fn other_requests_leave_a_waiting_sign_in_alone_case_44() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.browser();
    ada.submits_password(&browser).await.is(303);

    for path in ["/favicon.ico", "/", "/login", "/me", "/me/sessions", "/static/x", "/healthz", "/login/2fa"]
    {
        browser.get(path).await;
        browser.head(path).await;
    }
    browser.post("/login", &[("email", &ada.address), ("password", "not her password")]).await.is(401);

    browser.post("/login/2fa", &[("code", &app.next_code(&ada.secret))]).await.goes_to("/me");
}

#[actix_web::test]
async fn signing_out_everywhere_drops_the_sign_ins_that_wait_case_39() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let grace = app.with_app("grace@example.com").await;
    let (thief, other) = (app.curl(), app.curl());
    ada.submits_password(&thief).await.is(200);
    grace.submits_password(&other).await.is(200);

    ada.curl.send(Method::POST, "/me/sessions/revoke-all", None).await.is(200);

    thief.submits_code(&app.next_code(&ada.secret)).await.refuses(401, "sign_in_ended");
    other.submits_code(&app.code(&grace.secret)).await.is(200);
}

#[actix_web::test]
async fn a_new_password_by_mail_does_not_pass_the_second_factor_case_45() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let thief = app.curl();
    ada.submits_password(&thief).await.is(200);
    app.send_emails().await;
    let reader = app.curl();
    reader.post_json("/forgot-password", json!({ "email": ada.address })).await.is(200);
    let token = app.token_for(&ada.address).await;
    let form = json!({ "token": token, "password": "another fine passphrase" });
    reader.post_json("/reset-password", form).await.is(200);

    assert_eq!(reader.cookie("session"), None, "a reset signs nobody in");
    reader.get("/me").await.refuses(401, "sign_in_required");
    let form = json!({ "email": ada.address, "password": "another fine passphrase" });
    reader.post_json("/login", form).await.is(200).says("\"twoFactorRequired\":true");
    thief.submits_code(&app.next_code(&ada.secret)).await.refuses(401, "sign_in_ended");
    reader.submits_code(&app.code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn what_comes_by_mail_is_never_the_second_factor_case_64() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let reader = app.curl();
    ada.submits_password(&reader).await.is(200);
    reader.post_json("/forgot-password", json!({ "email": ada.address })).await.is(200);
    let emails = app.emails_to(&ada.address).await;
    let words = emails.iter().flat_map(|email| email.text.split(|c: char| c.is_whitespace() || c == '='));
    let mailed: Vec<&str> = words.filter(|word| word.len() >= 6).collect();
    assert!(mailed.iter().any(|word| word.len() == 43), "a token is among them");

    for word in mailed {
        let visitor = app.curl();
        ada.submits_password(&visitor).await.is(200);
        visitor.submits_code(word).await.refuses(422, "invalid");
        ada.curl.post_json("/auth/confirm", json!({ "code": word })).await.refuses(422, "invalid");
    }
}

#[actix_web::test]
async fn a_waiting_sign_in_leaves_the_session_of_its_browser_as_it_was_until_the_code() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.verified("grace@example.com").await;
    ada.submits_password(&browser).await.is(200);
    browser.get("/me").await.is(200).says("grace@example.com");

    browser.submits_code(&app.next_code(&ada.secret)).await.is(200);

    browser.get("/me").await.is(200).says("ada@example.com");
}

fn how_many(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}
