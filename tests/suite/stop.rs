//! SIGTERM: whoever is being served is served, and what was promised by mail is sent.

use serde_json::json;

use crate::harness::{Ground, PASSWORD, Process, eventually};

#[actix_web::test]
async fn a_sign_up_under_way_is_answered_in_full_and_its_email_is_not_lost() {
    let ground = Ground::with(&[("BCRYPT_COST", "12")]);
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();
    let fields = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });

    let sign_up = actix_web::rt::spawn({
        let curl = curl.clone();
        async move { curl.post_json("/signup", fields).await }
    });
    a_password_is_being_hashed(&vestibule).await;
    vestibule.terminate();

    let answer = sign_up.await.unwrap().is(201);
    assert_eq!(answer.json()["user"]["email"], "ada@example.com");
    let status = vestibule.ended();
    assert!(status.success(), "{status}");

    // Sent while the house closed, or by the next one that opens.
    let next = ground.serve().await;
    ground.emails_to("ada@example.com").await;
    next.curl()
        .post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD }))
        .await
        .is(200);
    next.stop();
    assert_eq!(ground.catcher.received(), 1);
}

async fn a_password_is_being_hashed(vestibule: &Process) {
    let curl = vestibule.curl();
    eventually("a hash in hand", async || {
        let metrics = curl.get("/metrics").await.is(200).body;
        metrics.lines().any(|line| line == "vestibule_hash_queue 1").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_house_that_is_idle_stops_at_once_though_browsers_keep_their_connections() {
    // So long that a stop which waits for idle connections is killed by the test's own limit.
    let ground = Ground::with(&[("SHUTDOWN_TIMEOUT", "1h")]);
    let vestibule = ground.serve().await;
    let browser = vestibule.curl();
    browser.get("/").await.is(200);

    vestibule.stop();

    drop(browser);
}

#[actix_web::test]
async fn the_program_as_it_is_shipped_keeps_an_account_through_a_kill() {
    let Some(ground) = Ground::of_release() else { return };
    let fields = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    let vestibule = ground.serve().await;
    vestibule.curl().post_json("/signup", fields).await.is(201);
    vestibule.kill();

    let next = ground.serve().await;
    next.curl()
        .post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD }))
        .await
        .is(200);
    next.stop();
}
