//! Deleting an organisation: its members lose it at once, its owners restore it or not, and nobody else takes its name.

use chrono::TimeDelta;
use diesel::{RunQueryDsl, sql_query};
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job, Outcome};

use crate::{
    harness::{
        PASSWORD, TestApp, Visitor,
        organisations::{Acme, stepped_up},
        rounds,
    },
    idp::{self, ada, is_nobody},
};

const DELETE: &str = "/organisations/acme/delete";
const RESTORE: &str = "/organisations/acme/restore";
const BEA: &str = "bea@example.com";

async fn deletes(owner: &Visitor) {
    let deleted = owner.post_json(DELETE, json!({ "name": "Acme" })).await.is(200).json();
    assert!(deleted["deleteAt"].is_string(), "{deleted}");
}

async fn run_job(app: &TestApp) -> Outcome {
    jobs::run_once(&app.inner, Job::Deletions, true).await.unwrap()
}

/// Signed in again: time has passed.
async fn again(app: &TestApp, address: &str) -> Visitor {
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    curl.steps_up().await;
    curl
}

#[actix_web::test]
async fn members_lose_it_at_once_and_owners_can_do_nothing_but_restore_it_case_148() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "editor").await;
    let (cleo, _) = acme.joins("cleo@example.com", "owner").await;
    let told = acme.ada.get(DELETE).await.is(200).json();
    assert_eq!((&told["members"], &told["connections"]), (&json!(3), &json!(0)));
    assert_eq!(told["keys"], 0);
    acme.ada.post_json(DELETE, json!({ "name": "acme" })).await.refuses(422, "invalid");
    acme.ada.post_json(DELETE, json!({})).await.refuses(422, "invalid");
    bea.post_json(DELETE, json!({ "name": "Acme" })).await.refuses(403, "forbidden");
    assert_eq!(acme.app.count("organisations WHERE deletes_at IS NOT NULL").await, 0);

    deletes(&acme.ada).await;

    bea.get("/organisations/acme").await.refuses(404, "not_found");
    bea.get(RESTORE).await.refuses(404, "not_found");
    bea.post_json(RESTORE, json!({})).await.refuses(404, "not_found");
    assert_eq!(bea.get("/organisations").await.json()["organisations"], json!([]));
    for owner in [&acme.ada, &cleo] {
        for path in ["/organisations/acme", DELETE, "/organisations/acme/roles", "/organisations/acme/sso"] {
            owner.get(path).await.refuses(403, "organisation_leaving");
        }
        let path = Acme::member_path(&bea_id);
        owner.put_json(&path, json!({ "role": "viewer" })).await.refuses(403, "organisation_leaving");
        owner.post_json("/organisations/acme/leave", json!({})).await.refuses(403, "organisation_leaving");
        owner
            .put_json("/me/organisation", json!({ "organisation": "acme" }))
            .await
            .refuses(403, "organisation_leaving");
        let status = owner.get(RESTORE).await.is(200).json();
        assert_eq!((&status["scheduled"], &status["daysRemaining"]), (&json!(true), &json!(14)));
        assert_eq!(owner.get("/organisations").await.json()["organisations"][0]["leaving"], true);
        let page = owner.clone().with("accept", "text/html");
        page.get("/organisations/acme").await.goes_to(RESTORE);
        page.get(RESTORE).await.is(200).says("Restore organisation").says("You have 14 days left");
    }
    let asks = async |visitor: &Visitor| {
        let form = json!({ "organisation": "acme", "permission": "organisation:read" });
        visitor.post_json("/auth/check", form).await.is(200).json()["why"].clone()
    };
    assert_eq!((asks(&bea).await, asks(&cleo).await), (json!("not_a_member"), json!("organisation_leaving")));
    // A step-up is not asked of somebody who could do nothing with it.
    acme.app.wait(TimeDelta::minutes(10));
    cleo.post_json(DELETE, json!({ "name": "Acme" })).await.refuses(403, "organisation_leaving");
    let subject = "Acme at Vestibule will be deleted";
    for address in ["ada@example.com", BEA, "cleo@example.com"] {
        assert_eq!(acme.app.emails_that_say(address, subject).await, 1, "{address}");
    }
    assert_eq!(acme.app.emails_that_say(BEA, "/restore").await, 0);
    assert_eq!(acme.app.emails_that_say("cleo@example.com", "/organisations/acme/restore").await, 1);
    // Who cannot restore it reads whom to ask.
    let told = acme.app.emails_to(BEA).await;
    let told = told.iter().find(|email| email.subject == subject).unwrap();
    assert!(told.text.contains("ask ada@example.com."), "{}", told.text);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_deletion_scheduled'").await, 1);
    // The record says of which it was.
    let printed = acme.app.command(&["audit", "--event", "organisation_deletion_scheduled", "--json"]).out;
    let entry: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(entry["organisation"], json!(acme.id));
    let printed = acme.app.command(&["audit", "--event", "organisation_deletion_scheduled"]).out;
    assert!(printed.contains(&format!("  in {}  by ", acme.id)), "{printed}");
}

#[actix_web::test]
async fn it_can_be_restored_from_every_state_in_which_it_is_there_case_147() {
    let acme = Acme::of(TestApp::open().await).await;
    let role = acme.role("Clerk", &["members:read"]).await;
    let (bea, bea_id) = acme.joins(BEA, &role).await;
    // It was not going to be deleted.
    let restored = acme.ada.post_json(RESTORE, json!({})).await.is(200).json();
    assert_eq!(restored["message"], "Acme was not going to be deleted.");
    assert_eq!(acme.ada.get(RESTORE).await.is(200).json(), json!({ "scheduled": false }));
    bea.post_json(RESTORE, json!({})).await.refuses(403, "forbidden");

    // It was, just now.
    deletes(&acme.ada).await;
    acme.ada.post_json(RESTORE, json!({})).await.is(200).says("Acme is restored.");
    assert_eq!(acme.role_of(&bea_id).await.1, "Clerk");
    bea.get("/organisations/acme").await.is(200);
    acme.ada.post_json(RESTORE, json!({})).await.is(200);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_restored'").await, 1);
    assert_eq!(acme.app.emails_that_say(BEA, "Acme at Vestibule is back").await, 1);

    // Its time was up, and no job had come yet.
    deletes(&acme.ada).await;
    acme.app.wait(TimeDelta::days(20));
    let ada = again(&acme.app, "ada@example.com").await;
    assert_eq!(ada.get(RESTORE).await.is(200).json()["daysRemaining"], 0);
    ada.post_json(RESTORE, json!({})).await.is(200);
    assert_eq!(run_job(&acme.app).await, Outcome::Done(0));
    ada.get("/organisations/acme").await.is(200);

    // It is gone.
    deletes(&ada).await;
    acme.app.wait(TimeDelta::days(14) - TimeDelta::seconds(1));
    assert_eq!(run_job(&acme.app).await, Outcome::Done(0));
    acme.app.wait(TimeDelta::seconds(1));
    assert_eq!(run_job(&acme.app).await, Outcome::Done(1));
    assert_eq!(run_job(&acme.app).await, Outcome::Done(0));
    let ada = again(&acme.app, "ada@example.com").await;
    ada.post_json(RESTORE, json!({})).await.refuses(404, "not_found");
    ada.get(RESTORE).await.refuses(404, "not_found");
    for table in ["organisations", "memberships", "roles", "role_permissions"] {
        assert_eq!(acme.app.count(table).await, 0, "{table}");
    }
    assert_eq!(acme.app.count("users").await, 2);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_ended' AND actor_kind = 'job'").await, 1);
    assert_eq!(acme.app.emails_that_say("ada@example.com", "Acme at Vestibule is deleted").await, 1);
}

#[actix_web::test]
async fn nobody_takes_the_short_name_of_a_deleted_one_for_ninety_days_case_146() {
    let acme = Acme::of(TestApp::open().await).await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    let takes =
        async |visitor: &Visitor| visitor.post_json("/organisations", json!({ "name": "Acme" })).await;
    deletes(&acme.ada).await;
    takes(&eve).await.refuses(422, "invalid");
    acme.app.wait(TimeDelta::days(14));
    assert_eq!(run_job(&acme.app).await, Outcome::Done(1));

    let (eve, ada) = (again(&acme.app, "eve@example.com").await, again(&acme.app, "ada@example.com").await);
    for visitor in [&eve, &ada] {
        let refused = takes(visitor).await.refuses(422, "invalid").json();
        assert_eq!(refused["fields"]["slug"], "The short name acme is taken. Choose another.");
        visitor.get("/organisations/acme").await.refuses(404, "not_found");
    }
    acme.app.wait(TimeDelta::days(90));
    let eve = again(&acme.app, "eve@example.com").await;
    takes(&eve).await.is(201);
    jobs::run_once(&acme.app.inner, Job::Sweep, true).await.unwrap();
    assert_eq!(acme.app.count("former_slugs").await, 0);
}

#[actix_web::test]
async fn it_is_not_deleted_while_a_domain_of_it_requires_single_sign_on_case_149() {
    let acme = Acme::of(TestApp::open().await).await;
    acme.app
        .db_execute(
            "INSERT INTO domains (id, organisation_id, name, challenge, is_enforced, created_at) \
             SELECT 'd', id, 'acme.example', 'x', TRUE, created_at FROM organisations",
        )
        .await;
    acme.ada.post_json(DELETE, json!({ "name": "Acme" })).await.refuses(409, "domain_in_force");
    acme.app.db_execute("UPDATE domains SET is_enforced = FALSE").await;
    deletes(&acme.ada).await;
}

#[actix_web::test]
async fn nobody_signs_in_through_one_that_is_going_to_be_deleted() {
    let app = TestApp::open().await;
    let acme = idp::Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.is(303);
    browser.get("/me").await.is(200);
    let other = app.browser();
    let under_way = acme.leave(&other, &ada()).await;
    acme.owner.steps_up().await;

    deletes(&acme.owner).await;

    // Whoever came in by it is out; whoever was on their way is not let in, and nobody is sent there.
    assert!(is_nobody(&browser).await);
    let response = acme.says(&app, &under_way, &ada());
    idp::comes_back(&app, &other, &response, &under_way.relay_state).await;
    assert!(is_nobody(&other).await);
    let sent = other.get("/auth/saml/login?email=ada%40example.com").await;
    assert_eq!(sent.location(), Some("/login"), "{sent:?}");
    let asked = other.get(&format!("/auth/saml/login?connection={}", acme.connection)).await;
    assert_ne!(asked.status.as_u16(), 200, "{asked:?}");
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 0);

    acme.owner.post_json(RESTORE, json!({})).await.is(200);
    acme.signs_in(&app, &app.browser(), &ada()).await.is(303);
    assert_eq!(app.count("sessions WHERE method = 'sso'").await, 1);
}

/// Its person is the last owner of something with other members: that rule holds while it waits to be deleted, too.
#[actix_web::test]
async fn the_account_of_a_sole_owner_waits_for_the_end_of_the_organisation() {
    let acme = Acme::of(TestApp::open().await).await;
    acme.joins(BEA, "viewer").await;
    deletes(&acme.ada).await;
    acme.ada.post_json("/me/delete", json!({})).await.refuses(409, "last_owner");
    acme.app.wait(TimeDelta::days(14));
    assert_eq!(run_job(&acme.app).await, Outcome::Done(1));
    let ada = again(&acme.app, "ada@example.com").await;
    ada.post_json("/me/delete", json!({})).await.is(200);
}

#[actix_web::test]
async fn of_a_restoration_and_the_job_at_once_one_counts() {
    let app = TestApp::with(&[("DATABASE_POOL", "8")]).await;
    let acme = Acme::of(app).await;
    let query = "UPDATE organisations SET deletes_at = created_at";
    let (mut ended, mut kept) = (0, 0);
    for round in 0..rounds() {
        let slug = format!("acme-{round}");
        let form = json!({ "name": "Acme", "slug": slug });
        acme.ada.post_json("/organisations", form).await.is(201);
        app_execute(&acme.app, &format!("{query} WHERE slug = '{slug}'")).await;
        let path = format!("/organisations/{slug}/restore");

        let (restored, job) = join(acme.ada.post_json(&path, json!({})), run_job(&acme.app)).await;

        let is_there =
            acme.app.count(&format!("organisations WHERE slug = '{slug}' AND deletes_at IS NULL")).await;
        match restored.status.as_u16() {
            200 => {
                assert_eq!((is_there, job), (1, Outcome::Done(0)));
                kept += 1;
            }
            404 => {
                assert_eq!((is_there, job), (0, Outcome::Done(1)));
                ended += 1;
            }
            status => panic!("{status}: {}", restored.body),
        }
    }
    let events = async |name: &str| acme.app.count(&format!("audit WHERE event = '{name}'")).await;
    assert_eq!((events("organisation_restored").await, events("organisation_ended").await), (kept, ended));
}

async fn app_execute(app: &TestApp, statement: &str) {
    let statement = statement.to_owned();
    app.inner.write(move |tx| Ok(sql_query(statement).execute(tx.conn)?)).await.unwrap();
}

#[actix_web::test]
async fn a_page_without_scripts_deletes_it_and_restores_it() {
    let acme = Acme::of(TestApp::open().await).await;
    let ada = acme.ada.with("accept", "text/html");
    ada.get("/organisations/acme").await.is(200).says("href=\"/organisations/acme/settings\"");
    ada.get("/organisations/acme/settings").await.is(200).says(&format!("href=\"{DELETE}\""));
    ada.get(DELETE).await.is(200).says("It has 1 member.").says("14 days").says("90 days");
    let refused = ada.post(DELETE, &[("name", "Acne")]).await.is(422);
    refused.says("Enter the name of this organisation to confirm.").says("value=\"Acne\"");
    ada.post(DELETE, &[("name", " Acme ")]).await.goes_to("/organisations");
    ada.get("/organisations").await.is(200).says("Will be deleted").says(&format!("href=\"{RESTORE}\""));
    ada.post(RESTORE, &[]).await.goes_to("/organisations/acme");
    ada.get("/organisations/acme").await.is(200).says("Acme is restored.");
}
