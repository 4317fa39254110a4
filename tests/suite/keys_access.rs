//! Every door, tried by programs with API keys: one that holds only what it takes, one that holds everything else, an
//! organisation's own, one that is suspended and one that expired.

use serde_json::{Value, json};
use vestibule::{kinds::Permission, web::Access};

use crate::{
    every_route::{FACES, Face, NOBODY, Person, Row, ask, rows},
    harness::{
        Answer, TestApp,
        organisations::{Acme, NOTES},
    },
    keys::{KEYS, OURS, by_key, makes},
};

/// Acme with the example of notes, whose catalogue has all that it asks for.
async fn opened() -> Acme {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    let catalogue = format!("{NOTES}[[permission]]\nname = \"notes:create\"\ntitle = \"Write notes\"\n");
    std::fs::write(&file, catalogue).unwrap();
    let settings = [("PERMISSIONS_FILE", file.to_str().unwrap()), ("EXAMPLE_NOTES", "on")];
    Acme::of(TestApp::with(&settings).await).await
}

/// What it takes of a key at a door that takes keys, by name.
fn taken(row: &Row) -> Option<&'static str> {
    let act = (row.method.as_str(), row.path);
    match act {
        ("POST", "/auth/check") => None,
        (_, "/me" | "/organisations") => Some("account:read"),
        ("GET", "/organisations/{slug}/notes") => Some("notes:read"),
        ("POST", "/organisations/{slug}/notes") => Some("notes:create"),
        ("DELETE", _) | (_, "/organisations/{slug}/notes/{note}/remove") if is_note(row) => {
            Some("notes:delete")
        }
        _ if is_note(row) => Some("notes:update"),
        _ => row.needs.map(|needs| Permission::ALL.iter().find(|one| **one == needs).unwrap().as_str()),
    }
}

fn is_note(row: &Row) -> bool {
    row.path.starts_with("/organisations/{slug}/notes")
}

fn takes_keys(row: &Row) -> bool {
    matches!(row.access, Access::SignedInOrApiKey | Access::VerifiedOrApiKey)
}

#[test]
fn a_door_that_asks_no_step_up_takes_keys_where_one_can_hold_what_it_needs() {
    for row in rows() {
        let what = format!("{} {}", row.method, row.path);
        let can_be_held = |needs: Permission| {
            !matches!(
                needs,
                Permission::KeysManage
                    | Permission::OwnersManage
                    | Permission::OrganisationDelete
                    | Permission::SsoManage
                    | Permission::ScimManage
            )
        };
        let is_expected = match row.needs {
            // Nobody's membership is ended by a program.
            Some(_) if row.path == "/organisations/{slug}/leave" => false,
            Some(needs) => {
                can_be_held(needs) && matches!(row.access, Access::Verified | Access::VerifiedOrApiKey)
            }
            None => ["GET /me", "GET /organisations", "POST /auth/check"].contains(&what.as_str()),
        };
        assert_eq!(takes_keys(&row), is_expected, "{what}: {:?}", row.access);
    }
}

/// Keys of Ada's, and of the organisation that she owns: the ids, and the secrets.
struct Keys {
    own: (String, String),
    ours: (String, String),
    suspended: (String, String),
    expired: (String, String),
}

impl Keys {
    async fn of(acme: &Acme) -> Self {
        let form = json!({ "name": "Build", "permissions": ["notes:read"] });
        let [own, suspended, expired] =
            [KEYS; 3].map(async |path| makes(&acme.ada, path, form.clone()).await);
        let keys = Self {
            own: own.await,
            ours: makes(&acme.ada, OURS, form.clone()).await,
            suspended: suspended.await,
            expired: expired.await,
        };
        for (id, set) in
            [(&keys.suspended.0, "suspended_at = created_at"), (&keys.expired.0, "expires_at = created_at")]
        {
            acme.app.db_execute(&format!("UPDATE api_keys SET {set} WHERE id = '{id}'")).await;
        }
        keys
    }
}

/// Gives every key these permissions.
async fn all_hold(app: &TestApp, permissions: &[&str]) {
    app.db_execute(&format!("UPDATE api_keys SET permissions = '{}'", permissions.join(" "))).await;
}

/// Puts the note there that every path means.
async fn write_note(acme: &Acme) {
    let now = "(SELECT created_at FROM organisations)";
    acme.app
        .db_execute(&format!(
            "INSERT INTO notes (id, organisation_id, text, created_at, changed_at) \
             VALUES ('{NOBODY}', '{}', 'Here', {now}, {now}) ON CONFLICT (id) DO UPDATE SET text = 'Here'",
            acme.id
        ))
        .await;
}

/// Whether somebody without a session was sent to sign in.
fn is_sent_away(answer: &Answer) -> bool {
    match answer.status.as_u16() {
        401 => true,
        303 => answer.location().is_some_and(|way| way.starts_with("/login")),
        _ => false,
    }
}

#[actix_web::test]
async fn at_every_door_a_key_does_what_it_holds_and_nothing_else_case_107() {
    let acme = opened().await;
    let app = &acme.app;
    let keys = Keys::of(&acme).await;
    let all: Vec<&str> = Permission::ALL
        .iter()
        .map(Permission::as_str)
        .chain(["account:read", "notes:read", "notes:create", "notes:update", "notes:delete"])
        .collect();
    let person = Person { slug: "acme".to_owned(), ..Person::nobody() };
    let mut wrong = Vec::new();
    for row in rows() {
        let path = person.fill(row.path);
        let needed = taken(&row).filter(|_| takes_keys(&row));
        for face in FACES {
            let ask_with = async |secret: &str| {
                if row.path.contains("{note}") {
                    write_note(&acme).await;
                }
                let program = match face {
                    Face::Html => by_key(app, secret).with("accept", "text/html"),
                    Face::Json => by_key(app, secret),
                };
                ask(app, face, &program, &row.method, &path, person.body(&row, face)).await
            };
            // Anyone enters there, and a key makes nobody of them.
            if matches!(row.access, Access::Anyone | Access::Pending) {
                let answer = ask_with(&keys.own.1).await;
                if answer.status.as_u16() >= 500 || answer.body.contains("ada@example.com") {
                    wrong.push(format!("{}: {}", answer.request, answer.status));
                }
                continue;
            }
            let without: Vec<&str> = all.iter().copied().filter(|name| Some(*name) != needed).collect();
            let only = needed.map_or_else(Vec::new, |needed| vec![needed]);
            for (holds, permissions) in [("only", &only), ("all but", &without)] {
                all_hold(app, permissions).await;
                let is_ours_fit = needed != Some("account:read");
                for (whose, (_, secret), fits) in
                    [("own", &keys.own, true), ("ours", &keys.ours, is_ours_fit)]
                {
                    let answer = ask_with(secret).await;
                    let status = answer.status.as_u16();
                    let is_right = match (takes_keys(&row), needed) {
                        (false, _) => is_sent_away(&answer),
                        (true, None) => face == Face::Html || status == 200,
                        // Whoever holds nothing else has no role to give.
                        (true, Some("members:invite")) if holds == "only" && row.body.is_some() => {
                            status == 403
                        }
                        (true, Some(_)) if holds == "only" && fits => {
                            status < 500 && status != 403 && !is_sent_away(&answer)
                        }
                        (true, Some(needed)) => {
                            status == 403
                                && (face == Face::Html
                                    || (is_forbidden(&answer, "forbidden")
                                        && answer.json()["permission"] == needed))
                        }
                    };
                    if !is_right {
                        wrong.push(format!("{whose} {holds} {face:?} {}: {status}", answer.request));
                    }
                }
            }
            all_hold(app, &all).await;
            for (_, secret) in [&keys.suspended, &keys.expired] {
                let answer = ask_with(secret).await;
                if !is_sent_away(&answer) || (takes_keys(&row) && answer.status != 401) {
                    wrong.push(format!("dead {face:?} {}: {}", answer.request, answer.status));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What they may not do, none of them did.
    for (from, count) in [("api_keys", 4), ("memberships", 1), ("organisations", 1)] {
        assert_eq!(app.count(from).await, count, "{from}");
    }
    acme.ada.get("/me").await.is(200);
}

fn is_forbidden(answer: &Answer, code: &str) -> bool {
    answer.json()["code"] == code
}

#[actix_web::test]
async fn a_key_of_a_member_s_does_what_the_member_may_and_a_policy_s_networks_bind_it() {
    let acme = opened().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "viewer").await;
    let all =
        ["organisation:read", "members:read", "members:invite", "audit:read", "notes:read", "notes:update"];
    let form = json!({ "name": "Build", "permissions": all });
    let (id, secret) = makes(&bea, KEYS, form.clone()).await;
    let program = by_key(&acme.app, &secret);
    let page = program.get("/organisations/acme").await.is(200).json();
    assert_eq!(
        page["you"],
        json!({ "role": "viewer", "permissions": ["members:read", "notes:read", "organisation:read"] })
    );
    assert_eq!(page["members"].as_array().unwrap().len(), 2);
    program.get("/organisations/acme/audit").await.refuses(403, "forbidden");
    acme.ada.put_json(&Acme::member_path(&bea_id), json!({ "role": "owner" })).await.is(200);
    program.get("/organisations/acme/audit").await.is(200);

    // An owner's key invites, but gives no role that takes a step-up, and no more than it holds.
    let invites = async |program: &crate::harness::Visitor, email: &str, role: &str| {
        program.post_json("/organisations/acme/invitations", json!({ "email": email, "role": role })).await
    };
    invites(&program, "cleo@example.com", "owner").await.refuses(403, "forbidden");
    let role = acme.role("Support", &["audit:read"]).await;
    invites(&program, "cleo@example.com", &role).await.refuses(403, "person_required");
    let viewer = acme.role("Reader", &["notes:read"]).await;
    invites(&program, "cleo@example.com", &viewer).await.is(201);
    let events = acme.ada.get("/organisations/acme/audit?event=member_invited").await.is(200).json();
    let event = &events["events"][0];
    assert_eq!((&event["actor"]["kind"], &event["actor"]["id"]), (&json!("api_key"), &json!(bea_id)));
    assert_eq!(event["detail"]["byKey"], json!({ "id": id }));
    acme.ada
        .clone()
        .with("accept", "text/html")
        .get("/organisations/acme/audit")
        .await
        .says("with an API key");

    // An organisation's own is no member, and asks nobody to be one.
    let (our_id, ours) = makes(&acme.ada, OURS, form).await;
    let ours = by_key(&acme.app, &ours);
    let page = ours.get("/organisations/acme").await.is(200).json();
    assert_eq!((&page["you"]["role"], &page["organisation"]["roleName"]), (&json!(our_id), &json!("Build")));
    assert!(page["members"].as_array().unwrap().iter().all(|member| member["you"] == false));
    invites(&ours, "dora@example.com", &viewer).await.refuses(403, "person_required");
    let id = text(&invitation(&acme).await);
    ours.delete(&format!("/organisations/acme/invitations/{id}")).await.is(200);
    let events = acme.ada.get("/organisations/acme/audit?event=invitation_revoked").await.is(200).json();
    let event = &events["events"][0];
    assert_eq!(
        (&event["actor"]["id"], &event["detail"]["byKey"]),
        (&Value::Null, &json!({ "id": our_id, "name": "Build" }))
    );
    // Of another organisation it learns nothing.
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    for path in ["/organisations/other", "/organisations/nowhere"] {
        ours.get(path).await.refuses(404, "not_found");
    }

    // The networks bind them all. A person's shows one factor and no way to sign in; the organisation's own, no person at all.
    acme.app.wait(chrono::TimeDelta::hours(2));
    for (asked, of_person, of_organisation) in [
        (json!({ "sessionIdle": 15, "sessionLife": 60, "networks": ["127.0.0.0/8"] }), None, None),
        (json!({ "networks": ["203.0.113.0/24"] }), Some("network_not_allowed"), Some("network_not_allowed")),
        (json!({ "secondFactorFrom": "2020-01-01T00:00:00Z" }), Some("second_factor_required"), None),
        (json!({ "secondFactorFrom": "2999-01-01T00:00:00Z" }), None, None),
        (json!({ "signInMethods": ["sso"] }), Some("sign_in_method_not_allowed"), None),
    ] {
        acme.app.db_execute(&format!("UPDATE organisations SET policy = '{asked}'")).await;
        for (program, why) in [(&program, of_person), (&ours, of_organisation)] {
            let answer = program.get("/organisations/acme").await;
            match why {
                None => answer.is(200),
                Some(code) => answer.refuses(403, code),
            };
            let asks = json!({ "organisation": "acme", "permission": "notes:read" });
            let told = program.post_json("/auth/check", asks).await.is(200).json();
            assert_eq!((&told["allowed"], &told["why"]), (&json!(why.is_none()), &json!(why)), "{asked}");
        }
    }
}

async fn invitation(acme: &Acme) -> Value {
    acme.ada.get("/organisations/acme/invitations").await.is(200).json()["invitations"][0]["id"].clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_key_reads_where_its_person_belongs_and_one_for_an_organisation_of_no_other() {
    let acme = opened().await;
    acme.ada.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let form = |organisation: Value| json!({ "name": "Build", "permissions": ["account:read"], "organisation": organisation });
    let (_, free) = makes(&acme.ada, KEYS, form(Value::Null)).await;
    let (_, bound) = makes(&acme.ada, KEYS, form(json!("acme"))).await;
    let slugs = async |secret: &str| {
        let listed = by_key(&acme.app, secret).get("/organisations").await.is(200).json();
        let listed = listed["organisations"].as_array().unwrap().clone();
        listed.iter().map(|one| text(&one["slug"])).collect::<Vec<_>>()
    };
    assert_eq!((slugs(&free).await.len(), slugs(&bound).await), (2, vec!["acme".to_owned()]));
}
