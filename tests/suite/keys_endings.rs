//! What becomes of API keys at each occasion: those of a person, one of them for an organisation only, and one that the person
//! made for that organisation.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    internals::{Actor, lock_out, user_by_id},
    jobs::{self, Job},
};

use crate::{
    harness::{
        PASSWORD, TestApp, Visitor,
        authenticator::Authenticator,
        organisations::{Acme, stepped_up},
    },
    keys::{ADA, KEYS, OURS, account_key, by_key, makes, text},
    passkeys,
    recovery::{LATER, X, Y, gets_back, intruder, not_me, ways_back},
};

const BEA: &str = "bea@example.com";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Occasion {
    SignedOut,
    DeviceSignedOut,
    SessionLocked,
    SignedOutElsewhere,
    PasswordChanged,
    AddressChanged,
    SecondFactorRemoved,
    ResetByMail,
    NotMe,
    Locked,
    LockedAsCompromised,
    DeletionScheduled,
    DeletionCancelled,
    Left,
    Removed,
    OrganisationDeleted,
    OrganisationRestored,
    Purged,
}

/// What a key does afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Works,
    /// Its owner has to take it up again.
    Suspended,
    /// It does nothing while its owner, or its organisation, waits to be deleted.
    Rests,
    Gone,
}

use State::{Gone, Rests, Suspended, Works};

/// The person's own, the one for the organisation, and the organisation's; and whether its owners are told which it made.
type After = ([State; 3], bool);

const TABLE: [(Occasion, After); 18] = [
    (Occasion::SignedOut, ([Works, Works, Works], false)),
    (Occasion::DeviceSignedOut, ([Works, Works, Works], false)),
    (Occasion::SessionLocked, ([Works, Works, Works], false)),
    (Occasion::SignedOutElsewhere, ([Works, Works, Works], false)),
    (Occasion::PasswordChanged, ([Works, Works, Works], false)),
    (Occasion::AddressChanged, ([Works, Works, Works], false)),
    (Occasion::SecondFactorRemoved, ([Works, Works, Works], false)),
    (Occasion::ResetByMail, ([Suspended, Suspended, Works], true)),
    (Occasion::NotMe, ([Suspended, Suspended, Works], true)),
    (Occasion::Locked, ([Suspended, Suspended, Works], true)),
    (Occasion::LockedAsCompromised, ([Suspended, Suspended, Works], true)),
    (Occasion::DeletionScheduled, ([Rests, Rests, Works], false)),
    (Occasion::DeletionCancelled, ([Works, Works, Works], false)),
    (Occasion::Left, ([Works, Gone, Works], true)),
    (Occasion::Removed, ([Works, Gone, Works], true)),
    (Occasion::OrganisationDeleted, ([Works, Rests, Rests], false)),
    (Occasion::OrganisationRestored, ([Works, Works, Works], false)),
    (Occasion::Purged, ([Gone, Gone, Works], false)),
];

#[actix_web::test]
async fn what_becomes_of_keys() {
    let mut wrong = Vec::new();
    for (occasion, expected) in TABLE {
        let acme = Acme::open().await;
        let role = acme.role("Keys", &["keys:manage", "notes:read"]).await;
        let (bea, id) = acme.joins(BEA, &role).await;
        let form = |permission: &str, organisation: Option<&str>| json!({ "name": "Build", "permissions": [permission], "organisation": organisation });
        let keys = [
            makes(&bea, KEYS, form("account:read", None)).await,
            makes(&bea, KEYS, form("notes:read", Some("acme"))).await,
            makes(&bea, OURS, json!({ "name": "Sync", "permissions": ["notes:read"] })).await,
        ];
        acme.app.send_emails().await;
        // Their own session began before anything was in doubt.
        acme.app.wait(TimeDelta::seconds(2));
        happens(occasion, &acme, &bea, &id).await;
        let mut states = [Works; 3];
        for (state, (key, secret)) in states.iter_mut().zip(&keys) {
            *state = state_of(&acme, key, secret).await;
        }
        acme.app.send_emails().await;
        let is_told = acme.app.emails_that_say(ADA, "Check the API keys of Acme").await > 0;
        if (states, is_told) != expected {
            wrong.push(format!("{occasion:?}: {states:?}, owners told: {is_told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn state_of(acme: &Acme, key: &str, secret: &str) -> State {
    let program = by_key(&acme.app, secret);
    let is_own =
        acme.app.count(&format!("api_keys WHERE id = '{key}' AND organisation_id IS NULL")).await == 1;
    let answer = match is_own {
        true => program.get("/me").await,
        false => program.post_json("/auth/check", json!({ "permission": "notes:read" })).await,
    };
    if answer.status == 200 && (is_own || answer.json()["allowed"] == true) {
        return Works;
    }
    let counts = async |also: &str| acme.app.count(&format!("api_keys WHERE id = '{key}'{also}")).await == 1;
    match (counts("").await, counts(" AND suspended_at IS NOT NULL").await) {
        (false, _) => Gone,
        (true, true) => Suspended,
        (true, false) => Rests,
    }
}

async fn happens(occasion: Occasion, acme: &Acme, bea: &Visitor, id: &str) {
    let app = &acme.app;
    let elsewhere = async || {
        let visitor = app.curl().named(X);
        visitor.post_json("/login", json!({ "email": BEA, "password": PASSWORD })).await.is(200);
        visitor
    };
    match occasion {
        Occasion::SignedOut => drop(bea.post_json("/logout", json!({})).await.is(200)),
        Occasion::DeviceSignedOut => {
            let other = elsewhere().await.session_id().await;
            bea.delete(&format!("/me/sessions/{other}")).await.is(200);
        }
        Occasion::SessionLocked => {
            let other = elsewhere().await.named(Y);
            other.get("/me").await.refuses(401, "session_locked");
        }
        Occasion::SignedOutElsewhere => {
            elsewhere().await;
            bea.post_json("/me/sessions/revoke-all", json!({})).await.is(200);
        }
        Occasion::PasswordChanged => {
            bea.put_json("/me/password", json!({ "newPassword": LATER })).await.is(200);
            app.send_emails().await;
            let emails = app.emails_to(BEA).await;
            let told = emails.iter().find(|email| email.subject.contains("password")).unwrap();
            assert!(told.text.contains("Build (vstp_"), "{}", told.text);
        }
        Occasion::AddressChanged => {
            bea.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200);
            let token = app.token_for("new@example.com").await;
            bea.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
        }
        Occasion::SecondFactorRemoved => {
            let mut device = Authenticator::new(app);
            passkeys::adds(bea, &mut device).await.is(201);
            passkeys::confirms(bea, &mut device).await;
            let passkey = bea.get("/me/passkeys").await.json()["passkeys"][0]["id"].clone();
            bea.delete(&format!("/me/passkeys/{}", passkey.as_str().unwrap())).await.is(200);
        }
        Occasion::ResetByMail => {
            app.curl().post_json("/forgot-password", json!({ "email": BEA })).await.is(200);
            let form = json!({ "token": app.token_for(BEA).await, "password": LATER });
            app.curl().post_json("/reset-password", form).await.is(200);
        }
        Occasion::NotMe => {
            elsewhere().await;
            let alert = ways_back(app, BEA, true).await.remove(0);
            not_me(app, &alert).await;
        }
        Occasion::Locked | Occasion::LockedAsCompromised => {
            let (user, is_compromised) = (app.user_id(BEA).await, occasion == Occasion::LockedAsCompromised);
            let lock = app.inner.write(move |tx| {
                let user = user_by_id(tx.conn, &user)?;
                lock_out(tx, &Actor::operator(), &user, is_compromised)
            });
            assert!(lock.await.unwrap());
        }
        Occasion::DeletionScheduled => drop(bea.post_json("/me/delete", json!({})).await.is(200)),
        Occasion::DeletionCancelled => {
            bea.post_json("/me/delete", json!({})).await.is(200);
            bea.post_json("/me/delete/cancel", json!({})).await.is(200);
        }
        Occasion::Left => drop(bea.post_json("/organisations/acme/leave", json!({})).await.is(200)),
        Occasion::Removed => drop(acme.ada.delete(&Acme::member_path(id)).await.is(200)),
        Occasion::OrganisationDeleted | Occasion::OrganisationRestored => {
            let name = json!({ "name": "Acme" });
            acme.ada.post_json("/organisations/acme/delete", name).await.is(200);
            if occasion == Occasion::OrganisationRestored {
                acme.ada.post_json("/organisations/acme/restore", json!({})).await.is(200);
            }
        }
        Occasion::Purged => {
            bea.post_json("/me/delete", json!({})).await.is(200);
            app.wait(TimeDelta::days(31));
            jobs::run_once(&app.inner, Job::Deletions, true).await.unwrap();
            assert_eq!(app.count("users").await, 1);
        }
    }
}

#[actix_web::test]
async fn the_key_of_somebody_who_left_stays_with_its_organisation_case_151() {
    let acme = Acme::open().await;
    let role = acme.role("Keys", &["keys:manage", "notes:read"]).await;
    let (bea, id) = acme.joins(BEA, &role).await;
    let (key, secret) = makes(&bea, OURS, json!({ "name": "Sync", "permissions": ["notes:read"] })).await;
    let listed = async || acme.ada.get(OURS).await.is(200).json()["keys"][0].clone();
    assert_eq!((&listed().await["madeBy"]["id"], &listed().await["makerLeft"]), (&json!(id), &json!(false)));

    acme.ada.delete(&Acme::member_path(&id)).await.is(200);

    assert_eq!((&listed().await["madeBy"]["id"], &listed().await["makerLeft"]), (&json!(id), &json!(true)));
    let browser = acme.ada.clone().with("accept", "text/html");
    browser.get(OURS).await.is(200).says("Sync").says("who left");
    acme.app.send_emails().await;
    let emails = acme.app.emails_to(ADA).await;
    let told = emails.iter().find(|email| email.subject == "Check the API keys of Acme").unwrap();
    assert!(told.text.contains("no longer belongs") && told.text.contains("Sync (vsto_"), "{}", told.text);
    // Whoever made it has no say in it any more, and whoever comes back has, as what they are then.
    bea.post_json(&format!("{OURS}/{key}/roll"), json!({})).await.is(404);
    let question = json!({ "permission": "notes:read" });
    let works = async || by_key(&acme.app, &secret).post_json("/auth/check", question.clone()).await.status;
    assert_eq!(works().await, 200);
    acme.ada.post_json(&format!("{OURS}/{key}/roll"), json!({ "overlap": "none" })).await.is(200);
    assert_eq!(works().await, 401);
    acme.ada.delete(&format!("{OURS}/{key}")).await.is(200);
    assert_eq!(acme.ada.get(OURS).await.json()["keys"], Value::Array(Vec::new()));
}

/// Steps up with the password that came after the first.
async fn confirms(person: &Visitor) {
    person.post_json("/auth/confirm", json!({ "password": LATER })).await.is(200);
}

async fn rolls(person: &Visitor, path: &str, key: &str) -> String {
    let rolled = person.post_json(&format!("{path}/{key}/roll"), json!({ "overlap": "7d" })).await.is(200);
    text(&rolled.json()["secret"])
}

#[actix_web::test]
async fn a_secret_that_a_disowned_session_made_is_never_taken_up_again() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (rolled, first) = account_key(&ada).await;
    let (untouched, second) = account_key(&ada).await;
    app.wait(TimeDelta::seconds(2));
    let eve = intruder(&app, X).await;
    eve.steps_up().await;
    let theirs = rolls(&eve, KEYS, &rolled).await;
    let (planted, third) = account_key(&eve).await;
    let works = async |secret: &str| by_key(&app, secret).get("/me").await.status == 200;
    assert!(works(&theirs).await && works(&first).await && works(&third).await);

    not_me(&app, &ways_back(&app, ADA, true).await.remove(0)).await;

    let ada = gets_back(&app).await;
    confirms(&ada).await;
    let why = async |key: &str| {
        let listed = ada.get(KEYS).await.json()["keys"].as_array().unwrap().clone();
        text(&listed.iter().find(|one| one["id"] == key).unwrap()["suspendedFor"])
    };
    assert_eq!(
        (why(&rolled).await, why(&planted).await),
        ("secret_disowned".into(), "secret_disowned".into())
    );
    assert_eq!(why(&untouched).await, "account_secured");
    let resume = async |key: &str| ada.post_json(&format!("{KEYS}/{key}/resume"), json!({})).await;
    resume(&untouched).await.is(200);
    for key in [&rolled, &planted] {
        let refused = resume(key).await.is(422).json();
        assert!(text(&refused["fields"]["key"]).contains("Make a new secret"), "{refused}");
    }
    let page = ada.clone().with("accept", "text/html").get(KEYS).await.is(200);
    page.says("someone else may know its secret").hides(&format!("{KEYS}/{rolled}/resume"));
    assert!(works(&second).await && !works(&theirs).await && !works(&first).await && !works(&third).await);
    // Another secret takes it up, and what was there before is dead.
    let mine = rolls(&ada, KEYS, &rolled).await;
    assert!(works(&mine).await && !works(&theirs).await && !works(&first).await);
    assert_eq!(why(&rolled).await, "");
}

#[actix_web::test]
async fn an_earlier_secret_of_a_disowned_session_ends_though_its_key_got_another_since() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (key, _) = account_key(&ada).await;
    app.wait(TimeDelta::seconds(2));
    let eve = intruder(&app, X).await;
    eve.steps_up().await;
    let theirs = rolls(&eve, KEYS, &key).await;
    app.wait(TimeDelta::seconds(1));
    let mine = rolls(&ada, KEYS, &key).await;
    not_me(&app, &ways_back(&app, ADA, true).await.remove(0)).await;
    let ada = gets_back(&app).await;
    confirms(&ada).await;
    ada.post_json(&format!("{KEYS}/{key}/resume"), json!({})).await.is(200);
    let works = async |secret: &str| by_key(&app, secret).get("/me").await.status == 200;
    assert!(works(&mine).await && !works(&theirs).await);
}

#[actix_web::test]
async fn a_sole_owner_reads_which_keys_a_disowned_session_knows_and_those_rest() {
    let acme = Acme::open().await;
    let form = |name: &str| json!({ "name": name, "permissions": ["notes:read"] });
    let (known, first) = makes(&acme.ada, OURS, form("Known")).await;
    let (kept, second) = makes(&acme.ada, OURS, form("Kept")).await;
    acme.app.wait(TimeDelta::seconds(2));
    let eve = intruder(&acme.app, X).await;
    eve.steps_up().await;
    let theirs = rolls(&eve, OURS, &known).await;
    let (_, planted) = makes(&eve, OURS, form("Planted")).await;
    acme.app.send_emails().await;

    not_me(&acme.app, &ways_back(&acme.app, ADA, true).await.remove(0)).await;

    let question = json!({ "permission": "notes:read" });
    let works = async |secret: &str| {
        by_key(&acme.app, secret).post_json("/auth/check", question.clone()).await.status == 200
    };
    for secret in [&first, &theirs, &planted] {
        assert!(!works(secret).await);
    }
    assert!(works(&second).await);
    acme.app.send_emails().await;
    let emails = acme.app.emails_to(ADA).await;
    let told = emails.iter().find(|email| email.subject == "Check the API keys of Acme").unwrap();
    for line in ["Known (vsto_", "Planted (vsto_", "…), suspended", "Kept (vsto_"] {
        assert!(told.text.contains(line), "{line}: {}", told.text);
    }
    let ada = gets_back(&acme.app).await;
    confirms(&ada).await;
    let page = ada.clone().with("accept", "text/html").get(OURS).await.is(200);
    page.says("someone else may know its secret").hides("/resume");
    let mine = rolls(&ada, OURS, &known).await;
    assert!(works(&mine).await && !works(&theirs).await);
    ada.delete(&format!("{OURS}/{kept}")).await.is(200);
    assert_eq!(acme.app.count("audit WHERE event = 'api_key_secret_disowned'").await, 2);
}

#[actix_web::test]
async fn owners_read_of_a_key_that_somebody_rolled_who_leaves() {
    let acme = Acme::open().await;
    let role = acme.role("Keys", &["keys:manage", "notes:read"]).await;
    let (bea, id) = acme.joins(BEA, &role).await;
    let form = |name: &str| json!({ "name": name, "permissions": ["notes:read"] });
    let (rolled, _) = makes(&acme.ada, OURS, form("Rolled")).await;
    makes(&acme.ada, OURS, form("Other")).await;
    rolls(&bea, OURS, &rolled).await;
    acme.ada.delete(&Acme::member_path(&id)).await.is(200);
    acme.app.send_emails().await;
    let emails = acme.app.emails_to(ADA).await;
    let told = emails.iter().find(|email| email.subject == "Check the API keys of Acme").unwrap();
    assert!(told.text.contains("Rolled (vsto_") && !told.text.contains("Other (vsto_"), "{}", told.text);
}
