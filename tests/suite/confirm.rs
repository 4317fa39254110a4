//! Step-up: before anything dangerous, "it is still you".

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{routes::entries, web::Access};

use crate::{
    harness::{Authenticator, PASSWORD, TestApp, Visitor},
    idp::{Acme, Person, ada, comes_back, request_in},
};

pub async fn steps_up(curl: &Visitor) {
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
}

async fn asks(curl: &Visitor, address: &str) -> crate::harness::Answer {
    curl.put_json("/me/email", json!({ "email": address })).await
}

#[actix_web::test]
async fn signing_in_is_not_a_step_up_case_72() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);

    let refused = asks(&curl, "new@example.com").await.refuses(403, "reauthentication_required").json();

    assert_eq!(
        (refused["confirm"].as_str(), &refused["methods"]),
        (Some("/auth/confirm"), &json!(["password"]))
    );
    assert!(refused["error"].as_str().unwrap().contains("Confirm it's you"));
    assert!(app.emails_to("new@example.com").await.is_empty(), "nothing was sent");
}

#[actix_web::test]
async fn a_strong_sign_in_is_one_where_the_operator_says_so_and_an_email_link_never() {
    let app = TestApp::with(&[("STEP_UP_AFTER_SIGN_IN", "on")]).await;
    let ada = app.with_app("ada@example.com").await;
    let phone = app.curl();
    ada.submits_password(&phone).await.is(200);
    app.wait(TimeDelta::seconds(30));
    phone.submits_code(&app.code(&ada.secret)).await.is(200);
    phone.get("/me/delete").await.is(200);
    app.wait(TimeDelta::minutes(6));
    phone.get("/me/delete").await.refuses(403, "reauthentication_required");

    app.verified("grace@example.com").await;
    let grace = app.curl();
    grace.post_json("/login", json!({ "email": "grace@example.com", "password": PASSWORD })).await.is(200);
    grace.get("/me/delete").await.is(200);
    let link = app.browser();
    link.post("/login/magic-link", &[("email", "grace@example.com")]).await.is(303);
    let token = app.token_for("grace@example.com").await;
    link.post("/login/magic-link/verify", &[("token", &token)]).await.goes_to("/me");
    link.get("/me/delete").await.goes_to("/auth/confirm?next=%2Fme%2Fdelete");
    // A sign-up is no sign-in.
    let new = app.unverified_user("new@example.com").await;
    new.get("/me/delete").await.refuses(403, "reauthentication_required");
}

#[actix_web::test]
async fn three_sensitive_acts_within_five_minutes_need_one_confirmation() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    steps_up(&curl).await;

    for number in 1..=3 {
        app.wait(TimeDelta::seconds(90));
        asks(&curl, &format!("new{number}@example.com")).await.is(200);
    }

    app.wait(TimeDelta::seconds(31));
    asks(&curl, "late@example.com").await.refuses(403, "reauthentication_required");
}

#[actix_web::test]
async fn a_step_up_is_good_in_its_own_session_only_case_72() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    let other = app.curl();
    other.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    steps_up(&curl).await;

    asks(&other, "new@example.com").await.refuses(403, "reauthentication_required");
}

#[actix_web::test]
async fn a_step_up_gives_the_session_a_new_secret_and_kills_the_old_one_case_37() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    let (id, old) = (curl.session_id().await, curl.cookie("session").unwrap());

    let until = curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200).json();

    assert_eq!(until["confirmedUntil"], "2026-11-21T14:10:00Z");
    assert_ne!(curl.cookie("session").unwrap(), old);
    assert_eq!(curl.session_id().await, id, "it is the same device in the list");
    let thief = app.curl();
    thief.set_cookie("session", &old);
    thief.get("/me").await.refuses(401, "sign_in_required");
}

#[actix_web::test]
async fn a_wrong_password_proves_nothing_and_guesses_are_limited() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let curl = app.verified("ada@example.com").await;

    for _ in 0..5 {
        curl.post_json("/auth/confirm", json!({ "password": "not my password" }))
            .await
            .refuses(422, "invalid");
    }
    let refused = curl
        .post_json("/auth/confirm", json!({ "password": PASSWORD }))
        .await
        .refuses(429, "too_many_attempts");

    assert_eq!(refused.header("retry-after"), "60");
    asks(&curl, "new@example.com").await.refuses(403, "reauthentication_required");
    app.wait(TimeDelta::seconds(60));
    steps_up(&curl).await;
}

#[actix_web::test]
async fn the_tenth_wrong_step_up_in_a_row_ends_its_session_and_no_other() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let ada = app.with_app("ada@example.com").await;
    let laptop = app.curl();
    ada.submits_password(&laptop).await.is(200);
    laptop.submits_code(&app.next_code(&ada.secret)).await.is(200);
    let wrong = [json!({ "password": "a wrong guess" }), json!({ "code": "000000" })];
    let guess = async |number: usize| {
        app.wait(TimeDelta::seconds(20));
        laptop.post_json("/auth/confirm", wrong[number % 2].clone()).await
    };
    for number in 0..9 {
        guess(number).await.refuses(422, "invalid");
    }
    // A right one starts the count anew, and what is empty is no guess.
    laptop.post_json("/auth/confirm", json!({ "code": app.next_code(&ada.secret) })).await.is(200);
    for number in 0..9 {
        guess(number).await.refuses(422, "invalid");
    }
    laptop
        .post_json("/auth/confirm", json!({ "code": "" }))
        .await
        .refuses(422, "invalid")
        .says("Enter a code");
    laptop.post_json("/auth/confirm", json!({})).await.refuses(422, "invalid").says("Enter your password");

    guess(9).await.refuses(401, "sign_in_ended").says("You were signed out here");

    laptop.get("/me").await.refuses(401, "sign_in_required");
    ada.curl.get("/me").await.is(200);
    assert_eq!(app.count("audit WHERE event = 'step_ups_exhausted'").await, 1);
    let told = app.emails_that_say("ada@example.com", "A device was signed out of Vestibule").await;
    assert_eq!(told, 1);
}

#[actix_web::test]
async fn a_browser_whose_session_ends_by_guesses_is_told_at_the_sign_in() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let browser = signed_in(&app).await;
    for _ in 0..9 {
        app.wait(TimeDelta::seconds(20));
        browser.post("/auth/confirm", &[("password", "a wrong guess")]).await.is(422);
    }
    app.wait(TimeDelta::seconds(20));

    browser.post("/auth/confirm", &[("password", "a wrong guess")]).await.goes_to("/login");

    browser.get("/login").await.is(200).says("You were signed out here");
}

#[actix_web::test]
async fn a_ceremony_that_is_given_up_and_a_provider_that_refuses_are_no_wrong_step_ups() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    let (bea, mut device) = (ada().called("bea").at("bea@example.com"), Authenticator::new(&app));
    for _ in 0..11 {
        app.wait(TimeDelta::minutes(1));
        let answer = device.get(&json!({ "challenge": "A".repeat(43), "rpId": "localhost" }));
        as_program(&browser).post_json("/auth/confirm", answer).await.refuses(422, "passkey_expired");
        let request = request_in(&browser.get("/auth/saml/confirm").await);
        let response = acme.says(&app, &request, &bea);
        comes_back(&app, &browser, &response, &request.relay_state).await.is(403);
    }

    browser.get("/me").await.is(200);
    assert_eq!(app.count("throttles WHERE key LIKE 'step-up%'").await, 0);
}

/// An id that nobody has.
const NOBODY: &str = "0123456789abcdef0123456789abcdef";

/// Whom a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    /// A password and nothing else.
    Plain,
    /// A password and an app.
    App,
    /// A password and a passkey.
    Passkey,
    /// A password, a passkey that was copied, and no code left.
    Stuck,
    /// An identity at a provider and nothing else.
    Sso,
    /// The same with an app; the provider asks for a second factor of its own.
    SsoAndApp,
    /// The same; the app is asked for here.
    SsoThenApp,
}

/// Account, what the session stepped up with, and the methods that are then asked for: where anything is good enough, and
/// everywhere else. Empty where nothing is left; none where they may enter.
type Row = (Account, &'static str, Option<&'static [&'static str]>, Option<&'static [&'static str]>);

const ROWS: [Row; 21] = {
    use Account::{App, Passkey, Plain, Sso, SsoAndApp, SsoThenApp, Stuck};
    [
        (Plain, "", Some(&["password"]), Some(&["password"])),
        (Plain, "password", None, None),
        (App, "", Some(&["password", "totp", "recovery_code"]), Some(&["totp", "recovery_code"])),
        (App, "password", None, Some(&["totp", "recovery_code"])),
        (App, "totp", None, None),
        (App, "recovery_code", None, None),
        (Passkey, "", Some(&["password", "passkey", "recovery_code"]), Some(&["passkey", "recovery_code"])),
        (Passkey, "password", None, Some(&["passkey", "recovery_code"])),
        (Passkey, "passkey", None, None),
        (Passkey, "recovery_code", None, None),
        (Stuck, "", Some(&["password"]), Some(&[])),
        (Stuck, "password", None, Some(&[])),
        (Sso, "", Some(&["sso"]), Some(&["sso"])),
        (Sso, "sso", None, None),
        (SsoAndApp, "", Some(&["totp", "recovery_code", "sso"]), Some(&["totp", "recovery_code", "sso"])),
        (SsoAndApp, "sso", None, None),
        (SsoAndApp, "totp", None, None),
        (SsoThenApp, "", Some(&["totp", "recovery_code", "sso"]), Some(&["totp", "recovery_code"])),
        (SsoThenApp, "sso", None, Some(&["totp", "recovery_code"])),
        (SsoThenApp, "totp", None, None),
        (SsoThenApp, "recovery_code", None, None),
    ]
};

#[actix_web::test]
async fn a_step_up_is_as_strong_as_the_sign_in() {
    let mut someone: Option<Someone> = None;
    for (account, with, any, full) in ROWS {
        if someone.as_ref().is_none_or(|one| one.account != account) {
            someone = Some(Someone::with(account).await);
        }
        let one = someone.as_mut().unwrap();
        one.app.wait(TimeDelta::minutes(6));
        one.steps_up_with(with).await;

        let what = format!("{account:?} with {with:?}");
        one.meets(&what, any, &["/me/export"], &[Access::VerifiedSteppedUpByAny]).await;
        let pages = ["/me/email", "/me/password", "/me/delete"];
        one.meets(&what, full, &pages, &[Access::SteppedUp, Access::VerifiedSteppedUp]).await;
        let asked = as_program(&one.browser).get("/auth/confirm").await.is(200).json()["methods"].clone();
        assert!(full.is_none_or(|methods| asked == json!(methods)), "{what}: {asked}");
    }
}

/// Somebody with an account of a kind, signed in.
struct Someone {
    app: TestApp,
    account: Account,
    browser: Visitor,
    secret: String,
    codes: Vec<String>,
    device: Authenticator,
    acme: Option<(Acme, Person)>,
}

impl Someone {
    async fn with(account: Account) -> Self {
        let app = TestApp::open().await;
        let is_sso = matches!(account, Account::Sso | Account::SsoAndApp | Account::SsoThenApp);
        let (browser, acme) = match is_sso {
            true => {
                let (acme, browser) = (Acme::of(&app).await, app.browser());
                acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
                (browser, Some((acme, ada())))
            }
            false => (signed_in(&app).await, None),
        };
        let (device, codes, secret) = (Authenticator::new(&app), Vec::new(), String::new());
        let mut one = Self { app, account, browser, secret, codes, device, acme };
        match account {
            Account::Plain | Account::Sso => {}
            Account::App | Account::SsoAndApp | Account::SsoThenApp => {
                one.steps_up_with(if is_sso { "sso" } else { "password" }).await;
                one.secret = one.app.waiting_app(&as_program(&one.browser)).await;
                let code = json!({ "code": one.app.code(&one.secret) });
                one.keep_codes(one.posts("/me/2fa/totp/confirm", code).await);
            }
            Account::Passkey | Account::Stuck => {
                one.steps_up_with("password").await;
                let options = one.posts("/me/passkeys/options", json!({})).await;
                let answer = one.device.create(&options);
                one.keep_codes(one.posts("/me/passkeys", answer).await);
            }
        }
        match (&one.acme, account) {
            (Some((acme, _)), Account::SsoAndApp) => acme.sets(&one.app, "asks_second_factor = FALSE").await,
            (_, Account::Stuck) => {
                one.app.db_execute("UPDATE passkeys SET copied_at = created_at").await;
                one.app.db_execute("DELETE FROM recovery_codes").await;
            }
            _ => {}
        }
        one
    }

    /// Posts JSON in the browser's session, which may get a new secret by it.
    async fn posts(&self, path: &str, body: Value) -> Value {
        let program = as_program(&self.browser);
        let answer = program.post_json(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        self.browser.set_cookie("session", &program.cookie("session").unwrap());
        answer.json()
    }

    fn keep_codes(&mut self, told: Value) {
        let codes = told["recoveryCodes"].as_array().unwrap();
        self.codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    }

    async fn steps_up_with(&mut self, method: &str) {
        let body = match method {
            "" => return,
            "sso" => {
                let (acme, person) = self.acme.as_ref().unwrap();
                let request = request_in(&self.browser.get("/auth/saml/confirm").await);
                let response = acme.says(&self.app, &request, person);
                comes_back(&self.app, &self.browser, &response, &request.relay_state).await.is(303);
                return;
            }
            "password" => json!({ "password": PASSWORD }),
            "totp" => json!({ "code": self.app.code(&self.secret) }),
            "recovery_code" => json!({ "code": self.codes.pop().unwrap() }),
            _ => {
                let options = self.posts("/auth/confirm/passkey/options", json!({})).await;
                self.device.get(&options)
            }
        };
        self.posts("/auth/confirm", body).await;
    }

    /// Every route of these classes asks for one of these methods; or these pages open.
    async fn meets(&self, what: &str, asked: Option<&[&str]>, pages: &[&str], classes: &[Access]) {
        let program = as_program(&self.browser);
        let Some(methods) = asked else {
            for page in pages {
                program.get(page).await.is(200);
            }
            return;
        };
        for entry in entries().into_iter().filter(|entry| classes.contains(&entry.access)) {
            // Of an organisation that there is not, this is said before.
            if entry.path == "/organisations/{slug}/keys" {
                continue;
            }
            let parts = entry.path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            // What is wrong with a key is said before.
            let form = if path == "/me/keys" { KEY } else { "{}" };
            let body = Some(("application/json", form.to_owned()));
            let refused = program.send(entry.method, &path, body).await;
            let told = refused.refuses(403, "reauthentication_required").json();
            assert_eq!(told["methods"], json!(methods), "{what}: {path}");
        }
    }
}

const KEY: &str = r#"{"name": "Sync", "permissions": ["account:read"]}"#;

/// The same person in the same jar, asking for JSON.
fn as_program(browser: &Visitor) -> Visitor {
    browser.clone().with("accept", "application/json")
}

#[actix_web::test]
async fn a_step_up_that_is_too_weak_for_what_goes_on_asks_for_the_stronger_one() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let browser = app.browser();
    ada.submits_password(&browser).await.is(303);
    browser.post("/login/2fa", &[("code", &app.next_code(&ada.secret))]).await.goes_to("/me");
    app.wait(TimeDelta::minutes(6));

    // The export is content with the password, also at the second try.
    let way = "/auth/confirm?next=%2Fme%2Fexport&strength=any";
    browser.get("/me/export").await.goes_to(way);
    browser.get(way).await.is(200).says("name=\"password\"").says("name=\"code\"");
    let form = |password| [("password", password), ("next", "/me/export"), ("strength", "any")];
    browser.post("/auth/confirm", &form("a wrong guess")).await.is(422).says("name=\"password\"");
    browser.post("/auth/confirm", &form(PASSWORD)).await.goes_to("/me/export");
    browser.get("/me/export").await.is(200);

    // The address is not, and its page offers nothing that would lead here again.
    let interrupted = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let confirm = interrupted.header("location").to_owned();
    let resume = confirm.strip_prefix("/auth/confirm?resume=").unwrap().to_owned();
    browser.get(&confirm).await.is(200).hides("name=\"password\"").says("name=\"code\"").says("code=$CODE");
    let code = app.next_code(&ada.secret);
    let way = format!("/auth/continue?resume={resume}");
    browser.post("/auth/confirm", &[("code", &code), ("resume", &resume)]).await.goes_to(&way);
    browser.get(&way).await.is(200).says("new@example.com");
    browser.post("/me/email", &[("email", "new@example.com")]).await.goes_to("/me");
}

#[actix_web::test]
async fn who_has_no_second_factor_left_that_works_is_told_who_can_help() {
    let one = Someone::with(Account::Stuck).await;
    one.app.wait(TimeDelta::minutes(6));

    one.browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");

    let page = one.browser.get("/auth/confirm?next=%2Fme%2Femail").await.is(200);
    page.says("Ask support to reset your two-step verification").hides("Set a password");
    // As at the sign-in.
    let phone = one.app.browser();
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    phone.post("/login", &form).await.goes_to("/login/2fa?next=%2Fme");
    let page = phone.get("/login/2fa").await.is(200);
    page.says("Ask support to reset your two-step verification");
}

#[actix_web::test]
async fn the_first_second_factor_needs_the_password_and_its_removal_the_factor() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    // What was set up in this window counts in it.
    asks(&ada.curl, "new@example.com").await.is(200);
    app.wait(TimeDelta::minutes(6));
    steps_up(&ada.curl).await;
    ada.curl.delete("/me/2fa/totp").await.refuses(403, "reauthentication_required");

    ada.curl.post_json("/auth/confirm", json!({ "code": app.code(&ada.secret) })).await.is(200);
    ada.curl.delete("/me/2fa/totp").await.is(200);

    app.wait(TimeDelta::minutes(6));
    steps_up(&ada.curl).await;
    asks(&ada.curl, "newer@example.com").await.is(200);
}

#[actix_web::test]
async fn a_browser_confirms_and_goes_on_to_the_page_it_wanted() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;

    browser.get("/me/email").await.goes_to("/auth/confirm?next=%2Fme%2Femail");
    browser.get("/auth/confirm?next=%2Fme%2Femail").await.is(200).says("/me/email");
    let form = [("password", PASSWORD), ("next", "/me/email")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/email");

    browser.get("/me/email").await.is(200).says("ada@example.com");
}

#[actix_web::test]
async fn the_step_up_page_never_leads_to_another_site() {
    let app = TestApp::open().await;
    let browser = signed_in(&app).await;

    let form = [("password", PASSWORD), ("next", "//evil.example")];
    browser.post("/auth/confirm", &form).await.goes_to("/me/security");
}

#[actix_web::test]
async fn an_unverified_account_is_led_to_confirm_its_address_and_then_on() {
    let app = TestApp::open().await;
    let unverified_user = app.unverified_user("ada@example.com").await;
    asks(&unverified_user, "new@example.com").await.refuses(403, "email_unverified");
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);

    browser.get("/me/email").await.goes_to("/verify-email/needed?next=%2Fme%2Femail");
    browser.get("/verify-email/needed?next=%2Fme%2Femail").await.is(200).says("ada@example.com");
    let token = app.token_for("ada@example.com").await;

    browser.post("/verify-email", &[("token", &token)]).await.goes_to("/me/email");
}

pub async fn signed_in(app: &TestApp) -> Visitor {
    app.verified("ada@example.com").await;
    let browser = app.browser();
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);
    browser
}

#[actix_web::test]
async fn of_fifty_step_ups_with_one_secret_one_gets_the_next() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;

    let tries = (0..50).map(|_| {
        let one = curl.clone();
        async move { one.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.status.as_u16() }
    });
    let answers = futures_util::future::join_all(tries).await;

    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 401].contains(status)), "{answers:?}");
}
