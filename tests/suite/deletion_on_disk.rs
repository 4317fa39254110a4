//! Of people who are gone nothing is left on the disk, and what stays in the audit leads back to nobody.

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use serde_json::json;
use vestibule::jobs::{self, Job, Outcome};

use crate::{
    delete::{ADA, run_deletions, step_up, subjects},
    harness::{PASSWORD, TestApp, Visitor},
};

/// Her address, her name, and where she was: in no table, no free page, no log.
#[actix_web::test]
async fn of_somebody_who_left_nothing_is_left_on_the_disk_case_115() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let seen_from = |curl: Visitor, ip: &str| curl.with("x-forwarded-for", ip);
    let traces = [
        "grace.hopper@example.com",
        "grace@navy.example",
        "Amazing Grace",
        "Rear Admiral",
        "203.0.113.71",
        "203.0.113.72",
        "203.0.113.73",
        "2001:db8:77::1",
    ];
    let [address, new, name, title, home, work, elsewhere, sea] = traces;
    // Somebody else stays, so that the rows of the two lie side by side.
    app.verified(ADA).await;
    let curl = seen_from(app.curl(), home);
    // A claim of her own that she forgot.
    let fields = json!({ "email": address, "password": PASSWORD, "name": title });
    seen_from(app.curl(), sea).post_json("/signup", fields).await.is(201);
    app.send_emails().await;
    let fields = json!({ "email": address, "password": PASSWORD, "name": name });
    curl.post_json("/signup", fields).await.is(201);
    let token = app.token_for(address).await;
    let claimed = app.dump_storage().await;
    curl.post_json("/verify-email", json!({ "token": token })).await.is(200);
    let phone = seen_from(app.curl(), work).named("Mozilla/5.0 (iPhone) Safari");
    phone.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    let stranger = seen_from(app.curl(), elsewhere);
    stranger.post_json("/login", json!({ "email": address, "password": "a wrong one" })).await.is(401);
    step_up(&curl).await;
    curl.put_json("/me/name", json!({ "name": name })).await.is(200);
    curl.put_json("/me/email", json!({ "email": new })).await.is(200);
    let confirm = app.token_for(new).await;
    curl.post_json("/me/email/confirm", json!({ "token": confirm })).await.is(200);
    curl.get("/me/export").await.is(200).says(address).says(home).says(work).says(elsewhere);
    let disk = claimed + &app.dump_storage().await;
    for trace in traces {
        assert!(disk.contains(trace), "{trace} was never there");
    }
    let hers = app.texts("SELECT id AS text FROM users WHERE email = 'grace@navy.example'").await.remove(0);

    curl.post_json("/me/delete", json!({})).await.is(200);
    app.wait(TimeDelta::days(30));
    assert_eq!(run_deletions(&app).await, 1);
    assert_eq!(subjects(&app, new).await.last().unwrap(), "Your account at Vestibule is deleted");
    assert!(app.inner.db().truncate_wal().await.unwrap());

    let disk = app.dump_storage().await + &dump(&app);
    for trace in traces.iter().copied().chain([hers.as_str()]) {
        assert!(!disk.contains(trace), "{trace} is still there");
    }
    assert!(disk.contains(ADA));
    // One pseudonym for all that she did, and it is nobody's.
    let who =
        "SELECT DISTINCT subject_id AS text FROM audit WHERE event IN ('purged', 'renamed', 'email_changed')";
    let pseudonyms = app.texts(who).await;
    assert_eq!(pseudonyms.len(), 1, "{pseudonyms:?}");
    assert_ne!(pseudonyms[0], hers);
    let rows = format!("audit WHERE subject_id = '{}'", pseudonyms[0]);
    assert!(app.count(&rows).await > 8);
    assert_eq!(app.count(&format!("{rows} AND (detail <> '{{}}' OR ip IS NOT NULL)")).await, 0);
}

/// What `pg_dump` writes, where the rows are on PostgreSQL and the program is there.
fn dump(app: &TestApp) -> String {
    let url = &app.settings["DATABASE_URL"];
    let programs = ["pg_dump", "/usr/lib/postgresql/15/bin/pg_dump"];
    let mut runs = programs.iter().filter(|_| url.starts_with("postgres"));
    let dumped = runs.find_map(|program| std::process::Command::new(program).arg(url).output().ok());
    let Some(dumped) = dumped else { return String::new() };
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let text = String::from_utf8_lossy(&dumped.stdout).into_owned();
    assert!(text.contains("CREATE TABLE public.audit"));
    text
}

/// On SQLite pages are split and filled up again; whatever lay in them is overwritten.
#[actix_web::test]
async fn of_hundreds_who_left_among_hundreds_who_stay_nothing_is_left_on_the_disk() {
    const PEOPLE: usize = 600;
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    drop(ada);
    let mut script = String::new();
    for number in 0..PEOPLE {
        script += &person(number, number % 2 == 0);
    }
    app.inner.write(move |tx| Ok(tx.conn.batch_execute(&script)?)).await.unwrap();
    assert!(app.dump_storage().await.contains("leaver-300@"));

    assert_eq!(run_deletions(&app).await, PEOPLE / 2);
    // Asked for by the purge.
    assert_eq!(jobs::run_once(&app.inner, Job::Vacuum, false).await.unwrap(), Outcome::Done(1));
    assert_eq!(jobs::run_once(&app.inner, Job::Vacuum, false).await.unwrap(), Outcome::NotOurs);

    let disk = app.dump_storage().await;
    let left: Vec<_> = (0..PEOPLE).filter(|number| disk.contains(&format!("leaver-{number}@"))).collect();
    assert_eq!(left, Vec::<usize>::new());
    assert!(
        (0..PEOPLE)
            .filter(|number| number % 2 == 1)
            .all(|number| disk.contains(&format!("stayer-{number}@")))
    );
}

/// The rows of one person, as SQL that both databases speak.
fn person(number: usize, leaves: bool) -> String {
    let (word, deletes_at) = if leaves { ("leaver", "'2026-11-01 00:00:00'") } else { ("stayer", "NULL") };
    let id = format!("{:032x}", number + 1);
    let address = format!("{word}-{number}@example.com");
    let at = "'2026-10-01 00:00:00'";
    let agent = format!("Mozilla/5.0 of {address}");
    format!(
        "INSERT INTO users (id, email, email_normalized, email_verified_at, name, browsers_known_from, created_at, \
         created_from, deletes_at) VALUES ('{id}', '{address}', '{address}', {at}, '{address}', {at}, {at}, 'curl', \
         {deletes_at}); \
         INSERT INTO sessions (id, user_id, secret_hash, remembered, method, browser, os, device_type, user_agent, \
         language, time_zone, screen, ip, created_at, last_active_at, idle_expires_at, expires_at) VALUES ('s{id}', \
         '{id}', 'h{id}', true, 'password', 'Firefox', 'Linux', 'computer', '{agent}', 'en', '', '', '{address}', {at}, \
         {at}, '2027-01-01 00:00:00', '2027-01-01 00:00:00'); \
         INSERT INTO audit (id, at, actor_kind, actor_id, session_id, ip, event, subject_id, detail) VALUES ('a{id}', \
         {at}, 'user', '{id}', 's{id}', '{address}', 'email_changed', '{id}', '{{\"to\":\"{address}\"}}'); "
    )
}
