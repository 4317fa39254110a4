//! Passkeys, without a browser: what each half of a ceremony accepts, and from whom.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Authenticator, PASSWORD, TestApp, Visitor};

pub async fn steps_up(curl: &Visitor) {
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
}

/// Steps up with a passkey.
pub async fn confirms(curl: &Visitor, device: &mut Authenticator) {
    let options = asks(curl, "/auth/confirm/passkey/options").await;
    curl.post_json("/auth/confirm", device.get(&options)).await.is(200);
}

pub async fn asks(curl: &Visitor, path: &str) -> Value {
    curl.post_json(path, json!({})).await.is(200).json()
}

/// Adds a passkey in a session that has stepped up.
pub async fn adds(curl: &Visitor, device: &mut Authenticator) -> Answer {
    let options = asks(curl, "/me/passkeys/options").await;
    curl.post_json("/me/passkeys", device.create(&options)).await
}

/// Somebody confirmed, with a passkey; the session has stepped up.
pub async fn with_passkey(app: &TestApp, address: &str) -> (Visitor, Authenticator) {
    let curl = app.verified(address).await;
    steps_up(&curl).await;
    let mut device = Authenticator::new(app);
    adds(&curl, &mut device).await.is(201);
    // The next one is newer, and comes after it in the list.
    app.wait(TimeDelta::seconds(1));
    (curl, device)
}

/// Signs in with a passkey and nothing else.
pub async fn signs_in(visitor: &Visitor, device: &mut Authenticator) -> Answer {
    let options = asks(visitor, "/login/passkey/options").await;
    visitor.post_json("/login/passkey", device.get(&options)).await
}

/// Gives the password; the second factor is due.
pub async fn waits(app: &TestApp, address: &str) -> Visitor {
    let curl = app.curl();
    let told =
        curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200).json();
    assert_eq!(told["twoFactorRequired"], true, "{told}");
    curl
}

async fn ids(curl: &Visitor) -> Vec<String> {
    let told = curl.get("/me/passkeys").await.is(200).json();
    told["passkeys"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn a_passkey_is_added_and_signs_in_with_no_address_typed_as_two_proofs_case_65() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    steps_up(&curl).await;
    let mut device = Authenticator::new(&app);
    device.is_synced = true;

    let options = asks(&curl, "/me/passkeys/options").await;
    assert_eq!(options["rp"], json!({ "id": "localhost", "name": "Vestibule" }));
    assert_eq!(options["user"]["name"], "ada@example.com");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["excludeCredentials"], json!([]));
    let mut answer = device.create(&options);
    answer["name"] = "My phone".into();
    let added = curl.post_json("/me/passkeys", answer).await.is(201).json();
    assert_eq!(added["recoveryCodes"].as_array().unwrap().len(), 10, "the first second factor");
    assert_eq!(added["passkey"]["name"], "My phone");

    let stranger = app.curl();
    let options = asks(&stranger, "/login/passkey/options").await;
    assert_eq!(
        (&options["rpId"], &options["allowCredentials"], &options["userVerification"]),
        (&json!("localhost"), &json!([]), &json!("required"))
    );
    let told = stranger.post_json("/login/passkey", device.get(&options)).await.is(200).json();

    assert_eq!((&told["user"]["email"], &told["next"]), (&json!("ada@example.com"), &json!("/me")));
    stranger.get("/me").await.is(200);
    let sessions = stranger.get("/me/sessions").await.json();
    let current = sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
    assert_eq!(current["method"], "passkey");
    let list = stranger.get("/me/passkeys").await.json();
    let one = &list["passkeys"][0];
    assert_eq!((&one["name"], &one["synced"]), (&json!("My phone"), &json!(true)), "{list}");
    assert!(one["createdAt"].is_string() && one["lastUsedAt"].is_string(), "{list}");
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.iter().any(|email| email.text.contains("A passkey was added")));
    assert_eq!(app.count("audit WHERE event = 'second_factor_added'").await, 1);
}

#[actix_web::test]
async fn a_second_passkey_brings_no_new_codes_and_is_named_after_its_device() {
    let app = TestApp::open().await;
    let (curl, first) = with_passkey(&app, "ada@example.com").await;
    let browser = app.browser();
    browser.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    let options = asks(&curl, "/me/passkeys/options").await;
    assert_eq!(options["excludeCredentials"][0]["id"], first.id());
    let mut second = Authenticator::new(&app);

    let told = curl.post_json("/me/passkeys", second.create(&options)).await.is(201).json();

    assert!(told.get("recoveryCodes").is_none(), "{told}");
    assert_eq!(told["passkey"]["name"], "curl");
    assert_eq!(ids(&curl).await.len(), 2);
    for mut device in [first, second] {
        signs_in(&app.curl(), &mut device).await.is(200);
    }
}

#[actix_web::test]
async fn a_passkey_belongs_to_one_account_case_68() {
    let app = TestApp::open().await;
    let (ada, device) = with_passkey(&app, "ada@example.com").await;
    let bob = app.verified("bob@example.com").await;
    steps_up(&bob).await;

    for visitor in [&ada, &bob] {
        let mut again = device.clone();
        adds(visitor, &mut again).await.refuses(409, "passkey_taken");
    }
    assert_eq!(app.count("passkeys").await, 1);
    assert_eq!(app.count("recovery_codes").await, 10, "bob got none");
    // The same id with another key is no way in either.
    let mut twin = device.clone();
    signs_in(&app.curl(), &mut twin).await.is(200);
}

#[actix_web::test]
async fn of_fifty_who_add_one_passkey_one_does_case_68() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let curl = app.verified("ada@example.com").await;
    steps_up(&curl).await;
    let mut device = Authenticator::new(&app);
    let answer = device.create(&asks(&curl, "/me/passkeys/options").await);
    let many: Vec<Visitor> = (0..50).map(|_| curl.clone()).collect();

    let answers =
        join_all(many.iter().map(|visitor| visitor.post_json("/me/passkeys", answer.clone()))).await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    // The others' session has a new secret by then, and its step-up is too weak for an account with a second factor.
    let expected = [201, 401, 403, 422];
    assert!(answers.iter().all(|answer| expected.contains(&answer.status.as_u16())), "{answers:?}");
    assert_eq!((app.count("passkeys").await, app.count("recovery_codes").await), (1, 10));
}

#[actix_web::test]
async fn an_unconfirmed_account_adds_none_and_uses_none_case_69() {
    let app = TestApp::open().await;
    let curl = app.unverified_user("claim@example.com").await;
    steps_up(&curl).await;
    curl.post_json("/me/passkeys/options", json!({})).await.refuses(403, "email_unverified");
    curl.post_json("/me/passkeys", json!({})).await.refuses(403, "email_unverified");

    let (_, mut device) = with_passkey(&app, "ada@example.com").await;
    app.db_execute("UPDATE users SET email_verified_at = NULL WHERE email = 'ada@example.com'").await;
    signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
}

#[actix_web::test]
async fn a_passkey_is_renamed_and_removed_by_its_owner_only() {
    let app = TestApp::open().await;
    let (ada, mut device) = with_passkey(&app, "ada@example.com").await;
    let (bob, _) = with_passkey(&app, "bob@example.com").await;
    let id = ids(&ada).await.swap_remove(0);
    let path = format!("/me/passkeys/{id}");

    bob.put_json(&path, json!({ "name": "Mine now" })).await.refuses(404, "not_found");
    bob.delete(&path).await.refuses(404, "not_found");
    for (name, status) in [("", 422), (" ", 422), ("a\nb", 422), ("Key on my desk", 200)] {
        ada.put_json(&path, json!({ "name": name })).await.is(status);
    }
    ada.put_json(&path, json!({ "name": "é".repeat(61) })).await.refuses(422, "invalid");
    assert_eq!(ada.get("/me/passkeys").await.json()["passkeys"][0]["name"], "Key on my desk");

    let elsewhere = app.curl();
    signs_in(&elsewhere, &mut device).await.is(200);
    app.wait(TimeDelta::minutes(6));
    ada.delete(&path).await.refuses(403, "reauthentication_required");
    confirms(&ada, &mut device).await;
    let before = ada.cookie("session").unwrap();
    ada.delete(&path).await.is(200);

    assert_ne!(ada.cookie("session").unwrap(), before);
    assert!(ids(&ada).await.is_empty());
    elsewhere.get("/me").await.refuses(401, "sign_in_required");
    signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
    assert_eq!(app.count("recovery_codes").await, 10, "hers went with the last second factor, his stay");
    let told =
        app.curl().post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    assert!(told.is(200).json().get("user").is_some(), "nothing more is asked");
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.iter().any(|email| email.text.contains("A passkey was removed")));
}

#[actix_web::test]
async fn removing_one_of_two_signs_out_only_those_who_came_in_with_it() {
    let app = TestApp::open().await;
    let (ada, mut first) = with_passkey(&app, "ada@example.com").await;
    let mut second = Authenticator::new(&app);
    adds(&ada, &mut second).await.is(201);
    let (one, other) = (app.curl(), app.curl());
    signs_in(&one, &mut first).await.is(200);
    signs_in(&other, &mut second).await.is(200);

    let id = ids(&ada).await.swap_remove(0);
    ada.delete(&format!("/me/passkeys/{id}")).await.is(200);

    one.get("/me").await.refuses(401, "sign_in_required");
    other.get("/me").await.is(200);
    assert_eq!(app.count("recovery_codes").await, 10, "the other passkey still needs them");
}

#[actix_web::test]
async fn the_last_way_in_stays_on_pages_and_for_programs_case_28() {
    let app = TestApp::open().await;
    let (ada, _) = with_passkey(&app, "ada@example.com").await;
    // Her password was blocked by "this was not me".
    app.db_execute("UPDATE users SET password_blocked_at = created_at WHERE email = 'ada@example.com'").await;
    let id = ids(&ada).await.swap_remove(0);

    ada.delete(&format!("/me/passkeys/{id}")).await.refuses(409, "last_credential");
    let browser = ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let page = browser.post(&format!("/me/passkeys/{id}/remove"), &[]).await.is(409);
    page.says("the only way into your account");

    assert_eq!(ids(&ada).await.len(), 1);
    assert_eq!(app.count("audit WHERE event = 'second_factor_removed'").await, 0);
}

#[actix_web::test]
async fn a_passkey_may_go_where_another_way_in_stays_and_a_copied_one_is_none_case_66() {
    let app = TestApp::open().await;
    let (ada, mut first) = with_passkey(&app, "ada@example.com").await;
    let mut second = Authenticator::new(&app);
    adds(&ada, &mut second).await.is(201);
    app.db_execute("UPDATE users SET password_blocked_at = created_at WHERE email = 'ada@example.com'").await;
    let [one, other] = <[String; 2]>::try_from(ids(&ada).await).unwrap();
    let mut copy = first.clone();
    signs_in(&app.curl(), &mut copy).await.is(200);
    signs_in(&app.curl(), &mut first).await.refuses(401, "unknown_passkey");

    // The copied one opens nothing, so the other is the last.
    ada.delete(&format!("/me/passkeys/{other}")).await.refuses(409, "last_credential");
    ada.delete(&format!("/me/passkeys/{one}")).await.is(200);
    ada.delete(&format!("/me/passkeys/{other}")).await.refuses(409, "last_credential");
    app.db_execute("UPDATE users SET password_blocked_at = NULL WHERE email = 'ada@example.com'").await;
    ada.delete(&format!("/me/passkeys/{other}")).await.is(200);
}

#[actix_web::test]
async fn of_two_passkeys_removed_at_once_the_last_way_in_stays_case_28() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    for round in 0..5 {
        let address = format!("ada{round}@example.com");
        let (ada, mut first) = with_passkey(&app, &address).await;
        let mut second = Authenticator::new(&app);
        adds(&ada, &mut second).await.is(201);
        app.db_execute(&format!(
            "UPDATE users SET password_blocked_at = created_at WHERE email = '{address}'"
        ))
        .await;
        // Each from a session of its own: one gets a new secret by the change.
        let other = app.curl();
        signs_in(&other, &mut first).await.is(200);
        confirms(&other, &mut first).await;
        let [one, two] = <[String; 2]>::try_from(ids(&ada).await).unwrap();
        let (one, two) = (format!("/me/passkeys/{one}"), format!("/me/passkeys/{two}"));

        join_all([ada.delete(&one), other.delete(&two)]).await;

        let left = format!("passkeys WHERE user_id = (SELECT id FROM users WHERE email = '{address}')");
        assert_eq!(app.count(&left).await, 1);
    }
}

#[actix_web::test]
async fn a_passkey_ends_the_sessions_that_had_one_proof_and_five_wrong_ones_end_the_sign_in() {
    let app = TestApp::open().await;
    let (_, mut device) = with_passkey(&app, "ada@example.com").await;
    let pending = waits(&app, "ada@example.com").await;
    let mut forged = Authenticator::new(&app);

    for attempt in 1..=5 {
        let options = asks(&pending, "/login/2fa/passkey/options").await;
        let refused = pending.post_json("/login/2fa", forged.get(&options)).await.is(401);
        let code = if attempt < 5 { "unknown_passkey" } else { "sign_in_ended" };
        refused.refuses(401, code);
    }

    pending.post_json("/login/2fa/passkey/options", json!({})).await.refuses(401, "sign_in_ended");
    let emails = app.emails_to("ada@example.com").await;
    assert!(emails.iter().any(|email| email.subject.contains("was stopped")));
    signs_in(&app.curl(), &mut device).await.is(200);
}

#[actix_web::test]
async fn a_page_shows_the_codes_once_where_a_browser_sends_the_passkey_as_a_form() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    steps_up(&curl).await;
    let options = asks(&curl, "/me/passkeys/options").await;
    let browser = curl.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    let mut device = Authenticator::new(&app);
    let credential = device.create(&options).to_string();

    let page =
        browser.post("/me/passkeys", &[("credential", &credential), ("name", "<b>Phone</b>")]).await.is(201);

    let page = page.says("Save your recovery codes").hides("<b>Phone</b>");
    assert_eq!(page.body.matches("<li><code>").count(), 10);
    browser.get("/me/passkeys").await.is(200).hides("<b>Phone</b>").says("Phone");
    signs_in(&app.curl(), &mut device).await.is(200);
    for rubbish in ["", "{}", "no JSON"] {
        browser.post("/me/passkeys", &[("credential", rubbish)]).await.is(422);
    }
}

#[actix_web::test]
async fn the_doctor_warns_where_the_host_changed_and_codes_still_open_case_71() {
    let app = TestApp::open().await;
    let (curl, _) = with_passkey(&app, "ada@example.com").await;
    let output = app.command(&["doctor"]);
    assert!(output.out.contains("made for localhost."), "{output:?}");
    let codes = curl.post_json("/me/passkeys/options", json!({})).await.is(200);
    drop(codes);
    app.db_execute("UPDATE passkeys SET rp_id = 'old.example.com'").await;

    let output = app.command(&["doctor"]);

    let warning = output.out.lines().find(|line| line.contains("old.example.com")).unwrap();
    assert!(warning.starts_with("warning") && warning.contains("Set BASE_URL back"), "{output:?}");
    let list = curl.get("/me/passkeys").await.json();
    assert!(list["passkeys"][0]["warning"].as_str().unwrap().contains("old.example.com"), "{list}");
    let pending = waits(&app, "ada@example.com").await;
    let methods = pending.get("/login/2fa").await.json()["methods"].clone();
    assert!(methods.as_array().unwrap().contains(&json!("recovery_code")), "{methods}");
}
