//! API keys: their secrets, how many there are, what suspends and ends them, and who hears of it.

use std::collections::BTreeSet;

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    internals::{Actor, lock_out, user_by_id},
    jobs::{self, Job},
    secret::digest,
};

use crate::{
    harness::{
        Answer, PASSWORD, TestApp,
        organisations::{Acme, stepped_up},
        run_program,
    },
    keys::{ADA, KEYS, OURS, PLANTED, account_key, asks, by_key, makes, mistyped, text},
};

#[actix_web::test]
async fn a_key_need_not_expire_where_the_operator_says_so() {
    let app = TestApp::with(&[("KEY_MAX_LIFE", "off"), ("KEY_LIFE", "2h")]).await;
    let ada = stepped_up(&app, ADA).await;
    let (_, usual) = account_key(&ada).await;
    let form = json!({ "name": "For ever", "permissions": ["account:read"], "expiresIn": "never" });
    let (_, endless) = makes(&ada, KEYS, form).await;
    app.wait(TimeDelta::hours(2));
    by_key(&app, &usual).get("/me").await.refuses(401, "invalid_token");
    app.wait(TimeDelta::days(4_000));
    by_key(&app, &endless).get("/me").await.is(200);
}

#[actix_web::test]
async fn the_secret_before_a_roll_works_for_the_overlap_and_the_one_before_it_no_longer() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (id, first) = account_key(&ada).await;
    let works = async |secret: &str| by_key(&app, secret).get("/me").await.status == 200;
    let rolls = async |overlap: &str| {
        let rolled = ada.post_json(&format!("{KEYS}/{id}/roll"), json!({ "overlap": overlap })).await;
        text(&rolled.is(200).json()["secret"])
    };

    let second = rolls("1h").await;
    assert!(works(&first).await && works(&second).await);
    let third = rolls("2h").await;
    assert_eq!((works(&first).await, works(&second).await, works(&third).await), (false, true, true));
    app.wait(TimeDelta::hours(1));
    assert!(works(&second).await);
    app.wait(TimeDelta::hours(1));
    assert_eq!((works(&second).await, works(&third).await), (false, true));
    let ada = app.curl();
    ada.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    ada.steps_up().await;
    let rolled =
        ada.post_json(&format!("{KEYS}/{id}/roll"), json!({ "overlap": "none" })).await.is(200).json();
    let fourth = text(&rolled["secret"]);
    assert_eq!((works(&third).await, works(&fourth).await), (false, true));
    // Its life begins anew with each secret, and the one before never outlives its own.
    app.wait(TimeDelta::days(89));
    let ada = app.curl();
    ada.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    ada.steps_up().await;
    let rolled = ada.post_json(&format!("{KEYS}/{id}/roll"), json!({ "overlap": "7d" })).await.is(200).json();
    let fifth = text(&rolled["secret"]);
    assert!(works(&fourth).await);
    app.wait(TimeDelta::days(2));
    assert_eq!((works(&fourth).await, works(&fifth).await), (false, true));
    assert_eq!(app.count("api_keys").await, 1);
}

#[actix_web::test]
async fn after_a_compromise_each_key_waits_until_its_owner_takes_it_up_again() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (one, first) = account_key(&ada).await;
    let (other, second) = account_key(&ada).await;
    let works = async |secret: &str| by_key(&app, secret).get("/me").await.status == 200;
    let comes_back = async || {
        let curl = app.curl();
        curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        curl
    };

    // An operator locks the account, and unlocks it: the keys do not come back by themselves.
    let id = app.user_id(ADA).await;
    let lock = app.inner.write(move |tx| {
        let user = user_by_id(tx.conn, &id)?;
        lock_out(tx, &Actor::operator(), &user, false)
    });
    assert!(lock.await.unwrap());
    assert!(!works(&first).await);
    app.db_execute("UPDATE users SET locked_at = NULL").await;
    assert!(!works(&first).await && !works(&second).await);
    let ada = comes_back().await;
    let states = |answer: Answer| {
        answer.json()["keys"].as_array().unwrap().iter().map(|key| text(&key["state"])).collect::<Vec<_>>()
    };
    assert_eq!(states(ada.get(KEYS).await), ["suspended", "suspended"]);
    ada.post_json(&format!("{KEYS}/{one}/resume"), json!({})).await.refuses(403, "reauthentication_required");
    ada.steps_up().await;
    ada.post_json(&format!("{KEYS}/{one}/resume"), json!({})).await.is(200);
    assert!(works(&first).await && !works(&second).await);
    // A new secret takes it up as well; the one that may be in other hands is dead at once.
    let rolled = ada.post_json(&format!("{KEYS}/{other}/roll"), json!({})).await.is(200).json();
    assert!(!works(&second).await && works(&text(&rolled["secret"])).await);

    // While the account waits to be deleted they rest, and work again when it stays.
    ada.post_json("/me/delete", json!({})).await.is(200);
    assert!(!works(&first).await);
    ada.post_json("/me/delete/cancel", json!({})).await.is(200);
    assert!(works(&first).await);
    // One button suspends them all, without a step-up.
    let ada = comes_back().await;
    assert_eq!(ada.post_json(&format!("{KEYS}/suspend-all"), json!({})).await.is(200).json()["suspended"], 2);
    assert!(!works(&first).await);
    assert_eq!(app.count("audit WHERE event = 'api_keys_suspended'").await, 2);
    // A changed password keeps them, and its email names them.
    ada.steps_up().await;
    ada.put_json("/me/password", json!({ "newPassword": "another fine passphrase" })).await.is(200);
    app.send_emails().await;
    let emails = app.emails_to(ADA).await;
    let told = emails.iter().find(|email| email.subject.contains("password")).unwrap();
    assert!(told.text.contains("Nightly build (vstp_") && told.text.contains("/me/keys"), "{}", told.text);
}

#[actix_web::test]
async fn owners_read_which_keys_an_account_in_doubt_made_for_them() {
    let acme = Acme::open().await;
    let role = acme.role("Keys", &["keys:manage", "notes:read"]).await;
    let (bea, _) = acme.joins("bea@example.com", &role).await;
    let form = json!({ "name": "Sync", "permissions": ["notes:read"] });
    let (_, secret) = makes(&bea, OURS, form).await;
    acme.app.curl().post_json("/forgot-password", json!({ "email": "bea@example.com" })).await.is(200);
    let token = acme.app.token_for("bea@example.com").await;
    let form = json!({ "token": token, "password": "another fine passphrase" });
    acme.app.curl().post_json("/reset-password", form).await.is(200);
    acme.app.send_emails().await;
    let told = acme.app.emails_to(ADA).await;
    let told = told.iter().find(|email| email.subject == "Check the API keys of Acme").unwrap();
    assert!(told.text.contains("someone else's hands") && told.text.contains("Sync (vsto_"), "{}", told.text);
    assert_eq!(
        asks(&by_key(&acme.app, &secret), json!({ "permission": "notes:read" })).await["allowed"],
        true
    );
}

#[actix_web::test]
async fn a_key_that_somebody_found_ends_and_nobody_learns_whether_there_was_one() {
    let acme = Acme::open().await;
    let (app, ada) = (&acme.app, &acme.ada);
    let (id, former) = account_key(ada).await;
    let rolled = ada.post_json(&format!("{KEYS}/{id}/roll"), json!({})).await.is(200).json();
    let secret = text(&rolled["secret"]);
    let form = json!({ "name": "Sync", "permissions": ["notes:read"] });
    let (_, ours) = makes(ada, OURS, form).await;
    let finds = async |secret: &str| {
        let found = app.curl().post_json("/keys/found", json!({ "secret": secret })).await.is(200);
        app.send_emails().await;
        found.body
    };
    let works = async |secret: &str| by_key(app, secret).get("/me").await.status == 200;

    let answer = finds("nonsense").await;
    // After a roll the earlier one ends alone.
    assert_eq!(finds(&former).await, answer);
    assert_eq!((works(&former).await, works(&secret).await), (false, true));
    for secret in [format!(" {secret}\n"), secret.clone(), PLANTED.to_owned(), ours, former] {
        assert_eq!(finds(&secret).await, answer);
    }
    assert!(!works(&secret).await);
    assert_eq!(app.count("api_keys").await, 0);
    assert_eq!(app.count("audit WHERE event = 'api_key_found'").await, 3);
    assert_eq!(app.emails_that_say(ADA, "API key of your Vestibule account found in public").await, 2);
    assert_eq!(app.emails_that_say(ADA, "API key of Acme found in public").await, 1);
}

#[actix_web::test]
async fn its_owner_hears_a_week_before_and_on_the_day() {
    let acme = Acme::open().await;
    let (app, ada) = (&acme.app, &acme.ada);
    let form = |life: &str| json!({ "name": "Sync", "permissions": ["notes:read"], "expiresIn": life });
    makes(ada, KEYS, form("30d")).await;
    makes(ada, OURS, form("30d")).await;
    // These end soon enough anyway.
    makes(ada, KEYS, form("1d")).await;
    let (rolled, _) = makes(ada, KEYS, form("7d")).await;
    let remind = async || {
        jobs::run_once(&app.inner, Job::ApiKeys, true).await.unwrap();
        app.send_emails().await;
        app.emails_that_say(ADA, "is about to expire").await
    };
    assert_eq!(remind().await, 0);
    ada.post_json(&format!("{KEYS}/{rolled}/roll"), json!({})).await.is(200);
    app.wait(TimeDelta::days(6));
    // Of the one for a week it is the last day.
    assert_eq!((remind().await, remind().await), (1, 1));
    app.wait(TimeDelta::days(17));
    assert_eq!((remind().await, remind().await), (3, 3));
    app.wait(TimeDelta::days(6));
    assert_eq!((remind().await, remind().await), (5, 5));
    app.wait(TimeDelta::days(2));
    assert_eq!(remind().await, 5);
    // What has expired stays on the list for 30 days.
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(app.count("api_keys").await, 3);
    app.wait(TimeDelta::days(30));
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(app.count("api_keys").await, 0);
}

#[actix_web::test]
async fn there_are_so_many_keys_and_no_more_also_at_once() {
    let acme = Acme::open().await;
    for (path, most) in [(KEYS, 25), (OURS, 20)] {
        let form = json!({ "name": "Build", "permissions": ["notes:read"] });
        for _ in 0..most - 3 {
            makes(&acme.ada, path, form.clone()).await;
        }
        let at_once = (0..8).map(|_| acme.ada.post_json(path, form.clone()));
        let answers = futures_util::future::join_all(at_once).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 3, "{path}");
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.refuses(409, "key_limit");
        }
        let browser = acme.ada.clone().with("accept", "text/html");
        let page = browser.post(path, &[("name", "One more"), ("notes:read", "on")]).await.is(409);
        page.says("as many as there can be").says("One more");
    }
    assert_eq!(acme.app.count("api_keys").await, 45);
}

#[actix_web::test]
async fn tries_and_uses_are_counted() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let ada = stepped_up(&app, ADA).await;
    let (_, secret) = account_key(&ada).await;
    // A wrong checksum costs no query, and is no try.
    let mistyped = mistyped(&secret);
    for _ in 0..40 {
        by_key(&app, &mistyped).get("/me").await.refuses(401, "invalid_token");
    }
    for _ in 0..30 {
        by_key(&app, PLANTED).get("/me").await.refuses(401, "invalid_token");
    }
    let refused = by_key(&app, PLANTED).get("/me").await.refuses(429, "too_many_attempts");
    assert!(refused.header("retry-after").parse::<i64>().unwrap() <= 60);
    // A key that works pays for no neighbour of its own.
    by_key(&app, &secret).get("/me").await.is(200);
    ada.get("/me").await.is(200);
    app.wait(TimeDelta::minutes(1));
    for _ in 0..600 {
        by_key(&app, &secret).get("/me").await.is(200);
    }
    by_key(&app, &secret).get("/me").await.refuses(429, "too_many_attempts");
    for _ in 0..30 {
        app.curl().post_json("/keys/found", json!({ "secret": PLANTED })).await.is(200);
    }
    app.curl().post_json("/keys/found", json!({ "secret": secret })).await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn the_copy_of_one_s_data_names_keys_and_no_secret() {
    let acme = Acme::open().await;
    let (_, secret) = account_key(&acme.ada).await;
    let form = json!({ "name": "Sync", "permissions": ["notes:read"] });
    let (_, ours) = makes(&acme.ada, OURS, form).await;
    let copy = acme.ada.get("/me/export").await.is(200);
    for secret in [secret.clone(), ours] {
        assert!(!copy.body.contains(&secret) && !copy.body.contains(&digest(&secret)));
    }
    let keys = copy.json()["apiKeys"].as_array().unwrap().clone();
    let called = |name: &str| keys.iter().find(|key| key["name"] == name).unwrap();
    assert_eq!(called("Sync")["organisation"], "Acme");
    assert_eq!(text(&called("Nightly build")["hint"]), format!("{}…", &secret[..9]));
}

#[actix_web::test]
async fn secrets_begin_as_the_operator_wants_and_those_from_before_work_on() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (old_id, old) = account_key(&ada).await;
    // A row of a program that knew one prefix only.
    app.db_execute(&format!("UPDATE api_keys SET hint = '{}'", &old[5..9])).await;
    let node = app.second_node_with(&[("TOKEN_PREFIX", "acm")]).await;
    let there = ada.at(node.port);
    let (_, new) = account_key(&there).await;
    assert!(new.starts_with("acmp_") && new.len() == 43, "{new}");
    for node in [&app, &node] {
        for secret in [&old, &new] {
            by_key(node, secret).get("/me").await.is(200);
        }
    }
    let keys = ada.get(KEYS).await.json()["keys"].clone();
    let hints: BTreeSet<String> = keys.as_array().unwrap().iter().map(|key| text(&key["hint"])).collect();
    assert_eq!(hints, [&old, &new].map(|secret| format!("{}…", &secret[..9])).into());
    // One that is mistyped is one of ours where it begins so; else it is somebody's else.
    by_key(&node, &mistyped(&new)).get("/me").await.refuses(401, "invalid_token");
    by_key(&node, &mistyped(&old)).get("/me").await.refuses(401, "sign_in_required");
    // It is rolled into the new spelling, and found in either.
    let rolled = there.post_json(&format!("{KEYS}/{old_id}/roll"), json!({ "overlap": "none" })).await;
    assert!(text(&rolled.is(200).json()["secret"]).starts_with("acmp_"));
    node.curl().post_json("/keys/found", json!({ "secret": new })).await.is(200);
    by_key(&app, &new).get("/me").await.refuses(401, "invalid_token");
}

#[test]
fn a_prefix_is_three_characters_from_a_to_z() {
    for prefix in ["vs", "vest", "VST", "vs1", "vs_", "äb"] {
        let settings = [("SECRET_KEY", crate::harness::KEY), ("TOKEN_PREFIX", prefix)];
        let refused =
            run_program(&["serve"], settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(refused.code, Some(1), "{prefix}: {refused:?}");
        assert!(
            refused.err.contains("TOKEN_PREFIX") && refused.err.contains("three characters from a to z"),
            "{refused:?}"
        );
    }
}

#[actix_web::test]
async fn a_key_is_sent_as_forms_and_programs_send_it() {
    let acme = Acme::open().await;
    let ada = &acme.ada;
    // A field for each box that is ticked, as other forms have them.
    let repeated = [
        ("name", "Repeated"),
        ("permissions", ""),
        ("permissions", "notes:read"),
        ("permissions", "account:read"),
    ];
    let made = ada.post(KEYS, &repeated).await.is(201).json();
    assert_eq!(made["key"]["permissions"], json!(["account:read", "notes:read"]));
    ada.post(KEYS, &[("name", "a"), ("name", "b"), ("permissions", "notes:read")]).await.is(400);
    // A new secret takes no body.
    let id = text(&made["key"]["id"]);
    let path = format!("{KEYS}/{id}/roll");
    ada.send(Method::POST, &path, None).await.is(200);
    ada.send(Method::POST, &path, Some(("text/plain", "overlap=none".to_owned()))).await.is(415);
    ada.send(Method::POST, &path, Some(("application/json", String::new()))).await.is(400);
    let form = json!({ "name": "Sync", "permissions": ["notes:read"] });
    let (ours, _) = makes(ada, OURS, form).await;
    ada.send(Method::POST, &format!("{OURS}/{ours}/roll"), None).await.is(200);
}

#[actix_web::test]
async fn what_is_wrong_with_a_key_is_said_before_a_step_up_and_what_was_chosen_comes_back() {
    let acme = Acme::open().await;
    let ada = acme.app.browser();
    ada.post("/login", &[("email", ADA), ("password", PASSWORD)]).await.is(303);
    for path in [KEYS, OURS] {
        for form in [
            &[("name", ""), ("notes:read", "on")][..],
            &[("name", "Build"), ("expiresIn", "400d"), ("notes:read", "on")],
            &[("name", "Build"), ("permissions", "")],
            &[("name", "Build"), ("notes:reed", "on")],
        ] {
            ada.post(path, form).await.is(422);
        }
        let form = [("name", "Build"), ("expiresIn", "30d"), ("notes:read", "on"), ("notes:delete", "on")];
        let asked = ada.post(path, &form).await.is(303);
        let resume = asked.header("location").split_once("/auth/confirm?resume=").unwrap().1.to_owned();
        let way = format!("/auth/continue?resume={resume}");
        ada.post("/auth/confirm", &[("password", PASSWORD), ("resume", &resume)]).await.goes_to(&way);
        let page = ada.get(&way).await.is(200).says("Create an API key").says("notes:delete, notes:read");
        let fields = page.says("30d").body.clone();
        let hidden = |value: &str| format!("<input type=\"hidden\" name=\"permissions\" value=\"{value}\">");
        assert!(["notes:delete", "notes:read"].iter().all(|name| fields.contains(&hidden(name))), "{fields}");
        acme.app.wait(TimeDelta::minutes(6));
    }
    // Who may not is told so, and not asked for anything.
    let (bea, _) = acme.joins("bea@example.com", "editor").await;
    acme.app.wait(TimeDelta::minutes(6));
    bea.post_json(OURS, json!({ "name": "" })).await.refuses(403, "forbidden");
}

#[actix_web::test]
async fn an_operator_looks_keys_up_and_ends_one() {
    let acme = Acme::of(TestApp::open().await).await;
    let (own, secret) = account_key(&acme.ada).await;
    let form = json!({ "name": "Sync", "permissions": ["members:read"] });
    let (ours, _) = makes(&acme.ada, OURS, form).await;
    let app = &acme.app;
    let line = |arguments: &[&str]| -> Value {
        let printed = app.command(&[arguments, &["--json"]].concat());
        assert_eq!(printed.code, Some(0), "{}", printed.err);
        serde_json::from_str(&printed.out).unwrap()
    };
    let listed = line(&["api-key", "list", "--user", ADA]);
    assert_eq!(
        (&listed["id"], &listed["state"], &listed["kind"]),
        (&json!(own), &json!("active"), &json!("personal"))
    );
    assert_eq!(line(&["api-key", "list", "--organisation", "acme"])["id"], json!(ours));
    assert_eq!(line(&["api-key", "show", &own]), listed);
    let shown = app.command(&["api-key", "show", &own]);
    assert!(shown.out.contains("may: account:read") && !shown.out.contains(&secret), "{}", shown.out);
    assert_eq!(line(&["api-key", "revoke", &own])["revoked"], true);
    by_key(app, &secret).get("/me").await.refuses(401, "invalid_token");
    let again = app.command(&["api-key", "revoke", &own]);
    assert_eq!((again.code, again.err.contains("There is no API key")), (Some(1), true), "{}", again.err);
    assert_eq!(app.command(&["api-key", "list"]).code, Some(2));
    app.send_emails().await;
    assert_eq!(app.emails_that_say(ADA, "API key revoked for your Vestibule account").await, 1);
    assert_eq!(app.count("audit WHERE event = 'api_key_revoked' AND actor_kind = 'operator'").await, 1);
}
