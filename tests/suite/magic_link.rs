//! A link by mail that signs somebody in.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::internals::{Actor, SharedSecret, make_recovery_codes, restore_app};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor, token_in};

pub const NEW: &str = "a new and better password";
pub const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1";

/// Asks for a link; the token in the newest email to `address`.
pub async fn asked(app: &TestApp, visitor: &Visitor, address: &str) -> String {
    app.send_emails().await;
    visitor.post_json("/login/magic-link", json!({ "email": address })).await;
    app.token_for(address).await
}

pub async fn enter(visitor: &Visitor, token: &str) -> Answer {
    visitor.post_json("/login/magic-link/verify", json!({ "token": token })).await
}

pub async fn type_code(visitor: &Visitor, code: &str) -> Answer {
    visitor.post_json("/login/magic-link/verify", json!({ "code": code })).await
}

pub async fn sign_in(app: &TestApp, address: &str, password: &str) -> Answer {
    app.curl().post_json("/login", json!({ "email": address, "password": password })).await
}

pub fn link(token: &str) -> String {
    format!("/login/magic-link/verify?token={token}")
}

/// The short code that a link shows to somebody else than who asked.
pub async fn code_of(app: &TestApp, token: &str) -> String {
    app.curl().get(&link(token)).await.is(200).json()["code"].as_str().unwrap().to_owned()
}

/// An authenticator app, and its owner's recovery codes.
pub struct App {
    secret: String,
    pub codes: Vec<String>,
}

impl App {
    /// Set up behind the pages' back, as if it had always been there.
    pub async fn of(app: &TestApp, address: &str) -> Self {
        let user = app.user_id(address).await;
        let (secret, codes) = app
            .inner
            .write(move |tx| {
                let secret = SharedSecret::from_bytes(b"one of twenty octets");
                restore_app(tx, &user, &secret)?;
                let secret = secret.base32().to_string();
                let codes = make_recovery_codes(tx, &Actor::operator(), &user)?;
                Ok((secret, codes.iter().map(|code| code.to_string()).collect()))
            })
            .await
            .unwrap();
        // The code of this step is spent.
        app.wait(TimeDelta::minutes(1));
        Self { secret, codes }
    }

    /// What it shows now.
    pub fn code(&self, app: &TestApp) -> String {
        code(&self.secret, app.clock.now().unix())
    }
}

fn code(secret: &str, seconds: i64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret.as_bytes().to_vec()).build_noncompliant();
    app.generate(u64::try_from(seconds).unwrap()).to_string()
}

#[actix_web::test]
async fn whoever_asks_opens_the_link_in_the_same_browser_and_presses_one_button() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let ada = app.browser();

    ada.get("/login").await.is(200).says("href=\"/login/magic-link\"").says("Email me a sign-in link");
    ada.get("/login/magic-link").await.is(200).says("Send link");
    ada.post("/login/magic-link", &[("email", "ada@example.com")]).await.goes_to("/login/magic-link/sent");
    ada.get("/login/magic-link/sent").await.is(200).says("ada@example.com").says("Check your email");
    let token = app.token_for("ada@example.com").await;
    let page = ada.get(&link(&token)).await.is(200).says("Press the button to sign in.");
    page.hides("shortcode").says("<button class=\"primary\">Sign in</button>");
    ada.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me");

    ada.get("/me").await.is(200).says("ada@example.com");
    let logins = ada.get("/me/security").await.is(200);
    logins.says("Email link");
    let methods = app.texts("SELECT method AS text FROM sessions ORDER BY created_at, method").await;
    assert_eq!(methods, ["magic_link", "sign_up"]);
    ada.get("/login/magic-link/sent").await.goes_to("/login/magic-link");
    ada.get("/login/magic-link?next=%2Fme%2Flogins").await.goes_to("/me/logins");
}

#[actix_web::test]
async fn the_same_with_json() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let curl = app.curl();

    let output =
        curl.post_json("/login/magic-link", json!({ "email": "ada@example.com" })).await.is(200).json();
    assert!(output["message"].as_str().unwrap().contains("ada@example.com"), "{output}");
    assert_eq!(curl.get("/login/magic-link/sent").await.is(200).json()["email"], "ada@example.com");
    let token = app.token_for("ada@example.com").await;
    let told = curl.get(&link(&token)).await.is(200).hides(&token).json();
    assert_eq!(
        told,
        json!({
            "email": "ada@example.com",
            "askedAt": "2026-11-21T14:05:00Z",
            "askedFrom": "curl",
            "askedIp": "127.0.0.1",
            "sameBrowser": true,
            "code": null,
            "confirmsAddress": false,
        })
    );
    let user = enter(&curl, &token).await.is(200).json()["user"].clone();

    assert_eq!(user["email"], "ada@example.com");
    curl.get("/me").await.is(200);
}

#[actix_web::test]
async fn looking_at_a_link_changes_nothing_case_01_case_03() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let (ada, scanner) = (app.browser(), app.browser().named("Scanner/1.0"));
    let token = asked(&app, &ada, "ada@example.com").await;
    let sessions = app.count("sessions").await;
    let rows = app
        .texts(
            "SELECT hash || coalesce(CAST(used_at AS TEXT), '') || tries AS text FROM tokens ORDER BY hash",
        )
        .await;

    for browser in [&ada, &scanner] {
        browser.head(&link(&token)).await.is(200);
        browser.clone().with("sec-purpose", "prefetch").get(&link(&token)).await.is(200);
        for _ in 0..2 {
            browser.get(&link(&token)).await.is(200).hides("http-equiv");
        }
    }
    app.curl().get(&link(&token)).await.is(200);
    app.curl().send(Method::PUT, &link(&token), None).await.is(405);

    assert_eq!(app.count("sessions").await, sessions);
    let after = app
        .texts(
            "SELECT hash || coalesce(CAST(used_at AS TEXT), '') || tries AS text FROM tokens ORDER BY hash",
        )
        .await;
    assert_eq!(after, rows);
    ada.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me");
}

#[actix_web::test]
async fn a_token_in_an_address_never_leaves_this_site_and_only_its_digest_is_kept_case_04() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = asked(&app, &app.curl(), "ada@example.com").await;
    let code = code_of(&app, &token).await;

    let page = app.browser().get(&link(&token)).await.is(200);

    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("cache-control"), "no-store");
    let stolen = app.dump_storage().await;
    assert!(!stolen.contains(&token), "the link's secret is not on the disk");
    assert!(!stolen.contains(&code) && !stolen.contains(&code.replace('-', "")), "nor is its code");
}

#[actix_web::test]
async fn of_fifty_who_use_one_link_one_gets_in_case_06() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    for round in 0..3 {
        let address = format!("ada{round}@example.com");
        app.verified(&address).await;
        let token = asked(&app, &app.curl(), &address).await;
        let curls: Vec<_> = (0..50).map(|_| app.curl()).collect();
        let before = app.count("sessions").await;

        let answers = join_all(curls.iter().map(|curl| enter(curl, &token))).await;

        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((won, app.count("sessions").await), (1, before + 1));
        for loser in answers.into_iter().filter(|answer| answer.status != 200) {
            loser.refuses(422, "dead_magic_link");
        }
    }
}

#[actix_web::test]
async fn only_the_newest_link_works_and_the_email_says_so_case_07() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let ada = app.curl();
    let first = asked(&app, &ada, "ada@example.com").await;
    let second = asked(&app, &ada, "ada@example.com").await;

    ada.get(&link(&first)).await.refuses(422, "dead_magic_link");
    enter(&ada, &first).await.refuses(422, "dead_magic_link");

    let told = ada.get(&link(&second)).await.is(200).json();
    assert_eq!(told["sameBrowser"], true, "asked twice, it is still the browser that asked");
    enter(&ada, &second).await.is(200);
    let emails = app.emails_to("ada@example.com").await;
    let words = emails[2].text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("only the newest works") && words.contains("once, for 10 minutes"), "{words}");
}

#[actix_web::test]
async fn a_link_dies_with_the_password_and_with_the_address_case_08() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;

    let token = asked(&app, &app.curl(), "ada@example.com").await;
    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    ada.put_json("/me/password", json!({ "newPassword": NEW })).await.is(200);
    enter(&app.curl(), &token).await.refuses(422, "dead_magic_link");

    let token = asked(&app, &app.curl(), "ada@example.com").await;
    app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
    let reset = app.token_for("ada@example.com").await;
    let body = json!({ "token": reset, "password": PASSWORD });
    app.curl().post_json("/reset-password", body).await.is(200);
    enter(&app.curl(), &token).await.refuses(422, "dead_magic_link");

    let ada = app.curl();
    ada.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    let token = asked(&app, &app.curl(), "ada@example.com").await;
    ada.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200);
    let confirm = app.token_for("new@example.com").await;
    ada.post_json("/me/email/confirm", json!({ "token": confirm })).await.is(200);
    enter(&app.curl(), &token).await.refuses(422, "dead_magic_link");
    let new = asked(&app, &app.curl(), "new@example.com").await;
    enter(&app.curl(), &new).await.is(200);
}

#[actix_web::test]
async fn a_link_is_for_the_address_that_it_was_sent_to_case_09() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let token = asked(&app, &app.curl(), "ada@example.com").await;

    app.db_execute("UPDATE users SET email_normalized = 'new@example.com', email = 'new@example.com'").await;

    enter(&app.curl(), &token).await.refuses(422, "dead_magic_link");
}

#[actix_web::test]
async fn until_a_new_address_is_confirmed_links_go_to_the_old_one_case_11() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    ada.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200);
    app.send_emails().await;

    let to_new = app.emails_to("new@example.com").await.len();
    app.curl().post_json("/login/magic-link", json!({ "email": "new@example.com" })).await.is(200);
    assert_eq!(app.emails_to("new@example.com").await.len(), to_new);
    let token = asked(&app, &app.curl(), "ada@example.com").await;

    enter(&app.curl(), &token).await.is(200);
}

#[actix_web::test]
async fn a_browser_signed_in_as_somebody_else_is_told_before_anything_happens_case_13() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    app.verified("ben@example.com").await;
    let ben = app.browser();
    ben.post("/login", &[("email", "ben@example.com"), ("password", PASSWORD)]).await.goes_to("/me");
    let token = asked(&app, &app.browser(), "ada@example.com").await;
    let sessions = app.count("sessions").await;

    let page = ben
        .get(&link(&token))
        .await
        .is(200)
        .says("ben@example.com</bdi>. Signing in will sign that account out here");
    page.says("<dd><bdi>ada@example.com</bdi></dd>");
    ben.get("/me").await.is(200).says("ben@example.com");
    ben.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me");

    ben.get("/me").await.is(200).says("ada@example.com").hides("ben@example.com");
    assert_eq!(app.count("sessions").await, sessions, "one ended, one began");
}

#[actix_web::test]
async fn a_link_opened_again_leads_on_where_it_let_somebody_in_and_is_dead_anywhere_else_case_14() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let ada = app.browser();
    ada.post("/login/magic-link", &[("email", "ada@example.com"), ("next", "/me/logins")]).await.is(303);
    let token = app.token_for("ada@example.com").await;
    ada.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me/logins");

    ada.get(&link(&token)).await.goes_to("/me/logins");
    let page = app.browser().get(&link(&token)).await.is(422);
    page.says("This link no longer works").says("href=\"/login/magic-link\"").says("Send me a new link");
    ada.post("/login/magic-link/verify", &[("token", &token)]).await.is(422);
}

#[actix_web::test]
async fn the_way_on_and_the_tick_are_kept_through_the_mail_and_stay_on_this_site_case_51() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    for (next, way) in [
        ("/me/sessions?page=2", "/me/sessions?page=2"),
        ("//evil.example", "/me"),
        ("https://evil.example", "/me"),
    ] {
        let ada = app.browser();
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        let page = ada.get(&format!("/login/magic-link?{query}")).await.is(200);
        assert_eq!(page.body.contains("name=\"next\""), way != "/me");
        let form = [("email", "ada@example.com"), ("remember", "true"), ("next", next)];
        ada.post("/login/magic-link", &form).await.is(303);
        let token = app.token_for("ada@example.com").await;
        ada.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to(way);
    }
    assert_eq!(app.count("sessions WHERE method = 'magic_link' AND remembered").await, 3);
    let page = app.browser().get("/login?next=%2Fme%2Flogins").await;
    page.is(200).says("href=\"/login/magic-link?next=%2Fme%2Flogins\"");
}

#[actix_web::test]
async fn what_was_never_a_link_is_a_dead_one() {
    let app = TestApp::open().await;
    for rubbish in ["", "x", "%00", &"x".repeat(4000)] {
        app.browser().get(&link(rubbish)).await.is(422).says("This link no longer works");
    }
    app.curl().get("/login/magic-link/verify").await.refuses(422, "dead_magic_link");
    enter(&app.curl(), "\0").await.refuses(422, "dead_magic_link");
    app.curl().post_json("/login/magic-link/verify", json!({})).await.refuses(422, "dead_magic_link");
    let page = app.browser().post("/login/magic-link", &[("email", "ada at home")]).await.is(422);
    page.says("value=\"ada at home\"").says("aria-invalid");
}

#[actix_web::test]
async fn switched_off_there_is_nothing_here_and_no_link_to_it() {
    let app = TestApp::with(&[("MAGIC_LINKS", "off")]).await;
    app.verified("ada@example.com").await;
    for path in ["/login/magic-link", "/login/magic-link/sent", "/login/magic-link/verify?token=x"] {
        app.browser().get(path).await.is(404);
        app.curl().get(path).await.refuses(404, "not_found");
    }
    let email = json!({ "email": "ada@example.com" });
    app.curl().post_json("/login/magic-link", email.clone()).await.refuses(404, "not_found");
    enter(&app.curl(), "x").await.refuses(404, "not_found");
    app.browser().get("/login").await.is(200).hides("magic-link");
    assert_eq!(app.emails_to("ada@example.com").await.len(), 1);
    let methods = app.curl().post_json("/auth/methods", email).await.is(200).json();
    assert_eq!(methods, json!({ "methods": ["password", "passkey"] }));
}

#[actix_web::test]
async fn links_are_limited_by_address_and_by_network_and_a_press_too_many_harms_nothing_case_18() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("SIGNUPS_PER_NETWORK", "8")]).await;
    app.verified("ada@example.com").await;
    let ada = app.curl();
    let token = asked(&app, &ada, "ada@example.com").await;
    let emails = app.emails_to("ada@example.com").await.len();

    let first = ada.post_json("/login/magic-link", json!({ "email": "ADA@example.com" })).await.is(200);
    let unknown = app.curl();
    for _ in 0..2 {
        unknown.post_json("/login/magic-link", json!({ "email": "bob@example.com" })).await.is(200);
    }
    assert_eq!(app.emails_to("ada@example.com").await.len(), emails, "one a minute");
    assert!(first.body.contains("on its way"));
    assert_eq!(ada.get(&link(&token)).await.is(200).json()["sameBrowser"], true);
    let code = code_of(&app, &token).await;

    // A browser that came too late for an email is told no more than any other.
    let eve = app.curl();
    eve.post_json("/login/magic-link", json!({ "email": "ada@example.com" })).await.is(200);
    type_code(&eve, &code).await.refuses(422, "invalid");
    type_code(&unknown, &code).await.refuses(422, "invalid");
    type_code(&ada, &code).await.is(200);

    for number in 0..3 {
        let email = format!("number{number}@example.com");
        app.curl().post_json("/login/magic-link", json!({ "email": email })).await.is(200);
    }
    let email = json!({ "email": "one-more@example.com" });
    app.curl().post_json("/login/magic-link", email).await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn every_address_gets_the_same_answer_the_same_work_and_only_people_get_mail() {
    let app = TestApp::open().await;
    app.unverified_user("claimed@example.com").await;
    app.verified("settled@example.com").await;
    app.verified("guarded@example.com").await;
    App::of(&app, "guarded@example.com").await;
    app.send_emails().await;
    let before = app.catcher.received();
    let addresses =
        ["unknown@example.com", "claimed@example.com", "settled@example.com", "guarded@example.com"];

    let (mut programs, mut browsers, mut works) = (Vec::new(), Vec::new(), Vec::new());
    for address in addresses {
        let rows = async || (app.count("tokens").await, app.count("audit").await);
        let start = rows().await;
        let curl = app.curl();
        let answer = curl.post_json("/login/magic-link", json!({ "email": address })).await;
        programs.push(answer.is(200).outline(address));
        let done = rows().await;
        works.push((done.0 - start.0, done.1 - start.1));
        programs.push(curl.get("/login/magic-link/sent").await.is(200).outline(address));
        let browser = app.browser();
        let answer = browser.post("/login/magic-link", &[("email", address)]).await;
        browsers.push(answer.is(303).outline(address));
        browsers.push(browser.get("/login/magic-link/sent").await.is(200).outline(address));
    }

    for outlines in [programs, browsers] {
        for (number, outline) in outlines.iter().enumerate() {
            assert_eq!(*outline, outlines[number % 2], "{outlines:#?}");
        }
    }
    assert_eq!(works, [(3, 1); 4], "rows written");
    app.send_emails().await;
    assert_eq!(app.catcher.received(), before + 6);
    assert!(app.emails_to("unknown@example.com").await.is_empty());
}

#[actix_web::test]
async fn a_link_is_one_proof_and_the_second_is_asked_for_case_45_case_64() {
    let test_app = TestApp::open().await;
    test_app.verified("ada@example.com").await;
    let app = App::of(&test_app, "ada@example.com").await;
    let sessions = test_app.count("sessions").await;
    let browser = test_app.browser();
    browser.post("/login/magic-link", &[("email", "ada@example.com"), ("next", "/me/logins")]).await.is(303);
    let token = test_app.token_for("ada@example.com").await;
    let code = code_of(&test_app, &token).await;

    let entered = browser.post("/login/magic-link/verify", &[("token", &token)]).await;
    entered.goes_to("/login/2fa?next=%2Fme%2Flogins");
    assert_eq!(test_app.count("sessions").await, sessions, "nobody is signed in yet");
    browser.get("/me").await.goes_to("/login?next=%2Fme");
    // What came by mail before is no second factor.
    for again in [token.as_str(), &code] {
        browser.post("/login/2fa", &[("code", again)]).await.is(422);
    }
    let form = [("code", app.code(&test_app)), ("next", "/me/logins".to_owned())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/login/2fa", &form).await.goes_to("/me/logins");

    // The same by the short code, and with JSON.
    let curl = test_app.curl();
    let token = asked(&test_app, &curl, "ada@example.com").await;
    let answer = type_code(&curl, &code_of(&test_app, &token).await).await.is(200).json();
    assert_eq!(answer, json!({ "twoFactorRequired": true, "methods": ["totp", "recovery_code"] }));
    curl.post_json("/login/2fa", json!({ "code": app.codes[0] })).await.is(200);
    curl.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_link_never_steps_up_case_76() {
    let test_app = TestApp::open().await;
    test_app.verified("ada@example.com").await;
    test_app.verified("eve@example.com").await;
    let app = App::of(&test_app, "ada@example.com").await;
    for (address, methods) in
        [("ada@example.com", json!(["totp", "recovery_code"])), ("eve@example.com", json!(["password"]))]
    {
        let curl = test_app.curl();
        let token = asked(&test_app, &curl, address).await;
        enter(&curl, &token).await.is(200);
        if address == "ada@example.com" {
            curl.post_json("/login/2fa", json!({ "code": app.code(&test_app) })).await.is(200);
        }

        let refused = curl.put_json("/me/email", json!({ "email": "new@example.com" })).await;
        let refused = refused.refuses(403, "reauthentication_required").json();
        assert_eq!(refused["methods"], methods);
        let token = asked(&test_app, &test_app.curl(), address).await;
        let code = code_of(&test_app, &token).await;
        for evidence in [json!({ "token": token }), json!({ "code": code }), json!({ "password": token })] {
            curl.post_json("/auth/confirm", evidence).await.refuses(422, "invalid");
        }
        // Coming in again by a link is a new session, and no fresher proof.
        enter(&curl, &token).await.is(200);
        if address == "eve@example.com" {
            let again = curl.put_json("/me/email", json!({ "email": "new@example.com" })).await;
            again.refuses(403, "reauthentication_required");
        }
    }
}

#[actix_web::test]
async fn an_owner_whose_password_strangers_closed_still_gets_in_by_a_link_case_46() {
    let app =
        TestApp::with(&[("THROTTLE", "on"), ("LOGIN_PER_ADDRESS", "100"), ("LOGIN_PER_NETWORK", "100")])
            .await;
    app.verified("ada@example.com").await;
    for _ in 0..10 {
        sign_in(&app, "ada@example.com", "a stranger's guess").await;
    }
    sign_in(&app, "ada@example.com", PASSWORD).await.refuses(429, "too_many_attempts");

    let curl = app.curl();
    let token = asked(&app, &curl, "ada@example.com").await;

    enter(&curl, &token).await.is(200);
}

#[actix_web::test]
async fn the_email_tells_who_asked_from_where_and_what_to_do_about_it() {
    let app = TestApp::open().await;
    app.verified("Ada@example.com").await;

    app.browser().post("/login/magic-link", &[("email", "ada@example.com")]).await.is(303);

    let emails = app.emails_to("Ada@example.com").await;
    let email = &emails[1];
    assert_eq!(email.subject, "Your sign-in link for Vestibule");
    for words in
        ["Firefox on Linux", "21 November 2026, 14:05 UTC", "the network 127.0.0.0/24", "If it wasn't you"]
    {
        assert!(email.text.contains(words), "{words}: {}", email.text);
    }
    assert!(email.text.contains(&format!("{}/login/magic-link/verify?token=", app.base_url)));
    let code = code_of(&app, &token_in(&email.text).unwrap()).await;
    assert!(!email.text.contains(&code), "the code is on the page, and not in the mail");
}

#[actix_web::test]
async fn links_are_audited_and_counted_case_123() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let curl = app.curl();
    curl.post_json("/login/magic-link", json!({ "email": "bob@example.com" })).await.is(200);
    let token = asked(&app, &curl, "ada@example.com").await;
    type_code(&curl, "zzzzzz").await.is(422);
    enter(&curl, &token).await.is(200);

    let events = app.texts("SELECT event AS text FROM audit WHERE event LIKE '%magic%' OR event LIKE 'sign_in_f%' ORDER BY at, event").await;
    assert_eq!(events, ["magic_link_requested", "magic_link_requested", "sign_in_failed"]);
    let metrics = app.curl().get("/metrics").await.is(200);
    metrics
        .says("vestibule_sign_ins_total{method=\"magic_link\",outcome=\"success\"} 1")
        .says("vestibule_sign_ins_total{method=\"magic_link\",outcome=\"failure\"} 1");
    let logins: Value = curl.get("/me/logins").await.is(200).json();
    let told: Vec<_> = logins["logins"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert!(told.contains(&&json!("wrong_link_code")), "{logins}");
}
