//! What each route of an organisation needs, who has it, and the catalogue of the application.

use std::fs;

use serde_json::json;
use vestibule::{kinds::Permission, routes::entries};

use crate::{
    every_route::{FACES, Face, Person, ask, code, cookie_name, rows},
    harness::{
        TestApp,
        organisations::{Acme, NOTES, stepped_up},
        run_program,
    },
};

#[test]
fn every_route_of_an_organisation_says_what_it_needs() {
    for entry in entries() {
        let is_below = entry.path.starts_with("/organisations/{slug}");
        assert_eq!(entry.needs.is_some(), is_below, "{} {}", entry.method, entry.path);
        if entry.path.starts_with("/organisations/{slug}/sso") {
            assert_eq!(entry.needs, Some(Permission::SsoManage), "{}", entry.path);
        }
        // What the example needs besides is in the application's catalogue.
        let is_for_all = entry.path.starts_with("/organisations/{slug}/notes")
            || ["GET /organisations/{slug}", "POST /organisations/{slug}/leave"]
                .contains(&format!("{} {}", entry.method, entry.path).as_str());
        assert_eq!(entry.needs == Some(Permission::OrganisationRead), is_for_all, "{}", entry.path);
    }
}

/// Who asks, and whether they have what it takes.
const ASKERS: [&str; 6] = ["stranger", "viewer", "editor", "owner", "only", "all but"];

fn has(asker: &str, needs: Permission) -> bool {
    match asker {
        "stranger" => false,
        "owner" => true,
        "viewer" | "editor" => matches!(needs, Permission::OrganisationRead | Permission::MembersRead),
        // Rows that nobody could have written give no owner's permission; and every member sees the page.
        "only" => !matches!(
            needs,
            Permission::SsoManage
                | Permission::ScimManage
                | Permission::OwnersManage
                | Permission::OrganisationDelete
        ),
        _ => needs == Permission::OrganisationRead,
    }
}

#[actix_web::test]
async fn at_every_door_of_an_organisation_the_permission_decides_and_strangers_learn_nothing() {
    let acme = Acme::open().await;
    let app = &acme.app;
    let all: Vec<&str> = Permission::ALL.iter().map(Permission::as_str).collect();
    let mut sessions = Vec::new();
    for asker in ASKERS {
        let address = format!("{}@example.com", asker.replace(' ', "-"));
        let visitor = stepped_up(app, &address).await;
        sessions.push((visitor.cookie(cookie_name(app)).unwrap(), app.user_id(&address).await));
    }
    let now = "(SELECT created_at FROM organisations)";
    for needs in Permission::ALL.iter().filter(|one| rows().iter().any(|row| row.needs == Some(**one))) {
        let without = all.iter().copied().filter(|name| *name != needs.as_str()).collect::<Vec<_>>();
        for (id, held) in [("only", vec![needs.as_str()]), ("all but", without)] {
            let id = format!("{id} {needs}");
            app.db_execute(&format!(
                "INSERT INTO roles (id, organisation_id, name, name_folded, created_at) \
                 VALUES ('{id}', '{}', '{id}', '{id}', {now})",
                acme.id
            ))
            .await;
            for permission in held {
                let insert = "INSERT INTO role_permissions (role_id, permission) VALUES";
                app.db_execute(&format!("{insert} ('{id}', '{permission}')")).await;
            }
        }
    }
    let person =
        Person { address: "nobody@example.com".to_owned(), slug: "acme".to_owned(), ..Person::nobody() };
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| row.needs.is_some()) {
        let needs = row.needs.unwrap();
        for face in FACES {
            for (asker, (session, user)) in ASKERS.iter().zip(&sessions) {
                // One before may have left.
                if *asker != "stranger" {
                    let role = match *asker {
                        "only" | "all but" => format!("{asker} {needs}"),
                        built_in => built_in.to_owned(),
                    };
                    acme.enters(user, &role).await;
                }
                let visitor = face.visitor(app, Some(session));
                let path = person.fill(row.path);
                let answer = ask(app, face, &visitor, &row.method, &path, person.body(row, face)).await;
                // Its permissions are the catalogue's: `notes` looks at them.
                if row.path.starts_with("/organisations/{slug}/notes") && *asker != "stranger" {
                    continue;
                }
                // Whoever holds nothing else has no role to give.
                if *asker == "only" && row.path == "/organisations/{slug}/invitations" && row.body.is_some() {
                    assert_eq!(answer.status, 403);
                    continue;
                }
                let is_stranger = *asker == "stranger";
                let is_as_it_should = match has(asker, needs) {
                    _ if is_stranger => answer.status == 404,
                    true => answer.status != 403,
                    false => answer.status == 403,
                };
                let is_told = face == Face::Html
                    || has(asker, needs)
                    || is_stranger
                    || (code(&answer) == "forbidden" && answer.json()["permission"] == needs.as_str());
                if !is_as_it_should || !is_told {
                    wrong.push(format!("{asker} {face:?} {}: {}", answer.request, answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[actix_web::test]
async fn who_may_not_is_told_so_before_a_step_up_is_asked_for() {
    let acme = Acme::open().await;
    let (bea, _) = acme.joins("bea@example.com", "editor").await;
    acme.app.wait(chrono::TimeDelta::minutes(10));
    let made = bea.post_json("/organisations/acme/roles", json!({ "name": "X", "permissions": [] })).await;
    made.refuses(403, "forbidden");
    let own =
        acme.ada.post_json("/organisations/acme/roles", json!({ "name": "X", "permissions": [] })).await;
    own.refuses(403, "reauthentication_required");
    let page = bea.clone().with("accept", "text/html").get("/organisations/acme/roles").await.is(403);
    page.says("You may not do that here. An owner can let you.");
}

#[actix_web::test]
async fn what_is_taken_out_of_the_catalogue_is_retired_and_comes_back_case_152() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    fs::write(&file, NOTES).unwrap();
    let acme = Acme::of(TestApp::today_with(&[("PERMISSIONS_FILE", file.to_str().unwrap())]).await).await;
    let app = &acme.app;
    let role = acme.role("Clerk", &["notes:delete", "notes:read"]).await;
    let (bea, _) = acme.joins("bea@example.com", &role).await;
    let asks = async |permission: &str| {
        let form = json!({ "organisation": "acme", "permission": permission });
        bea.post_json("/auth/check", form).await.is(200).json()
    };
    assert_eq!(asks("notes:delete").await["allowed"], true);

    fs::write(&file, NOTES.replace("notes:delete", "notes:erase")).unwrap();
    app.second_node().await;

    let told = asks("notes:delete").await;
    assert_eq!((&told["allowed"], &told["why"]), (&json!(false), &json!("retired")));
    assert_eq!(asks("notes:read").await["allowed"], true);
    let refused = json!({ "name": "Other", "permissions": ["notes:delete"] });
    let refused = acme.ada.post_json("/organisations/acme/roles", refused).await.is(422).json();
    assert_eq!(refused["fields"]["permissions"], "notes:delete is retired. Choose another permission.");
    let path = format!("/organisations/acme/roles/{role}");
    acme.ada.put_json(&path, json!({ "permissions": ["notes:delete", "members:read"] })).await.is(200);
    let doctor = app.command(&["doctor"]);
    assert!(doctor.out.contains("notes:delete by Clerk of acme"), "{doctor:?}");
    let listed = app.command(&["permission", "list"]);
    assert!(listed.out.lines().any(|line| line.starts_with("notes:delete") && line.contains("retired")));
    let listed = app.command(&["permission", "list", "--json"]);
    let lines: Vec<serde_json::Value> =
        listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), Permission::ALL.len() + 6);
    let line = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap().clone();
    assert_eq!(line("sso:manage")["customRoles"], false);
    assert_eq!(line("notes:update-own")["roles"], json!(["owner", "editor"]));

    fs::write(&file, NOTES).unwrap();
    app.second_node().await;
    assert_eq!(asks("notes:delete").await["allowed"], true);
    // A node without the setting leaves it as it is.
    app.second_node_with(&[("PERMISSIONS_FILE", "")]).await;
    assert_eq!(asks("notes:delete").await["allowed"], true);
}

#[test]
fn a_catalogue_that_cannot_be_used_stops_the_start_with_a_sentence_for_each_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    fs::write(&file, "[[permission]]\nname = \"sso:all\"\n").unwrap();
    let settings = |file: &str| {
        [("SECRET_KEY", crate::harness::KEY), ("PERMISSIONS_FILE", file)]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
    };
    let refused = run_program(&["serve"], settings(file.to_str().unwrap()));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for says in ["sso:all: Names with sso before the colon are taken.", "sso:all: Its title is missing."] {
        assert!(refused.err.contains(says), "{refused:?}");
    }
    let refused = run_program(&["doctor"], settings("/nowhere/permissions.toml"));
    assert!(
        refused.out.contains("PERMISSIONS_FILE is `/nowhere/permissions.toml`. Write the path"),
        "{refused:?}"
    );
}

#[actix_web::test]
async fn an_older_program_makes_a_viewer_of_a_custom_role_and_what_it_changes_counts() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["members:manage"]).await;
    let (_, bea) = acme.joins("bea@example.com", &role).await;
    let query = format!("SELECT role AS text FROM memberships WHERE user_id = '{bea}'");
    assert_eq!(acme.app.texts(&query).await, ["viewer"]);
    // It knows nothing of the column beside.
    acme.app.db_execute(&format!("UPDATE memberships SET role = 'editor' WHERE user_id = '{bea}'")).await;
    assert_eq!(acme.role_of(&bea).await.0, "editor");
    let found = acme.ada.get("/organisations/acme?role=editor").await.is(200).json();
    assert_eq!(found["members"].as_array().unwrap().len(), 1);
    let roles = acme.ada.get("/organisations/acme/roles").await.is(200).json()["roles"].clone();
    let counts: Vec<_> = roles.as_array().unwrap().iter().map(|role| role["members"].as_i64()).collect();
    assert_eq!(counts, [Some(1), Some(1), Some(0), Some(0)]);
    acme.ada.delete(&format!("/organisations/acme/roles/{role}")).await.is(200);
    assert_eq!(acme.role_of(&bea).await.0, "editor");
}
