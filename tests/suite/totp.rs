//! The authenticator app: set up with its first code, changed for another, removed. Real authenticators among them.

use std::process::Command;

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

#[actix_web::test]
async fn an_app_is_set_up_by_its_first_code_and_asked_for_from_then_on() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    let none = json!({
        "totp": { "enabled": false, "since": null, "lastUsedAt": null }, "recoveryCodesLeft": 0, "passkeys": 0,
    });
    assert_eq!(curl.get("/me/2fa").await.is(200).json(), none);
    curl.steps_up().await;

    let setup = curl.send(Method::POST, "/me/2fa/totp", None).await.is(200).json();
    assert_eq!(setup.as_object().unwrap().keys().collect::<Vec<_>>(), ["otpauthUri", "qrSvg", "secret"]);
    let secret = setup["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32, "160 bits in base 32");
    let done = curl.confirms_app(&app.code(secret)).await.is(200).json();

    assert_eq!(done.as_object().unwrap().keys().collect::<Vec<_>>(), ["recoveryCodes"]);
    assert_eq!(done["recoveryCodes"].as_array().unwrap().len(), 10);
    let there = json!({
        "totp": { "enabled": true, "since": "2026-11-21T14:05:00Z", "lastUsedAt": "2026-11-21T14:05:00Z" },
        "recoveryCodesLeft": 10, "passkeys": 0,
    });
    assert_eq!(curl.get("/me/2fa").await.is(200).json(), there);
    let phone = app.curl();
    let asked = sign_in(&phone).await.is(200).json();
    assert_eq!(asked, json!({ "twoFactorRequired": true, "methods": ["totp", "recovery_code"] }));
    let user = phone.submits_code(&app.next_code(secret)).await.is(200).json();
    assert_eq!(user["user"]["email"], "ada@example.com");
    let after = curl.get("/me/2fa").await.json();
    assert_eq!(after["totp"]["lastUsedAt"], "2026-11-21T14:05:30Z");
    assert_eq!(app.count("audit WHERE event = 'second_factor_added' AND detail LIKE '%\"totp\"%'").await, 1);
}

#[actix_web::test]
async fn setting_up_gives_the_session_a_new_secret_and_tells_the_owner() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let (id, old) = (curl.session_id().await, curl.cookie("session").unwrap());
    let secret = app.waiting_app(&curl).await;

    curl.confirms_app(&app.code(&secret)).await.is(200);

    assert_ne!(curl.cookie("session").unwrap(), old);
    assert_eq!(curl.session_id().await, id);
    let thief = app.curl();
    thief.set_cookie("session", &old);
    thief.get("/me").await.refuses(401, "sign_in_required");
    for words in ["Authenticator app added to your Vestibule account", "An authenticator app was added"] {
        assert_eq!(app.emails_that_say("ada@example.com", words).await, 1, "{words}");
    }
}

#[actix_web::test]
async fn the_code_that_set_the_app_up_signs_nobody_in_case_58() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);

    phone.submits_code(&app.code(&ada.secret)).await.refuses(422, "invalid");

    phone.submits_code(&app.next_code(&ada.secret)).await.is(200);
}

#[actix_web::test]
async fn an_unfinished_set_up_asks_nobody_for_anything_case_59() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;
    curl.confirms_app("000000").await.refuses(422, "invalid");

    let phone = app.curl();
    assert_eq!(sign_in(&phone).await.is(200).json()["user"]["email"], "ada@example.com");
    let methods = phone.get("/auth/confirm").await.is(200).json();
    assert_eq!(methods, json!({ "methods": ["password"] }));
    phone.post_json("/auth/confirm", json!({ "code": app.code(&secret) })).await.refuses(422, "invalid");
    assert_eq!(curl.get("/me/2fa").await.json()["totp"]["enabled"], false);
}

#[actix_web::test]
async fn a_new_set_up_leaves_the_old_app_in_use_until_the_new_one_shows_a_code_case_59() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let new = app.waiting_app(&ada.curl).await;

    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.next_code(&new)).await.refuses(422, "invalid");
    phone.submits_code(&app.code(&ada.secret)).await.is(200);

    let done = ada.curl.confirms_app(&app.code(&new)).await.is(200).json();
    assert_eq!(
        done,
        json!({ "message": "Your new authenticator app is set up. The one before no longer works." })
    );
    let told = app.emails_that_say(&ada.address, "Your authenticator app was replaced by another").await;
    assert_eq!(told, 1);
    let tablet = app.curl();
    ada.submits_password(&tablet).await.is(200);
    tablet.submits_code(&app.next_code(&ada.secret)).await.refuses(422, "invalid");
    tablet.submits_code(&app.code(&new)).await.is(200);
    assert_eq!(ada.curl.get("/me/2fa").await.json()["recoveryCodesLeft"], 10, "the paper is still good");
}

#[actix_web::test]
async fn whoever_came_in_with_the_old_app_is_signed_out_when_another_takes_its_place() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let (phone, on_paper) = (app.curl(), app.curl());
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.next_code(&ada.secret)).await.is(200);
    ada.submits_password(&on_paper).await.is(200);
    on_paper.submits_code(&ada.recovery_codes[0]).await.is(200);

    let new = app.waiting_app(&ada.curl).await;
    ada.curl.confirms_app(&app.code(&new)).await.is(200);

    phone.get("/me").await.refuses(401, "sign_in_required");
    on_paper.get("/me").await.is(200);
    ada.curl.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_second_set_up_replaces_the_first_and_one_of_both_is_finished() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let (first, second) = (app.waiting_app(&curl).await, app.waiting_app(&curl).await);
    assert_ne!(first, second);

    curl.confirms_app(&app.code(&first)).await.refuses(422, "invalid");
    assert_eq!(curl.get("/me/2fa/totp/confirm").await.is(200).json()["secret"], second.as_str());
    curl.confirms_app(&app.code(&second)).await.is(200);

    curl.get("/me/2fa/totp/confirm").await.refuses(422, "invalid");
    let again = curl.confirms_app(&app.next_code(&second)).await.refuses(422, "invalid");
    again.says("This set-up has already finished or timed out");
}

#[actix_web::test]
async fn a_set_up_waits_for_half_an_hour() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;
    app.wait(TimeDelta::minutes(29));
    curl.steps_up().await;
    curl.get("/me/2fa/totp/confirm").await.is(200).says(&secret);

    app.wait(TimeDelta::minutes(1));

    curl.get("/me/2fa/totp/confirm").await.refuses(422, "invalid").hides(&secret);
    curl.confirms_app(&app.code(&secret)).await.refuses(422, "invalid").says("already finished or timed out");
    assert_eq!(curl.get("/me/2fa").await.json()["totp"]["enabled"], false);
}

#[actix_web::test]
async fn an_unverified_account_adds_no_second_factor_case_29() {
    let app = TestApp::open().await;
    let squatter = app.unverified_user("ada@example.com").await;
    squatter.steps_up().await;

    for (method, path) in CHANGES {
        squatter.send(method, path, None).await.refuses(403, "email_unverified");
    }
    squatter.confirms_app("123456").await.refuses(403, "email_unverified");
    assert_eq!(app.count("totp_setups").await, 0);
}

#[actix_web::test]
async fn nothing_about_the_app_changes_without_a_step_up_case_77() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let waiting = app.waiting_app(&ada.curl).await;
    app.wait(TimeDelta::minutes(5));

    for (method, path) in CHANGES {
        let refused = ada.curl.send(method, path, None).await.refuses(403, "reauthentication_required");
        refused.says("\"methods\":[\"totp\",\"recovery_code\"]").hides(&waiting);
    }
    ada.curl.confirms_app(&app.code(&waiting)).await.refuses(403, "reauthentication_required");
    ada.curl.get("/me/2fa").await.is(200).hides(&waiting).hides(&ada.secret);
}

const CHANGES: [(Method, &str); 5] = [
    (Method::POST, "/me/2fa/totp"),
    (Method::GET, "/me/2fa/totp/confirm"),
    (Method::DELETE, "/me/2fa/totp"),
    (Method::POST, "/me/2fa/totp/disable"),
    (Method::POST, "/me/2fa/recovery-codes"),
];

#[actix_web::test]
async fn the_first_app_signs_out_the_devices_that_came_in_with_a_password_alone_case_38() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    let (thief, grace) = (app.curl(), app.verified("grace@example.com").await);
    sign_in(&thief).await.is(200);
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;
    thief.get("/me").await.is(200);

    curl.confirms_app(&app.code(&secret)).await.is(200);

    thief.get("/me").await.refuses(401, "sign_in_required");
    curl.get("/me").await.is(200);
    grace.get("/me").await.is(200);
}

#[actix_web::test]
async fn removing_the_app_takes_the_codes_and_whoever_relied_on_it_with_it_case_63() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let (phone, on_paper, waits) = (app.curl(), app.curl(), app.curl());
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.next_code(&ada.secret)).await.is(200);
    ada.submits_password(&on_paper).await.is(200);
    on_paper.submits_code(&ada.recovery_codes[0]).await.is(200);
    ada.submits_password(&waits).await.is(200);
    app.waiting_app(&ada.curl).await;

    ada.curl.delete("/me/2fa/totp").await.is(200).says("and the recovery codes with it");

    phone.get("/me").await.refuses(401, "sign_in_required");
    on_paper.get("/me").await.refuses(401, "sign_in_required");
    // What it waited for can no longer be given.
    waits.get("/login/2fa").await.refuses(401, "sign_in_ended");
    ada.curl.get("/me").await.is(200);
    for table in ["totp", "totp_setups", "recovery_codes"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
    assert_eq!(app.emails_that_say(&ada.address, "The authenticator app was removed").await, 1);
    assert_eq!(sign_in(&app.curl()).await.is(200).json()["user"]["email"], "ada@example.com");
    assert_eq!(app.count("audit WHERE event = 'second_factor_removed'").await, 1);
}

#[actix_web::test]
async fn removing_the_app_twice_is_harmless_and_a_session_gets_a_new_secret_case_37() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let old = ada.curl.cookie("session").unwrap();
    ada.curl.delete("/me/2fa/totp").await.is(200);
    let new = ada.curl.cookie("session").unwrap();
    assert_ne!(new, old);
    let emails = app.emails_to("ada@example.com").await.len();

    let again = ada.curl.send(Method::POST, "/me/2fa/totp/disable", None).await.is(200);

    again.says("There is no authenticator app on this account.");
    assert_eq!(app.emails_to("ada@example.com").await.len(), emails);
    assert_eq!(ada.curl.cookie("session").unwrap(), new);
}

#[actix_web::test]
async fn after_the_app_is_removed_it_can_be_set_up_again_with_other_codes() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    ada.curl.delete("/me/2fa/totp").await.is(200);

    let secret = app.waiting_app(&ada.curl).await;
    let done = ada.curl.confirms_app(&app.code(&secret)).await.is(200).json();

    assert_ne!(secret, ada.secret);
    let codes = done["recoveryCodes"].as_array().unwrap();
    assert!(codes.iter().all(|code| !ada.recovery_codes.iter().any(|old| code == old)));
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&ada.recovery_codes[0]).await.refuses(422, "invalid");
    phone.submits_code(codes[0].as_str().unwrap()).await.is(200);
}

#[actix_web::test]
async fn of_fifty_first_codes_at_once_one_sets_the_app_up() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    for round in 1..=3 {
        let code = app.code(&app.waiting_app(&curl).await);
        let devices: Vec<_> = (0..50).map(|_| curl.clone()).collect();

        let answers = join_all(devices.iter().map(|device| device.confirms_app(&code))).await;

        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        let winner = statuses.iter().position(|status| *status == 200).unwrap();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 401, 403, 422].contains(status)), "{statuses:?}");
        assert_eq!(app.count("audit WHERE event = 'second_factor_added'").await, round);
        assert_eq!(app.count("recovery_codes").await, 10);
        curl.set_cookie("session", &devices[winner].cookie("session").unwrap());
        app.wait(TimeDelta::seconds(30));
    }
}

#[actix_web::test]
async fn guesses_at_a_set_up_are_counted_with_all_others() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;
    for _ in 0..9 {
        curl.confirms_app("000000").await.refuses(422, "invalid").says("check the time on your phone");
    }
    curl.confirms_app("no code at all").await.refuses(422, "invalid").says("Enter the six digits");
    curl.confirms_app("000000").await.refuses(422, "invalid");

    curl.confirms_app(&app.code(&secret)).await.refuses(429, "too_many_attempts");

    app.wait(TimeDelta::minutes(15));
    curl.steps_up().await;
    curl.confirms_app(&app.code(&secret)).await.is(200);
}

#[actix_web::test]
async fn the_stolen_disk_shows_no_secret() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let waiting = app.waiting_app(&ada.curl).await;
    let disk = app.dump_storage().await;

    for secret in [&ada.secret, &waiting] {
        assert!(!disk.contains(secret.as_str()));
        let raw = totp_rs::Secret::try_from_base32(secret).unwrap();
        assert!(!disk.contains(&*String::from_utf8_lossy(raw.as_bytes())));
    }
}

#[actix_web::test]
async fn an_app_that_is_used_moves_to_a_new_key_of_the_house() {
    let app = TestApp::open().await;
    let (ada, grace) = (app.with_app("ada@example.com").await, app.with_app("grace@example.com").await);
    let old = app.settings["SECRET_KEY"].clone();
    let new = ("SECRET_KEY", "another key of the house, which is long enough as well");
    let between = app.second_node_with(&[new, ("SECRET_KEY_PREVIOUS", &old)]).await;
    // A password moves as well, at its own sign-in.
    for owner in [&ada, &grace] {
        owner.submits_password(&app.curl().at(between.port)).await.is(200);
    }
    let phone = app.curl().at(between.port);
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.next_code(&ada.secret)).await.is(200);

    let after = app.second_node_with(&[new]).await;

    let phone = app.curl().at(after.port);
    ada.submits_password(&phone).await.is(200);
    phone.submits_code(&app.next_code(&ada.secret)).await.is(200);
    // Whoever was not back before the old key was gone has no code that is right; nothing breaks.
    let phone = app.curl().at(after.port);
    grace.submits_password(&phone).await.is(200);
    phone.submits_code(&app.code(&grace.secret)).await.refuses(422, "invalid");
}

#[actix_web::test]
async fn oathtool_is_an_authenticator_for_this_house() {
    let code = |secret: &str, seconds: i64| {
        prints("oathtool", &["--totp", "--base32", &format!("--now=@{seconds}"), secret])
    };
    let app = TestApp::open().await;
    let setup = start(&app).await;
    let secret = setup.1["secret"].as_str().unwrap();
    use_app(&app, &setup.0, |seconds| code(secret, seconds)).await;
}

#[actix_web::test]
async fn pyotp_is_an_authenticator_for_this_house() {
    let python = python();
    let app = TestApp::open().await;
    let setup = start(&app).await;
    let uri = setup.1["otpauthUri"].as_str().unwrap();
    let script = "import pyotp, sys\n\
        app = pyotp.parse_uri(sys.argv[1])\n\
        assert (app.issuer, app.name, app.digits, app.interval) == ('Vestibule', 'ada@example.com', 6, 30)\n\
        print(app.at(int(sys.argv[2])))";
    use_app(&app, &setup.0, |seconds| prints(&python, &["-c", script, uri, &seconds.to_string()])).await;
}

#[actix_web::test]
async fn a_camera_reads_the_address_of_the_app_in_the_picture() {
    let app = TestApp::with(&[
        ("BRAND_NAME", "Ada & Søns: the <Engine>"),
        ("MAIL_FROM", "Ada <no-reply@localhost>"),
    ])
    .await;
    let (curl, setup) = start(&app).await;

    let read = read_picture(setup["qrSvg"].as_str().unwrap());

    assert_eq!(read, setup["otpauthUri"].as_str().unwrap());
    assert!(read.starts_with("otpauth://totp/"), "{read}");
    assert!(read.contains(setup["secret"].as_str().unwrap()), "{read}");
    let page = as_browser(&curl).get("/me/2fa/totp/confirm").await.is(200);
    let (_, picture) = page.body.split_once("<svg xmlns").unwrap();
    assert_eq!(read_picture(picture.split_once("</svg>").unwrap().0), read);
}

#[actix_web::test]
async fn a_browser_sets_the_app_up_by_forms_alone() {
    let app = TestApp::open().await;
    let browser = as_browser(&app.verified("ada@example.com").await);
    browser.get("/me/2fa").await.is(200).says("action=\"/me/2fa/totp\"");
    // The step-up comes in between, and then it goes on.
    let confirm = browser.post("/me/2fa/totp", &[]).await.is(303).header("location").to_owned();
    let resume = confirm.strip_prefix("/auth/confirm?resume=").unwrap().to_owned();
    let way = format!("/auth/continue?resume={resume}");
    browser.post("/auth/confirm", &[("password", PASSWORD), ("resume", &resume)]).await.goes_to(&way);
    browser.get(&way).await.is(200).says("Set up an authenticator app").says("action=\"/me/2fa/totp\"");

    browser.post("/me/2fa/totp", &[]).await.goes_to("/me/2fa/totp/confirm");
    let page = browser.get("/me/2fa/totp/confirm").await.is(200).says("<svg ").says("href=\"otpauth://totp/");
    let groups = page.body.split_once("dir=\"ltr\">").unwrap().1.split_once("</textarea>").unwrap().0;
    assert!(groups.split(' ').all(|group| group.len() == 4) && groups.split(' ').count() == 8, "{groups}");
    let secret = groups.replace(' ', "");
    let wrong = browser.post("/me/2fa/totp/confirm", &[("code", "000000")]).await.is(422);
    wrong.says("check the time on your phone").says(groups);

    let code = app.code(&secret);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let codes = browser.post("/me/2fa/totp/confirm", &[("code", &spaced)]).await.is(200);
    assert_eq!(codes.header("cache-control"), "no-store");
    codes.says("Save your recovery codes").says("you won't see them again");
    // A reload sends the form again.
    let again = browser.post("/me/2fa/totp/confirm", &[("code", &spaced)]).await.is(422);
    again.says("This set-up has already finished or timed out").says("10 recovery codes are left");
}

#[actix_web::test]
async fn a_step_up_in_the_middle_of_a_set_up_leads_back_to_it() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let secret = app.waiting_app(&curl).await;
    let browser = as_browser(&curl);
    app.wait(TimeDelta::minutes(6));

    // A code is a secret and is not kept.
    let way = "/auth/confirm?next=%2Fme%2F2fa%2Ftotp%2Fconfirm";
    browser.post("/me/2fa/totp/confirm", &[("code", &app.code(&secret))]).await.goes_to(way);
    let form = [("password", PASSWORD), ("next", "/me/2fa/totp/confirm")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/2fa/totp/confirm");

    browser.get("/me/2fa/totp/confirm").await.is(200).says(&secret[..4]);
    browser.post("/me/2fa/totp/confirm", &[("code", &app.code(&secret))]).await.is(200);
}

#[actix_web::test]
async fn the_security_page_tells_of_the_app_and_leads_to_it() {
    let app = TestApp::open().await;
    let browser = as_browser(&app.verified("grace@example.com").await);
    browser
        .get("/me/security")
        .await
        .is(200)
        .says("Set up<span class=\"unseen\"> authenticator app</span>")
        .says("href=\"/me/2fa\"");
    let ada = app.with_app("ada@example.com").await;

    let page = as_browser(&ada.curl).get("/me/security").await.is(200);

    page.says("Set up <time").says("10 of 10 left").hides(&ada.secret);
    let json = ada.curl.get("/me/security").await.is(200).json();
    assert_eq!(json["secondFactors"], ada.curl.get("/me/2fa").await.json());
}

/// The same person in the same jar, asking for pages.
fn as_browser(curl: &Visitor) -> Visitor {
    curl.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin")
}

async fn sign_in(visitor: &Visitor) -> Answer {
    visitor.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await
}

/// Somebody whose set-up waits, and what it told.
async fn start(app: &TestApp) -> (Visitor, Value) {
    let curl = app.verified("ada@example.com").await;
    curl.steps_up().await;
    let setup = curl.send(Method::POST, "/me/2fa/totp", None).await.is(200).json();
    (curl, setup)
}

/// Sets the app up, signs in with it and steps up with it; `code` is what it shows at a moment.
async fn use_app(app: &TestApp, curl: &Visitor, code: impl Fn(i64) -> String) {
    let now = || app.clock.now().unix();
    curl.confirms_app(&code(now())).await.is(200);
    for minutes in [1, 60 * 24 * 400] {
        app.wait(TimeDelta::minutes(minutes));
        let phone = app.curl();
        sign_in(&phone).await.is(200);
        phone.submits_code(&code(now())).await.is(200);
        app.wait(TimeDelta::seconds(30));
        phone.post_json("/auth/confirm", json!({ "code": code(now()) })).await.is(200);
    }
}

/// What a program prints.
fn prints(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|cause| panic!("{program}: {cause}; `bin/test` installs it"));
    assert!(
        done.status.success(),
        "{program}: {}; `bin/test` installs it",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A Python that has pyotp.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
pub fn python() -> String {
    std::env::var("PYOTP_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Draws the picture, eight points to a module, and reads it as a camera would.
fn read_picture(svg: &str) -> String {
    const SCALE: usize = 8;
    let (_, size) = svg.split_once("viewBox=\"0 0 ").unwrap();
    let size: usize = size.split(' ').next().unwrap().parse().unwrap();
    let (_, dark) = svg.split_once("fill=\"#000\" d=\"").unwrap();
    let mut modules = vec![false; size * size];
    // `M4 5h7v1h-7z`: a run of seven from the fifth in the sixth row.
    for run in dark.split('"').next().unwrap().split('M').skip(1) {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        let start = y.parse::<usize>().unwrap() * size + x.parse::<usize>().unwrap();
        modules[start..start + length].fill(true);
    }
    let side = size * SCALE;
    let shade = |x: usize, y: usize| if modules[y / SCALE * size + x / SCALE] { 0 } else { 255 };
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
    let codes = seen.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}
