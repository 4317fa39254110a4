//! Several processes on one database: what is done on one is true on the other.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::harness::{Ground, PASSWORD, eventually};

fn credentials(address: &str) -> Value {
    json!({ "email": address, "password": PASSWORD, "name": "Ada" })
}

#[actix_web::test]
async fn what_is_signed_up_here_is_confirmed_there_and_a_device_signed_out_here_is_refused_there_case_42() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    let (here, there) = join(ground.serve(), ground.serve()).await;
    let laptop = here.curl();
    laptop.post_json("/signup", credentials("ada@example.com")).await.is(201);
    let token = ground.token_for("ada@example.com").await;

    there.curl().post_json("/verify-email", json!({ "token": token })).await.is(200);
    assert_eq!(laptop.get("/me").await.is(200).json()["user"]["emailVerified"], true);

    let phone = there.curl();
    phone.post_json("/login", credentials("ada@example.com")).await.is(200);
    let id = phone.session_id().await;
    phone.at(here.port).get("/me").await.is(200);

    laptop.delete(&format!("/me/sessions/{id}")).await.is(200);
    phone.get("/me").await.refuses(401, "sign_in_required");
    phone.at(here.port).get("/me").await.refuses(401, "sign_in_required");
    laptop.at(there.port).get("/me").await.is(200);
}

#[actix_web::test]
async fn nodes_that_start_together_on_an_empty_database_all_come_up() {
    for _ in 0..3 {
        let ground = Ground::with(&[("BCRYPT_COST", "4")]);

        // All three run before the first is waited for.
        let nodes: Vec<_> = (0..3).map(|_| ground.spawn()).collect();
        let nodes = join_all(nodes.into_iter().map(|node| node.answering())).await;

        // One schema, and one secret key: a password set here is known there.
        for (number, node) in nodes.iter().enumerate() {
            let address = format!("ada{number}@example.com");
            let curl = node.curl();
            curl.post_json("/signup", credentials(&address)).await.is(201);
            for other in &nodes {
                curl.at(other.port).get("/me").await.is(200);
                other.curl().post_json("/login", credentials(&address)).await.is(200);
            }
        }
    }
}

#[actix_web::test]
async fn two_nodes_send_each_email_once() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    let (here, there) = join(ground.serve(), ground.serve()).await;
    let addresses: Vec<_> = (0..60).map(|number| format!("person{number}@example.com")).collect();

    let sign_ups = addresses.iter().enumerate().map(async |(number, address)| {
        let node = if number % 2 == 0 { &here } else { &there };
        node.curl().post_json("/signup", credentials(address)).await.is(201);
    });
    join_all(sign_ups).await;
    eventually("every letter", async || (ground.catcher.received() >= 60).then_some(())).await;
    // What is under way is finished before they end.
    here.stop();
    there.stop();

    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for email in ground.catcher.emails() {
        *copies.entry(email.to).or_default() += 1;
    }
    assert_eq!(copies, addresses.into_iter().map(|address| (address, 1)).collect());
    assert!(ground.run(&["jobs", "list"]).await.starts_with("outbox: 0 waiting; 0 given up"));
}

#[actix_web::test]
async fn commands_run_beside_a_busy_server() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let addresses: Vec<_> = (0..40).map(|number| format!("person{number}@example.com")).collect();
    let sign_ups = join_all(addresses.iter().map(async |address| {
        vestibule.curl().post_json("/signup", credentials(address)).await.is(201);
    }));
    let commands = async {
        let seeded = ground.run(&["seed", "--json"]).await;
        for _ in 0..3 {
            ground.run(&["jobs", "run", "outbox"]).await;
            ground.run(&["migrate"]).await;
        }
        seeded
    };

    let (seeded, _) = join(commands, sign_ups).await;

    let lines = seeded.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for person in lines.filter(|line| line["email"].is_string()) {
        let fields = json!({ "email": person["email"], "password": person["password"] });
        vestibule.curl().post_json("/login", fields).await.is(200);
    }
    eventually("every letter", async || (ground.catcher.received() >= 40).then_some(())).await;
    vestibule.stop();
    assert_eq!(ground.catcher.received(), 40);
}
