//! What an operator does for people from the command line: makes accounts, mails links, reads the record.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    house::{House, PASSWORD, token_in},
    idp::Acme,
};

const ADA: &str = "ada@example.com";

#[actix_web::test]
async fn an_account_is_made_and_its_person_chooses_a_password() {
    let house = House::today().await;

    let made = house.command(&["user", "create", ADA, "--name", "Ada Lovelace", "--json"]);

    assert_eq!(made.code, Some(0), "{made:?}");
    // The command has the real clock.
    house.wait(TimeDelta::minutes(5));
    let told: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!((&told["name"], &told["emailVerified"]), (&json!("Ada Lovelace"), &json!(false)));
    let token = house.token_for(ADA).await;
    let form = json!({ "token": token, "password": PASSWORD });
    house.curl().post_json("/reset-password", form).await.is(200);
    let curl = house.curl();
    let told = curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200).json();
    assert_eq!(
        (&told["user"]["emailVerified"], &told["user"]["name"]),
        (&json!(true), &json!("Ada Lovelace"))
    );
    assert_eq!(house.count("audit WHERE event = 'provisioned' AND actor_kind = 'operator'").await, 1);

    for (arguments, sentence) in [
        (vec!["user", "create", ADA], "ada@example.com has an account already"),
        (vec!["user", "create", "no address"], "address"),
        (vec!["user", "create", "bea@example.com", "--name", "a\nb"], "name"),
        (vec!["user", "resend", ADA], "is confirmed already"),
        (vec!["user", "send-reset", "nobody@example.com"], "no account"),
    ] {
        let said = house.command(&arguments);
        assert_eq!(said.code, Some(1), "{arguments:?}: {said:?}");
        assert!(said.err.to_lowercase().contains(sentence), "{arguments:?}: {said:?}");
    }
    assert_eq!(house.count("users").await, 1);
}

#[actix_web::test]
async fn links_are_mailed_again_and_not_where_people_come_in_otherwise() {
    let house = House::today().await;
    house.claimant(ADA).await;
    let first = house.token_for(ADA).await;

    assert_eq!(house.command(&["user", "resend", ADA]).code, Some(0));
    house.wait(TimeDelta::minutes(5));

    let second = house.token_for(ADA).await;
    house.curl().post_json("/verify-email", json!({ "token": first })).await.is(422);
    house.curl().post_json("/verify-email", json!({ "token": second })).await.is(200);
    assert_eq!(house.count("audit WHERE event = 'confirmation_sent' AND actor_kind = 'operator'").await, 1);
    assert_eq!(house.command(&["user", "send-reset", ADA]).code, Some(0));
    house.wait(TimeDelta::minutes(5));
    let letters = house.letters_to(ADA).await;
    let reset = letters.iter().rev().find(|letter| letter.text.contains("/reset-password?token=")).unwrap();
    let form = json!({ "token": token_in(&reset.text).unwrap(), "password": "another fine passphrase" });
    house.curl().post_json("/reset-password", form).await.is(200);

    let acme = Acme::of(&house).await;
    acme.enforces(&house, None).await;
    for arguments in [["user", "send-reset", ADA], ["user", "create", "new@example.com"]] {
        let said = house.command(&arguments);
        assert!(said.code == Some(1) && said.err.contains("through their organisation only"), "{said:?}");
    }
}

#[actix_web::test]
async fn an_account_is_shown_with_how_it_is_signed_in_and_what_was_mailed() {
    let house = House::today().await;
    let acme = Acme::of(&house).await;
    acme.signs_in(&house, &house.browser(), &crate::idp::ada()).await.goes_to("/me");

    let words = house.command(&["user", "show", ADA]);
    for part in ["through Acme as ada", "belongs to Acme (acme), as viewer", "recovery codes"] {
        assert_eq!(words.out.contains(part), part != "recovery codes", "{part}: {words:?}");
    }
    let shown: Value = serde_json::from_str(&house.command(&["user", "show", ADA, "--json"]).out).unwrap();
    assert_eq!(shown["identities"], json!([{ "by": "Acme", "name": "ada" }]));
    assert_eq!(shown["organisations"], json!([{ "slug": "acme", "name": "Acme", "role": "viewer" }]));
    assert_eq!(
        shown["secondFactors"],
        json!({ "authenticatorApp": false, "passkeys": [], "recoveryCodes": 0 })
    );
    let boss: Value =
        serde_json::from_str(&house.command(&["user", "show", "boss@acme.example", "--json"]).out).unwrap();
    assert_eq!((&boss["hasPassword"], &boss["emails"][0]["kind"]), (&json!(true), &json!("verify_email")));
}

#[actix_web::test]
async fn the_record_is_read_by_account_event_and_time() {
    let house = House::today().await;
    let ada = house.verified(ADA).await;
    house.verified("ben@example.com").await;
    ada.put_json("/me/name", json!({ "name": "Ada Lovelace" })).await.is(200);
    let read = |arguments: &[&str]| {
        let said = house.command(&[&["audit", "--json"], arguments].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
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
    let words = house.command(&["audit", "--event", "renamed"]);
    assert!(words.out.contains("renamed") && words.out.lines().count() == 1, "{words:?}");
    let wrong = house.command(&["audit", "--since", "yesterday"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("--since: 'yesterday'"), "{wrong:?}");
}

#[actix_web::test]
async fn a_compromised_account_keeps_nobody_who_knows_its_password() {
    let house = House::today().await;
    house.verified(ADA).await;

    let locked = house.command(&["user", "lock", ADA, "--compromised"]);

    assert!(locked.code == Some(0) && locked.out.contains("its password opens nothing"), "{locked:?}");
    assert_eq!(house.command(&["user", "lock", ADA, "--compromised"]).code, Some(1));
    assert_eq!(house.command(&["user", "unlock", ADA]).code, Some(0));
    let form = json!({ "email": ADA, "password": PASSWORD });
    house.curl().post_json("/login", form).await.is(401);
    house.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    let token = house.token_for(ADA).await;
    let form = json!({ "token": token, "password": "another fine passphrase" });
    house.curl().post_json("/reset-password", form).await.is(200);
}
