//! `vestibule limits`: who has to wait is seen by kind only, and whoever an operator names need not wait any longer.

use std::net::IpAddr;

use diesel::prelude::*;
use serde_json::{Value, json};
use vestibule::{db::schema::throttles, secret};

use crate::harness::{PASSWORD, TestApp};

const ADA: &str = "ada@example.com";

/// Counters as flows make them: of what, for whom.
type Counted = Vec<(&'static str, String)>;

/// The client that an address stands for: itself, or its /64 in IPv6.
fn client_network(ip: &str) -> String {
    let ip: IpAddr = ip.parse().unwrap();
    let network = ipnet::IpNet::new(ip, if ip.is_ipv4() { 32 } else { 64 }).unwrap();
    network.trunc().to_string()
}

async fn count(app: &TestApp, counted: Counted) {
    let ends_at = app.inner.now() + chrono::TimeDelta::hours(1);
    for (what, whom) in counted {
        let key = format!("{what}:{}", secret::digest(&whom));
        app.inner
            .write(move |tx| {
                let row = (throttles::key.eq(key), throttles::count.eq(1), throttles::ends_at.eq(ends_at));
                Ok(diesel::insert_into(throttles::table).values(row).execute(tx.conn)?)
            })
            .await
            .unwrap();
    }
}

async fn app_with_limits() -> TestApp {
    TestApp::today_with(&[("THROTTLE", "on"), ("MAILS_PER_MINUTE", "9")]).await
}

#[actix_web::test]
async fn an_operator_names_whom_to_let_try_again_in_any_spelling() {
    let app = app_with_limits().await;
    app.unverified_user(ADA).await;
    let id = app.texts("SELECT id AS text FROM users").await.remove(0);
    app.db_execute("DELETE FROM throttles").await;
    let network = |ip: &str| ("login-network", client_network(ip));
    let address = |spelled: &str| ("login-address-any", spelled.to_owned());
    let account = || ("guess", id.clone());
    // What is counted, what the operator writes, and how many counters that clears.
    let rows: [(Counted, &str, usize); 26] = [
        (vec![address(ADA)], ADA, 1),
        (vec![address(ADA)], "ADA@Example.COM", 1),
        (vec![address(ADA)], "  ada@example.com ", 1),
        (vec![address(ADA), account()], ADA, 2),
        (vec![address(ADA), account()], &id, 2),
        (vec![address("ben@example.com")], ADA, 0),
        (vec![address("nobody@example.com")], "nobody@example.com", 1),
        (vec![("mail-hour:magic_link", ADA.to_owned())], ADA, 1),
        (vec![network("203.0.113.9")], "203.0.113.9", 1),
        (vec![network("203.0.113.9")], "203.0.113.9/32", 1),
        (vec![network("203.0.113.9")], "::ffff:203.0.113.9", 1),
        (vec![network("203.0.113.9"), network("203.0.113.250")], "203.0.113.0/24", 2),
        (vec![network("203.0.113.9")], "203.0.113.200/24", 1),
        (vec![network("203.0.113.9")], "203.0.0.0/16", 1),
        (vec![network("203.0.114.9")], "203.0.113.0/24", 0),
        (vec![network("203.0.113.9")], "203.0.113.8", 0),
        (vec![network("2001:db8:1:2::1")], "2001:db8:1:2::1", 1),
        (vec![network("2001:db8:1:2::1")], "2001:db8:1:2:ffff::9", 1),
        (vec![network("2001:db8:1:2::1")], "2001:DB8:1:2::/64", 1),
        (vec![network("2001:db8:1:2::1"), network("2001:db8:1:ffff::1")], "2001:db8:1::/48", 2),
        (vec![network("2001:db8:1:2::1")], "2001:db8:1:2:3::/80", 1),
        (vec![network("2001:db8:1:2::1")], "2001:db8:1:3::/64", 0),
        (vec![network("203.0.113.9"), ("sign-up", client_network("203.0.113.9"))], "203.0.113.9", 2),
        (vec![address(ADA), network("203.0.113.9")], "--all", 2),
        (vec![], "--all", 0),
        (vec![], ADA, 0),
    ];
    for (counted, named, cleared) in rows {
        count(&app, counted.clone()).await;

        let output = app.command(&["limits", "clear", named, "--json"]);

        let told: Value = serde_json::from_str(&output.out).unwrap();
        assert_eq!(told["cleared"], cleared, "{named}: {output:?}");
        assert_eq!(output.code, Some(i32::from(cleared == 0)), "{named}: {output:?}");
        assert_eq!(output.err.contains("nothing was cleared"), cleared == 0, "{named}: {output:?}");
        assert_eq!(app.count("throttles").await, counted.len() as i64 - cleared as i64, "{named}");
        let cleared = app.inner.write(|tx| Ok(diesel::delete(throttles::table).execute(tx.conn)?));
        cleared.await.unwrap();
    }
    assert_eq!(app.count("audit WHERE event = 'limits_cleared' AND detail LIKE '%@%'").await, 0);
}

#[actix_web::test]
async fn what_is_no_address_is_refused_with_what_to_write() {
    let app = app_with_limits().await;
    count(&app, vec![("sign-up", client_network("203.0.113.9"))]).await;
    for (wrong, says) in [
        ("ada", "Write one such as"),
        ("203.0.113", "Write one such as"),
        ("203.0.113.9/33", "Write one such as"),
        ("203.0.0.0/15", "Write a network of /16 or narrower"),
        ("0.0.0.0/0", "Write a network of /16 or narrower"),
        ("2001:db8::/32", "Write a network of /48 or narrower"),
        ("0123456789abcdef0123456789abcdef", "Write one such as"),
        ("", "Write one such as"),
    ] {
        let output = app.command(&["limits", "clear", wrong]);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{wrong}: {output:?}");
        assert!(output.err.contains(says), "{wrong}: {output:?}");
    }
    assert_eq!(app.command(&["limits", "clear"]).code, Some(2), "whom to clear is to be said");
    assert_eq!(app.command(&["limits", "clear", ADA, "--all"]).code, Some(2));
    assert_eq!(app.count("throttles").await, 1);
}

#[actix_web::test]
async fn who_tried_too_often_may_try_again_and_nobody_is_named_in_the_list() {
    // Commands go by the machine's clock, so it is the cool-down that is looked at, not the counters of a minute.
    let often = [
        ("THROTTLE", "on"),
        ("LOGIN_PER_ADDRESS", "99"),
        ("LOGIN_PER_NETWORK", "99"),
        ("LOGIN_FAILURES", "5"),
    ];
    let app = TestApp::today_with(&often).await;
    app.unverified_user(ADA).await;
    let tries = json!({ "email": ADA, "password": "not hers" });
    let curl = app.curl();
    while curl.post_json("/login", tries.clone()).await.status != 429 {}

    let (words, lines) = (app.command(&["limits", "list"]), app.command(&["limits", "list", "--json"]));

    assert_eq!((words.code, lines.code), (Some(0), Some(0)), "{words:?} {lines:?}");
    assert!(words.out.contains("login-streak-any") && words.out.contains("until 20"), "{words:?}");
    assert!(!words.out.contains(ADA) && !words.out.contains("127.0.0.1"), "{words:?}");
    let counters: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counter = counters.iter().find(|counter| counter["kind"] == "login-streak-any").unwrap();
    assert!(counter["count"].as_i64().unwrap() >= 5 && counter["endsAt"].is_string(), "{counter}");

    curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(429);
    let cleared = app.command(&["limits", "clear", ADA]);
    assert!(cleared.code == Some(0) && cleared.out.contains("counter(s) cleared"), "{cleared:?}");
    curl.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    assert_eq!(app.count("audit WHERE event = 'limits_cleared' AND actor_kind = 'operator'").await, 1);
}
