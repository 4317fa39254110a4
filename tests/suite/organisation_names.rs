//! What organisations are called, which one is in use, and who may make one.

use actix_web::http::Method;
use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use crate::harness::{
    PASSWORD, TestApp, Visitor,
    organisations::{Acme, stepped_up},
    rounds,
};

const BEA: &str = "bea@example.com";

async fn renames(visitor: &Visitor, slug: &str, to: Value) -> crate::harness::Answer {
    visitor.put_json(&format!("/organisations/{slug}"), to).await
}

async fn again(app: &TestApp, address: &str) -> Visitor {
    let curl = app.curl();
    curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    curl.steps_up().await;
    curl
}

#[actix_web::test]
async fn a_former_short_name_leads_members_on_and_nobody_else_case_146() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "viewer").await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    renames(&bea, "acme", json!({ "name": "Mine" })).await.refuses(403, "forbidden");
    renames(&eve, "acme", json!({ "name": "Mine" })).await.refuses(404, "not_found");

    let renamed = renames(&acme.ada, "acme", json!({ "name": "Acme & Sons", "slug": "sons" })).await.is(200);

    let renamed = renamed.json()["organisation"].clone();
    assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("Acme & Sons"), &json!("sons")));
    acme.ada.get("/organisations/sons").await.is(200);
    let moved = bea.get("/organisations/acme?role=viewer").await.is(308);
    assert_eq!(moved.header("location"), "/organisations/sons?role=viewer");
    assert_eq!(
        (&moved.json()["code"], &moved.json()["slug"]),
        (&json!("organisation_moved"), &json!("sons"))
    );
    let page = bea.clone().with("accept", "text/html").get("/organisations/acme").await.is(308);
    assert_eq!((page.header("location"), page.body.as_str()), ("/organisations/sons", ""));
    let path = format!("/organisations/acme/members/{bea_id}");
    let moved = acme.ada.put_json(&path, json!({ "role": "editor" })).await.is(308);
    assert_eq!(moved.header("location"), format!("/organisations/sons/members/{bea_id}"));
    // A stranger learns no more than of a name that nobody ever had.
    let nothing = eve.get("/organisations/nowhere").await.is(404).body;
    assert_eq!(eve.get("/organisations/acme").await.is(404).body, nothing);
    let form = json!({ "organisation": "acme", "permission": "organisation:read" });
    let told = bea.post_json("/auth/check", form.clone()).await.is(200).json();
    assert_eq!((&told["allowed"], &told["organisation"]["slug"]), (&json!(true), &json!("sons")));
    assert_eq!(eve.post_json("/auth/check", form).await.json()["why"], "not_a_member");
    let told = "SELECT detail AS text FROM audit WHERE event = 'organisation_renamed'";
    let told: Value = serde_json::from_str(&acme.app.texts(told).await[0]).unwrap();
    assert_eq!(told["before"], json!({ "name": "Acme", "slug": "acme" }));

    // It is free for its owner only, for ninety days.
    eve.post_json("/organisations", json!({ "name": "Acme" })).await.refuses(422, "invalid");
    renames(&acme.ada, "sons", json!({ "slug": "acme" })).await.is(200);
    assert_eq!(bea.get("/organisations/sons").await.is(308).header("location"), "/organisations/acme");
    renames(&acme.ada, "acme", json!({ "slug": "sons" })).await.is(200);
    acme.app.wait(TimeDelta::days(90));
    let (bea, eve) = (again(&acme.app, BEA).await, again(&acme.app, "eve@example.com").await);
    bea.get("/organisations/acme").await.refuses(404, "not_found");
    eve.post_json("/organisations", json!({ "name": "Acme" })).await.is(201);
    bea.get("/organisations/acme").await.refuses(404, "not_found");
}

/// What has the form of an id is one: a slug that somebody gave up never stands for another's organisation.
#[actix_web::test]
async fn a_former_short_name_is_never_taken_for_an_id() {
    let acme = Acme::of(TestApp::open().await).await;
    let id = "abcdefabcdefabcdefabcdefabcdefab";
    acme.app.db_execute(&format!("UPDATE organisations SET slug = '{id}'")).await;
    renames(&acme.ada, id, json!({ "slug": "acme" })).await.is(200);
    acme.ada.get(&format!("/organisations/{id}")).await.is(308);
    let form = json!({ "organisation": id, "permission": "organisation:read" });
    assert_eq!(acme.ada.post_json("/auth/check", form).await.is(200).json()["why"], "not_a_member");
}

#[actix_web::test]
async fn a_name_that_cannot_be_one_is_refused_and_the_form_keeps_it() {
    let acme = Acme::of(TestApp::open().await).await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    for (form, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "slug": "a b" }), "slug"),
        (json!({ "name": "Acme", "slug": "other" }), "slug"),
    ] {
        let refused = renames(&acme.ada, "acme", form).await.refuses(422, "invalid").json();
        assert!(refused["fields"][field].is_string(), "{refused}");
    }
    renames(&acme.ada, "acme", json!({})).await.is(200);
    assert_eq!(acme.app.count("audit WHERE event = 'organisation_renamed'").await, 0);
    let ada = acme.ada.with("accept", "text/html");
    ada.get("/organisations/acme/settings").await.is(200).says("value=\"Acme\"").says("90 days");
    let refused = ada.post("/organisations/acme", &[("name", "Acme 2"), ("slug", "a b")]).await.is(422);
    refused.says("value=\"Acme 2\"").says("value=\"a b\"").says("Problem · Settings");
    let form = [("name", "Acme 2"), ("slug", "acme-2")];
    ada.post("/organisations/acme", &form).await.goes_to("/organisations/acme-2");
    ada.get("/organisations/acme-2").await.is(200).says("The changes are saved.");
}

/// One gives a name up while the other takes it: it is never in two hands.
#[actix_web::test]
async fn a_short_name_is_never_an_organisations_own_and_kept_for_another() {
    let acme = Acme::of(TestApp::with(&[("DATABASE_POOL", "8")]).await).await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    let mut slug = "acme".to_owned();
    for round in 0..rounds() {
        let next = format!("acme-{round}");
        let form = json!({ "name": "Eve's", "slug": slug });
        let (renamed, made) =
            join(renames(&acme.ada, &slug, json!({ "slug": next })), eve.post_json("/organisations", form))
                .await;
        assert_eq!((renamed.status.as_u16(), made.status.as_u16()), (200, 422), "{}", made.body);
        slug = next;
    }
    let both = "organisations JOIN former_slugs ON former_slugs.slug = organisations.slug";
    assert_eq!(acme.app.count(both).await, 0);
}

async fn current(visitor: &Visitor) -> Vec<String> {
    let mine = visitor.get("/organisations").await.is(200).json()["organisations"].clone();
    let current = mine.as_array().unwrap().iter().filter(|one| one["current"] == true);
    current.map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn the_one_in_use_is_a_hint_for_this_session_and_never_a_right_case_144() {
    let acme = Acme::of(TestApp::open().await).await;
    let (bea, bea_id) = acme.joins(BEA, "editor").await;
    let uses = async |visitor: &Visitor, slug: Value| {
        visitor.put_json("/me/organisation", json!({ "organisation": slug })).await
    };
    let asks = async |visitor: &Visitor| {
        let form = json!({ "permission": "organisation:read" });
        visitor.post_json("/auth/check", form).await.is(200).json()
    };
    let elsewhere = again(&acme.app, BEA).await;
    assert_eq!(asks(&bea).await["why"], "no_organisation");
    uses(&bea, json!("nowhere")).await.refuses(404, "not_found");
    uses(&stepped_up(&acme.app, "eve@example.com").await, json!("acme")).await.refuses(404, "not_found");

    let told = uses(&bea, json!("acme")).await.is(200).json();

    assert_eq!(told["organisation"]["slug"], "acme");
    assert_eq!(current(&bea).await, ["acme"]);
    let allowed = asks(&bea).await;
    assert_eq!((&allowed["allowed"], &allowed["organisation"]["slug"]), (&json!(true), &json!("acme")));
    // In this session only.
    assert_eq!(current(&elsewhere).await, Vec::<String>::new());
    let page = bea.clone().with("accept", "text/html");
    page.get("/me").await.is(200).says("Organisation in use: </span><bdi>Acme</bdi>");
    page.get("/organisations").await.is(200).says("In use").hides(">Use<");
    elsewhere.clone().with("accept", "text/html").get("/organisations").await.is(200).says(">Use<");

    // Renamed, it stays in use; deleted, it is not until it is restored.
    renames(&acme.ada, "acme", json!({ "slug": "sons" })).await.is(200);
    assert_eq!(asks(&bea).await["organisation"]["slug"], "sons");
    acme.ada.post_json("/organisations/sons/delete", json!({ "name": "Acme" })).await.is(200);
    assert_eq!(asks(&bea).await["why"], "no_organisation");
    page.get("/me").await.is(200).hides("Organisation in use");
    acme.ada.post_json("/organisations/sons/restore", json!({})).await.is(200);
    assert_eq!(asks(&bea).await["allowed"], true);

    // Whoever left has none, and nothing fails.
    acme.ada.delete(&format!("/organisations/sons/members/{bea_id}")).await.is(200);
    assert_eq!(asks(&bea).await["why"], "no_organisation");
    assert_eq!(current(&bea).await, Vec::<String>::new());
    page.get("/me").await.is(200).hides("Acme");
    acme.enters(&acme.app.user_id(BEA).await, "viewer").await;
    uses(&bea, Value::Null).await.is(200);
    assert_eq!(asks(&bea).await["why"], "no_organisation");
    page.post("/me/organisation", &[("organisation", "sons")]).await.goes_to("/organisations");
    assert_eq!(current(&bea).await, ["sons"]);
    page.post("/me/organisation", &[("organisation", "")]).await.goes_to("/organisations");
    assert_eq!(current(&bea).await, Vec::<String>::new());
}

#[actix_web::test]
async fn where_operators_make_organisations_nobody_else_does() {
    let app = TestApp::with(&[("ORGANISATIONS_BY", "operators")]).await;
    let ada = stepped_up(&app, "ada@example.com").await;
    let refused = ada.post_json("/organisations", json!({ "name": "Acme" })).await;
    refused.refuses(403, "organisations_by_operators");
    let page = ada.clone().with("accept", "text/html");
    page.get("/organisations").await.is(200).hides("Create an organisation");
    page.post("/organisations", &[("name", "Acme")]).await.is(403).says("Ask them for one.");
    let form = Some(("application/json", json!({ "organisation": "acme" }).to_string()));
    ada.send(Method::PUT, "/me/organisation", form).await.refuses(404, "not_found");
    assert_eq!(app.count("organisations").await, 0);
}

/// Applications read short names in headers: what one asks the members of is nobody else's later, whatever the settings say.
#[actix_web::test]
async fn a_short_name_that_an_application_knows_is_never_another_s() {
    let app = TestApp::with(&[("FORMER_SLUG_LIFE", "1h")]).await;
    let ada = stepped_up(&app, "ada@example.com").await;
    let makes =
        async |who: &Visitor, name: &str| who.post_json("/organisations", json!({ "name": name })).await;
    for name in ["Acme", "Other"] {
        makes(&ada, name).await.is(201);
    }
    // Renamed before an application asks for its members, and after.
    renames(&ada, "acme", json!({ "slug": "acme-one" })).await.is(200);
    renames(&ada, "other", json!({ "slug": "other-one" })).await.is(200);
    let need = ["--need", "member=acme-one:editor"];
    assert_eq!(app.command(&[&["app", "add", "wiki.localhost:8080"], &need[..]].concat()).code, Some(0));
    renames(&ada, "acme-one", json!({ "slug": "acme-two" })).await.is(200);
    for (slug, name) in [("acme-two", "Acme"), ("other-one", "Other")] {
        ada.post_json(&format!("/organisations/{slug}/delete"), json!({ "name": name })).await.is(200);
    }
    app.wait(TimeDelta::days(15));
    jobs::run_once(&app.inner, Job::Deletions, true).await.unwrap();
    app.wait(TimeDelta::days(91));
    jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
    let eve = stepped_up(&app, "eve@example.com").await;
    for name in ["Acme", "Acme One", "Acme Two"] {
        makes(&eve, name).await.refuses(422, "invalid");
    }
    for name in ["Other", "Other One"] {
        makes(&eve, name).await.is(201);
    }
}
