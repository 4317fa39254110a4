//! Letters that wait: written with the change they tell of, sent once, never lost, never in the way.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    error::{Error, Result},
    mail::{Catcher, EmailAddress, letters},
};

use crate::house::{House, PASSWORD, free_port};

const WAITING: &str = "outbox WHERE sent_at IS NULL AND parked_at IS NULL";

/// One number from the metrics.
async fn metric(house: &House, name: &str) -> String {
    let text = house.curl().get("/metrics").await.is(200).body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default();
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// The letters that were given up, as an operator sees them.
fn parked(house: &House) -> Value {
    let said = house.command(&["jobs", "list", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[actix_web::test]
async fn a_letter_whose_change_was_rolled_back_is_never_sent() {
    let house = House::open().await;
    let site = house.app.config().site.clone();
    let ada = EmailAddress::parse("ada@example.com").unwrap();

    let outcome: Result<()> = house
        .app
        .write(move |tx| {
            tx.mail(None, letters::test_letter(&site, &ada)?)?;
            Err(Error::WrongCredentials)
        })
        .await;

    assert!(matches!(outcome, Err(Error::WrongCredentials)));
    assert!(house.letters_to("ada@example.com").await.is_empty());
    assert_eq!(house.count("outbox").await, 0);
}

#[actix_web::test]
async fn mail_that_cannot_leave_for_ten_minutes_arrives_afterwards_once_case_20() {
    let port = free_port();
    let house = House::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{port}"))]).await;
    let ada = house.claimant("ada@example.com").await;
    for _ in 0..20 {
        house.send_letters().await;
        house.wait(TimeDelta::seconds(30));
    }
    assert_eq!(house.count(WAITING).await, 1);
    assert_eq!(metric(&house, "vestibule_outbox_letters").await, "1");
    assert_eq!(metric(&house, "vestibule_outbox_age_seconds").await, "600");
    ada.get("/me").await.is(200);

    let catcher = Catcher::start(([127, 0, 0, 1], port).into()).unwrap();
    for _ in 0..40 {
        house.wait(TimeDelta::seconds(30));
        house.send_letters().await;
    }

    assert_eq!(catcher.received(), 1);
    assert_eq!(catcher.letters()[0].to, "ada@example.com");
    assert_eq!(house.count(WAITING).await, 0);
    assert_eq!(metric(&house, "vestibule_outbox_letters").await, "0");
    let token = crate::house::token_in(&catcher.letters()[0].text).unwrap();
    ada.post_json("/verify-email", json!({ "token": token })).await.is(200);
}

#[actix_web::test]
async fn a_letter_that_another_node_took_and_never_sent_leaves_when_its_lease_ends() {
    let house = House::open().await;
    house.claimant("ada@example.com").await;
    // The node that takes it dies before it sends.
    let taken =
        house.app.write(|tx| vestibule::model::outbox::take_due(tx, 4, &BTreeMap::new(), 4)).await.unwrap();
    assert_eq!(taken.len(), 1);

    assert!(house.letters_to("ada@example.com").await.is_empty());
    house.wait(TimeDelta::seconds(60));

    assert_eq!(house.letters_to("ada@example.com").await.len(), 1);
    house.wait(TimeDelta::days(1));
    assert_eq!(house.letters_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn a_poisoned_letter_is_parked_seen_and_tried_again_and_holds_up_nobody() {
    let house = House::open().await;
    house.claimant("ada@example.com").await;
    let sealed = house.texts("SELECT sealed AS text FROM outbox").await.concat();
    house.meddle("UPDATE outbox SET sealed = 'spilled coffee'").await;
    for number in 0..6 {
        house.claimant(&format!("ben{number}@example.com")).await;
    }

    house.send_letters().await;

    assert_eq!(house.catcher.received(), 6);
    assert_eq!(metric(&house, "vestibule_outbox_parked").await, "1");
    assert_eq!(metric(&house, "vestibule_outbox_letters").await, "0");
    let seen = parked(&house);
    assert_eq!(seen["outbox"]["waiting"], 0);
    let [letter] = &seen["parked"].as_array().unwrap()[..] else { panic!("one letter: {seen}") };
    assert_eq!((&letter["kind"], &letter["attempts"]), (&json!("verify_email"), &json!(1)));
    assert_eq!(letter["lastError"], "the letter does not open with today's keys");
    let said = house.command(&["jobs", "list"]);
    assert!(said.out.starts_with("outbox: 0 waiting; 1 given up\n"), "{said:?}");
    assert!(said.out.contains("verify_email") && said.out.contains("today's keys"), "{said:?}");
    assert!(!said.out.contains("ada@example.com"), "an operator need not know whose");

    // Time alone does not bring it back; an operator does, once the trouble is over.
    house.wait(TimeDelta::days(30));
    house.send_letters().await;
    assert_eq!(house.catcher.received(), 6);
    house.meddle(&format!("UPDATE outbox SET sealed = '{sealed}' WHERE sent_at IS NULL")).await;
    assert_eq!(house.command(&["jobs", "retry"]).out, "1 email(s) are back in the queue.\n");
    assert_eq!(house.command(&["jobs", "run", "outbox"]).out, "outbox: 1 letter(s) tried\n");

    assert_eq!(house.catcher.letters()[0].to, "ada@example.com");
    assert_eq!(house.catcher.received(), 7);
    assert_eq!(parked(&house)["parked"], json!([]));
    assert_eq!(metric(&house, "vestibule_outbox_parked").await, "0");
}

#[actix_web::test]
async fn a_letter_that_the_server_refuses_for_good_is_parked_and_holds_up_nobody() {
    let house = House::open().await;
    // The built-in catcher cannot carry letters beyond ASCII before the @.
    house.claimant("\u{e9}lodie@example.com").await;
    house.claimant("ada@example.com").await;

    house.send_letters().await;

    assert_eq!(house.letters_to("ada@example.com").await.len(), 1);
    let seen = parked(&house);
    let reason = seen["parked"][0]["lastError"].as_str().unwrap_or_default();
    assert!(reason.contains("SMTPUTF8"), "{seen}");
}

#[actix_web::test]
async fn a_letter_cannot_be_read_while_it_waits_and_is_wiped_once_sent() {
    let house = House::open().await;
    house.claimant("ada@example.com").await;

    let disk = house.stolen_disk().await;
    assert_eq!(house.count("outbox WHERE sealed IS NOT NULL").await, 1);
    let letters = house.letters_to("ada@example.com").await;

    let token = house.token_for("ada@example.com").await;
    assert!(disk.contains("ada@example.com"), "the disk has been read");
    for readable in
        [token.as_str(), "verify-email?token", "Confirm my address", "Hello,", &letters[0].subject]
    {
        assert!(!disk.contains(readable), "{readable}");
    }
    assert_eq!(house.count("outbox WHERE sealed IS NOT NULL").await, 0);
    assert_eq!(house.count("outbox WHERE sent_at IS NOT NULL").await, 1);
}

#[actix_web::test]
async fn a_letter_sealed_under_an_older_key_still_leaves() {
    let port = free_port();
    let house = House::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{port}"))]).await;
    house.claimant("ada@example.com").await;
    let old = house.settings["SECRET_KEY"].clone();
    let smtp = format!("smtp://{}", house.catcher.addr());
    let new = "another key, which took the place of the first";

    let node = house
        .second_node_with(&[("SECRET_KEY", new), ("SECRET_KEY_PREVIOUS", &old), ("SMTP_URL", &smtp)])
        .await;

    assert_eq!(node.letters_to("ada@example.com").await.len(), 1);
}

#[actix_web::test]
async fn a_second_try_is_the_same_letter_to_whoever_sorts_it() {
    let house = House::open().await;
    house.claimant("ada@example.com").await;
    let sealed = house.texts("SELECT sealed AS text FROM outbox").await.concat();
    house.send_letters().await;
    // The node died after the server took the letter and before that was noted.
    house.meddle(&format!("UPDATE outbox SET sent_at = NULL, sealed = '{sealed}'")).await;
    house.wait(TimeDelta::minutes(2));

    let letters = house.letters_to("ada@example.com").await;

    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0].message_id, letters[1].message_id);
    assert_eq!(letters[0].text, letters[1].text);
}

#[actix_web::test]
async fn a_sign_up_whose_mail_server_is_down_is_whole() {
    let house = House::with(&[("SMTP_URL", &format!("smtp://127.0.0.1:{}", free_port()))]).await;
    house.claimant("ada@example.com").await;
    house.send_letters().await;

    let offer = json!({ "email": "ada@example.com", "password": PASSWORD });
    let again = house.curl();
    again.post_json("/login", offer).await.is(200);
    again.post_json("/verify-email/resend", json!({})).await.is(200);
    assert_eq!(house.count(WAITING).await, 2);
}
