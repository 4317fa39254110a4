//! Roles of members: who gives which, who takes whom out, and how they are found.

use serde_json::{Value, json};

use crate::harness::organisations::Acme;

#[actix_web::test]
async fn a_member_gets_a_role_of_the_organisation_s_own_and_a_built_in_one_again() {
    let acme = Acme::open().await;
    let (bea, id) = acme.joins("bea@example.com", "viewer").await;
    let role = acme.role("Billing", &["notes:update"]).await;
    bea.steps_up().await;
    assert!(acme.is_stepped_up(&id).await);

    let given = acme.ada.put_json(&Acme::member_path(&id), json!({ "role": role })).await.is(200).json();
    assert_eq!(given["member"]["role"], role.as_str());
    assert_eq!(given["member"]["roleName"], "Billing");
    assert_eq!(acme.role_of(&id).await, (role.clone(), "Billing".to_owned()));
    assert!(!acme.is_stepped_up(&id).await, "what was confirmed in one role is not used in another");
    let mine = bea.get("/organisations").await.json()["organisations"][0].clone();
    assert_eq!((mine["role"].as_str(), mine["roleName"].as_str()), (Some(role.as_str()), Some("Billing")));
    let page = bea.get("/organisations/acme").await.is(200).json();
    assert_eq!(page["you"]["permissions"], json!(["notes:update", "organisation:read"]));
    // It does not hold members:read: nobody but oneself is shown.
    assert_eq!(page["members"].as_array().unwrap().len(), 1);
    assert_eq!(page["members"][0]["you"], true);
    let html = bea.clone().with("accept", "text/html").get("/organisations/acme").await.is(200);
    html.says("Your role: <bdi>Billing</bdi>")
        .says("Your role doesn't show you the other members.")
        .hides("ada@");
    // They may no longer see the others, and hear of it.
    assert_eq!(acme.app.emails_that_say("bea@example.com", "You are now: Billing.").await, 1);
    let exported =
        acme.app.count("audit WHERE event = 'role_changed' AND detail LIKE '%\"to\":\"Billing\"%'").await;
    assert_eq!(exported, 1);

    let path = Acme::member_path(&id);
    acme.ada
        .send(
            actix_web::http::Method::POST,
            &format!("{path}/role"),
            Some(("application/x-www-form-urlencoded", "role=editor".to_owned())),
        )
        .await
        .is(200);
    assert_eq!(acme.role_of(&id).await, ("editor".to_owned(), "Editor".to_owned()));
    assert_eq!(acme.app.count("memberships WHERE role_id IS NOT NULL").await, 0);
    for wrong in ["", "admin", "0123456789abcdef0123456789abcdef"] {
        let refused = acme.ada.put_json(&path, json!({ "role": wrong })).await.is(422).json();
        assert!(refused["fields"]["role"].is_string(), "{wrong}");
    }
}

#[actix_web::test]
async fn whoever_manages_members_neither_touches_an_owner_nor_gives_what_they_lack_case_139() {
    let acme = Acme::open().await;
    let clerk = acme.role("Clerk", &["members:manage", "members:read", "notes:read"]).await;
    let more = acme.role("More", &["members:manage", "roles:manage"]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", &clerk).await;
    let (_, cleo) = acme.joins("cleo@example.com", &more).await;
    let ada = acme.app.user_id("ada@example.com").await.to_string();
    let gives = async |to: &str, role: &str| {
        let answer = bea.put_json(&Acme::member_path(to), json!({ "role": role })).await;
        (answer.status.as_u16(), serde_json::from_str::<Value>(&answer.body).unwrap()["permission"].clone())
    };

    assert_eq!(gives(&ada, "viewer").await, (403, json!("owners:manage")));
    assert_eq!(gives(&cleo, "owner").await, (403, json!("owners:manage")));
    assert_eq!(gives(&bea_id, "owner").await, (403, json!("owners:manage")));
    assert_eq!(gives(&bea_id, &more).await, (403, json!("roles:manage")));
    // The application lets editors change their own notes, which she may not.
    assert_eq!(gives(&cleo, "editor").await, (403, json!("notes:share-own")));
    let refused = bea.delete(&Acme::member_path(&ada)).await.is(403).json();
    assert_eq!(refused["permission"], "owners:manage");
    assert_eq!(acme.app.count("audit WHERE event IN ('role_changed', 'member_removed')").await, 0);
    let page = bea.clone().with("accept", "text/html").get("/organisations/acme").await.is(200);
    page.says("<option value=\"owner\" disabled>").hides(&format!("{}/role", Acme::member_path(&ada)));

    // Taking away is not held to what one has: it is what she may do.
    assert_eq!(gives(&cleo, "viewer").await, (200, Value::Null));
    assert_eq!(acme.role_of(&cleo).await.0, "viewer");
    bea.delete(&Acme::member_path(&cleo)).await.is(200);
}

#[actix_web::test]
async fn an_owner_changes_their_own_role_and_everybody_else_s_case_140() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let ada = acme.app.user_id("ada@example.com").await.to_string();
    acme.ada.put_json(&Acme::member_path(&ada), json!({ "role": "editor" })).await.refuses(409, "last_owner");
    acme.ada.put_json(&Acme::member_path(&bea_id), json!({ "role": "owner" })).await.is(200);
    acme.ada.put_json(&Acme::member_path(&ada), json!({ "role": "viewer" })).await.is(200);
    acme.ada.steps_up().await;
    acme.ada
        .put_json(&Acme::member_path(&bea_id), json!({ "role": "viewer" }))
        .await
        .refuses(403, "forbidden");
    bea.get("/organisations/acme/roles").await.is(200);
}

#[actix_web::test]
async fn members_are_found_by_the_beginning_of_a_name_or_an_address_and_by_their_role() {
    let acme = Acme::open().await;
    let role = acme.role("Billing", &["notes:read"]).await;
    for (address, name, role) in [
        ("bea@example.com", "Ärzte", "viewer"),
        ("cleo@example.com", "Bob % Smith", role.as_str()),
        ("dan_x@example.com", "bernadette", "editor"),
    ] {
        let (visitor, _) = acme.joins(address, role).await;
        visitor.put_json("/me/name", json!({ "name": name })).await.is(200);
    }
    let finds = async |query: &str| {
        let page = acme.ada.get(&format!("/organisations/acme?{query}")).await.is(200).json();
        let members = page["members"].as_array().unwrap().clone();
        let found = members.iter().map(|member| member["email"].as_str().unwrap().to_owned());
        found.map(|email| email.split('@').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };

    for (query, found) in [
        ("", "ada bea cleo dan_x"),
        ("q=b", "bea cleo dan_x"),
        ("q=B", "bea cleo dan_x"),
        ("q=bob", "cleo"),
        ("q=BERN", "dan_x"),
        ("q=%C3%A4r", "bea"),
        ("q=%C3%84R", "bea"),
        ("q=Dan_X@Example.com", "dan_x"),
        ("q=dan_", "dan_x"),
        ("q=danx", ""),
        ("q=%25", ""),
        ("q=Bob+%25", "cleo"),
        ("q=_", ""),
        ("q=%5C", ""),
        ("role=viewer", "bea"),
        ("role=owner", "ada"),
        ("q=b&role=editor", "dan_x"),
    ] {
        assert_eq!(finds(query).await, found, "{query}");
    }
    assert_eq!(finds(&format!("role={role}")).await, "cleo");
    let page = acme
        .ada
        .clone()
        .with("accept", "text/html")
        .get("/organisations/acme?q=zzz&role=viewer")
        .await
        .is(200);
    page.says("No member matches.").says("value=\"zzz\"").says("<option value=\"viewer\" selected>");
    acme.ada.get("/organisations/acme?role=admin").await.is(422);
}
