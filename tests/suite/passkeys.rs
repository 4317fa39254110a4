//! Passkeys, without a browser: what each half of a ceremony accepts, and from whom.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Authenticator, PASSWORD, TestApp, Visitor};

async fn steps_up(curl: &Visitor) {
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
}

/// Steps up with a passkey.
pub async fn confirms(curl: &Visitor, device: &mut Authenticator) {
    let options = asks(curl, "/auth/confirm/passkey/options").await;
    curl.post_json("/auth/confirm", device.get(&options)).await.is(200);
}

async fn asks(curl: &Visitor, path: &str) -> Value {
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
async fn waits(app: &TestApp, address: &str) -> Visitor {
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
async fn without_user_verification_a_passkey_is_nothing_case_65() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let mut careless = Authenticator::new(&app);
    careless.verifies = false;
    adds(&curl, &mut careless).await.refuses(422, "passkey_refused");

    device.verifies = false;
    signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
    let pending = waits(&app, "ada@example.com").await;
    let options = asks(&pending, "/login/2fa/passkey/options").await;
    pending.post_json("/login/2fa", device.get(&options)).await.refuses(401, "unknown_passkey");
    let options = asks(&curl, "/auth/confirm/passkey/options").await;
    curl.post_json("/auth/confirm", device.get(&options)).await.refuses(401, "unknown_passkey");

    let logins = curl.get("/me/logins").await.json();
    let outcomes: Vec<&str> = logins["logins"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["method"] == "passkey")
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["wrong_passkey"]);
}

#[actix_web::test]
async fn a_passkey_is_a_second_factor_and_a_step_up() {
    let app = TestApp::open().await;
    let (_, mut device) = with_passkey(&app, "ada@example.com").await;

    let pending = waits(&app, "ada@example.com").await;
    assert_eq!(pending.get("/login/2fa").await.json()["methods"], json!(["passkey", "recovery_code"]));
    let options = asks(&pending, "/login/2fa/passkey/options").await;
    assert_eq!(options["allowCredentials"][0]["id"], device.id());
    let mut answer = device.get(&options);
    answer["next"] = "/me/security".into();
    let told = pending.post_json("/login/2fa", answer).await.is(200).json();
    assert_eq!((&told["user"]["email"], &told["next"]), (&json!("ada@example.com"), &json!("/me/security")));

    let refused =
        pending.post_json("/me/passkeys/options", json!({})).await.refuses(403, "reauthentication_required");
    assert_eq!(refused.json()["methods"], json!(["passkey", "recovery_code"]));
    let before = pending.cookie("session").unwrap();
    let options = asks(&pending, "/auth/confirm/passkey/options").await;
    // Whose it is, it need not say where that is known.
    device.names_user = false;
    let mut answer = device.get(&options);
    answer["next"] = "//evil.example".into();
    let told = pending.post_json("/auth/confirm", answer).await.is(200).json();
    assert_eq!(
        (&told["confirmedUntil"], &told["next"]),
        (&json!("2026-11-21T14:10:01Z"), &json!("/me/security"))
    );
    assert_ne!(pending.cookie("session").unwrap(), before);
    asks(&pending, "/me/passkeys/options").await;
    assert_eq!(app.count("audit WHERE event = 'stepped_up' AND detail LIKE '%passkey%'").await, 1);
}

#[actix_web::test]
async fn a_challenge_is_used_once_case_67() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let stranger = app.curl();
    let options = asks(&stranger, "/login/passkey/options").await;
    let answer = device.get(&options);
    stranger.post_json("/login/passkey", answer.clone()).await.is(200);

    stranger.post_json("/login/passkey", answer).await.refuses(422, "passkey_expired");
    // A newer signature on the same challenge is no better.
    stranger.post_json("/login/passkey", device.get(&options)).await.refuses(422, "passkey_expired");

    let options = asks(&curl, "/me/passkeys/options").await;
    let mut second = Authenticator::new(&app);
    curl.post_json("/me/passkeys", second.create(&options)).await.is(201);
    let mut third = Authenticator::new(&app);
    curl.post_json("/me/passkeys", third.create(&options)).await.refuses(422, "passkey_expired");
    // A wrong answer uses it up as well.
    let options = asks(&stranger, "/login/passkey/options").await;
    let mut forged = device.get(&options);
    forged["response"]["signature"] = "MAYCAQECAQE".into();
    stranger.post_json("/login/passkey", forged).await.refuses(401, "unknown_passkey");
    stranger.post_json("/login/passkey", device.get(&options)).await.refuses(422, "passkey_expired");
}

#[actix_web::test]
async fn of_fifty_who_send_one_answer_one_is_let_in_case_67() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let (_, mut device) = with_passkey(&app, "ada@example.com").await;
    let stranger = app.curl();
    let answer = device.get(&asks(&stranger, "/login/passkey/options").await);
    let many: Vec<Visitor> = (0..50).map(|_| stranger.clone()).collect();
    let before = app.count("sessions").await;

    let answers =
        join_all(many.iter().map(|visitor| visitor.post_json("/login/passkey", answer.clone()))).await;

    let let_in = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(let_in, 1);
    assert!(answers.iter().all(|answer| [200, 422].contains(&answer.status.as_u16())), "{answers:?}");
    assert_eq!(app.count("sessions").await, before + 1);
    assert_eq!(app.count("passkeys WHERE copied_at IS NOT NULL").await, 0, "nobody has a copy");
    signs_in(&app.curl(), &mut device).await.is(200);
}

#[actix_web::test]
async fn a_challenge_is_good_for_five_minutes_case_67() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let stranger = app.curl();
    let options = asks(&stranger, "/login/passkey/options").await;
    assert_eq!(options["timeout"], 300_000);
    app.wait(TimeDelta::seconds(299));
    stranger.post_json("/login/passkey", device.get(&options)).await.is(200);

    let options = asks(&stranger, "/login/passkey/options").await;
    app.wait(TimeDelta::minutes(5));
    stranger.post_json("/login/passkey", device.get(&options)).await.refuses(422, "passkey_expired");

    confirms(&curl, &mut device).await;
    let options = asks(&curl, "/me/passkeys/options").await;
    app.wait(TimeDelta::minutes(5));
    confirms(&curl, &mut device).await;
    let mut second = Authenticator::new(&app);
    curl.post_json("/me/passkeys", second.create(&options)).await.refuses(422, "passkey_expired");
}

#[actix_web::test]
async fn a_challenge_is_good_only_for_what_and_where_it_was_asked_for_case_67() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let other = app.curl();
    signs_in(&other, &mut device).await.is(200);
    confirms(&other, &mut device).await;
    let expired = |answer: Answer| answer.refuses(422, "passkey_expired");

    // Another session of the same person.
    let options = asks(&curl, "/me/passkeys/options").await;
    let mut second = Authenticator::new(&app);
    expired(other.post_json("/me/passkeys", second.create(&options)).await);
    let options = asks(&curl, "/auth/confirm/passkey/options").await;
    expired(other.post_json("/auth/confirm", device.get(&options)).await);
    // Another browser.
    let (asker, thief) = (app.curl(), app.curl());
    let options = asks(&asker, "/login/passkey/options").await;
    expired(thief.post_json("/login/passkey", device.get(&options)).await);
    asks(&thief, "/login/passkey/options").await;
    expired(thief.post_json("/login/passkey", device.get(&options)).await);
    // Another sign-in that waits.
    let (waiting, elsewhere) = (waits(&app, "ada@example.com").await, waits(&app, "ada@example.com").await);
    let options = asks(&waiting, "/login/2fa/passkey/options").await;
    expired(elsewhere.post_json("/login/2fa", device.get(&options)).await);
    // For something else, by the very one who asked.
    for (visitor, path, to) in [
        (&waiting, "/login/2fa/passkey/options", "/login/passkey"),
        (&waiting, "/login/passkey/options", "/login/2fa"),
        (&curl, "/auth/confirm/passkey/options", "/login/passkey"),
        (&curl, "/login/passkey/options", "/auth/confirm"),
        (&curl, "/me/passkeys/options", "/auth/confirm"),
    ] {
        let mut options = asks(visitor, path).await;
        options["rpId"] = "localhost".into();
        expired(visitor.post_json(to, device.get(&options)).await);
    }
    let mut options = asks(&curl, "/auth/confirm/passkey/options").await;
    options["rp"] = json!({ "id": "localhost" });
    options["user"] = json!({ "id": "AAAA" });
    expired(curl.post_json("/me/passkeys", second.create(&options)).await);
    // One that nobody asked for.
    let options = json!({ "challenge": "A".repeat(43), "rpId": "localhost" });
    asks(&asker, "/login/passkey/options").await;
    expired(asker.post_json("/login/passkey", device.get(&options)).await);
    assert_eq!(app.count("passkeys WHERE copied_at IS NOT NULL").await, 0);
}

#[actix_web::test]
async fn another_persons_passkey_proves_nothing_case_67() {
    let app = TestApp::open().await;
    let (ada, mut hers) = with_passkey(&app, "ada@example.com").await;
    let (_, mut his) = with_passkey(&app, "bob@example.com").await;

    let options = asks(&ada, "/auth/confirm/passkey/options").await;
    ada.post_json("/auth/confirm", his.get(&options)).await.refuses(401, "unknown_passkey");
    let pending = waits(&app, "ada@example.com").await;
    let options = asks(&pending, "/login/2fa/passkey/options").await;
    pending.post_json("/login/2fa", his.get(&options)).await.refuses(401, "unknown_passkey");
    // A passkey that says it is somebody else's, or does not say whose.
    let stranger = app.curl();
    let mut answer = hers.get(&asks(&stranger, "/login/passkey/options").await);
    answer["response"]["userHandle"] =
        his.get(&json!({ "challenge": "", "rpId": "" }))["response"]["userHandle"].clone();
    stranger.post_json("/login/passkey", answer).await.refuses(401, "unknown_passkey");
    hers.names_user = false;
    signs_in(&stranger, &mut hers).await.refuses(401, "unknown_passkey");
}

#[actix_web::test]
async fn a_passkey_need_not_say_whose_it_is_where_that_is_known() {
    let app = TestApp::open().await;
    let (ada, mut device) = with_passkey(&app, "ada@example.com").await;
    let (_, mut his) = with_passkey(&app, "bob@example.com").await;
    type Change = fn(&mut Value);
    let rows: [(&str, Change); 3] = [
        ("absent", |response| drop(response.as_object_mut().unwrap().remove("userHandle"))),
        ("null", |response| response["userHandle"] = Value::Null),
        ("empty", |response| response["userHandle"] = "".into()),
    ];
    for (what, change) in rows {
        let pending = waits(&app, "ada@example.com").await;
        let mut answer = device.get(&asks(&pending, "/login/2fa/passkey/options").await);
        change(&mut answer["response"]);
        let told = pending.post_json("/login/2fa", answer).await;
        assert_eq!(told.status, 200, "{what}: {}", told.body);
        let mut answer = device.get(&asks(&ada, "/auth/confirm/passkey/options").await);
        change(&mut answer["response"]);
        ada.post_json("/auth/confirm", answer).await.is(200);
        // Another person's is not hers because it says nothing, nor is anybody known by nothing.
        let mut answer = his.get(&asks(&ada, "/auth/confirm/passkey/options").await);
        change(&mut answer["response"]);
        ada.post_json("/auth/confirm", answer).await.refuses(401, "unknown_passkey");
        let stranger = app.curl();
        let mut answer = device.get(&asks(&stranger, "/login/passkey/options").await);
        change(&mut answer["response"]);
        stranger.post_json("/login/passkey", answer).await.refuses(401, "unknown_passkey");
    }
}

#[actix_web::test]
async fn the_origin_is_this_one_to_the_letter_case_68() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let home = app.base_url.clone();
    let port = app.port;
    for evil in [
        "https://evil.example".to_owned(),
        format!("http://evil-localhost:{port}"),
        format!("http://sub.localhost:{port}"),
        format!("http://localhost.evil.example:{port}"),
        "http://localhost".to_owned(),
        format!("http://localhost:{}", port - 1),
        format!("https://localhost:{port}"),
        format!("{home}/evil"),
        format!("http://evil@localhost:{port}"),
        format!("http://LOCALHOST:{port}"),
        "null".to_owned(),
    ] {
        device.origin = evil.clone();
        let refused = signs_in(&app.curl(), &mut device).await;
        assert_eq!(refused.status, 401, "{evil}");
        let mut second = Authenticator::new(&app);
        second.origin = evil;
        adds(&curl, &mut second).await.refuses(422, "passkey_refused");
    }
    device.origin = home;
    signs_in(&app.curl(), &mut device).await.is(200);
    // The hash of another host is another host's passkey.
    let stranger = app.curl();
    let mut options = asks(&stranger, "/login/passkey/options").await;
    options["rpId"] = "sub.localhost".into();
    stranger.post_json("/login/passkey", device.get(&options)).await.refuses(401, "unknown_passkey");
}

#[actix_web::test]
async fn a_counter_that_goes_back_closes_the_passkey_and_its_owner_is_told_case_68() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let mut copy = device.clone();
    let thief = app.curl();
    signs_in(&thief, &mut copy).await.is(200);
    thief.get("/me").await.is(200);

    signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");

    thief.get("/me").await.refuses(401, "sign_in_required");
    signs_in(&thief, &mut copy).await.refuses(401, "unknown_passkey");
    let emails = app.emails_to("ada@example.com").await;
    let told = emails.iter().filter(|email| email.text.contains("a copy of one of your passkeys"));
    assert_eq!(told.count(), 1, "once");
    assert_eq!(app.count("audit WHERE event = 'passkey_copied'").await, 1);
    assert_eq!(app.count("sign_ins WHERE outcome = 'copied_passkey'").await, 2);
    let list = curl.get("/me/passkeys").await.json();
    assert!(list["passkeys"][0]["warning"].as_str().unwrap().contains("a copy of it"), "{list}");
    // The second factor is still due, and the codes on paper give it.
    let pending = waits(&app, "ada@example.com").await;
    assert_eq!(pending.get("/login/2fa").await.json()["methods"], json!(["recovery_code"]));
    let options = asks(&pending, "/login/2fa/passkey/options").await;
    assert_eq!(options["allowCredentials"], json!([]));
}

#[actix_web::test]
async fn of_two_answers_at_once_with_one_count_one_is_let_in_case_68() {
    let app = TestApp::with(&[("DATABASE_POOL", "24")]).await;
    let (_, mut device) = with_passkey(&app, "ada@example.com").await;
    let mut copy = device.clone();
    let (one, other) = (app.curl(), app.curl());
    let (first, second) =
        (asks(&one, "/login/passkey/options").await, asks(&other, "/login/passkey/options").await);
    let (first, second) = (device.get(&first), copy.get(&second));

    let answers =
        join_all([one.post_json("/login/passkey", first), other.post_json("/login/passkey", second)]).await;

    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(app.count("passkeys WHERE copied_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn a_passkey_that_does_not_count_is_no_copy_and_whether_it_is_synced_is_kept_up_to_date() {
    let app = TestApp::open().await;
    let curl = app.verified("ada@example.com").await;
    steps_up(&curl).await;
    let mut device = Authenticator::new(&app);
    device.counts = false;
    adds(&curl, &mut device).await.is(201);
    assert_eq!(curl.get("/me/passkeys").await.json()["passkeys"][0]["synced"], false);

    for _ in 0..3 {
        signs_in(&app.curl(), &mut device).await.is(200);
    }
    device.is_synced = true;
    signs_in(&app.curl(), &mut device).await.is(200);

    assert_eq!(curl.get("/me/passkeys").await.json()["passkeys"][0]["synced"], true);
    // It begins to count, and never goes back from there.
    device.counts = true;
    signs_in(&app.curl(), &mut device).await.is(200);
    (device.counter, device.counts) = (0, false);
    signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
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
async fn a_passkey_of_a_deleted_account_and_one_that_never_was_are_told_the_same_case_69() {
    let app = TestApp::open().await;
    let (curl, mut device) = with_passkey(&app, "ada@example.com").await;
    let (_, mut kept) = with_passkey(&app, "bob@example.com").await;
    app.db_execute("DELETE FROM users WHERE email = 'ada@example.com'").await;
    curl.get("/me").await.refuses(401, "sign_in_required");
    let mut nobodys = Authenticator::new(&app);
    nobodys.counter = 3;
    kept.origin = "https://evil.example".to_owned();

    let gone = signs_in(&app.curl(), &mut device).await.refuses(401, "unknown_passkey");
    let never = signs_in(&app.curl(), &mut nobodys).await.refuses(401, "unknown_passkey");
    let wrong = signs_in(&app.curl(), &mut kept).await.refuses(401, "unknown_passkey");

    assert_eq!(gone.json()["error"], "This passkey is not known here. It may have been removed.");
    assert_eq!((gone.json(), never.json()), (never.json(), wrong.json()));
    assert_eq!(app.count("audit WHERE event = 'sign_in_failed'").await, 3);
    assert_eq!(app.count("passkeys").await, 1);
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
async fn strangers_cannot_fill_the_table_with_challenges() {
    let app = TestApp::with(&[("THROTTLE", "on"), ("PASSKEYS_PER_NETWORK", "3")]).await;
    let stranger = app.curl();
    for _ in 0..3 {
        asks(&stranger, "/login/passkey/options").await;
    }
    stranger.post_json("/login/passkey/options", json!({})).await.refuses(429, "too_many_attempts");
    assert_eq!(app.count("tokens WHERE purpose = 'use_passkey'").await, 3);

    app.wait(TimeDelta::minutes(6));
    asks(&stranger, "/login/passkey/options").await;
    assert_eq!(app.count("tokens WHERE purpose = 'use_passkey'").await, 1, "the dead ones are gone");
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

    let page = page.says("Your recovery codes").hides("<b>Phone</b>");
    assert_eq!(page.body.matches("<li><code>").count(), 10);
    browser.get("/me/passkeys").await.is(200).hides("<b>Phone</b>").says("Phone");
    signs_in(&app.curl(), &mut device).await.is(200);
    for rubbish in ["", "{}", "no JSON"] {
        browser.post("/me/passkeys", &[("credential", rubbish)]).await.is(422);
    }
}

#[actix_web::test]
async fn rubbish_is_refused_without_a_word_about_what_is_behind() {
    let app = TestApp::open().await;
    let (_, mut device) = with_passkey(&app, "ada@example.com").await;
    let stranger = app.curl();
    let answer = device.get(&asks(&stranger, "/login/passkey/options").await);
    stranger.post_json("/login/passkey", json!({})).await.refuses(422, "invalid");
    stranger.post_json("/login/passkey", json!({ "id": "x" })).await.refuses(422, "invalid");
    for (part, value) in [("clientDataJSON", "e30"), ("clientDataJSON", ""), ("clientDataJSON", "AAAA")] {
        let mut bent = answer.clone();
        bent["response"][part] = value.into();
        stranger.post_json("/login/passkey", bent).await.refuses(422, "passkey_expired");
    }
    for (part, value) in [("authenticatorData", ""), ("authenticatorData", "AAAA"), ("signature", "")] {
        let mut bent = device.get(&asks(&stranger, "/login/passkey/options").await);
        bent["response"][part] = value.into();
        stranger.post_json("/login/passkey", bent).await.refuses(401, "unknown_passkey");
    }
}

#[actix_web::test]
async fn password_managers_are_told_where_passkeys_are_kept() {
    let app = TestApp::open().await;
    let told = app.curl().get("/.well-known/passkey-endpoints").await.is(200);
    assert_eq!(told.header("content-type"), "application/json");
    let page = format!("{}/me/passkeys", app.base_url);
    assert_eq!(told.json(), json!({ "enroll": page, "manage": page }));
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

#[actix_web::test]
async fn where_people_come_by_a_bare_address_there_are_no_passkeys() {
    let app =
        TestApp::with(&[("BASE_URL", "http://127.0.0.1:3000"), ("MAIL_FROM", "Acme <no-reply@example.com>")])
            .await;
    app.curl().send(Method::POST, "/login/passkey/options", None).await.refuses(404, "not_found");
    app.curl().get("/.well-known/passkey-endpoints").await.refuses(404, "not_found");
    assert!(app.command(&["doctor"]).out.contains("passkeys need a name"));
}

#[actix_web::test]
async fn nothing_of_a_ceremony_can_be_read_from_a_stolen_disk() {
    let app = TestApp::open().await;
    let options = asks(&app.curl(), "/login/passkey/options").await;
    let disk = app.dump_storage().await;
    assert!(!disk.contains(options["challenge"].as_str().unwrap()));
}
