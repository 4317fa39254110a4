//! What an operator does for people from the command line: makes accounts, mails links, reads the record.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    harness::{PASSWORD, TestApp, token_in},
    idp::Acme,
};

const ADA: &str = "ada@example.com";

#[actix_web::test]
async fn an_account_is_made_and_its_person_chooses_a_password() {
    let app = TestApp::today().await;

    let made = app.command(&["user", "create", ADA, "--name", "Ada Lovelace", "--json"]);

    assert_eq!(made.code, Some(0), "{made:?}");
    // The command has the real clock.
    app.wait(TimeDelta::minutes(5));
    let told: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!((&told["name"], &told["emailVerified"]), (&json!("Ada Lovelace"), &json!(false)));
    let token = app.token_for(ADA).await;
    let form = json!({ "token": token, "password": PASSWORD });
    app.curl().post_json("/reset-password", form).await.is(200);
    let curl = app.curl();
    let told = curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200).json();
    assert_eq!(
        (&told["user"]["emailVerified"], &told["user"]["name"]),
        (&json!(true), &json!("Ada Lovelace"))
    );
    assert_eq!(app.count("audit WHERE event = 'provisioned' AND actor_kind = 'operator'").await, 1);

    for (arguments, sentence) in [
        (vec!["user", "create", ADA], "ada@example.com has an account already"),
        (vec!["user", "create", "no address"], "address"),
        (vec!["user", "create", "bea@example.com", "--name", "a\nb"], "without line breaks"),
        (vec!["user", "resend", ADA], "is confirmed already"),
        (vec!["user", "send-reset", "nobody@example.com"], "no account"),
    ] {
        let output = app.command(&arguments);
        assert_eq!(output.code, Some(1), "{arguments:?}: {output:?}");
        assert!(output.err.to_lowercase().contains(sentence), "{arguments:?}: {output:?}");
    }
    assert_eq!(app.count("users").await, 1);
}

#[actix_web::test]
async fn links_are_mailed_again_and_not_where_people_come_in_otherwise() {
    let app = TestApp::today().await;
    app.unverified_user(ADA).await;
    let first = app.token_for(ADA).await;

    assert_eq!(app.command(&["user", "resend", ADA]).code, Some(0));
    app.wait(TimeDelta::minutes(5));

    let second = app.token_for(ADA).await;
    app.curl().post_json("/verify-email", json!({ "token": first })).await.is(422);
    app.curl().post_json("/verify-email", json!({ "token": second })).await.is(200);
    assert_eq!(app.count("audit WHERE event = 'confirmation_sent' AND actor_kind = 'operator'").await, 1);
    assert_eq!(app.command(&["user", "send-reset", ADA]).code, Some(0));
    app.wait(TimeDelta::minutes(5));
    let emails = app.emails_to(ADA).await;
    let reset = emails.iter().rev().find(|email| email.text.contains("/reset-password?token=")).unwrap();
    let form = json!({ "token": token_in(&reset.text).unwrap(), "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);

    let acme = Acme::of(&app).await;
    acme.enforces(&app, None).await;
    for arguments in [["user", "send-reset", ADA], ["user", "create", "new@example.com"]] {
        let output = app.command(&arguments);
        assert!(
            output.code == Some(1) && output.err.contains("through their organisation only"),
            "{output:?}"
        );
    }
}

#[actix_web::test]
async fn an_account_is_shown_with_how_it_is_signed_in_and_what_was_mailed() {
    let app = TestApp::today().await;
    let acme = Acme::of(&app).await;
    acme.signs_in(&app, &app.browser(), &crate::idp::ada()).await.goes_to("/me");

    let words = app.command(&["user", "show", ADA]);
    for part in ["through Acme as ada", "belongs to Acme (acme), as viewer", "recovery codes"] {
        assert_eq!(words.out.contains(part), part != "recovery codes", "{part}: {words:?}");
    }
    let shown: Value = serde_json::from_str(&app.command(&["user", "show", ADA, "--json"]).out).unwrap();
    assert_eq!(shown["identities"], json!([{ "by": "Acme", "name": "ada" }]));
    assert_eq!(shown["organisations"], json!([{ "slug": "acme", "name": "Acme", "role": "viewer" }]));
    assert_eq!(
        shown["secondFactors"],
        json!({ "authenticatorApp": false, "passkeys": [], "recoveryCodes": 0 })
    );
    let boss: Value =
        serde_json::from_str(&app.command(&["user", "show", "boss@acme.example", "--json"]).out).unwrap();
    assert_eq!((&boss["hasPassword"], &boss["emails"][0]["kind"]), (&json!(true), &json!("verify_email")));
}

#[actix_web::test]
async fn the_record_is_read_by_account_event_and_time() {
    let app = TestApp::today().await;
    let ada = app.verified(ADA).await;
    app.verified("ben@example.com").await;
    ada.put_json("/me/name", json!({ "name": "Ada Lovelace" })).await.is(200);
    let read = |arguments: &[&str]| {
        let output = app.command(&[&["audit", "--json"], arguments].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        let events = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.map(|one| one["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let all = read(&[]);
    assert_eq!(all.iter().filter(|event| *event == "signed_up").count(), 2, "{all:?}");
    let of_ada = read(&["--user", ADA]);
    assert_eq!(of_ada.iter().filter(|event| *event == "signed_up").count(), 1, "{of_ada:?}");
    assert_eq!(read(&["--user", ADA, "--event", "renamed"]), ["renamed"]);
    assert_eq!(read(&["--since", "1h"]), all);
    assert_eq!(read(&["--since", "2020-01-01T00:00:00Z"]), all);
    assert!(read(&["--since", "2099-01-01T00:00:00Z"]).is_empty());
    let words = app.command(&["audit", "--event", "renamed"]);
    assert!(words.out.contains("renamed") && words.out.lines().count() == 1, "{words:?}");
    let wrong = app.command(&["audit", "--since", "yesterday"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("--since: 'yesterday'"), "{wrong:?}");
}

#[actix_web::test]
async fn a_compromised_account_keeps_nobody_who_knows_its_password() {
    let app = TestApp::today().await;
    app.verified(ADA).await;

    let locked = app.command(&["user", "lock", ADA, "--compromised"]);

    assert!(locked.code == Some(0) && locked.out.contains("its password opens nothing"), "{locked:?}");
    assert_eq!(app.command(&["user", "lock", ADA, "--compromised"]).code, Some(1));
    assert_eq!(app.command(&["user", "unlock", ADA]).code, Some(0));
    let form = json!({ "email": ADA, "password": PASSWORD });
    app.curl().post_json("/login", form).await.is(401);
    app.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let token = app.token_for(ADA).await;
    let form = json!({ "token": token, "password": "another fine passphrase" });
    app.curl().post_json("/reset-password", form).await.is(200);
}
