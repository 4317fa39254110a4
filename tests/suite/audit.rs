//! An organisation's own record: what is in it, who reads it, and all of it as a file.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::{
    delete::{run_deletions, step_up},
    harness::{
        TestApp, Visitor,
        organisations::{Acme, stepped_up},
        wire,
    },
};

const AUDIT: &str = "/organisations/acme/audit";

async fn events(visitor: &Visitor, query: &str) -> Vec<Value> {
    let page = visitor.get(&format!("{AUDIT}?{query}")).await.is(200).json();
    page["events"].as_array().unwrap().clone()
}

fn names(events: &[Value]) -> BTreeSet<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// Rows of an organisation's record beside those that the program wrote, a hundred a second on the day it was made.
pub async fn fill(acme: &Acme, count: usize, event: &str, detail: &str) {
    let (zeros, id) = ("0".repeat(32), &acme.id);
    let mut script = String::new();
    for (second, first) in (0..count).step_by(100).enumerate() {
        let (hour, minute, second, most) =
            (second / 3_600, second / 60 % 60, second % 60, (count - first).min(100));
        script += &format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) \
             INSERT INTO audit (id, at, actor_kind, event, detail, organisation_id) \
             SELECT substr('{zeros}', 1, 32 - length(CAST(i + {first} AS TEXT))) || CAST(i + {first} AS TEXT), \
             '2026-11-21 {hour:02}:{minute:02}:{second:02}', 'job', '{event}', '{detail}', '{id}' FROM n; "
        );
    }
    let filled = acme.app.inner.write(move |tx| Ok(tx.conn.batch_execute(&script)?));
    filled.await.unwrap();
}

#[actix_web::test]
async fn a_record_has_what_concerns_the_organisation_and_nothing_else_of_its_members() {
    let acme = Acme::open().await;
    let (bea, id) = acme.joins("bea@example.com", "viewer").await;
    let form = json!({ "email": "guest@example.com", "role": "editor" });
    acme.ada.post_json("/organisations/acme/invitations", form).await.is(201);
    acme.ada.put_json(&Acme::member_path(&id), json!({ "role": "editor" })).await.is(200);
    acme.role("Clerk", &["notes:read"]).await;
    // What she does elsewhere is hers.
    bea.put_json("/me/name", json!({ "name": "Bea" })).await.is(200);
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);

    let found = events(&acme.ada, "").await;

    let told = names(&found);
    let all = ["organisation_made", "member_added", "member_invited", "role_changed", "custom_role_made"];
    assert_eq!(told, BTreeSet::from(all));
    let times: Vec<&str> = found.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.iter().rev().is_sorted(), "{times:?}");
    let changed = found.iter().find(|event| event["event"] == "role_changed").unwrap();
    assert_eq!(changed["subject"], json!({ "id": id, "name": "Bea", "email": "bea@example.com" }));
    assert_eq!(changed["actor"]["kind"], "user");
    assert_eq!(changed["actor"]["email"], "ada@example.com");
    assert_eq!(changed["detail"], json!({ "from": "viewer", "to": "editor" }));
    let invited = found.iter().find(|event| event["event"] == "member_invited").unwrap();
    assert_eq!(invited["invited"], "guest@example.com");
    let text = acme.ada.get(AUDIT).await.body;
    assert!(!text.contains("127.0.0.1") && !text.contains(&acme.id), "{text}");

    let page = acme.ada.clone().with("accept", "text/html").get(AUDIT).await.is(200);
    page.says("Member&#39;s role changed")
        .says("about <bdi>Bea</bdi>")
        .says("from: viewer · to: editor")
        .says("Clerk");
    let page = acme.ada.clone().with("accept", "text/html").get("/organisations/acme").await.is(200);
    page.says("href=\"/organisations/acme/audit\"");
    // An editor sees neither the record nor the way to it.
    bea.get(AUDIT).await.refuses(403, "forbidden");
    bea.clone().with("accept", "text/html").get("/organisations/acme").await.is(200).hides(AUDIT);
    // Nor is Acme's record that of another of her organisations.
    let other = bea.get("/organisations/other/audit").await.is(200).json();
    assert_eq!(
        names(other["events"].as_array().unwrap()),
        BTreeSet::from(["organisation_made", "member_added"])
    );
}

#[actix_web::test]
async fn what_was_written_before_is_found_by_the_migration_and_nothing_moves_it_afterwards() {
    let acme = Acme::open().await;
    let app = &acme.app;
    acme.joins("bea@example.com", "viewer").await;
    let rows = async |filter: &str| app.count(&format!("audit WHERE organisation_id {filter}")).await;
    let (own, others) = (rows("IS NOT NULL").await, rows("IS NULL").await);
    assert!(own >= 3 && others > 3, "{own} {others}");
    for moved in ["NULL", "'elsewhere'"] {
        let statement =
            format!("UPDATE audit SET organisation_id = {moved} WHERE organisation_id IS NOT NULL");
        let refused = app
            .inner
            .write(move |tx| Ok(diesel::RunQueryDsl::execute(diesel::sql_query(statement), tx.conn)?));
        assert!(refused.await.is_err(), "a row changed its organisation");
    }

    let is_sqlite = app.settings["DATABASE_URL"].starts_with("sqlite");
    let trigger = if is_sqlite { "audit_is_not_rewritten" } else { "guard_audit ON audit" };
    let run = async |statement: String| {
        let run = app.inner.write(move |tx| Ok(tx.conn.batch_execute(&statement)?));
        run.await.unwrap();
    };
    run(format!("DROP TRIGGER {trigger}; UPDATE audit SET organisation_id = NULL")).await;
    // What a purge emptied says nothing, and what somebody typed names no organisation.
    run(r#"UPDATE audit SET detail = '{}' WHERE event = 'organisation_made'"#.to_owned()).await;
    run(r#"UPDATE audit SET detail = '{"to":"\"organisation\":\"x\""}' WHERE event = 'signed_up'"#.to_owned()).await;
    let migration = fs::read_to_string("migrations/2026-12-02-400000_organisation_audit/up.sql").unwrap();
    let fill = migration.lines().find(|line| line.starts_with("UPDATE")).unwrap();
    run(fill.to_owned()).await;

    assert_eq!(rows("IS NOT NULL").await, own - 1);
    assert_eq!(rows(&format!("= '{}'", acme.id)).await, own - 1);
}

#[actix_web::test]
async fn a_long_record_comes_in_pages_and_by_what_is_asked_for() {
    let acme = Acme::open().await;
    let app = &acme.app;
    let (bea, id) = acme.joins("bea@example.com", "owner").await;
    app.wait(TimeDelta::days(2));
    // A session lasts a day.
    let login = json!({ "email": "bea@example.com", "password": crate::harness::PASSWORD });
    bea.post_json("/login", login.clone()).await.is(200);
    bea.steps_up().await;
    bea.post_json("/organisations/acme/roles", json!({ "name": "Late", "permissions": [] })).await.is(201);
    fill(&acme, 120, "domain_added", r#"{"domain":"acme.example"}"#).await;

    let all = app.count(&format!("audit WHERE organisation_id = '{}'", acme.id)).await;
    let (mut seen, mut next) = (Vec::new(), String::new());
    let mut pages = 0;
    loop {
        let page = bea.get(&format!("{AUDIT}?next={next}")).await.is(200).json();
        let found = page["events"].as_array().unwrap();
        seen.extend(found.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["next"].as_str() {
            Some(id) => next = id.to_owned(),
            None => break,
        }
        assert_eq!(found.len(), 50);
    }
    let different: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((pages, seen.len() as i64, different.len() as i64), (3, all, all));
    let html =
        bea.clone().with("accept", "text/html").get(&format!("{AUDIT}?event=domain_added")).await.is(200);
    html.says("event=domain_added&#38;next=")
        .says("event=domain_added&#38;format=csv")
        .says("domain: acme.example");

    for (query, expected) in [
        ("event=custom_role_made".to_owned(), vec!["custom_role_made"]),
        (format!("actor={id}"), vec!["custom_role_made"]),
        ("actor=Bea@Example.com".to_owned(), vec!["custom_role_made"]),
        ("actor=%20bea@example.com%20&from=+2026-11-23+".to_owned(), vec!["custom_role_made"]),
        ("event=+custom_role_made+&to=".to_owned(), vec!["custom_role_made"]),
        ("from=2026-11-23".to_owned(), vec!["custom_role_made"]),
        ("from=2026-11-23T14%3A05%3A00Z&to=2026-11-23".to_owned(), vec!["custom_role_made"]),
        ("to=2026-11-20".to_owned(), vec![]),
        ("from=2026-11-24".to_owned(), vec![]),
        ("event=custom_role_made&to=2026-11-22".to_owned(), vec![]),
        (format!("actor={}", "0".repeat(32)), vec![]),
    ] {
        let found = events(&bea, &query).await;
        assert_eq!(names(&found), BTreeSet::from_iter(expected), "{query}");
    }
    let first_day = events(&bea, "from=2026-11-21&to=2026-11-21&event=organisation_made").await;
    assert_eq!(first_day.len(), 1, "a day has its last second as well");
    for (query, field) in [
        ("event=signed_in", "event"),
        ("actor=nobody@example.com", "actor"),
        ("actor=%00", "actor"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-11-23&to=2026-11-22", "to"),
        ("from=2026-11-23T10:00:01Z&to=2026-11-23T10:00:00Z", "to"),
    ] {
        let refused = bea.get(&format!("{AUDIT}?{query}")).await.is(422).json();
        assert!(refused["fields"][field].is_string(), "{query}: {refused}");
        let page = bea.clone().with("accept", "text/html").get(&format!("{AUDIT}?{query}")).await.is(422);
        page.says(&format!("id=\"{field}-error\" role=\"alert\""));
    }
    // A word that is misspelt must not look like all of the record.
    for field in ["since", "until", "subject", "dryRun", "From"] {
        let refused = bea.get(&format!("{AUDIT}?{field}=2026-11-23")).await.refuses(422, "invalid").json();
        let told = refused["fields"][field].as_str().unwrap();
        assert!(told.starts_with(&format!("There is no field {field} here. ")), "{told}");
    }
    // Of another organisation's record nothing leads in here.
    let eve = stepped_up(app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Eve" })).await.is(201);
    let foreign =
        eve.get("/organisations/eve/audit").await.json()["events"][0]["id"].as_str().unwrap().to_owned();
    bea.get(&format!("{AUDIT}?next={foreign}")).await.is(404);
    eve.get(&format!("{AUDIT}?next={foreign}")).await.is(404);
}

#[actix_web::test]
async fn who_left_is_an_id_and_who_is_purged_a_pseudonym_that_leads_back_to_nobody() {
    let acme = Acme::open().await;
    let app = &acme.app;
    let (bea, bea_id) = acme.joins("bea@example.com", "owner").await;
    let (_, cleo_id) = acme.joins("cleo@example.com", "viewer").await;
    bea.post_json("/organisations/acme/roles", json!({ "name": "Hers", "permissions": [] })).await.is(201);
    acme.ada.delete(&Acme::member_path(&cleo_id)).await.is(200);
    let found = events(&acme.ada, "event=member_removed").await;
    assert_eq!(found[0]["subject"], json!({ "id": cleo_id, "name": null, "email": null }));
    // Details name accounts, too.
    acme.ada.get(&format!("{AUDIT}?format=csv&actor={bea_id}")).await.is(200);
    let page = acme.ada.clone().with("accept", "text/html").get(AUDIT).await.is(200);
    page.says("about someone who isn't a member").hides("cleo@");

    step_up(&bea).await;
    bea.post_json("/me/delete", json!({})).await.is(200);
    app.wait(TimeDelta::days(30));
    assert_eq!(run_deletions(app).await, 1);

    acme.ada
        .post_json("/login", json!({ "email": "ada@example.com", "password": crate::harness::PASSWORD }))
        .await
        .is(200);
    acme.ada.get(AUDIT).await.is(200).hides(&bea_id).hides("bea@example.com");
    assert_eq!(app.count(&format!("audit WHERE detail LIKE '%{bea_id}%'")).await, 0);
    assert_eq!(app.count("audit WHERE event = 'audit_exported' AND detail = '{}'").await, 1);
    let made = events(&acme.ada, "event=custom_role_made").await;
    let by = made[0]["actor"].clone();
    assert!(by["id"].is_string() && by["name"].is_null() && by["email"].is_null(), "{by}");
    let added = events(&acme.ada, "event=member_added").await;
    let hers = added.iter().find(|event| event["subject"]["id"] == by["id"]);
    let hers = hers.expect("one pseudonym for all of hers");
    assert_eq!(hers["detail"], json!({}));
}

#[actix_web::test]
async fn a_role_that_reads_the_record_sees_no_more_people_than_it_may() {
    let acme = Acme::open().await;
    let role = acme.role("Auditor", &["audit:read"]).await;
    let (bea, id) = acme.joins("bea@example.com", &role).await;
    let form = json!({ "email": "guest@example.com", "role": "viewer" });
    acme.ada.post_json("/organisations/acme/invitations", form).await.is(201);
    let token = acme.app.token_for("guest@example.com").await;
    let ben = acme.app.verified("guest@example.com").await;
    ben.post_json("/invitations/decline", json!({ "token": token })).await.is(200);

    bea.get(AUDIT).await.is(200).says("member_invited").says(&id).hides("@example.com").hides("Ada");
    // The addresses of members cannot be tried out.
    bea.get(&format!("{AUDIT}?actor=ada@example.com")).await.is(422);
    let file = bea.get(&format!("{AUDIT}?format=csv")).await.is(200);
    file.says("member_invited").hides("@example.com").hides("Ada");
    // Who did it is no more found by asking for it than seen.
    let ben_id = acme.app.user_id("guest@example.com").await;
    let found = events(&acme.ada, &format!("event=invitation_declined&actor={ben_id}")).await;
    assert_eq!(found, Vec::<Value>::new());
    assert_eq!(events(&acme.ada, &format!("actor={ben_id}")).await, Vec::<Value>::new());
    // Whether they have an account is nothing that anybody learns.
    let declined = events(&acme.ada, "event=invitation_declined").await;
    assert_eq!(declined[0]["invited"], "guest@example.com");
    assert!(declined[0]["subject"].is_null() && declined[0]["actor"]["id"].is_null(), "{declined:?}");
}

/// A file is asked for by its form or by its type, and taking it is an event with what was asked for.
#[actix_web::test]
async fn a_file_has_all_that_fits_and_is_on_record_itself() {
    let acme = Acme::open().await;
    acme.ada.put_json("/me/name", json!({ "name": "=1+1" })).await.is(200);
    acme.role("Two, \"quoted\"", &[]).await;
    let csv =
        acme.ada.get(&format!("{AUDIT}?format=csv&event=custom_role_made&from=2026-11-21")).await.is(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"acme-audit.csv\"");
    // Excel takes it for UTF-8 by its mark.
    let text = csv.body.strip_prefix('\u{feff}').unwrap();
    assert!(text.starts_with("at,event,actorKind,") && text.ends_with("\r\n"), "{text}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| name == "detail").unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &rows[0][1], &rows[0][4]), (1, "custom_role_made", "'=1+1"));
    let detail: Value = serde_json::from_str(&rows[0][column]).unwrap();
    assert_eq!(detail["name"], "Two, \"quoted\"");

    let exported = events(&acme.ada, "event=audit_exported").await;
    let filter = json!({ "format": "csv", "event": "custom_role_made", "by": null, "since": "2026-11-21T00:00:00Z", "until": null });
    assert_eq!((exported.len(), &exported[0]["detail"]), (1, &filter));

    let lines = acme.ada.clone().with("accept", "application/x-ndjson").get(AUDIT).await.is(200);
    assert_eq!(lines.header("content-type"), "application/x-ndjson; charset=utf-8");
    let rows: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let page = events(&acme.ada, "").await;
    assert_eq!(rows, page, "a file has what the page has");
    let csv = acme.ada.clone().with("accept", "text/csv").get(AUDIT).await.is(200);
    assert!(csv.body.starts_with("at,event,actorKind,"), "{}", csv.body);
    // A browser that takes anything gets the page.
    acme.ada.clone().with("accept", "text/html,text/csv").get(AUDIT).await.is(200).says("<!doctype html>");
    let before = acme.app.count("audit WHERE event = 'audit_exported'").await;
    acme.ada.head(&format!("{AUDIT}?format=csv")).await.is(200);
    acme.ada.get(&format!("{AUDIT}?format=csv&event=nothing")).await.is(422);
    for format in ["xlsx", "CSV", "json"] {
        let refused = acme.ada.get(&format!("{AUDIT}?format={format}")).await.is(422).json();
        assert_eq!(refused["fields"]["format"], "Write format=csv or format=ndjson.");
    }
    assert_eq!(acme.app.count("audit WHERE event = 'audit_exported'").await, before);
}

#[actix_web::test]
async fn files_are_limited_by_member_and_by_organisation() {
    let app = TestApp::with(&[("THROTTLE", "on")]).await;
    let acme = Acme::of(app).await;
    let (bea, _) = acme.joins("bea@example.com", "owner").await;
    let (cleo, _) = acme.joins("cleo@example.com", "owner").await;
    let file = format!("{AUDIT}?format=ndjson");
    for reader in [&acme.ada, &bea] {
        for _ in 0..30 {
            reader.get(&file).await.is(200);
        }
        // What one is refused takes nothing from the others.
        reader.get(&file).await.is(429);
    }
    cleo.get(&file).await.is(429);
    acme.ada.get(AUDIT).await.is(200);
}

const MANY: usize = 20_000;

/// Each piece is a page of rows, however many there are.
#[actix_web::test]
async fn a_long_record_is_sent_in_pieces() {
    let acme = Acme::open().await;
    fill(&acme, MANY, "domain_added", r#"{"domain":"acme.example"}"#).await;
    let cookie = format!("cookie: session={}", acme.ada.cookie("session").unwrap()).into_bytes();
    let headers = [cookie, b"user-agent: curl/8.9.1".to_vec()];
    let request = wire::request(&format!("GET {AUDIT}?format=ndjson HTTP/1.1"), &headers, "");
    let answer = wire::speak(acme.app.port, request).await.is(200);

    assert_eq!(answer.header("transfer-encoding"), "chunked");
    let (mut rest, mut lines, mut longest) = (answer.body.as_str(), 0, 0);
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        lines += more[..size].lines().count();
        longest = longest.max(more[..size].lines().count());
        rest = &more[size + 2..];
        if size == 0 {
            break;
        }
    }
    let all = acme.app.count(&format!("audit WHERE organisation_id = '{}'", acme.id)).await as usize;
    assert!(all > MANY);
    assert_eq!((lines, longest), (all, 200));
}

/// Nobody reads on what they may no longer read: a slow reader is asked about again for each page of rows.
#[actix_web::test]
async fn who_is_removed_meanwhile_gets_no_more_and_half_a_file_does_not_look_like_a_whole_one() {
    let acme = Acme::open().await;
    fill(&acme, 3 * MANY, "domain_added", r#"{"domain":"acme.example"}"#).await;
    let (bea, id) = acme.joins("bea@example.com", "owner").await;
    let cookie = format!("cookie: session={}", bea.cookie("session").unwrap()).into_bytes();
    let headers = [cookie, b"user-agent: curl/8.9.1".to_vec()];
    let request = wire::request(&format!("GET {AUDIT}?format=ndjson HTTP/1.1"), &headers, "");
    let mut stream = TcpStream::connect(("127.0.0.1", acme.app.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&request).unwrap();
    let mut first = [0; 1_000];
    stream.read_exact(&mut first).unwrap();
    assert!(String::from_utf8_lossy(&first).contains("200 OK"));

    acme.ada.delete(&Acme::member_path(&id)).await.is(200);

    let mut rest = Vec::new();
    // The connection may be reset.
    drop(stream.read_to_end(&mut rest));
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.lines().count() < 3 * MANY, "all of it came");
    assert!(!rest.ends_with("0\r\n\r\n"), "it looks whole");
}
