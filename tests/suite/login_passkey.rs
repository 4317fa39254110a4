//! What a passkey signed: which answers sign somebody in or count as a second factor, and which never do.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Authenticator, TestApp, Visitor},
    passkeys::{adds, asks, confirms, signs_in, steps_up, waits, with_passkey},
};

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
