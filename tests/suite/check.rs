//! What the application asks with its visitor's cookie.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{
    PASSWORD, TestApp,
    organisations::{Acme, stepped_up},
};

#[actix_web::test]
async fn a_check_says_whether_and_why_not() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let asks = async |body: Value| bea.post_json("/auth/check", body).await.is(200).json();

    let told = asks(json!({ "organisation": "acme", "permission": "notes:read" })).await;
    let expected = json!({
        "allowed": true, "organisation": { "id": acme.id, "slug": "acme" }, "user": { "id": bea_id },
        "role": "editor", "roleName": "Editor",
    });
    assert_eq!(told, expected);
    assert_eq!(asks(json!({ "organisation": acme.id, "permission": "notes:read" })).await, expected);
    for (body, why) in [
        (json!({ "organisation": "acme", "permission": "notes:delete" }), "not_permitted"),
        (json!({ "organisation": "acme", "permission": "members:manage" }), "not_permitted"),
        (json!({ "organisation": "elsewhere", "permission": "notes:read" }), "not_a_member"),
        (json!({ "organisation": "\u{0}", "permission": "notes:read" }), "not_a_member"),
        (
            json!({ "organisation": "0123456789abcdef0123456789abcdef", "permission": "notes:read" }),
            "not_a_member",
        ),
        (json!({ "permission": "notes:read" }), "no_organisation"),
    ] {
        let told = asks(body.clone()).await;
        assert_eq!((&told["allowed"], &told["why"]), (&json!(false), &json!(why)), "{body}");
        assert_eq!(told["organisation"].is_object(), why == "not_permitted", "{body}");
    }
    for (body, field) in [
        (json!({ "organisation": "acme", "permission": "notes:reed" }), "permission"),
        (json!({ "organisation": "elsewhere", "permission": "notes:reed" }), "permission"),
        (json!({ "permission": "notes:*" }), "permission"),
        (json!({ "organisation": "acme", "permission": "" }), "permission"),
        (json!({ "organisation": "acme" }), "permission"),
        (json!({ "organisation": "acme", "checks": [] }), "checks"),
        (json!({ "organisation": "acme", "permission": "notes:read", "checks": [] }), "checks"),
        (
            json!({ "organisation": "acme", "checks": vec![json!({ "permission": "notes:read" }); 51] }),
            "checks",
        ),
        (json!({ "organisation": "acme", "checks": [{ "permission": "no:such" }] }), "permission"),
        (json!({ "organisation": "acme", "checks": [{}] }), "checks"),
    ] {
        let refused = bea.post_json("/auth/check", body.clone()).await.is(422).json();
        assert!(refused["fields"][field].is_string(), "{body}: {refused}");
    }
    acme.app.curl().post_json("/auth/check", json!({ "permission": "notes:read" })).await.is(401);
}

#[actix_web::test]
async fn one_s_own_things_are_asked_about_with_their_owner() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let (cleo, _) = acme.joins("cleo@example.com", "viewer").await;
    let update = |owner: &str| json!({ "permission": "notes:update", "owner": owner });
    let batch = json!({ "organisation": "acme", "checks": [
        { "permission": "notes:update" },
        update(&bea_id),
        update(&"0".repeat(32)),
        { "permission": "notes:update-own" },
        { "permission": "notes:update-own", "owner": bea_id },
        { "permission": "notes:update-own", "owner": "0".repeat(32) },
        { "permission": "notes:delete", "owner": bea_id },
        // Of what nobody may do to everybody's, the catalogue has one half only.
        { "permission": "notes:share", "owner": bea_id },
        { "permission": "notes:share" },
    ]});
    let allowed = |told: &Value| {
        told["results"].as_array().unwrap().iter().map(|one| one["allowed"] == true).collect::<Vec<_>>()
    };

    let told = bea.post_json("/auth/check", batch.clone()).await.is(200).json();
    assert_eq!(allowed(&told), [false, true, false, true, true, false, false, true, false]);
    assert_eq!((&told["role"], &told["organisation"]["slug"]), (&json!("editor"), &json!("acme")));
    assert_eq!(told["results"][0]["why"], "not_permitted");
    let told = cleo.post_json("/auth/check", batch.clone()).await.is(200).json();
    assert_eq!(allowed(&told), [false; 9]);
    // Owners have everything, whoever the thing belongs to.
    let told = acme.ada.post_json("/auth/check", batch).await.is(200).json();
    assert_eq!(allowed(&told), [true, true, true, true, false, false, true, false, false]);
    let told = acme
        .ada
        .post_json("/auth/check", json!({ "organisation": "nowhere", "checks": [update(&bea_id)] }))
        .await;
    assert_eq!(told.is(200).json()["results"], json!([{ "allowed": false, "why": "not_a_member" }]));
}

#[actix_web::test]
async fn a_role_that_changed_counts_at_the_next_check_case_145() {
    let acme = Acme::open().await;
    let role = acme.role("Clerk", &["notes:update", "members:invite"]).await;
    let (bea, id) = acme.joins("bea@example.com", &role).await;
    let asks = async |permission: &str| {
        let told =
            bea.post_json("/auth/check", json!({ "organisation": "acme", "permission": permission })).await;
        let told = told.is(200).json();
        (
            told["allowed"] == true,
            told["role"].as_str().unwrap_or_default().to_owned(),
            told["roleName"].clone(),
        )
    };
    assert_eq!(asks("notes:update").await, (true, role.clone(), json!("Clerk")));
    assert_eq!(asks("members:invite").await, (true, role.clone(), json!("Clerk")));
    assert_eq!(asks("notes:read").await, (false, role.clone(), json!("Clerk")));

    let path = format!("/organisations/acme/roles/{role}");
    acme.ada.put_json(&path, json!({ "permissions": ["notes:read"] })).await.is(200);
    assert!(asks("notes:read").await.0 && !asks("notes:update").await.0);
    acme.ada.delete(&Acme::member_path(&id)).await.is(200);
    assert_eq!(asks("notes:read").await, (false, String::new(), Value::Null));
}

/// Somebody could call their organisation as another one's id is written, and once did.
#[actix_web::test]
async fn what_looks_like_an_id_is_one_and_no_short_name() {
    let acme = Acme::open().await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    let id = "abcdefabcdefabcdefabcdefabcdefab";
    for slug in [id, &id.to_uppercase(), "abcdefab-cdef-abcd-efab-cdefabcdefab"] {
        let refused = eve.post_json("/organisations", json!({ "name": "Eve", "slug": slug })).await.is(422);
        let slug = slug.to_lowercase();
        assert_eq!(refused.json()["fields"]["slug"], format!("{slug} looks like an id. Choose another."));
    }
    eve.post_json("/organisations", json!({ "name": "Eve", "slug": "eve" })).await.is(201);
    eve.put_json("/organisations/eve", json!({ "slug": id })).await.refuses(422, "invalid");
    // From before there was that rule.
    acme.app
        .db_execute(&format!("UPDATE organisations SET name = '{id}', slug = '{id}' WHERE slug = 'eve'"))
        .await;
    let told = eve.post_json("/auth/check", json!({ "organisation": id, "permission": "notes:read" })).await;
    assert_eq!(told.is(200).json()["why"], "not_a_member");
    eve.get(&format!("/organisations/{id}")).await.is(200);
}

/// The id with the dashes of a UUID.
fn dashed(id: &str) -> String {
    format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
}

#[actix_web::test]
async fn an_id_may_have_dashes_and_capitals_and_a_short_name_capitals() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let asks = async |body: Value| bea.post_json("/auth/check", body).await;
    for named in [
        "ACME".to_owned(),
        " acme ".to_owned(),
        acme.id.to_uppercase(),
        dashed(&acme.id),
        format!(" {} ", dashed(&acme.id).to_uppercase()),
    ] {
        let told = asks(json!({ "organisation": named, "permission": "notes:read" })).await.is(200).json();
        assert_eq!(told["allowed"], true, "{named}: {told}");
    }
    for owner in [bea_id.to_uppercase(), dashed(&bea_id), format!(" {bea_id}")] {
        let body = json!({ "organisation": "acme", "permission": "notes:update", "owner": owner });
        assert_eq!(asks(body).await.is(200).json()["allowed"], true, "{owner}");
    }
    for owner in ["", "bea@example.com", "x", &bea_id[1..], &dashed(&bea_id).replace('-', "+")] {
        let one = json!({ "permission": "notes:update", "owner": owner });
        for body in [json!({ "organisation": "acme", "checks": [one] }), one] {
            let refused = asks(body).await.refuses(422, "invalid").json();
            assert!(refused["fields"]["owner"].as_str().unwrap().starts_with("Send the id of the account"));
        }
    }
    let member = dashed(&bea_id).to_uppercase();
    acme.ada.put_json(&Acme::member_path(&member), json!({ "role": "viewer" })).await.is(200);
}

#[actix_web::test]
async fn a_field_that_there_is_not_is_refused_by_its_name() {
    let acme = Acme::open().await;
    let ask = |name: &str, value: Value| {
        let mut body = json!({ "permission": "notes:read" });
        body[name] = value;
        body
    };
    for (body, field, sentence) in [
        (
            ask("organization", json!("acme")),
            "organization",
            "There is no field organization here. Write organisation.",
        ),
        (ask("Permission", json!("x")), "Permission", "There is no field Permission here. Write permission."),
        (
            json!({ "checks": [ask("organisation", json!("acme"))] }),
            "organisation",
            "There is no field organisation in checks. There is permission, owner.",
        ),
        (
            json!({ "checks": [ask("ownerId", json!("x"))] }),
            "ownerId",
            "There is no field ownerId in checks. Write owner.",
        ),
        (json!({ "checks": ["notes:read"] }), "checks", "Send checks as an object."),
        (json!({ "checks": "notes:read" }), "checks", "Send checks as a list."),
        (ask("activity", json!([])), "activity", "Send activity as true or false."),
        (json!({ "permission": "" }), "permission", "There is no permission called \"\"."),
    ] {
        let refused = acme.ada.post_json("/auth/check", body.clone()).await.refuses(422, "invalid").json();
        assert_eq!(refused["fields"][field], sentence, "{body}");
    }
    let form = [("organisation", "acme"), ("permission", "notes:read"), ("activity", "false")];
    acme.ada.post("/auth/check", &form).await.is(200);
}

#[actix_web::test]
async fn a_check_is_answered_in_json_whatever_is_accepted() {
    let acme = Acme::open().await;
    for accept in ["text/html", "text/html,*/*", "*/*", "application/json", "text/csv", ""] {
        for (visitor, permission, status) in [
            (&acme.ada, "notes:read", 200),
            (&acme.ada, "notes:reed", 422),
            (&acme.app.curl(), "notes:read", 401),
        ] {
            let body = json!({ "organisation": "acme", "permission": permission });
            let told = visitor.clone().with("accept", accept).post_json("/auth/check", body).await.is(status);
            assert!(told.header("content-type").starts_with("application/json"), "{accept} {status}");
            assert!(told.json().is_object());
        }
    }
}

/// An application forwards its visitor's cookie, and calls itself what its library calls itself.
#[actix_web::test]
async fn the_application_s_own_name_locks_nobody_out_case_155() {
    const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0";
    let acme = Acme::open().await;
    acme.joins("bea@example.com", "viewer").await;
    let browser = acme.app.curl().named(FIREFOX);
    browser.post_json("/login", json!({ "email": "bea@example.com", "password": PASSWORD })).await.is(200);
    let cookie = browser.cookie("session").unwrap();
    for name in [
        "reqwest/0.12",
        "axios/1.7.9",
        "Go-http-client/1.1",
        "python-requests/2.32.3",
        "python-httpx/0.28.1",
        "node",
        "",
    ] {
        let program = acme.app.curl().named(name);
        program.set_cookie("session", &cookie);
        let check = json!({ "organisation": "acme", "permission": "notes:read" });
        assert_eq!(program.post_json("/auth/check", check).await.is(200).json()["allowed"], true, "{name}");
    }
    browser.get("/me").await.is(200);
    assert_eq!(acme.app.count("sessions WHERE locked_at IS NOT NULL").await, 0);
    let kept = acme.app.texts("SELECT user_agent AS text FROM sessions").await;
    assert!(kept.contains(&FIREFOX.to_owned()), "{kept:?}");
}

#[actix_web::test]
async fn a_page_that_asks_again_and_again_keeps_no_session_alive_case_156() {
    let acme = Acme::open().await;
    let polls = async |activity: Value| {
        acme.app.wait(TimeDelta::minutes(20));
        let check = json!({ "organisation": "acme", "permission": "notes:read", "activity": activity });
        acme.ada.post_json("/auth/check", check).await.status.as_u16()
    };
    // A check counts as a use of the session, unless it says that it is none.
    for _ in 0..5 {
        assert_eq!(polls(json!(true)).await, 200);
        assert_eq!(polls(Value::Null).await, 200);
    }
    assert_eq!(polls(json!(false)).await, 200);
    assert_eq!(polls(json!(false)).await, 401);
    // And the end of its life comes all the same.
    acme.ada.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    let mut polled = 0;
    while polls(json!(true)).await == 200 {
        polled += 1;
    }
    assert!((60..=72).contains(&polled), "{polled}");
}

#[actix_web::test]
async fn a_browser_s_form_and_an_application_without_a_catalogue() {
    let acme = Acme::of(TestApp::open().await).await;
    let told = acme.ada.post("/auth/check", &[("organisation", "acme"), ("permission", "sso:manage")]).await;
    assert_eq!(told.is(200).json()["allowed"], true);
    acme.ada
        .post_json("/auth/check", json!({ "organisation": "acme", "permission": "notes:read" }))
        .await
        .is(422);
}
