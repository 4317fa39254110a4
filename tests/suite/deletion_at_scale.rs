//! People leave by the thousand while the plug is pulled, and on several nodes at once: each is gone once, and whole.

use std::{collections::BTreeMap, fs};

use diesel::{Connection, RunQueryDsl, connection::SimpleConnection, sql_query};
use futures_util::future::join;
use serde_json::Value;
use vestibule::app::App;

use crate::harness::{Ground, eventually};

/// Makes people whose time is up, with the rows that people have. One in so many has a confirmed address, and gets an email.
async fn people(app: &App, count: usize, one_in: usize) {
    let mut script = String::new();
    for number in 0..count {
        script += &person(number, number % one_in == 0);
    }
    app.write(move |tx| Ok(tx.conn.transaction(|conn| conn.batch_execute(&script))?)).await.unwrap();
}

fn address(number: usize) -> String {
    format!("leaver-{number}@example.com")
}

fn person(number: usize, is_confirmed: bool) -> String {
    let (id, address) = (format!("{:032x}", number + 1), address(number));
    let (at, later) = ("'2026-01-01 00:00:00'", "'2036-01-01 00:00:00'");
    let confirmed = if is_confirmed { at } else { "NULL" };
    format!(
        "INSERT INTO users (id, email, email_normalized, email_verified_at, name, browsers_known_from, created_at, \
         created_from, deletes_at) VALUES ('{id}', '{address}', '{address}', {confirmed}, 'Ada', {at}, {at}, 'curl', {at}); \
         INSERT INTO sessions (id, user_id, secret_hash, remembered, method, browser, os, device_type, user_agent, \
         language, time_zone, screen, ip, created_at, last_active_at, idle_expires_at, expires_at) VALUES ('s{id}', \
         '{id}', 'h{id}', true, 'password', 'curl', '', 'program', '{address}', 'en', '', '', '', {at}, {at}, {later}, \
         {later}); \
         INSERT INTO sign_ins (id, user_id, at, ip, network, browser, os, device_type, method, outcome, is_new_device) \
         VALUES ('t{id}', '{id}', {later}, '{address}', '', '', '', 'program', 'password', 'success', false); \
         INSERT INTO audit (id, at, actor_kind, actor_id, session_id, ip, event, subject_id, detail) VALUES ('a{id}', \
         {at}, 'user', '{id}', 's{id}', '{address}', 'email_changed', '{id}', '{{\"to\":\"{address}\"}}'); "
    )
}

/// How many rows a query finds.
async fn count(app: &App, from: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let query = format!("SELECT count(*) AS n FROM {from}");
    app.read(move |conn| Ok(sql_query(&query).get_result::<Count>(conn)?.n)).await.unwrap()
}

/// Whoever is here is whole, and of whoever is not nothing is left. A PostgreSQL server may still be ending the
/// transaction of a client that was killed just now.
async fn assert_whole(app: &App, all: i64, one_in: i64) {
    let is_whole = async || {
        let here = count(app, "users").await;
        let told = "audit WHERE event = 'email_changed' AND detail LIKE '%@example.com%'";
        let rows = [count(app, "sessions").await, count(app, "sign_ins").await, count(app, told).await];
        let gone = count(app, "audit WHERE event = 'purged'").await;
        let told = count(app, "outbox WHERE kind = 'deletion_done'").await;
        let untold = count(app, "users WHERE email_verified_at IS NOT NULL").await;
        let locked = count(app, "users WHERE locked_at IS NOT NULL").await;
        let is_whole = rows.iter().all(|count| *count == here);
        (is_whole && gone == all - here && told == all / one_in - untold && locked == 0).then_some(())
    };
    eventually("a state in which everybody is whole or gone", is_whole).await;
}

#[actix_web::test]
async fn a_kill_in_the_middle_of_a_thousand_deletions_leaves_nobody_half_gone_and_the_rest_follows() {
    const PEOPLE: usize = 1_000;
    const ONE_IN: usize = 10;
    // After a kill nobody needs to wait long for the job that it held.
    let ground = Ground::with(&[("JOB_LEASE", "1s")]);
    ground.run(&["migrate"]).await;
    let database = ground.look_inside();
    people(&database, PEOPLE, ONE_IN).await;
    let mut left = PEOPLE as i64;

    for kill in 1..=3 {
        let vestibule = ground.spawn();
        let enough = left - 150;
        eventually("some who are gone", async || (count(&database, "users").await <= enough).then_some(()))
            .await;
        vestibule.kill();
        left = count(&database, "users").await;
        assert!(left > 0, "the kill {kill} came too late to prove anything");
        println!("kill {kill}: {left} are left");
        assert_whole(&database, PEOPLE as i64, ONE_IN as i64).await;
    }

    let vestibule = ground.serve().await;
    let gone = async || (count(&database, "users").await == 0).then_some(());
    eventually("nobody", gone).await;
    vestibule.stop();
    assert_whole(&database, PEOPLE as i64, ONE_IN as i64).await;
    // The server would in a while: it rests a thousand times as long as it last took.
    ground.run(&["jobs", "run", "vacuum"]).await;
    if let Some(path) = ground.settings["DATABASE_URL"].strip_prefix("sqlite://") {
        drop(database);
        let files = [path.to_owned(), format!("{path}-wal")].map(|path| fs::read(path).unwrap_or_default());
        let disk = String::from_utf8_lossy(&files.concat()).into_owned();
        let seen: Vec<_> = (0..PEOPLE).filter(|number| disk.contains(&address(*number))).collect();
        assert_eq!(seen, Vec::<usize>::new());
    }
}

#[actix_web::test]
async fn on_two_nodes_each_is_purged_once_and_told_once() {
    const PEOPLE: usize = 150;
    let ground = Ground::with(&[]);
    ground.run(&["migrate"]).await;
    let database = ground.look_inside();
    people(&database, PEOPLE, 1).await;

    let (here, there) = join(ground.serve(), ground.serve()).await;
    let told = async || (ground.catcher.received() >= PEOPLE as u64).then_some(());
    eventually("every last letter", told).await;
    let deletions = ["jobs", "run", "deletions"];
    let (first, second) = join(ground.attempt(&deletions), ground.attempt(&deletions)).await;
    here.stop();
    there.stop();

    for output in [first, second] {
        match output.code {
            Some(0) => assert_eq!(output.out, "deletions: 0 done\n"),
            _ => assert_eq!(output.err, "deletions runs elsewhere right now: nothing was done.\n"),
        }
    }
    assert_whole(&database, PEOPLE as i64, 1).await;
    assert_eq!(count(&database, "users").await, 0);
    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    for email in ground.catcher.emails() {
        assert_eq!(email.subject, "Your account at Vestibule is deleted");
        *copies.entry(email.to).or_default() += 1;
    }
    assert_eq!(copies, (0..PEOPLE).map(|number| (address(number), 1)).collect());
    let listed: Value = serde_json::from_str(&ground.run(&["jobs", "list", "--json"]).await).unwrap();
    let jobs = listed["jobs"].as_array().unwrap();
    assert!(jobs.iter().all(|job| job["lastError"].is_null()), "{listed}");
}
