//! Hashing is shared fairly: a flood from one neighbourhood is bounded, and does not stand before people whom their
//! account knows.

use std::cell::Cell;

use actix_web::rt::task;
use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::json;
use vestibule::internals::{Actor, forget_limits};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

const ADA: &str = "ada@example.com";

async fn guarded() -> TestApp {
    TestApp::with(&[
        ("THROTTLE", "on"),
        ("LOGIN_PER_NEIGHBOURHOOD", "3"),
        ("LOGIN_PER_ADDRESS", "2"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await
}

async fn tries(visitor: &Visitor, address: &str, password: &str) -> Answer {
    visitor.post_json("/login", json!({ "email": address, "password": password })).await
}

async fn signs_up(visitor: &Visitor, address: &str) -> Answer {
    let body = json!({ "email": address, "password": PASSWORD, "name": "Ada" });
    visitor.post_json("/signup", body).await
}

fn from(app: &TestApp, ip: &str) -> Visitor {
    app.curl().with("x-forwarded-for", ip)
}

/// Fills what one neighbourhood may have hashed in a minute.
async fn fill(app: &TestApp, ips: [&str; 3]) {
    for (number, ip) in ips.into_iter().enumerate() {
        tries(&from(app, ip), &format!("stranger{number}@example.com"), "a wrong guess").await.is(401);
    }
}

const SIX: [&str; 3] = ["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:ffff::1"];
const FOUR: [&str; 3] = ["203.0.113.1", "203.0.113.2", "203.0.113.255"];

#[actix_web::test]
async fn one_neighbourhood_has_so_many_passwords_hashed_a_minute_however_many_clients_it_is() {
    for (ips, same, other) in
        [(SIX, "2001:db8:1:4::1", "2001:db8:2:4::1"), (FOUR, "203.0.113.7", "203.0.114.7")]
    {
        let app = guarded().await;
        fill(&app, ips).await;

        tries(&from(&app, same), "late@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
        signs_up(&from(&app, same), "late@example.com").await.refuses(429, "too_many_attempts");
        tries(&from(&app, other), "late@example.com", "a wrong guess").await.is(401);
        signs_up(&from(&app, other), "late@example.com").await.is(201);
        app.wait(TimeDelta::minutes(1));
        tries(&from(&app, same), "late@example.com", "a wrong guess").await.is(401);
    }
}

#[actix_web::test]
async fn sign_ups_fill_the_same_bucket() {
    let app = guarded().await;
    for (number, ip) in SIX.into_iter().enumerate() {
        signs_up(&from(&app, ip), &format!("person{number}@example.com")).await.is(201);
    }

    tries(&from(&app, SIX[0]), "late@example.com", "a wrong guess").await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_browser_that_a_confirmed_account_knows_does_not_count_in_its_neighbourhood() {
    let app = guarded().await;
    let ada = app.verified(ADA).await.with("x-forwarded-for", "203.0.113.9");
    let bea = app.unverified_user("bea@example.com").await.with("x-forwarded-for", "203.0.113.9");
    for visitor in [&ada, &bea] {
        visitor.post("/logout", &[]).await.is(200);
    }
    fill(&app, FOUR).await;

    // Whose address is only a claim may be anybody; so is a browser that is known to somebody else.
    tries(&bea, "bea@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    tries(&ada, "bea@example.com", PASSWORD).await.refuses(429, "too_many_attempts");
    tries(&from(&app, "203.0.113.9"), ADA, PASSWORD).await.refuses(429, "too_many_attempts");
    tries(&ada, ADA, PASSWORD).await.is(200);

    // The address counts all the same: two of anybody, and two more behind the door of known devices.
    for _ in 0..3 {
        tries(&ada, ADA, "a wrong guess").await.is(401);
    }
    tries(&ada, ADA, PASSWORD).await.refuses(429, "too_many_attempts");
}

#[actix_web::test]
async fn an_operator_clears_the_neighbourhood_with_the_network() {
    for named in ["203.0.113.1", "203.0.113.0/24", "203.0.0.0/16"] {
        let app = guarded().await;
        fill(&app, FOUR).await;
        let late = from(&app, "203.0.113.7");
        tries(&late, "late@example.com", "a wrong guess").await.is(429);

        let cleared = app.inner.write(move |tx| forget_limits(tx, &Actor::operator(), named)).await.unwrap();

        assert!(cleared.unwrap() > 0, "{named}");
        tries(&late, "late@example.com", "a wrong guess").await.is(401);
    }
}

/// Counted in turns and never in seconds: of forty strangers who were there before her, hardly one is served before Ada.
#[actix_web::test]
async fn a_known_device_does_not_stand_behind_a_flood() {
    let app =
        TestApp::with(&[("HASH_THREADS", "1"), ("BCRYPT_COST", "6"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let ada = app.verified(ADA).await;
    ada.post("/logout", &[]).await.is(200);
    let served = Cell::new(0);
    let flood = (0..40).map(|number| {
        let (app, served) = (&app, &served);
        async move {
            let stranger = from(app, &format!("2001:db8:1:{number}::1"));
            tries(&stranger, &format!("stranger{number}@example.com"), "a wrong guess").await;
            served.set(served.get() + 1);
        }
    });
    let owner = async {
        while app.inner.hashes_in_hand() < 12 {
            assert!(served.get() < 40, "the flood was over before it was there");
            task::yield_now().await;
        }
        let before = served.get();
        tries(&ada, ADA, PASSWORD).await.is(200);
        served.get() - before
    };

    let (_, served_before_her) = join(join_all(flood), owner).await;

    assert!(served_before_her <= 5, "{served_before_her} strangers");
}
