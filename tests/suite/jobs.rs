//! What runs by itself: once in a cluster, resumed after a kill, and out of everybody's way.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::jobs::{self, Chore, Outcome};

use crate::house::{House, PASSWORD};

const ADA: &str = "ada@example.com";

async fn run(house: &House, chore: Chore) -> usize {
    match jobs::run_once(&house.app, chore, true).await.unwrap() {
        Outcome::Done(count) => count,
        other => panic!("{other:?}"),
    }
}

async fn metric(house: &House, name: &str) -> String {
    let metrics = house.curl().get("/metrics").await.is(200).body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or("0").to_owned()
}

#[actix_web::test]
async fn an_account_that_nobody_confirms_is_told_after_five_days_and_ends_after_seven() {
    let house = House::open().await;
    let claimant = house.claimant(ADA).await;
    house.verified("ben@example.com").await;
    let old = house.token_for(ADA).await;
    house.wait(TimeDelta::days(5) - TimeDelta::seconds(1));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 0);
    house.wait(TimeDelta::seconds(1));

    assert_eq!((run(&house, Chore::Unconfirmed).await, run(&house, Chore::Unconfirmed).await), (1, 0));

    let letters = house.letters_to(ADA).await;
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1].subject, "Last chance to confirm your address for Vestibule");
    assert!(letters[1].text.contains("28 November 2026, 14:05 UTC"), "{}", letters[1].text);
    assert_ne!(house.token_for(ADA).await, old);
    house.wait(TimeDelta::days(2) - TimeDelta::seconds(1));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 0);
    house.wait(TimeDelta::seconds(1));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 1);
    claimant.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(house.texts("SELECT email AS text FROM users").await, ["ben@example.com"]);
    assert_eq!(house.count("audit WHERE event = 'claim_expired' AND actor_kind = 'job'").await, 1);
    assert_eq!(metric(&house, "vestibule_chores_total{what=\"claims\"}").await, "1");
    assert_eq!(metric(&house, "vestibule_job_runs_total{job=\"unconfirmed\",outcome=\"done\"}").await, "5");
}

#[actix_web::test]
async fn the_link_in_the_warning_confirms_and_the_account_stays() {
    let house = House::open().await;
    house.claimant(ADA).await;
    house.send_letters().await;
    house.wait(TimeDelta::days(5));
    run(&house, Chore::Unconfirmed).await;
    let token = house.token_for(ADA).await;
    house.wait(TimeDelta::hours(47));

    house.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);

    house.wait(TimeDelta::days(3));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 0);
    house.curl().post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
}

#[actix_web::test]
async fn nobody_ends_unwarned_however_long_the_house_was_closed() {
    let house = House::open().await;
    house.claimant(ADA).await;
    house.wait(TimeDelta::days(100));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 1, "the warning");
    assert_eq!(house.count("users").await, 1);
    house.wait(TimeDelta::days(2));
    assert_eq!(run(&house, Chore::Unconfirmed).await, 1);
    assert_eq!(house.count("users").await, 0);
}

/// An owner has the address: strangers' claims to it are no news, and end without a word.
#[actix_web::test]
async fn a_claim_to_an_address_that_is_somebodys_ends_without_a_letter_to_them() {
    let house = House::open().await;
    house.verified(ADA).await;
    house.claimant(ADA).await;
    let before = house.letters_to(ADA).await.len();
    for days in [5, 2] {
        house.wait(TimeDelta::days(days));
        run(&house, Chore::Unconfirmed).await;
    }
    assert_eq!(house.count("users").await, 1);
    assert_eq!(house.letters_to(ADA).await.len(), before);
}

#[actix_web::test]
async fn what_has_ended_is_swept_and_what_lives_stays() {
    let house = House::with(&[("THROTTLE", "on")]).await;
    let curl = house.verified(ADA).await;
    house.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    house.send_letters().await;
    let tables = ["sessions", "tokens", "throttles", "sign_ins", "outbox"];
    for table in tables {
        assert!(house.count(table).await > 0, "{table}");
    }
    assert_eq!(run(&house, Chore::Sweep).await, 0);
    curl.get("/me").await.is(200);

    house.wait(TimeDelta::minutes(30));
    run(&house, Chore::Sweep).await;
    assert_eq!(house.count("sessions").await, 0);
    house.wait(TimeDelta::days(8));
    run(&house, Chore::Sweep).await;
    assert_eq!((house.count("tokens").await, house.count("throttles").await), (0, 0));
    assert_eq!((house.count("sign_ins").await, house.count("outbox").await), (1, 2));
    house.wait(TimeDelta::days(83));
    run(&house, Chore::Sweep).await;
    assert_eq!((house.count("sign_ins").await, house.count("outbox").await), (0, 0));
    for what in ["sessions", "tokens", "throttles", "sign_ins", "letters"] {
        assert_ne!(
            metric(&house, &format!("vestibule_chores_total{{what=\"{what}\"}}")).await,
            "0",
            "{what}"
        );
    }
}

/// At nobody's door as well: whoever mistypes their address is known by it alone; it is not theirs to delete.
#[actix_web::test]
async fn where_somebody_came_from_is_forgotten_after_a_while() {
    let house = House::with(&[("FAILED_SIGN_IN_LIFE", "400d")]).await;
    house.verified("ben@example.com").await;
    for address in [ADA, "ben@example.com"] {
        house
            .curl()
            .post_json("/login", json!({ "email": address, "password": "a wrong one" }))
            .await
            .is(401);
    }
    let strangers = "audit WHERE event = 'sign_in_failed' AND ip IS NOT NULL";
    assert_eq!(house.count(strangers).await, 2);
    house.wait(TimeDelta::days(90) + TimeDelta::seconds(1));

    run(&house, Chore::Sweep).await;

    assert_eq!(house.count("audit WHERE ip IS NOT NULL").await, 0);
    assert_eq!(house.count("audit WHERE event = 'sign_in_failed'").await, 2);
}

#[actix_web::test]
async fn a_letter_that_waits_is_never_swept() {
    let house = House::open().await;
    house.claimant(ADA).await;
    house.wait(TimeDelta::days(1_000));
    run(&house, Chore::Sweep).await;
    assert_eq!(house.letters_to(ADA).await.len(), 1);
}

#[actix_web::test]
async fn more_rows_than_one_step_takes_are_swept_in_several() {
    let house = House::open().await;
    let mut script = String::new();
    for number in 0..1_234 {
        script += &format!(
            "INSERT INTO throttles (key, count, ends_at) VALUES ('k{number}', 1, '2026-01-01 00:00:00'); "
        );
    }
    // The last one is further ahead than any limit reaches: the clock was wrong.
    script += "INSERT INTO throttles (key, count, ends_at) VALUES ('lives', 1, '2026-11-22 00:00:00'), \
               ('wrong', 1, '2027-01-01 00:00:00');";
    house.app.write(move |tx| Ok(tx.conn.batch_execute(&script)?)).await.unwrap();

    assert_eq!(run(&house, Chore::Sweep).await, 1_235);

    assert_eq!(house.texts("SELECT key AS text FROM throttles").await, ["lives"]);
}

#[actix_web::test]
async fn of_many_nodes_that_find_a_job_due_one_runs_it() {
    let house = House::with(&[("DATABASE_POOL", "16")]).await;
    let nodes = join_all((0..4).map(|_| house.second_node())).await;
    for round in 0..5 {
        let number = round;
        house.claimant(&format!("person{number}@example.com")).await;
        house.wait(TimeDelta::days(7));
        run(&house, Chore::Unconfirmed).await;
        house.wait(TimeDelta::days(2));

        let runs =
            join_all(nodes.iter().map(|node| jobs::run_once(&node.app, Chore::Unconfirmed, true))).await;

        let done: usize = runs
            .into_iter()
            .map(|run| match run.unwrap() {
                Outcome::Done(count) => count,
                Outcome::NotOurs => 0,
                Outcome::Interrupted(_) => panic!("nobody took it away"),
            })
            .sum();
        assert_eq!(done, 1);
    }
    assert_eq!(house.count("audit WHERE event = 'claim_expired'").await, 5);
}

#[actix_web::test]
async fn a_job_that_another_node_holds_is_left_alone_until_its_lease_runs_out() {
    let house = House::open().await;
    run(&house, Chore::Sweep).await;
    // A node that was killed in the middle.
    house.meddle("UPDATE jobs SET holder = 'gone', held_until = '2026-11-21 14:06:00'").await;
    assert_eq!(jobs::run_once(&house.app, Chore::Sweep, true).await.unwrap(), Outcome::NotOurs);
    let said = house.command(&["jobs", "list"]);
    assert!(said.out.contains("sweep: removes"), "{said:?}");

    house.wait(TimeDelta::minutes(1));

    assert_eq!(jobs::run_once(&house.app, Chore::Sweep, true).await.unwrap(), Outcome::Done(0));
    assert_eq!(house.count("jobs WHERE holder IS NULL AND held_until IS NULL").await, 1);
}

/// One account whose rows cannot be removed must not keep the others here.
#[actix_web::test]
async fn what_fails_for_one_person_is_noted_and_holds_up_nobody_else() {
    let house = House::open().await;
    for name in ["ada", "ben", "cleo"] {
        let curl = house.verified(&format!("{name}@example.com")).await;
        curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
        curl.post_json("/me/delete", json!({})).await.is(200);
    }
    let block = "CREATE TABLE blocker (user_id TEXT NOT NULL REFERENCES users (id)); \
                 INSERT INTO blocker SELECT id FROM users WHERE email = 'ben@example.com';";
    house.app.write(move |tx| Ok(tx.conn.batch_execute(block)?)).await.unwrap();
    house.wait(TimeDelta::days(30));

    assert_eq!(run(&house, Chore::Deletions).await, 2);

    assert_eq!(house.texts("SELECT email AS text FROM users").await, ["ben@example.com"]);
    // Whole: nothing of what the failed step did before is left.
    assert_eq!(house.count("users WHERE locked_at IS NULL").await, 1);
    assert!(house.count("audit WHERE subject_id = (SELECT id FROM users)").await > 3);
    assert_eq!(house.count("outbox WHERE kind = 'deletion_done'").await, 2);
    let listed: Value = serde_json::from_str(&house.command(&["jobs", "list", "--json"]).out).unwrap();
    let job = listed["jobs"].as_array().unwrap().iter().find(|job| job["name"] == "deletions").unwrap();
    assert_eq!(job["lastError"], "1 of them failed; the log says why");
    house.app.write(|tx| Ok(tx.conn.batch_execute("DROP TABLE blocker")?)).await.unwrap();
    assert_eq!(run(&house, Chore::Deletions).await, 1);
}
