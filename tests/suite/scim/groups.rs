//! Groups, and what their members are in the organisation.

use serde_json::{Value, json};

use super::{Corp, refused};

/// What the members of a group are from now on.
async fn maps(corp: &Corp, group: &str, role: &str) {
    corp.acme.owner.steps_up().await;
    let path = format!("/organisations/acme/directory/groups/{group}");
    corp.acme.owner.put_json(&path, json!({ "role": role })).await.is(200);
}

#[actix_web::test]
async fn members_come_and_go_in_every_spelling_cases_2_and_21() {
    let corp = Corp::open().await;
    let (ada, bob) = (corp.scim.adds("ada@example.com").await, corp.scim.adds("bob@example.com").await);
    let waits = corp.scim.post("/Users", json!({ "userName": "nobody" })).await.is(201).json();
    let waits = waits["id"].as_str().unwrap().to_owned();
    let group = corp.scim.groups("Makers", &[&ada, &bob, &waits]).await;
    let path = format!("/Groups/{group}");
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let all = sorted(vec![ada.clone(), bob.clone(), waits.clone()]);
    let rest = sorted(vec![ada.clone(), waits.clone()]);

    for removal in [
        json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\"]") }]),
        json!([{ "op": "Remove", "path": "members", "value": [{ "value": bob }] }]),
        json!([{ "op": "remove", "path": "members", "value": { "value": bob } }]),
        json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\" and type eq \"User\"]") }]),
        json!([{ "op": "remove", "path": format!("members[type eq 'User' and value eq '{bob}']") }]),
        json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\"].value") }]),
        json!([{ "op": "remove", "path": "members.value", "value": bob }]),
        json!([{ "op": "remove", "path": "members", "value": [{ "$ref": format!("https://x.example/scim/v2/Users/{bob}") }] }]),
    ] {
        corp.scim.patch(&path, removal).await.is(200);
        assert_eq!(sorted(corp.scim.members(&group).await), rest);
        for value in [json!({ "value": bob }), json!([{ "value": bob }, { "value": bob }, { "value": ada }])]
        {
            let add = json!([{ "op": "add", "path": "members", "value": value }]);
            corp.scim.patch(&path, add).await.is(200);
            assert_eq!(sorted(corp.scim.members(&group).await), all);
        }
    }
    let unknown = json!([{ "op": "add", "path": "members", "value": [
        { "value": "0123456789abcdef0123456789abcdef" }, { "value": "x" }, { "value": group, "type": "Group" },
    ] }]);
    corp.scim.patch(&path, unknown).await.is(200);
    assert_eq!(sorted(corp.scim.members(&group).await), all);
    for removal in [
        json!({ "op": "remove", "path": format!("members[value ne \"{bob}\"]") }),
        json!({ "op": "remove", "path": format!("members[value eq \"{bob}\" and display eq \"Bob\"]") }),
        json!({ "op": "remove", "path": format!("members[value eq \"{bob}\"].display") }),
        json!({ "op": "remove", "path": "members.value" }),
        json!({ "op": "remove", "path": "members.display", "value": "Bob" }),
        json!({ "op": "remove", "path": "members", "value": [{ "display": "Bob" }] }),
    ] {
        corp.scim.patch(&path, json!([removal])).await.is(400);
        assert_eq!(sorted(corp.scim.members(&group).await), all);
    }
    let renamed = json!([
        { "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "Menders" }] },
        { "op": "Replace", "value": { super::GROUP: { "externalId": "g1" } } },
    ]);
    let told = corp.scim.patch(&path, renamed).await.is(200).json();
    assert_eq!((&told["displayName"], &told["externalId"]), (&json!("Menders"), &json!("g1")));
    corp.scim.patch(&path, json!([{ "op": "remove", "path": "members" }])).await.is(200);
    assert!(corp.scim.members(&group).await.is_empty());

    let put = json!({ "displayName": "Builders", "members": [{ "value": bob }] });
    corp.scim.put(&path, put).await.is(200);
    assert_eq!(corp.scim.members(&group).await, std::slice::from_ref(&bob));
    corp.scim.put(&path, json!({ "displayName": "Builders" })).await.is(200);
    assert_eq!(corp.scim.members(&group).await, std::slice::from_ref(&bob), "what is absent stays");
    refused(corp.scim.put(&path, json!({ "members": [] })).await, 400, Some("invalidValue"));
    assert_eq!(corp.scim.entry(&bob).await["groups"][0]["display"], "Builders");
    corp.scim.delete(&path).await.is(204);
    refused(corp.scim.get(&path).await, 404, None);
    assert_eq!(corp.scim.entry(&bob).await["groups"], Value::Null);
}

#[actix_web::test]
async fn a_large_group_gets_one_more_and_loses_nobody_case_3() {
    let corp = Corp::open().await;
    let one = corp.scim.adds("ada@example.com").await;
    let group = corp.scim.groups("All", &[]).await;
    let directory = corp.app.texts("SELECT id AS text FROM directories").await.remove(0);
    let people: Vec<String> = (0..3_000).map(|n| format!("('{n:032x}', '{directory}', 'u{n}', 'u{n}', '[]', TRUE, FALSE, 1, '2026-11-21 14:05:00', '2026-11-21 14:05:00')")).collect();
    let columns = "id, directory_id, user_name, user_name_folded, emails, is_active, made_account, version, created_at, changed_at";
    corp.app
        .db_execute(&format!("INSERT INTO directory_people ({columns}) VALUES {}", people.join(",")))
        .await;
    corp.app.db_execute(&format!("INSERT INTO directory_members SELECT '{group}', id FROM directory_people WHERE user_name LIKE 'u%'")).await;

    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": one }] }]);
    let answer = corp.scim.patch(&format!("/Groups/{group}"), add).await.is(204);
    assert!(answer.body.is_empty());
    assert_eq!(corp.scim.members(&group).await.len(), 3_001);
}

#[actix_web::test]
async fn a_group_gives_its_role_and_takes_it_along_case_20() {
    let corp = Corp::open().await;
    let (ada, bob) = (corp.scim.adds("ada@example.com").await, corp.scim.adds("bob@example.com").await);
    let owners = corp.scim.groups("Owners", &[&ada]).await;
    let makers = corp.scim.groups("Makers", &[&ada, &bob]).await;
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("viewer"), "no group has a role yet");

    maps(&corp, &makers, "editor").await;
    maps(&corp, &owners, "owner").await;
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("owner"), "the most powerful");
    assert_eq!(corp.role("bob@example.com").await.as_deref(), Some("editor"));
    assert_eq!(corp.role("boss@acme.example").await.as_deref(), Some("owner"), "whom it does not list");

    // Taken from one and given to another in one request.
    corp.app.db_execute("DELETE FROM memberships WHERE user_id IN (SELECT id FROM users WHERE email_normalized = 'boss@acme.example')").await;
    let swap = json!([
        { "op": "remove", "path": format!("members[value eq \"{ada}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": bob }] },
    ]);
    corp.scim.patch(&format!("/Groups/{owners}"), swap).await.is(200);
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("editor"));
    assert_eq!(corp.role("bob@example.com").await.as_deref(), Some("owner"));

    corp.scim.delete(&format!("/Groups/{makers}")).await.is(204);
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("viewer"), "the default");
    // The last owner stays, whatever the directory says, and it is told that all is well.
    let none = json!([{ "op": "remove", "path": "members" }]);
    corp.scim.patch(&format!("/Groups/{owners}"), none).await.is(200);
    assert_eq!(corp.role("bob@example.com").await.as_deref(), Some("owner"));
    assert!(corp.scim.members(&owners).await.is_empty(), "the group is as the directory says");
}

#[actix_web::test]
async fn two_owners_who_lose_their_group_at_once_leave_one_case_19() {
    let corp = Corp::open().await;
    let (ada, bob) = (corp.scim.adds("ada@example.com").await, corp.scim.adds("bob@example.com").await);
    let owners = corp.scim.groups("Owners", &[&ada, &bob]).await;
    maps(&corp, &owners, "owner").await;
    corp.app.db_execute("DELETE FROM memberships WHERE user_id IN (SELECT id FROM users WHERE email_normalized = 'boss@acme.example')").await;

    corp.scim
        .put(&format!("/Groups/{owners}"), json!({ "displayName": "Owners", "members": [] }))
        .await
        .is(200);
    let mut roles = [corp.role("ada@example.com").await, corp.role("bob@example.com").await];
    roles.sort();
    assert_eq!(roles, [Some("owner".to_owned()), Some("viewer".to_owned())]);
}
