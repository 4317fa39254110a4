//! Recovery codes: ten on paper, each good once.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, TestApp, Visitor};

#[actix_web::test]
async fn codes_are_shown_once_and_stored_as_hashes_case_62() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;

    assert_eq!(ada.recovery_codes.len(), 10);
    let disk = app.dump_storage().await;
    for code in &ada.recovery_codes {
        let parts: Vec<&str> = code.split('-').collect();
        assert!(parts.len() == 3 && parts.iter().all(|part| part.len() == 4), "{code}");
        assert!(!disk.contains(code.as_str()) && !disk.contains(&parts.concat()), "{code}");
        for path in ["/me/2fa", "/me/security"] {
            ada.curl.get(path).await.is(200).hides(code);
            as_browser(&ada.curl).get(path).await.is(200).hides(code);
        }
    }
}

#[actix_web::test]
async fn each_code_signs_in_once_and_its_owner_hears_of_each_case_62() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for (number, code) in ada.recovery_codes.iter().enumerate() {
        let left = 9 - i64::try_from(number).unwrap();
        let device = app.curl();
        ada.submits_password(&device).await.is(200);

        let answer = device.submits_code(code).await.is(200).json();

        assert_eq!(
            (&answer["user"]["email"], &answer["recoveryCodesLeft"]),
            (&json!(ada.address), &json!(left))
        );
        let output = answer["message"].as_str().unwrap();
        assert_eq!(output.contains("Renew them on the page Two-step verification"), left <= 3, "{output}");
        assert!(
            left == 0 || output.contains(&left.to_string()) || (left, output.contains("one")) == (1, true),
            "{output}"
        );
        let told = app.emails_that_say(&ada.address, "A recovery code for Vestibule was used").await;
        assert_eq!(told, number + 1);
        assert_eq!(ada.curl.get("/me/2fa").await.json()["recoveryCodesLeft"], left);
    }
    let device = app.curl();
    let asked = ada.submits_password(&device).await.is(200).json();
    assert_eq!(asked["methods"], json!(["totp"]), "nothing on paper is left");
    for code in &ada.recovery_codes[..4] {
        device.submits_code(code).await.refuses(422, "invalid");
    }
    assert_eq!(app.count("audit WHERE event = 'recovery_code_used'").await, 10);
}

#[actix_web::test]
async fn from_three_left_on_pages_say_so_wherever_they_count_case_62() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let home = as_browser(&ada.curl);
    for code in &ada.recovery_codes[..6] {
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        device.submits_code(code).await.is(200);
    }
    for (path, says) in
        [("/me/security", "dot\">4 of 10 left"), ("/me/2fa", "dot\">4 recovery codes are left.")]
    {
        home.get(path).await.is(200).says(says);
    }
    let browser = app.browser();
    ada.submits_password(&browser).await.goes_to("/login/2fa?next=%2Fme");
    browser.get("/login/2fa?next=%2Fme").await.is(200).says("Use a recovery code");
    browser.post("/login/2fa", &[("recovery", &ada.recovery_codes[6]), ("next", "/me")]).await.goes_to("/me");

    browser.get("/me").await.is(200).says("only 3 are left. Renew them on the page Two-step verification");

    browser.get("/me").await.is(200).hides("only 3 are left");
    for (path, says) in
        [("/me/security", "dot warn\">3 of 10 left"), ("/me/2fa", "dot warn\">3 recovery codes are left.")]
    {
        home.get(path).await.is(200).says(says);
    }
}

#[actix_web::test]
async fn a_code_works_as_people_copy_it_from_paper() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for (number, code) in ada.recovery_codes[..4].iter().enumerate() {
        let typed = match number {
            0 => code.to_uppercase(),
            1 => code.replace('-', " "),
            2 => format!("  {}\t", code.replace('-', "")),
            _ => code.replace('0', "O").replace('1', "l"),
        };
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        device.submits_code(&typed).await.is(200);
    }
}

#[actix_web::test]
async fn of_fifty_who_offer_one_code_at_once_one_gets_in_case_62() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let ada = app.with_app("ada@example.com").await;
    for code in &ada.recovery_codes[..3] {
        let devices: Vec<_> = (0..50).map(|_| app.curl()).collect();
        join_all(devices.iter().map(|device| ada.submits_password(device))).await;

        let answers = join_all(devices.iter().map(|device| device.submits_code(code))).await;

        assert_eq!(how_many(&answers, 200), 1);
        assert_eq!(how_many(&answers, 422), 49);
    }
    assert_eq!(app.count("audit WHERE event = 'recovery_code_used'").await, 3);
    assert_eq!(app.count("recovery_codes WHERE used_at IS NOT NULL").await, 3);
}

#[actix_web::test]
async fn nobody_signs_in_with_somebody_elses_code() {
    let app = TestApp::open().await;
    let (ada, grace) = (app.with_app("ada@example.com").await, app.with_app("grace@example.com").await);
    let device = app.curl();
    ada.submits_password(&device).await.is(200);

    device.submits_code(&grace.recovery_codes[0]).await.refuses(422, "invalid");
    device.submits_code(&app.next_code(&grace.secret)).await.refuses(422, "invalid");

    assert_eq!(app.count("recovery_codes WHERE used_at IS NOT NULL").await, 0);
}

#[actix_web::test]
async fn new_codes_kill_the_old_ones_rotate_the_session_and_tell_their_owner_case_62() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let old = ada.curl.cookie("session").unwrap();

    let new = make(&ada.curl).await;

    assert_eq!(new.len(), 10);
    assert_ne!(ada.curl.cookie("session").unwrap(), old);
    assert_eq!(app.emails_that_say(&ada.address, "New recovery codes were made").await, 1);
    let device = app.curl();
    ada.submits_password(&device).await.is(200);
    device.submits_code(&ada.recovery_codes[0]).await.refuses(422, "invalid");
    device.submits_code(&new[0]).await.is(200);
    assert_eq!(ada.curl.get("/me/2fa").await.json()["recoveryCodesLeft"], 9);
}

#[actix_web::test]
async fn a_reload_of_the_page_with_the_codes_makes_no_others() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = as_browser(&ada.curl);
    let page = browser.get("/me/2fa").await.is(200);
    let replaces = page.body.split_once("name=\"replaces\" value=\"").unwrap().1.split_once('"').unwrap().0;
    // What was used on the way is no other set.
    let device = app.curl();
    ada.submits_password(&device).await.is(200);
    device.submits_code(&ada.recovery_codes[0]).await.is(200);

    let shown = browser.post("/me/2fa/recovery-codes", &[("replaces", replaces)]).await.is(200);
    let reloaded = browser.post("/me/2fa/recovery-codes", &[("replaces", replaces)]).await.is(422);

    assert_eq!(shown.header("cache-control"), "no-store");
    shown.says("Save your recovery codes").says("/me/2fa/recovery-codes/download");
    reloaded.says("New codes were made already").says("10 recovery codes are left");
    assert_eq!(app.count("audit WHERE event = 'recovery_codes_made'").await, 2);
}

#[actix_web::test]
async fn of_fifty_presses_on_one_page_one_makes_codes() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let ada = app.with_app("ada@example.com").await;
    let page = as_browser(&ada.curl).get("/me/2fa").await.is(200);
    let replaces = page.body.split_once("name=\"replaces\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let devices: Vec<_> = (0..50).map(|_| ada.curl.clone()).collect();

    let form = [("replaces", replaces)];
    let answers = join_all(devices.iter().map(|device| device.post("/me/2fa/recovery-codes", &form))).await;

    assert_eq!(how_many(&answers, 200), 1);
    assert_eq!(how_many(&answers, 200) + how_many(&answers, 401) + how_many(&answers, 422), 50);
    assert_eq!(app.count("recovery_codes").await, 10);
}

#[actix_web::test]
async fn there_are_no_codes_where_there_is_nothing_to_stand_in_for() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;

    let refused = curl.send(Method::POST, "/me/2fa/recovery-codes", None).await.refuses(422, "invalid");

    refused.says("Set up an authenticator app first");
    assert_eq!(app.count("recovery_codes").await, 0);
}

#[actix_web::test]
async fn a_new_app_gives_new_codes_where_none_is_left() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for code in &ada.recovery_codes {
        ada.curl.post_json("/auth/confirm", json!({ "code": code })).await.is(200);
    }

    let secret = app.waiting_app(&ada.curl).await;
    let done = ada.curl.confirms_app(&app.code(&secret)).await.is(200).json();

    assert_eq!(done["recoveryCodes"].as_array().unwrap().len(), 10);
    assert_eq!(ada.curl.get("/me/2fa").await.json()["recoveryCodesLeft"], 10);
}

#[actix_web::test]
async fn a_code_is_a_step_up_once() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    app.wait(TimeDelta::minutes(6));
    let code = json!({ "code": ada.recovery_codes[0] });

    ada.curl.post_json("/auth/confirm", code.clone()).await.is(200).says("confirmedUntil");
    ada.curl.post_json("/auth/confirm", code).await.refuses(422, "invalid");

    assert_eq!(make(&ada.curl).await.len(), 10);
}

#[actix_web::test]
async fn the_codes_come_as_a_file_without_a_script() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = as_browser(&ada.curl);
    let page = browser.post("/me/2fa/recovery-codes", &[]).await.is(200);
    let codes = page.body.split_once("name=\"codes\" value=\"").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(codes.split(' ').count(), 10);
    // Long after the step-up: the codes are on the page and nowhere else.
    app.wait(TimeDelta::minutes(20));

    let file = browser.post("/me/2fa/recovery-codes/download", &[("codes", codes)]).await.is(200);

    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"recovery-codes.txt\"");
    assert_eq!(file.header("cache-control"), "no-store");
    assert!(
        file.body.starts_with("Recovery codes for ada@example.com\nVestibule, http://localhost:"),
        "{}",
        file.body
    );
    for code in codes.split(' ') {
        assert!(file.body.lines().any(|line| line == code), "{code}: {}", file.body);
    }
}

#[actix_web::test]
async fn nothing_but_codes_comes_back_as_a_file() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let eleven = [ada.recovery_codes[0].as_str(); 11].join(" ");
    for codes in ["", " ", "<script>alert(1)</script>", "0000-0000", "0000-0000-0000 x", &eleven] {
        let form = json!({ "codes": codes });
        ada.curl.post_json("/me/2fa/recovery-codes/download", form).await.refuses(422, "invalid");
    }
    let stranger = app.curl();
    let form = json!({ "codes": "0000-0000-0000" });
    stranger.post_json("/me/2fa/recovery-codes/download", form).await.refuses(401, "sign_in_required");
}

fn as_browser(curl: &Visitor) -> Visitor {
    curl.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin")
}

async fn make(curl: &Visitor) -> Vec<String> {
    let made = curl.send(Method::POST, "/me/2fa/recovery-codes", None).await.is(200).json();
    made["recoveryCodes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

fn how_many(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}
