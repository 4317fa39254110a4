//! Roles that organisations make for themselves.

use actix_web::http::Method;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::harness::{
    organisations::{Acme, stepped_up},
    rounds,
};

const ROLES: &str = "/organisations/acme/roles";

fn path(id: &str) -> String {
    format!("{ROLES}/{id}")
}

#[actix_web::test]
async fn an_owner_makes_changes_and_removes_roles_case_141() {
    let acme = Acme::open().await;
    let everything: Vec<String> = acme.ada.get(ROLES).await.is(200).json()["catalogue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        everything.contains(&"keys:manage".to_owned()) && everything.contains(&"notes:update-own".to_owned())
    );
    assert!(!everything.iter().any(|name| name.starts_with("sso:") || name.starts_with("owners:")));

    let form = json!({ "name": " Billing ", "permissions": everything });
    let made = acme.ada.post_json(ROLES, form).await.is(201).json()["role"].clone();
    assert_eq!(
        (&made["name"], &made["members"], &made["builtIn"]),
        (&json!("Billing"), &json!(0), &json!(false))
    );
    assert_eq!(made["permissions"].as_array().unwrap().len(), everything.len());
    let id = made["id"].as_str().unwrap();
    let roles = acme.ada.get(ROLES).await.json()["roles"].clone();
    let told: Vec<_> = roles
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (role["id"].as_str().unwrap(), &role["members"]))
        .collect();
    assert_eq!(told, [("owner", &json!(1)), ("editor", &json!(0)), ("viewer", &json!(0)), (id, &json!(0))]);
    assert!(roles[0]["permissions"].as_array().unwrap().contains(&json!("scim:manage")));
    assert_eq!(
        roles[1]["permissions"],
        json!(["members:read", "notes:read", "notes:share-own", "notes:update-own", "organisation:read"])
    );

    acme.ada.put_json(&path(id), json!({ "name": "Bills" })).await.is(200);
    let kept = acme.ada.get(&path(id)).await.is(200).json()["role"].clone();
    assert_eq!(
        (&kept["name"], kept["permissions"].as_array().unwrap().len()),
        (&json!("Bills"), everything.len())
    );
    acme.ada.put_json(&path(id), json!({ "permissions": ["notes:read"] })).await.is(200);
    let kept = acme.ada.get(&path(id)).await.is(200).json()["role"].clone();
    assert_eq!(
        (&kept["name"], &kept["permissions"]),
        (&json!("Bills"), &json!(["notes:read", "organisation:read"]))
    );
    acme.ada.delete(&path(id)).await.is(200);
    acme.ada.get(&path(id)).await.is(404);
    let told = "SELECT event AS text FROM audit WHERE event LIKE 'custom_role%' ORDER BY at, id";
    let mut events = acme.app.texts(told).await;
    events.sort();
    assert_eq!(
        events,
        ["custom_role_changed", "custom_role_changed", "custom_role_made", "custom_role_removed"]
    );
    assert_eq!(acme.app.count("role_permissions").await, 0);
}

#[actix_web::test]
async fn a_role_holds_nothing_of_an_owner_s_nothing_unknown_and_not_too_much() {
    let acme = Acme::open().await;
    for (name, permissions, field) in [
        ("X", json!(["sso:manage"]), "permissions"),
        ("X", json!(["owners:manage", "organisation:delete", "scim:manage"]), "permissions"),
        ("X", json!(["notes:*"]), "permissions"),
        ("X", json!(["notes:reed"]), "permissions"),
        ("X", json!((0..70).map(|n| format!("n:a{n}")).collect::<Vec<_>>()), "permissions"),
        ("X", json!(7), "permissions"),
        ("", json!([]), "name"),
        ("Owner", json!([]), "name"),
        ("vIEWER", json!([]), "name"),
        ("\u{41e}wner", json!([]), "name"),
        (&"x".repeat(41), json!([]), "name"),
    ] {
        let form = json!({ "name": name, "permissions": permissions });
        let refused = acme.ada.post_json(ROLES, form).await.is(422).json();
        assert!(refused["fields"][field].is_string(), "{name} {permissions}: {refused}");
    }
    acme.role("Billing", &[]).await;
    acme.role("Billing team", &[]).await;
    for name in ["billing", "ＢＩＬＬＩＮＧ", "Billing  team", "billing\u{3000} TEAM"] {
        let form = json!({ "name": name, "permissions": [] });
        assert!(acme.ada.post_json(ROLES, form).await.is(422).json()["fields"]["name"].is_string(), "{name}");
    }
    let unknown = json!({ "name": "Clerk", "Permissions": ["notes:read"] });
    let refused = acme.ada.post_json(ROLES, unknown.clone()).await.refuses(422, "invalid").json();
    let sentence = "There is no field Permissions here. Write permissions.";
    assert_eq!(refused["fields"]["Permissions"], sentence);
    let role = acme.role("Auditor", &["notes:read"]).await;
    let path = format!("{ROLES}/{role}");
    acme.ada.put_json(&path, unknown).await.refuses(422, "invalid");
    // What was read can be sent as it is.
    let found = acme.ada.get(&path).await.is(200).json()["role"].clone();
    acme.ada.put_json(&path, found.clone()).await.is(200);
    assert_eq!(acme.ada.get(&path).await.json()["role"], found);
    for n in 1..18 {
        acme.role(&format!("Role {n}"), &[]).await;
    }
    let refused =
        acme.ada.post_json(ROLES, json!({ "name": "One more", "permissions": [] })).await.is(422).json();
    assert!(refused["fields"]["form"].as_str().unwrap().contains("at most 20"), "{refused}");
    assert_eq!(acme.app.count("roles").await, 20);
}

#[actix_web::test]
async fn nobody_puts_into_a_role_what_they_do_not_hold() {
    let acme = Acme::open().await;
    let mine = acme.role("Roles", &["roles:manage", "notes:read"]).await;
    let other = acme.role("Other", &["notes:delete", "notes:read"]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", &mine).await;
    let lacks = async |method: Method, path: &str, body: Value| {
        let body = Some(("application/json", body.to_string()));
        bea.send(method, path, body).await.refuses(403, "forbidden").json()["permission"].clone()
    };

    let made = json!({ "name": "Mine", "permissions": ["notes:delete"] });
    assert_eq!(lacks(Method::POST, ROLES, made).await, "notes:delete");
    let own = json!({ "permissions": ["roles:manage", "members:manage"] });
    assert_eq!(lacks(Method::PUT, &path(&mine), own).await, "members:manage");
    // What is in it may stay, and be taken away; what is added has to be hers.
    let added = json!({ "permissions": ["notes:delete", "notes:update"] });
    assert_eq!(lacks(Method::PUT, &path(&other), added).await, "notes:update");
    bea.put_json(&path(&other), json!({ "permissions": ["notes:delete"] })).await.is(200);
    bea.post_json(ROLES, json!({ "name": "Mine", "permissions": ["notes:read"] })).await.is(201);
    // Nor does what takes the place of a role she removes say more than she may.
    let spare = acme.role("Spare", &[]).await;
    acme.joins("cleo@example.com", &spare).await;
    let refused = bea.delete(&format!("{}?replaceWith=editor", path(&spare))).await.is(403).json();
    assert_eq!(refused["permission"], "members:read");
    let page = bea.clone().with("accept", "text/html").get(&path(&other)).await.is(200);
    page.says("You cannot give what you do not have.");
    assert_eq!(acme.role_of(&bea_id).await.1, "Roles");
}

#[actix_web::test]
async fn a_role_that_members_have_needs_another_in_its_place() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["members:manage"]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", &role).await;
    let (_, cleo_id) = acme.joins("cleo@example.com", &role).await;

    let refused = acme.ada.delete(&path(&role)).await.refuses(409, "role_in_use").json();
    assert_eq!(refused["members"], 2);
    for wrong in ["owner", role.as_str(), "admin"] {
        acme.ada.delete(&format!("{}?replaceWith={wrong}", path(&role))).await.is(422);
    }
    bea.steps_up().await;
    let form = [("replaceWith", "viewer")];
    acme.ada
        .clone()
        .with("accept", "text/html")
        .post(&format!("{}/remove", path(&role)), &form)
        .await
        .goes_to(ROLES);

    for member in [&bea_id, &cleo_id] {
        assert_eq!(acme.role_of(member).await.0, "viewer");
        assert!(!acme.is_stepped_up(member).await);
    }
    assert_eq!(acme.app.count("audit WHERE event = 'role_changed'").await, 2);
    assert_eq!(acme.app.emails_that_say("bea@example.com", "You're a viewer now.").await, 1);
    assert_eq!(acme.app.count("roles").await, 0);
}

#[actix_web::test]
async fn a_changed_role_is_stepped_up_for_anew_by_everybody_who_has_it() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["notes:read"]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", &role).await;
    let (cleo, cleo_id) = acme.joins("cleo@example.com", "viewer").await;
    bea.steps_up().await;
    cleo.steps_up().await;

    acme.ada.put_json(&path(&role), json!({ "name": "Clerks" })).await.is(200);
    acme.ada.put_json(&path(&role), json!({ "permissions": ["notes:read"] })).await.is(200);
    assert!(acme.is_stepped_up(&bea_id).await, "a name changes nothing");
    acme.ada.put_json(&path(&role), json!({ "permissions": ["members:manage"] })).await.is(200);
    assert!(!acme.is_stepped_up(&bea_id).await);
    assert!(acme.is_stepped_up(&cleo_id).await);
    bea.get("/me").await.is(200);
    bea.delete(&Acme::member_path(&cleo_id)).await.refuses(403, "reauthentication_required");
    assert_eq!(acme.app.count("audit WHERE event = 'custom_role_changed'").await, 2);
}

#[actix_web::test]
async fn an_organisation_that_ends_takes_its_roles_along() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["notes:read"]).await;
    acme.joins("bea@example.com", &role).await;
    acme.app.db_execute("DELETE FROM organisations").await;
    for table in ["memberships", "roles", "role_permissions"] {
        assert_eq!(acme.app.count(table).await, 0, "{table}");
    }
}

#[actix_web::test]
async fn roles_of_another_organisation_are_not_there() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["members:manage"]).await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Evil" })).await.is(201);
    let id = acme.app.user_id("eve@example.com").await.to_string();
    let there = format!("/organisations/evil/roles/{role}");
    eve.get(&there).await.is(404);
    eve.put_json(&there, json!({ "permissions": [] })).await.is(404);
    eve.delete(&there).await.is(404);
    eve.put_json(&format!("/organisations/evil/members/{id}"), json!({ "role": role })).await.is(422);
    eve.get("/organisations/evil/roles/x").await.is(404);
    assert_eq!(acme.app.count("role_permissions").await, 2);
}

#[actix_web::test]
async fn a_page_without_scripts_makes_and_changes_one() {
    let acme = Acme::open().await;
    let browser = acme.ada.clone().with("accept", "text/html");
    browser.get(ROLES).await.is(200).says("Read notes").says("Manage roles").hides("Manage single sign-on");
    let refused =
        browser.post(ROLES, &[("name", "Owner"), ("permissions", ""), ("notes:read", "on")]).await.is(422);
    refused
        .says("There is a role of that name already.")
        .says("name=\"notes:read\" type=\"checkbox\" value=\"on\" checked");
    browser
        .post(ROLES, &[("name", "Clerk <b>"), ("permissions", ""), ("notes:read", "on")])
        .await
        .goes_to(ROLES);
    let page = browser.get(ROLES).await.is(200);
    page.says("The role Clerk &#60;b&#62; is created.").hides("Clerk <b>");
    let id = acme.app.texts("SELECT id AS text FROM roles").await.remove(0);
    browser.get(&path(&id)).await.is(200).says("name=\"notes:read\" type=\"checkbox\" value=\"on\" checked");
    let form = [("name", "Clerk"), ("permissions", ""), ("members:read", "on"), ("notes:update", "on")];
    browser.post(&path(&id), &form).await.goes_to(ROLES);
    let held = "SELECT permission AS text FROM role_permissions ORDER BY permission";
    assert_eq!(acme.app.texts(held).await, ["members:read", "notes:update", "organisation:read"]);
    browser.post(&path(&id), &[("name", "Clerk"), ("permissions", "")]).await.goes_to(ROLES);
    assert_eq!(acme.app.texts(held).await, ["organisation:read"]);
    // As curl writes it.
    acme.ada.post(&path(&id), &[("permissions", "notes:read,notes:update")]).await.is(200);
    assert_eq!(acme.app.texts(held).await, ["notes:read", "notes:update", "organisation:read"]);
}

/// Either the member has a role that is there, or the role is gone and nobody has it.
#[actix_web::test]
async fn a_role_that_is_removed_while_it_is_given_leaves_nobody_with_it() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "owner").await;
    let (_, cleo_id) = acme.joins("cleo@example.com", "viewer").await;
    for round in 0..rounds() {
        let role = acme.role(&format!("Role {round}"), &["notes:read"]).await;
        let (to, gone) = (Acme::member_path(&cleo_id), path(&role));
        let (given, removed) = join(acme.ada.put_json(&to, json!({ "role": role })), bea.delete(&gone)).await;

        let statuses = (given.status.as_u16(), removed.status.as_u16());
        assert!(
            [(200, 409), (422, 200)].contains(&statuses),
            "{statuses:?}: {} {}",
            given.body,
            removed.body
        );
        let has_it = acme.role_of(&cleo_id).await.0 == role;
        assert_eq!(has_it, statuses.0 == 200);
        if has_it {
            bea.delete(&format!("{gone}?replaceWith=viewer")).await.is(200);
        }
        let events = "audit WHERE event = 'custom_role_removed' AND detail LIKE";
        assert_eq!(acme.app.count(&format!("{events} '%{role}%'")).await, 1);
    }
    assert_eq!(acme.app.count("memberships WHERE role_id IS NOT NULL").await, 0);
    assert_eq!(acme.role_of(&bea_id).await.0, "owner");
}

#[actix_web::test]
async fn of_two_owners_who_change_a_role_at_once_the_last_one_s_set_stands_whole_case_153() {
    let acme = Acme::open().await;
    let (bea, _) = acme.joins("bea@example.com", "owner").await;
    let role = acme.role("Clerk", &[]).await;
    let sets = [["notes:read", "notes:update"], ["members:invite", "members:read"]];
    for round in 0..rounds() {
        acme.ada.put_json(&path(&role), json!({ "permissions": [] })).await.is(200);
        let before = acme.app.count("audit WHERE event = 'custom_role_changed'").await;
        let change = |n: usize| json!({ "permissions": sets[n] });
        let (one, other) =
            join(acme.ada.put_json(&path(&role), change(0)), bea.put_json(&path(&role), change(1))).await;

        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200), "{round}");
        let held = acme.ada.get(&path(&role)).await.is(200).json()["role"]["permissions"].clone();
        let fits = sets.map(|set| json!([set[0], set[1], "organisation:read"]));
        assert!(fits.contains(&held), "{held}");
        let after = "SELECT detail AS text FROM audit WHERE event = 'custom_role_changed'";
        let told = acme.app.texts(after).await;
        assert_eq!(told.len() as i64 - before, 2);
        // The record joins up: what the one left is what the other found.
        let is_last = |detail: &&String| {
            let detail: Value = serde_json::from_str(detail).unwrap();
            detail["after"]["permissions"] == held
        };
        assert!(told.iter().any(|detail| is_last(&detail)), "{told:?}");
    }
}
