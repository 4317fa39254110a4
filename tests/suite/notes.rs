//! The example of an application, in the program: notes of an organisation.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    delete::{run_deletions, step_up},
    harness::{
        PASSWORD, TestApp, Visitor,
        organisations::{Acme, stepped_up},
    },
};

const NOTES: &str = "/organisations/acme/notes";

async fn acme() -> Acme {
    Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await
}

async fn writes(visitor: &Visitor, text: &str) -> String {
    let made = visitor.post_json(NOTES, json!({ "text": text })).await.is(201).json();
    made["note"]["id"].as_str().unwrap().to_owned()
}

async fn read(visitor: &Visitor) -> Vec<Value> {
    visitor.get(NOTES).await.is(200).json()["notes"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn members_write_and_read_as_their_role_allows() {
    let acme = acme().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let (cleo, _) = acme.joins("cleo@example.com", "viewer").await;
    let hers = writes(&bea, "Buy milk.\nAnd <b>bread</b>.").await;
    let adas = writes(&acme.ada, "A plan").await;
    let path = |id: &str| format!("{NOTES}/{id}");

    let found = read(&cleo).await;
    assert_eq!(found.len(), 2);
    let milk = found.iter().find(|note| note["id"] == hers.as_str()).unwrap();
    assert_eq!(milk["author"], json!({ "id": bea_id, "name": "Ada" }));
    assert_eq!((&milk["canUpdate"], &milk["canDelete"]), (&json!(false), &json!(false)));
    let refused = cleo.post_json(NOTES, json!({ "text": "x" })).await.refuses(403, "forbidden").json();
    assert_eq!(refused["permission"], "notes:create");
    cleo.put_json(&path(&hers), json!({ "text": "x" })).await.refuses(403, "forbidden");
    cleo.delete(&path(&hers)).await.refuses(403, "forbidden");
    // An editor changes their own, an owner everybody's.
    let changed = bea.put_json(&path(&hers), json!({ "text": "Buy oat milk." })).await.is(200).json();
    assert_eq!(changed["note"]["text"], "Buy oat milk.");
    bea.put_json(&path(&adas), json!({ "text": "x" })).await.refuses(403, "forbidden");
    bea.delete(&path(&adas)).await.refuses(403, "forbidden");
    acme.ada.put_json(&path(&hers), json!({ "text": "Buy soy milk." })).await.is(200);
    bea.delete(&path(&hers)).await.is(200);
    acme.ada.delete(&path(&hers)).await.is(404);
    // A role without a permission of the catalogue does not even read.
    let role = acme.role("Clerk", &["members:read"]).await;
    let (dora, _) = acme.joins("dora@example.com", &role).await;
    assert_eq!(dora.get(NOTES).await.refuses(403, "forbidden").json()["permission"], "notes:read");
    for (text, sentence) in [
        ("", "Write something."),
        ("a\u{0}b", "Leave control"),
        (&"x".repeat(4_001), "Use at most 4,000 characters."),
    ] {
        acme.ada.post_json(NOTES, json!({ "text": text })).await.is(422).says(sentence);
        acme.ada.put_json(&path(&adas), json!({ "text": text })).await.is(422).says(sentence);
    }
    assert_eq!(read(&acme.ada).await[0]["text"], "A plan");
}

#[actix_web::test]
async fn a_browser_keeps_what_was_typed() {
    let acme = acme().await;
    let browser = acme.ada.clone().with("accept", "text/html").with("sec-fetch-site", "same-origin");
    browser.get("/organisations/acme").await.is(200).says("href=\"/organisations/acme/notes\"");
    browser.post(NOTES, &[("text", "Buy <milk>\r\nand bread")]).await.goes_to(NOTES);
    let id = read(&acme.ada).await[0]["id"].as_str().unwrap().to_owned();
    let page =
        browser.get(NOTES).await.is(200).says("Buy &#60;milk&#62;<br/>and bread").says("The note is kept.");
    page.says(&format!("action=\"{NOTES}/{id}/remove\""));
    let long = "x".repeat(4_001);
    browser.post(NOTES, &[("text", &long)]).await.is(422).says("Use at most 4,000").says(&long);
    let page = browser.post(&format!("{NOTES}/{id}"), &[("text", "")]).await.is(422);
    page.says("name=\"note\" open").says("Write something.");
    browser.post(&format!("{NOTES}/{id}"), &[("text", "Buy bread")]).await.goes_to(NOTES);
    browser.post(&format!("{NOTES}/{id}/remove"), &[]).await.goes_to(NOTES);
    browser.get(NOTES).await.is(200).says("No notes yet.");
}

/// Each WHERE names the organisation: whoever may do everything in one does nothing in another.
#[actix_web::test]
async fn a_note_of_another_organisation_is_not_there() {
    let acme = acme().await;
    let id = writes(&acme.ada, "Ours").await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Eve" })).await.is(201);
    eve.get(NOTES).await.is(404);
    let through = format!("/organisations/eve/notes/{id}");
    eve.put_json(&through, json!({ "text": "Mine" })).await.is(404);
    eve.delete(&through).await.is(404);
    eve.get(&format!("/organisations/eve/notes?next={id}")).await.is(404);
    assert_eq!(eve.get("/organisations/eve/notes").await.is(200).json()["notes"], json!([]));
    assert_eq!(read(&acme.ada).await[0]["text"], "Ours");
}

#[actix_web::test]
async fn notes_come_in_pages() {
    let acme = acme().await;
    for number in 0..51 {
        writes(&acme.ada, &format!("Note {number}")).await;
    }
    let first = acme.ada.get(NOTES).await.is(200).json();
    assert_eq!(first["notes"].as_array().unwrap().len(), 50);
    let next = first["next"].as_str().unwrap();
    let second = acme.ada.get(&format!("{NOTES}?next={next}")).await.is(200).json();
    assert_eq!((second["notes"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    assert!(!first["notes"].as_array().unwrap().contains(&second["notes"][0]));
}

/// The text belongs to the organisation, its author to themselves.
#[actix_web::test]
async fn what_somebody_wrote_stays_by_someone_who_left() {
    let acme = acme().await;
    let app = &acme.app;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let (cleo, cleo_id) = acme.joins("cleo@example.com", "editor").await;
    writes(&bea, "By Bea").await;
    writes(&cleo, "By Cleo").await;
    let document: Value = bea.get("/me/export").await.is(200).json();
    assert_eq!(
        (&document["notes"][0]["text"], &document["notes"][0]["organisation"]),
        (&json!("By Bea"), &json!("Acme"))
    );
    acme.ada.delete(&Acme::member_path(&cleo_id)).await.is(200);
    step_up(&bea).await;
    bea.post_json("/me/delete", json!({})).await.is(200);
    app.wait(TimeDelta::days(30));
    assert_eq!(run_deletions(app).await, 1);

    acme.ada.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    let found = read(&acme.ada).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|note| note["author"].is_null()), "{found:?}");
    let page = acme.ada.clone().with("accept", "text/html").get(NOTES).await.is(200);
    page.says("By Bea").says("Someone who left").hides(&bea_id).hides(&cleo_id);
    assert_eq!(app.count(&format!("notes WHERE author_id = '{bea_id}'")).await, 0);
    assert_eq!(
        app.count(&format!("notes WHERE author_id = '{cleo_id}'")).await,
        1,
        "who comes back finds their own"
    );
}

#[actix_web::test]
async fn notes_end_with_their_organisation() {
    let acme = acme().await;
    writes(&acme.ada, "Gone soon").await;
    acme.app.db_execute("DELETE FROM organisations").await;
    assert_eq!(acme.app.count("notes").await, 0);
}

#[actix_web::test]
async fn where_the_example_is_off_nothing_is_there_and_a_file_is_the_catalogue() {
    let acme = Acme::of(TestApp::open().await).await;
    acme.ada.get(NOTES).await.is(404);
    acme.ada.post_json(NOTES, json!({ "text": "x" })).await.is(404);
    acme.ada.put_json(&format!("{NOTES}/{}", "0".repeat(32)), json!({ "text": "x" })).await.is(404);
    acme.ada.delete(&format!("{NOTES}/{}", "0".repeat(32))).await.is(404);
    acme.ada.clone().with("accept", "text/html").get("/organisations/acme").await.is(200).hides(NOTES);
    assert_eq!(acme.app.count("permissions").await, 0);
    let with_example = acme.app.second_node_with(&[("EXAMPLE_NOTES", "on")]).await;
    assert_eq!(with_example.count("permissions WHERE retired_at IS NULL").await, 6);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    std::fs::write(&file, "[[permission]]\nname = \"notes:read\"\ntitle = \"Read\"\nroles = []").unwrap();
    let settings = [("EXAMPLE_NOTES", "on"), ("PERMISSIONS_FILE", file.to_str().unwrap())];
    let with_file = acme.app.second_node_with(&settings).await;
    assert_eq!(with_file.count("permissions WHERE retired_at IS NULL").await, 1);
    let ada = acme.ada.at(with_file.port);
    ada.get(NOTES).await.is(200);
    assert_eq!(
        ada.post_json(NOTES, json!({ "text": "x" })).await.refuses(403, "forbidden").json()["permission"],
        "notes:create"
    );
}
