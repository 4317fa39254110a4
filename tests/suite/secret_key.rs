//! The secret key: how it is changed while people are at it, and what notices a wrong one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use serde_json::{Value, json};
use vestibule::{
    clock::Timestamp,
    db::Conn,
    internals::{Actor, SEALED_COLUMNS, begin_service_key},
    jobs::{self, Job},
    saml::ServiceKey,
    secret,
};

use crate::{
    harness::{Authenticator, Ground, KEY, Owner, PASSWORD, START, TestApp, Visitor, run_program},
    idp::Acme,
    oauth::Notes,
};

const OLD: &str = KEY;
const NEW: &str = "the key that this house has from tomorrow on";
const BETTER: &str = "a new and better password";

/// What a node is configured with: `SECRET_KEY`, `SECRET_KEY_NEXT`, `SECRET_KEY_PREVIOUS`.
type Keys = [&'static str; 3];

const BEFORE: Keys = [OLD, "", ""];
const ANNOUNCED: Keys = [OLD, NEW, ""];
const SWAPPED: Keys = [NEW, "", OLD];
const AFTERWARDS: Keys = [NEW, "", ""];

async fn node(app: &TestApp, keys: Keys) -> TestApp {
    let [current, next, previous] = keys;
    let settings = [("SECRET_KEY", current), ("SECRET_KEY_NEXT", next), ("SECRET_KEY_PREVIOUS", previous)];
    app.second_node_with(&settings).await
}

#[actix_web::test]
async fn the_key_changes_one_node_after_the_other_and_nobody_is_refused_on_either() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let mut there = node(&app, BEFORE).await;
    for (chapter, keys) in [ANNOUNCED, SWAPPED, AFTERWARDS].into_iter().enumerate() {
        // One node has been restarted, the other one not yet.
        let here = node(&app, keys).await;
        for (from, to, way) in [(&here, &there, "forth"), (&there, &here, "back")] {
            println!("chapter {chapter}, {way}");
            comes_and_goes(from, to, &format!("person{chapter}{way}@example.com")).await;
            uses_the_app(from, to, &ada).await;
        }
        there = here;
    }
    let keys = app.texts("SELECT substr(sealed, 1, 8) AS text FROM totp").await;
    assert_eq!(keys, [fingerprint(NEW)], "the app moved to the new key");
}

/// Whatever one node seals, signs or peppers, the other one opens.
async fn comes_and_goes(from: &TestApp, to: &TestApp, address: &str) {
    // An account, its email and its session.
    let here = from.unverified_user(address).await;
    let there = here.at(to.port);
    there.post_json("/verify-email", json!({ "token": to.token_for(address).await })).await.is(200);
    there.get("/me").await.is(200);

    // A form that a step-up interrupts.
    let browser = from.browser();
    browser.post("/login", &[("email", address), ("password", PASSWORD)]).await.goes_to("/me");
    from.wait(TimeDelta::minutes(6));
    let asked = browser.post("/me/email", &[("email", "new@example.com")]).await.is(303);
    let (_, resume) = asked.header("location").split_once("resume=").unwrap();
    let browser_there = browser.at(to.port);
    browser_there
        .post("/auth/confirm", &[("password", PASSWORD), ("resume", resume)])
        .await
        .goes_to(&format!("/auth/continue?resume={resume}"));
    browser_there.get(&format!("/auth/continue?resume={resume}")).await.is(200).says("new@example.com");

    // A link to sign in, bound to the browser that asked.
    let asking = from.curl();
    from.send_emails().await;
    asking.post_json("/login/magic-link", json!({ "email": address })).await.is(200);
    let token = to.token_for(address).await;
    let told =
        moved(&asking, to).get(&format!("/login/magic-link/verify?token={token}")).await.is(200).json();
    assert_eq!(told["sameBrowser"], true, "{told}");
    moved(&asking, to).post_json("/login/magic-link/verify", json!({ "token": token })).await.is(200);

    // A link to a new password; the page after it says so.
    from.send_emails().await;
    from.curl().post_json("/forgot-password", json!({ "email": address })).await.is(200);
    let token = to.token_for(address).await;
    let browser = to.browser();
    let form = [("token", token.as_str()), ("password", BETTER), ("repeat", BETTER)];
    browser.post("/reset-password", &form).await.goes_to("/login");
    browser.at(from.port).get("/login").await.is(200).says("Your new password is saved.");

    // That password, a passkey that is asked for here and made there, its recovery codes.
    let here = from.curl();
    here.post_json("/login", json!({ "email": address, "password": BETTER })).await.is(200);
    here.post_json("/auth/confirm", json!({ "password": BETTER })).await.is(200);
    let mut device = Authenticator::new(from);
    let options = here.post_json("/me/passkeys/options", json!({})).await.is(200).json();
    let made = moved(&here, to).post_json("/me/passkeys", device.create(&options)).await.is(201).json();
    let waiting = from.curl();
    let asked = waiting.post_json("/login", json!({ "email": address, "password": BETTER })).await.is(200);
    assert_eq!(asked.json()["twoFactorRequired"], true, "{asked:?}");
    moved(&waiting, to).submits_code(made["recoveryCodes"][0].as_str().unwrap()).await.is(200);
    let visitor = from.curl();
    let options = visitor.post_json("/login/passkey/options", json!({})).await.is(200).json();
    moved(&visitor, to).post_json("/login/passkey", device.get(&options)).await.is(200);
}

/// Somebody who was here before all that: a password here, a code of their app there.
async fn uses_the_app(from: &TestApp, to: &TestApp, ada: &Owner) {
    ada.curl.at(to.port).get("/me").await.is(200);
    let waiting = from.curl();
    assert_eq!(ada.submits_password(&waiting).await.is(200).json()["twoFactorRequired"], true);
    moved(&waiting, to).submits_code(&from.next_code(&ada.secret)).await.is(200);
}

/// The same browser, whose next request the balancer gives to another node.
fn moved(visitor: &Visitor, to: &TestApp) -> Visitor {
    visitor.at(to.port)
}

#[actix_web::test]
async fn a_hash_is_made_anew_where_it_is_weaker_than_today_and_never_to_be_weaker() {
    let app = TestApp::with(&[("BCRYPT_COST", "6")]).await;
    app.unverified_user("ada@example.com").await;
    for (cost, stored) in [("4", "$06$"), ("6", "$06$"), ("5", "$06$"), ("7", "$07$"), ("4", "$07$")] {
        let node = app.second_node_with(&[("BCRYPT_COST", cost)]).await;
        let offer = json!({ "email": "ada@example.com", "password": PASSWORD });
        node.curl().post_json("/login", offer).await.is(200);
        let hash = app.texts("SELECT password_hash AS text FROM users").await;
        assert!(hash[0].contains(stored), "at cost {cost}: {hash:?}");
    }
}

/// A program with this key on the database of `ground`.
fn with_key(ground: &Ground, keys: Keys) -> BTreeMap<String, String> {
    let mut settings = ground.settings.clone();
    for (name, key) in ["SECRET_KEY", "SECRET_KEY_NEXT", "SECRET_KEY_PREVIOUS"].into_iter().zip(keys) {
        settings.insert(name.to_owned(), key.to_owned());
    }
    settings.insert("LISTEN".to_owned(), "127.0.0.1:0".to_owned());
    settings
}

fn fingerprint(key: &str) -> String {
    secret::Keys::derive(key, &[]).unwrap().current_id().to_owned()
}

#[actix_web::test]
async fn a_wrong_key_is_noticed_before_anything_is_done_with_it() {
    let ground = Ground::with(&[("BCRYPT_COST", "4"), ("SECRET_KEY", OLD)]);
    // The first start lays the canary.
    let vestibule = ground.serve().await;
    vestibule
        .curl()
        .post_json("/signup", json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" }))
        .await
        .is(201);
    vestibule.stop();
    let wrong = "somebody put the key of another database here";
    let newest = "and this is the one that follows after that one";
    for (keys, is_right) in [
        (BEFORE, true),
        ([wrong, "", ""], false),
        ([NEW, "", ""], false),
        ([NEW, wrong, ""], false),
        ([NEW, wrong, newest], false),
        (ANNOUNCED, true),
        (SWAPPED, true),
        // From here on the canary is the new key's.
        (AFTERWARDS, true),
        (ANNOUNCED, true),
        (BEFORE, false),
        ([newest, "", NEW], true),
        (AFTERWARDS, false),
    ] {
        let settings = with_key(&ground, keys);
        let output = run_program(&["jobs", "run", "sweep"], &settings);
        assert_eq!(output.code, Some(i32::from(!is_right)), "{keys:?}: {output:?}");
        if is_right {
            continue;
        }
        for command in [&["serve"][..], &["seed"], &["user", "list"], &["jobs", "list"], &["sso", "list"]] {
            let output = run_program(command, &settings);
            assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{keys:?} {command:?}: {output:?}");
            assert!(output.err.starts_with("SECRET_KEY is not the key of this database"), "{output:?}");
            for key in keys.into_iter().filter(|key| !key.is_empty()) {
                assert!(output.err.contains(&fingerprint(key)), "{output:?}");
                assert!(!output.err.contains(key), "{output:?}");
            }
        }
        let output = run_program(&["doctor", "--json"], &settings);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.out.contains("SECRET_KEY is not the key of this database"), "{output:?}");
    }
}

#[actix_web::test]
async fn a_database_from_before_there_was_a_canary_is_known_by_its_rows() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    assert_eq!(app.count("key_checks").await, 0);
    let mut wrong = app.settings.clone();
    wrong.insert("SECRET_KEY".to_owned(), NEW.to_owned());

    let output = run_program(&["user", "list"], &wrong);

    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains(&format!("sealed with the key {}", fingerprint(OLD))), "{output:?}");
    assert_eq!(app.command(&["user", "list"]).code, Some(0));
    assert_eq!(app.count("key_checks").await, 1);
}

#[actix_web::test]
async fn the_doctor_says_what_hangs_on_which_key_until_nothing_does() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    app.unverified_user("ben@example.com").await;
    app.inner.write(|tx| begin_service_key(tx, &Actor::operator(), &any_service_key())).await.unwrap();
    let doctor = |app: &TestApp| {
        let output = app.command(&["doctor", "--json"]);
        let found = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        found.into_iter().find(|found| found["what"] == "keys").unwrap()
    };
    let (old, new) = (fingerprint(OLD), fingerprint(NEW));

    let found = doctor(&app);
    assert_eq!(found["health"], "fine", "{found}");
    let all = format!(
        "SECRET_KEY {old}: 2 password(s), 10 recovery code(s), 1 authenticator app(s), 1 SAML key(s)"
    );
    assert!(found["says"].as_str().unwrap().starts_with(&all), "{found}");

    let swapped = node(&app, SWAPPED).await;
    let found = doctor(&swapped);
    assert_eq!(found["health"], "fine", "{found}");
    assert!(
        found["says"].as_str().unwrap().contains(&format!("SECRET_KEY_PREVIOUS {old}: 2 password(s)")),
        "{found}"
    );

    // What needs nobody moves by itself; a password with its owner.
    jobs::run_once(&swapped.inner, Job::Sweep, true).await.unwrap();
    ada.submits_password(&swapped.curl()).await.is(200);
    let found = doctor(&swapped);
    let says = found["says"].as_str().unwrap();
    assert!(
        says.contains(&format!("SECRET_KEY {new}: 1 password(s), 1 authenticator app(s), 1 SAML key(s)")),
        "{found}"
    );
    let left = format!("SECRET_KEY_PREVIOUS {old}: 1 password(s), 10 recovery code(s)");
    assert!(says.contains(&left) && says.contains("still hang on it"), "{found}");

    // Too early: it says what is lost.
    let found = doctor(&node(&app, AFTERWARDS).await);
    assert_eq!(found["health"], "warning", "{found}");
    assert!(
        found["says"].as_str().unwrap().contains(&format!("Nobody has the key {old}: 1 password(s)")),
        "{found}"
    );

    app.db_execute("DELETE FROM recovery_codes").await;
    let offer = json!({ "email": "ben@example.com", "password": PASSWORD });
    swapped.curl().post_json("/login", offer).await.is(200);
    app.wait(TimeDelta::days(30));
    app.db_execute("DELETE FROM tokens").await;
    let found = doctor(&swapped);
    assert!(found["says"].as_str().unwrap().contains("nothing hangs on it any more, take it out"), "{found}");
    // Single sign-on goes on without the old key.
    let alone = node(&app, AFTERWARDS).await;
    alone.curl().get("/auth/saml/metadata").await.is(200);
}

fn any_service_key() -> ServiceKey {
    let now = Timestamp::from_unix(START);
    ServiceKey::generate("a key of one test", now, TimeDelta::days(1)).unwrap()
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Every column of text that the database has.
async fn text_columns(app: &TestApp) -> BTreeSet<(String, String)> {
    let walk = |conn: &mut Conn| {
        let query = match conn {
            Conn::Sqlite(_) => {
                "SELECT m.name AS in_table, c.name AS name FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.type = 'TEXT'"
            }
            Conn::Postgres(_) => {
                "SELECT table_name::text AS in_table, column_name::text AS name FROM information_schema.columns \
                 WHERE table_schema = 'public' AND data_type = 'text'"
            }
        };
        Ok(sql_query(query).load::<Column>(conn)?)
    };
    let columns = app.inner.read(walk).await.unwrap();
    columns.into_iter().map(|column| (column.in_table, column.name)).collect()
}

#[actix_web::test]
async fn every_column_that_a_key_sealed_is_on_the_list() {
    let app = TestApp::open().await;
    // Somebody uses whatever seals.
    let ada = app.with_app("ada@example.com").await;
    app.waiting_app(&ada.curl).await;
    app.inner.write(|tx| begin_service_key(tx, &Actor::operator(), &any_service_key())).await.unwrap();
    app.curl().post_json("/login/passkey/options", json!({})).await.is(200);
    // What an identity provider calls a session is sealed alike, and so is the secret that an OpenID provider gave out.
    Acme::of(&app).await;
    for column in ["sessions SET provider_session", "connections SET secret_sealed"] {
        app.db_execute(&format!("UPDATE {column} = (SELECT sealed FROM totp LIMIT 1)")).await;
    }
    app.curl().post_json("/forgot-password", json!({ "email": ada.address })).await.is(200);
    let notes = Notes::of(app, "web", &[]);
    let tokens = notes.tokens(&ada.curl, &[]).await;
    notes.refreshes(&tokens["refresh_token"]).await.is(200);
    let app = notes.app;
    assert_eq!(app.command(&["jobs", "list"]).code, Some(0));
    let listed: BTreeSet<(String, String)> =
        SEALED_COLUMNS.iter().map(|column| (column.table.to_owned(), column.name.to_owned())).collect();
    let columns = text_columns(&app).await;
    assert!(columns.is_superset(&listed), "{listed:?} in {columns:?}");

    let id = fingerprint(OLD);
    let mut seen = BTreeSet::new();
    for (table, name) in columns {
        let rows = format!("{table} WHERE {name} LIKE '%{id}.%' OR {name} LIKE '%{id}:%'");
        if name == "sealed" || app.count(&rows).await > 0 {
            seen.insert((table, name));
        }
    }

    assert_eq!(seen, listed, "left: columns that a key sealed; right: model::secret_key::ALL");
}
