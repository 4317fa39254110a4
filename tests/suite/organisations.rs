//! Organisations: making one, who sees it, roles, and the rule that one always has an owner.

use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{
    ids::{Id, UserId},
    internals::{Actor, add_member},
    kinds::Role,
};

use crate::harness::{PASSWORD, TestApp, Visitor};

/// Ada makes Acme and owns it.
async fn acme(app: &TestApp) -> Visitor {
    let ada = stepped_up(app, "ada@example.com").await;
    let made = ada.post_json("/organisations", json!({ "name": "Acme & Sons" })).await.is(201).json();
    assert_eq!(made["organisation"]["slug"], "acme-sons");
    assert_eq!(made["organisation"]["role"], "owner");
    ada
}

/// Somebody confirmed who stepped up just now.
async fn stepped_up(app: &TestApp, address: &str) -> Visitor {
    // A test clock stands still; members are listed in the order in which they came.
    app.wait(TimeDelta::minutes(1));
    let curl = app.verified(address).await;
    curl.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    curl
}

/// Makes somebody a member of Acme, as a single sign-on does.
async fn joins(app: &TestApp, visitor: &Visitor, role: Role) -> String {
    let id = id_of(visitor).await;
    let organisation = app.texts("SELECT id AS text FROM organisations").await.remove(0);
    let user = UserId::from_text(id.clone());
    app.inner
        .write(move |tx| {
            add_member(tx, &Actor::operator(), &Id::from_text(organisation), &user, role).map(drop)
        })
        .await
        .unwrap();
    id
}

async fn id_of(visitor: &Visitor) -> String {
    visitor.get("/me").await.json()["user"]["id"].as_str().unwrap().to_owned()
}

async fn roles(visitor: &Visitor) -> Vec<(String, String)> {
    let members = visitor.get("/organisations/acme-sons").await.is(200).json()["members"].clone();
    let text = |member: &Value, key: &str| member[key].as_str().unwrap().to_owned();
    members.as_array().unwrap().iter().map(|one| (text(one, "email"), text(one, "role"))).collect()
}

fn member_path(id: &str) -> String {
    format!("/organisations/acme-sons/members/{id}")
}

#[actix_web::test]
async fn members_see_each_other_and_nobody_else_sees_that_there_is_anything_case_109() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let (bea, eve) = (stepped_up(&app, "bea@example.com").await, stepped_up(&app, "eve@example.com").await);
    joins(&app, &bea, Role::Viewer).await;

    let expected = [("ada@example.com", "owner"), ("bea@example.com", "viewer")]
        .map(|(email, role)| (email.to_owned(), role.to_owned()));
    assert_eq!(roles(&ada).await, expected);
    assert_eq!(roles(&bea).await, expected);
    let mine = bea.get("/organisations").await.is(200).json();
    assert_eq!(mine["organisations"][0]["slug"], "acme-sons");
    assert_eq!(mine["organisations"][0]["role"], "viewer");

    let nothing = eve.get("/organisations/nowhere").await.is(404).body;
    assert_eq!(eve.get("/organisations/acme-sons").await.is(404).body, nothing);
    eve.post_json("/organisations/acme-sons/leave", json!({})).await.is(404);
    let id = id_of(&ada).await;
    eve.delete(&member_path(&id)).await.is(404);
    eve.put_json(&member_path(&id), json!({ "role": "viewer" })).await.is(404);
    assert_eq!(eve.get("/organisations").await.json()["organisations"], json!([]));
    assert_eq!(roles(&ada).await, expected);
}

#[actix_web::test]
async fn only_owners_change_roles_and_members() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let (bea, cleo) = (stepped_up(&app, "bea@example.com").await, stepped_up(&app, "cleo@example.com").await);
    let bea_id = joins(&app, &bea, Role::Editor).await;
    let cleo_id = joins(&app, &cleo, Role::Viewer).await;

    bea.put_json(&member_path(&cleo_id), json!({ "role": "owner" })).await.refuses(403, "forbidden");
    bea.put_json(&member_path(&bea_id), json!({ "role": "owner" })).await.refuses(403, "forbidden");
    cleo.delete(&member_path(&bea_id)).await.refuses(403, "forbidden");
    ada.put_json(&member_path(&cleo_id), json!({ "role": "king" })).await.refuses(422, "invalid");
    let stranger = id_of(&stepped_up(&app, "eve@example.com").await).await;
    ada.put_json(&member_path(&stranger), json!({ "role": "viewer" })).await.is(404);

    ada.put_json(&member_path(&cleo_id), json!({ "role": "editor" })).await.is(200);
    ada.delete(&member_path(&bea_id)).await.is(200);
    bea.get("/organisations/acme-sons").await.is(404);
    assert_eq!(
        roles(&cleo).await,
        [("ada@example.com", "owner"), ("cleo@example.com", "editor")]
            .map(|(email, role)| (email.to_owned(), role.to_owned()))
    );
    assert_eq!(app.count("audit WHERE event IN ('role_changed', 'member_removed')").await, 2);
}

#[actix_web::test]
async fn the_last_owner_cannot_leave_be_demoted_or_be_removed_case_102_case_142() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let bea = stepped_up(&app, "bea@example.com").await;
    let (ada_id, bea_id) = (id_of(&ada).await, joins(&app, &bea, Role::Editor).await);
    let before = roles(&ada).await;

    ada.post_json("/organisations/acme-sons/leave", json!({})).await.refuses(409, "last_owner");
    ada.put_json(&member_path(&ada_id), json!({ "role": "viewer" })).await.refuses(409, "last_owner");
    ada.delete(&member_path(&ada_id)).await.refuses(409, "last_owner");
    assert_eq!(roles(&ada).await, before);
    assert_eq!(app.count("audit WHERE event IN ('role_changed', 'member_removed')").await, 0);

    // By membership, not for having made it: an owner who came later counts, and the maker may go.
    ada.put_json(&member_path(&bea_id), json!({ "role": "owner" })).await.is(200);
    ada.post_json("/organisations/acme-sons/leave", json!({})).await.is(200);
    ada.get("/organisations/acme-sons").await.is(404);
    assert_eq!(roles(&bea).await, [("bea@example.com".to_owned(), "owner".to_owned())]);
}

#[actix_web::test]
async fn of_two_owners_who_leave_at_once_one_stays_case_102_case_142() {
    let app = TestApp::open().await;
    for round in 0..10 {
        let owners = [
            stepped_up(&app, &format!("one{round}@example.com")).await,
            stepped_up(&app, &format!("two{round}@example.com")).await,
        ];
        let made = owners[0].post_json("/organisations", json!({ "name": format!("Acme {round}") })).await;
        let slug = made.is(201).json()["organisation"]["slug"].as_str().unwrap().to_owned();
        let second = UserId::from_text(id_of(&owners[1]).await);
        let query = format!("SELECT id AS text FROM organisations WHERE slug = '{slug}'");
        let id = app.texts(&query).await.remove(0);
        let add = app
            .inner
            .write(move |tx| add_member(tx, &Actor::operator(), &Id::from_text(id), &second, Role::Owner));
        assert!(add.await.unwrap());

        let path = format!("/organisations/{slug}/leave");
        let leave = |owner: Visitor| {
            let path = path.clone();
            async move { owner.post_json(&path, json!({})).await.status.as_u16() }
        };
        let (one, other) = join(leave(owners[0].clone()), leave(owners[1].clone())).await;

        let mut statuses = [one, other];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let left = format!(
            "memberships WHERE role = 'owner' AND organisation_id IN (SELECT id FROM organisations WHERE slug = '{slug}')"
        );
        assert_eq!(app.count(&left).await, 1);
    }
}

#[actix_web::test]
async fn of_fifty_who_want_one_slug_one_gets_it() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, "ada@example.com").await;
    let bodies = (0..50).map(|_| ada.post_json("/organisations", json!({ "name": "Acme" })));

    let answers = join_all(bodies).await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| [201, 422].contains(&answer.status.as_u16())));
    assert_eq!(app.count("organisations").await, 1);
    assert_eq!(app.count("memberships").await, 1);
}

#[actix_web::test]
async fn every_name_has_a_short_name_and_hides_nothing() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;

    for (name, begins) in [("株式会社", "org-"), ("Bäckerei Müller & Söhne", "backerei-muller-sohne")]
    {
        let made = ada.post_json("/organisations", json!({ "name": name })).await.is(201).json();
        let slug = made["organisation"]["slug"].as_str().unwrap();
        assert!(slug.starts_with(begins) && slug.len() == begins.len().max(10), "{slug}");
    }
    for name in ["Acme\u{202e}", "A\u{200b}cme", "\u{2066}Acme", "\u{200d}Acme", "Ac\u{ad}me"] {
        let refused = ada.post_json("/organisations", json!({ "name": name })).await.is(422).json();
        let sentence = "Use letters, without line breaks or invisible characters.";
        assert_eq!(refused["fields"]["name"], sentence, "{name:?}");
    }
    let refused = ada.post_json("/organisations", json!({ "name": " " })).await.is(422).json();
    assert_eq!(refused["fields"]["name"], "Enter a name.");
    let made = ada.post_json("/organisations", json!({ "name": "日本", "slug": "Nihon" })).await.is(201);
    assert_eq!(made.json()["organisation"]["slug"], "nihon");
    for (name, slug, field) in [("", "acme", "name"), ("Acme", "a b", "slug"), ("x\ny", "acme", "name")] {
        let refused = ada.post_json("/organisations", json!({ "name": name, "slug": slug })).await;
        assert!(refused.is(422).json()["fields"][field].is_string(), "{name:?} {slug:?}");
    }
    assert_eq!(app.count("organisations").await, 3);
}

#[actix_web::test]
async fn members_come_in_pages_of_fifty() {
    let app = TestApp::open().await;
    let ada = acme(&app).await;
    let ids = app.texts("SELECT id AS text FROM organisations").await;
    for n in 0..60 {
        app
            .db_execute(&format!(
                "INSERT INTO users (id, email, email_normalized, name, browsers_known_from, created_at, created_from) \
                 SELECT 'u{n}', 'u{n}@example.com', 'u{n}@example.com', 'U', created_at, created_at, 'x' FROM users \
                 WHERE email = 'ada@example.com'"
            ))
            .await;
        app.db_execute(&format!(
            "INSERT INTO memberships (organisation_id, user_id, role, created_at) \
                 SELECT '{}', 'u{n}', 'viewer', created_at FROM organisations",
            ids[0]
        ))
        .await;
    }

    let first = ada.get("/organisations/acme-sons").await.is(200).json();
    assert_eq!(first["members"].as_array().unwrap().len(), 50);
    let all = app.texts("SELECT user_id AS text FROM memberships ORDER BY created_at, user_id").await;
    assert_eq!(first["next"], all[49].as_str());
}

#[actix_web::test]
async fn a_page_without_scripts_makes_and_shows_one() {
    let app = TestApp::open().await;
    let browser = app.browser();
    app.verified("ada@example.com").await;
    browser.post("/login", &[("email", "ada@example.com"), ("password", PASSWORD)]).await.is(303);

    browser.get("/organisations").await.is(200).says("You don't belong to an organisation yet.");
    browser.post("/organisations", &[("name", "Acme <b>")]).await.goes_to("/organisations/acme-b");
    browser.get("/organisations/acme-b").await.is(200).says("Acme &#60;b&#62;").hides("Acme <b>");
    browser.get("/organisations/elsewhere").await.is(404);
    let refused = browser.post("/organisations/acme-b/leave", &[]).await.is(409);
    refused.says("An organisation needs an owner. Make someone else an owner first.");
}
