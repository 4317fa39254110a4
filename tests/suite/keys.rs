//! API keys: how they are made, what they may do, and what ends them.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::{
    jobs::{self, Job},
    routes::entries,
    secret::digest,
    web::Access,
};

use crate::{
    every_route::{BODIES, NOBODY},
    harness::{
        PASSWORD, TestApp, Visitor,
        organisations::{Acme, stepped_up},
    },
};

pub const ADA: &str = "ada@example.com";
pub const KEYS: &str = "/me/keys";
pub const OURS: &str = "/organisations/acme/keys";

/// A secret that anybody can compute.
pub const PLANTED: &str = "vstp_000000000000000000000000000000003sK7nd";

/// Puts a key into an account that could not make one: its secret.
pub async fn planted(app: &TestApp, address: &str) -> String {
    let now = format!("(SELECT created_at FROM users WHERE email_normalized = '{address}')");
    let id = format!("(SELECT id FROM users WHERE email_normalized = '{address}')");
    app.db_execute(&format!(
        "INSERT INTO api_keys (id, user_id, made_by, name, hint, secret_hash, permissions, created_at, rolled_at, \
         expiry_emails) VALUES ('{NOBODY}', {id}, {id}, 'Planted', '0000', '{}', 'account:read', {now}, {now}, 0)",
        digest(PLANTED)
    ))
    .await;
    PLANTED.to_owned()
}

/// What became of the only key there is: it works, is suspended, waits with its account, or is gone.
pub async fn state(app: &TestApp, secret: &str) -> &'static str {
    match by_key(app, secret).get("/me").await.status.as_u16() {
        200 => "working",
        _ if app.count("api_keys").await == 0 => "ended",
        _ if app.count("api_keys WHERE suspended_at IS NOT NULL").await == 1 => "suspended",
        _ => "waiting",
    }
}

/// A program that shows a key.
pub fn by_key(app: &TestApp, secret: &str) -> Visitor {
    app.curl().with("authorization", &format!("Bearer {secret}"))
}

/// The same secret with another last character.
pub fn mistyped(secret: &str) -> String {
    format!("{}{}", &secret[..42], if secret.ends_with('x') { 'y' } else { 'x' })
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Makes a key: its id and its secret.
pub async fn makes(person: &Visitor, path: &str, form: Value) -> (String, String) {
    let made = person.post_json(path, form).await.is(201).json();
    (text(&made["key"]["id"]), text(&made["secret"]))
}

pub async fn account_key(person: &Visitor) -> (String, String) {
    makes(person, KEYS, json!({ "name": "Nightly build", "permissions": ["account:read"] })).await
}

pub async fn asks(program: &Visitor, body: Value) -> Value {
    program.post_json("/auth/check", body).await.is(200).json()
}

#[actix_web::test]
async fn a_key_is_shown_once_and_opens_the_account_to_a_program() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    app.curl().get(KEYS).await.refuses(401, "sign_in_required");

    let form = json!({ "name": " Nightly build ", "permissions": ["account:read"] });
    let made = ada.post_json(KEYS, form).await.is(201).json();
    let (id, secret) = (text(&made["key"]["id"]), text(&made["secret"]));

    assert!(secret.starts_with("vstp_") && secret.len() == 43, "{secret}");
    let listed = ada.get(KEYS).await.is(200).hides(&secret).hides(&digest(&secret)).json();
    let key = &listed["keys"][0];
    assert_eq!(
        (&key["id"], &key["name"], &key["state"]),
        (&json!(id), &json!("Nightly build"), &json!("active"))
    );
    assert_eq!(text(&key["hint"]), format!("{}…", &secret[..9]));
    assert_eq!((&key["permissions"], &key["lastUsedAt"]), (&json!(["account:read"]), &Value::Null));
    let program = by_key(&app, &secret);
    let user = program.get("/me").await.is(200).json()["user"].clone();
    assert_eq!(user, ada.get("/me").await.json()["user"]);
    assert_eq!(program.head("/me").await.is(200).body, "");
    // Noted once a minute, with the neighbourhood.
    let used = ada.get(KEYS).await.json()["keys"][0].clone();
    assert_eq!(used["lastUsedFrom"], "127.0.0.0/24");
    app.wait(TimeDelta::seconds(59));
    program.get("/me").await.is(200);
    assert_eq!(ada.get(KEYS).await.json()["keys"][0]["lastUsedAt"], used["lastUsedAt"]);
    app.wait(TimeDelta::seconds(1));
    program.get("/me").await.is(200);
    assert_ne!(ada.get(KEYS).await.json()["keys"][0]["lastUsedAt"], used["lastUsedAt"]);
    // Only its digest is kept, and the email has the way back.
    assert!(!app.dump_storage().await.contains(&secret[5..]));
    app.send_emails().await;
    let emails = app.emails_to(ADA).await;
    let told =
        emails.iter().find(|email| email.subject == "API key created for your Vestibule account").unwrap();
    assert!(told.text.contains("Nightly build (") && told.text.contains("/not-me?token="), "{}", told.text);
    assert!(!told.text.contains(&secret));

    ada.delete(&format!("{KEYS}/{id}")).await.is(200);
    program.get("/me").await.refuses(401, "invalid_token");
    ada.delete(&format!("{KEYS}/{id}")).await.is(404);
    assert_eq!(app.count("audit WHERE event IN ('api_key_made', 'api_key_revoked')").await, 2);
}

#[actix_web::test]
async fn a_browser_copies_it_from_a_page_that_is_there_once() {
    let acme = Acme::open().await;
    let ada = acme.ada.clone().with("accept", "text/html");
    let fields =
        [("name", "Nightly build"), ("account:read", "on"), ("notes:read", "on"), ("expiresIn", "30d")];

    let page = ada.post(KEYS, &fields).await.is(201).says("Copy your API key").says("value=\"vstp_");
    let secret = page.body.split("value=\"vstp_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    ada.get(KEYS).await.is(200).says("Nightly build").says("notes:read").hides(&secret);
    let page = ada.post(OURS, &[("name", "Ours"), ("notes:read", "on")]).await.is(201);
    page.says("value=\"vsto_");
    let page = ada.get(OURS).await.is(200).says("Ours").says("Created by");
    page.hides("keys:manage").says("members:read");
    ada.post(KEYS, &[("name", ""), ("account:read", "on")]).await.is(422).says("Give this key a name.");
    ada.post(KEYS, &[("name", "None")]).await.is(422).says("Choose at least one permission.");
    ada.get("/organisations/acme").await.is(200).says(OURS);
    ada.get("/me").await.is(200).says(KEYS);
    let id = text(&acme.ada.get(KEYS).await.json()["keys"][0]["id"]);
    ada.post(&format!("{KEYS}/{id}/roll"), &[("overlap", "24h")]).await.is(200).says("has a new secret");
    ada.post(&format!("{KEYS}/suspend-all"), &[]).await.goes_to(KEYS);
    ada.get(KEYS).await.is(200).says("Suspended").says("Resume");
    ada.post(&format!("{KEYS}/{id}/resume"), &[]).await.goes_to(KEYS);
    ada.post(&format!("{KEYS}/{id}/revoke"), &[]).await.goes_to(KEYS);
    assert_eq!(acme.app.count("api_keys").await, 1);
}

#[actix_web::test]
async fn what_is_wrong_with_a_key_is_said_beside_its_field() {
    let acme = Acme::open().await;
    let refused = async |path: &str, more: Value| {
        let mut form = json!({ "name": "Build", "permissions": ["notes:read"] });
        form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        acme.ada.post_json(path, form).await.is(422).json()["fields"].clone()
    };
    // None in the past, none for longer than a year, none in another spelling.
    for span in ["0d", "-1d", "367d", "P90D", "90", "never", "2030-01-01"] {
        for path in [KEYS, OURS] {
            assert!(refused(path, json!({ "expiresIn": span })).await["expiresIn"].is_string(), "{span}");
        }
    }
    for (path, permissions) in [
        (KEYS, json!([])),
        (KEYS, json!(["notes:reed"])),
        (KEYS, json!(["*"])),
        (KEYS, json!(7)),
        (KEYS, json!(["sso:manage"])),
        (KEYS, json!(["keys:manage"])),
        (OURS, json!(["keys:manage"])),
        (OURS, json!(["account:read"])),
        (OURS, json!(["owners:manage"])),
    ] {
        let fields = refused(path, json!({ "permissions": permissions })).await;
        assert!(fields["permissions"].is_string(), "{path} {permissions}: {fields}");
    }
    for name in ["", " ", "a\nb", &"a".repeat(61)] {
        assert!(refused(KEYS, json!({ "name": name })).await["name"].is_string(), "{name:?}");
    }
    assert!(refused(KEYS, json!({ "organisation": "nowhere" })).await["organisation"].is_string());
    let (id, _) = account_key(&acme.ada).await;
    for overlap in ["8d", "P1D", "-1h"] {
        let path = format!("{KEYS}/{id}/roll");
        let fields =
            acme.ada.post_json(&path, json!({ "overlap": overlap })).await.is(422).json()["fields"].clone();
        assert!(fields["overlap"].is_string(), "{overlap}");
    }
    assert_eq!(acme.app.count("api_keys").await, 1);
    // A name is no more than a name.
    account_key(&acme.ada).await;
    assert_eq!(acme.app.count("api_keys WHERE name = 'Nightly build'").await, 2);
}

#[actix_web::test]
async fn a_key_is_read_as_programs_write_it_and_counts_alone() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let ben = app.verified("ben@example.com").await;
    let (_, secret) = account_key(&ada).await;
    let id = text(&ada.get("/me").await.json()["user"]["id"]);
    for value in [format!("bearer {secret}"), format!("BEARER   {secret}  ")] {
        app.curl().with("authorization", &value).get("/me").await.is(200);
    }
    // Never from the address.
    app.curl().get(&format!("/me?access_token={secret}&key={secret}")).await.refuses(401, "sign_in_required");
    // Beside a cookie only the key counts; a wrong one is no reason to look at the cookie.
    let both = |value: &str| ben.clone().with("authorization", value);
    assert_eq!(both(&format!("Bearer {secret}")).get("/me").await.is(200).json()["user"]["id"], id);
    let wrong = both(&format!("Bearer {PLANTED}")).get("/me").await.refuses(401, "invalid_token");
    assert_eq!(wrong.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    both(&format!("Bearer {}", mistyped(&secret))).get("/me").await.refuses(401, "invalid_token");
    // What is not ours is as if it were not there.
    for foreign in ["Bearer eyJhbGciOiJFUzI1NiJ9.e30.x", "Basic YTpi", "Bearer ghp_0123"] {
        assert_ne!(both(foreign).get("/me").await.is(200).json()["user"]["id"], id, "{foreign}");
    }
    // No browser adds one by itself, so it may come from anywhere.
    let from_elsewhere = by_key(&app, &secret).with("sec-fetch-site", "cross-site");
    from_elsewhere.post_json("/auth/check", json!({ "permission": "members:read" })).await.is(200);
}

#[actix_web::test]
async fn a_key_enters_where_the_route_says_so_and_nowhere_else_case_76() {
    let app = TestApp::open().await;
    let ada = stepped_up(&app, ADA).await;
    let (_, secret) = account_key(&ada).await;
    let open: Vec<String> = entries()
        .into_iter()
        .filter(|entry| entry.access == Access::SignedInOrApiKey)
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    assert_eq!(open, ["POST /auth/check", "GET /me"]);
    for entry in entries()
        .into_iter()
        .filter(|entry| !matches!(entry.access, Access::Anyone | Access::Pending | Access::Directory))
    {
        let body =
            BODIES.iter().find(|(method, path, _)| (entry.method.as_str(), entry.path) == (*method, *path));
        let body = body.map(|(.., body)| ("application/x-www-form-urlencoded", (*body).to_owned()));
        let path = entry.path.replace("{id}", NOBODY).replace("{slug}", "nowhere");
        let answer = by_key(&app, &secret).send(entry.method.clone(), &path, body).await;
        match entry.access {
            Access::SignedInOrApiKey | Access::VerifiedOrApiKey => {
                assert_ne!(answer.status.as_u16(), 401, "{}", answer.request);
            }
            _ => drop(answer.refuses(401, "sign_in_required")),
        }
    }
    // Nor does a page for anyone take it for a person.
    by_key(&app, &secret).get("/").await.is(200).hides(ADA);
}

#[actix_web::test]
async fn a_key_does_what_it_holds_and_its_maker_may_now_case_107() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let form = json!({ "name": "Notes", "permissions": ["notes:read", "notes:update"] });
    let (_, secret) = makes(&bea, KEYS, form).await;
    let program = by_key(&acme.app, &secret);
    let check = |permission: &str, owner: Option<&str>| json!({ "organisation": "acme", "permission": permission, "owner": owner });

    let told = asks(&program, check("notes:read", None)).await;
    assert_eq!(
        (&told["allowed"], &told["user"]["id"], &told["role"]),
        (&json!(true), &json!(bea_id), &json!("editor"))
    );
    assert_eq!(told["key"]["name"], "Notes");
    // Her role has the one half, the key the other.
    assert_eq!(
        asks(&program, check("notes:update", Some("0123456789abcdef0123456789abcdef"))).await["why"],
        "not_permitted"
    );
    assert_eq!(asks(&program, check("notes:update", Some(&bea_id))).await["allowed"], true);
    assert_eq!(asks(&program, check("notes:share", Some(&bea_id))).await["why"], "not_permitted");
    assert_eq!(asks(&program, check("members:read", None)).await["why"], "not_permitted");
    let batch = json!({ "organisation": "acme", "checks": [{ "permission": "notes:read" }, { "permission": "notes:delete" }] });
    assert_eq!(
        asks(&program, batch).await["results"],
        json!([{ "allowed": true }, { "allowed": false, "why": "not_permitted" }])
    );
    // It holds no account:read, and no route is opened by another's word.
    let refused = program.get("/me").await.refuses(403, "forbidden").json();
    assert_eq!(refused["permission"], "account:read");
    assert_eq!(asks(&program, json!({ "permission": "notes:read" })).await["why"], "no_organisation");
    program.post_json("/auth/check", check("notes:reed", None)).await.is(422);
    // What the role loses, the key loses, at once.
    let role = json!({ "role": "viewer" });
    acme.ada.put_json(&Acme::member_path(&bea_id), role).await.is(200);
    assert_eq!(asks(&program, check("notes:update", Some(&bea_id))).await["allowed"], false);
    assert_eq!(asks(&program, check("notes:read", None)).await["allowed"], true);
    bea.post_json("/organisations/acme/leave", json!({})).await.is(200);
    assert_eq!(asks(&program, check("notes:read", None)).await["why"], "not_a_member");
}

#[actix_web::test]
async fn a_key_for_one_organisation_names_no_other_and_ends_with_the_membership() {
    let acme = Acme::open().await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let form = |organisation: Value| json!({ "name": "Notes", "permissions": ["notes:read"], "organisation": organisation });
    let (_, bound) = makes(&bea, KEYS, form(json!("acme"))).await;
    let (_, free) = makes(&bea, KEYS, form(Value::Null)).await;
    let listed = bea.get(KEYS).await.json()["keys"].clone();
    let only: Vec<&Value> =
        listed.as_array().unwrap().iter().filter_map(|key| key.get("organisation")).collect();
    assert_eq!(only, [&json!({ "slug": "acme", "name": "Acme" })]);
    let check = |organisation: Value| json!({ "organisation": organisation, "permission": "notes:read" });
    let program = by_key(&acme.app, &bound);
    for named in [Value::Null, json!("acme"), json!(acme.id)] {
        assert_eq!(asks(&program, check(named)).await["allowed"], true);
    }
    for another in ["other", "nowhere"] {
        let told = asks(&program, check(json!(another))).await;
        assert_eq!((&told["why"], &told["organisation"]), (&json!("not_a_member"), &Value::Null));
    }
    assert_eq!(asks(&by_key(&acme.app, &free), check(json!("other"))).await["allowed"], true);

    // It does not come back with the member.
    acme.ada.delete(&Acme::member_path(&bea_id)).await.is(200);
    program.post_json("/auth/check", check(Value::Null)).await.refuses(401, "invalid_token");
    let user = acme.app.user_id("bea@example.com").await;
    acme.enters(&user, "editor").await;
    program.post_json("/auth/check", check(Value::Null)).await.refuses(401, "invalid_token");
    assert_eq!(asks(&by_key(&acme.app, &free), check(json!("acme"))).await["allowed"], true);
}

#[actix_web::test]
async fn an_organisation_s_key_is_its_own_and_outlives_its_maker() {
    let acme = Acme::open().await;
    let role = acme.role("Keys", &["keys:manage", "notes:read"]).await;
    let (bea, bea_id) = acme.joins("bea@example.com", &role).await;
    let (cleo, _) = acme.joins("cleo@example.com", "editor").await;
    cleo.get(OURS).await.refuses(403, "forbidden");
    // Nobody gives what they do not hold.
    let form = |permission: &str| json!({ "name": "Sync", "permissions": [permission] });
    let refused = bea.post_json(OURS, form("notes:delete")).await.refuses(403, "forbidden").json();
    assert_eq!(refused["permission"], "notes:delete");
    let (id, secret) = makes(&bea, OURS, form("notes:read")).await;
    assert!(secret.starts_with("vsto_"));
    acme.app.send_emails().await;
    assert_eq!(acme.app.emails_that_say(ADA, "API key created for Acme").await, 1);

    let program = by_key(&acme.app, &secret);
    let check = |organisation: Value, permission: &str| json!({ "organisation": organisation, "permission": permission });
    let expected = json!({ "allowed": true, "organisation": { "id": acme.id, "slug": "acme" }, "key": { "id": id, "name": "Sync" } });
    for named in [Value::Null, json!("acme"), json!(acme.id)] {
        assert_eq!(asks(&program, check(named, "notes:read")).await, expected);
    }
    assert_eq!(asks(&program, check(Value::Null, "notes:update")).await["why"], "not_permitted");
    assert_eq!(asks(&program, check(json!("other"), "notes:read")).await["why"], "not_a_member");
    program.get("/me").await.refuses(403, "forbidden");

    acme.ada.delete(&Acme::member_path(&bea_id)).await.is(200);
    assert_eq!(asks(&program, check(Value::Null, "notes:read")).await["allowed"], true);
    let key = acme.ada.get(OURS).await.json()["keys"][0].clone();
    assert_eq!((&key["makerLeft"], &key["madeBy"]["id"]), (&json!(true), &json!(bea_id)));
    acme.ada.clone().with("accept", "text/html").get(OURS).await.says("who left");
    acme.app.send_emails().await;
    let told = acme.app.emails_to(ADA).await;
    let told = told.iter().find(|email| email.subject == "Check the API keys of Acme").unwrap();
    assert!(told.text.contains("no longer belongs") && told.text.contains("Sync (vsto_"), "{}", told.text);

    // Its maker is purged: the key stays, and nothing of them.
    bea.steps_up().await;
    bea.post_json("/me/delete", json!({})).await.is(200);
    acme.app.wait(TimeDelta::days(31));
    jobs::run_once(&acme.app.inner, Job::Deletions, true).await.unwrap();
    assert_eq!(acme.app.count("users WHERE email = 'bea@example.com'").await, 0);
    let rows = acme.app.texts("SELECT made_by AS text FROM api_keys").await;
    assert!(rows.len() == 1 && rows[0] != bea_id, "{rows:?}");
    assert_eq!(asks(&program, check(Value::Null, "notes:read")).await["allowed"], true);
    let ada = &acme.ada;
    ada.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
    assert_eq!(ada.get(OURS).await.is(200).json()["keys"][0]["madeBy"], Value::Null);

    // It ends with its organisation, and waits with it.
    ada.steps_up().await;
    assert_eq!(ada.get("/organisations/acme/delete").await.is(200).json()["keys"], 1);
    ada.post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);
    program.post_json("/auth/check", check(Value::Null, "notes:read")).await.refuses(401, "invalid_token");
    ada.post_json("/organisations/acme/restore", json!({})).await.is(200);
    assert_eq!(asks(&program, check(Value::Null, "notes:read")).await["allowed"], true);
    ada.post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);
    acme.app.wait(TimeDelta::days(15));
    jobs::run_once(&acme.app.inner, Job::Deletions, true).await.unwrap();
    assert_eq!(acme.app.count("api_keys").await, 0);
}

#[actix_web::test]
async fn a_key_is_not_another_organisation_s_nor_another_person_s() {
    let acme = Acme::open().await;
    let (bea, _) = acme.joins("bea@example.com", "editor").await;
    bea.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let (own, _) = account_key(&acme.ada).await;
    let form = json!({ "name": "Sync", "permissions": ["notes:read"] });
    let (ours, _) = makes(&acme.ada, OURS, form).await;
    for path in
        [format!("{KEYS}/{own}"), format!("{KEYS}/{ours}"), format!("/organisations/other/keys/{ours}")]
    {
        bea.delete(&path).await.is(404);
        bea.post_json(&format!("{path}/roll"), json!({})).await.is(404);
    }
    // Nor is an organisation's its maker's, or the other way round.
    acme.ada.delete(&format!("{KEYS}/{ours}")).await.is(404);
    acme.ada.delete(&format!("{OURS}/{own}")).await.is(404);
    bea.post_json(&format!("{KEYS}/{own}/resume"), json!({})).await.is(404);
    assert_eq!(acme.app.count("api_keys").await, 2);
    acme.ada.post_json(&format!("{KEYS}/{own}/resume"), json!({})).await.refuses(409, "conflict");
}

#[actix_web::test]
async fn what_makes_a_key_asks_for_a_step_up_and_what_ends_one_does_not() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    planted(&app, ADA).await;
    ada.post_json(KEYS, json!({ "name": "x", "permissions": ["account:read"] }))
        .await
        .refuses(403, "reauthentication_required");
    for act in ["roll", "resume"] {
        let path = format!("{KEYS}/{NOBODY}/{act}");
        ada.post_json(&path, json!({})).await.refuses(403, "reauthentication_required");
    }
    let body = Some(("application/json", "{}".to_owned()));
    ada.send(Method::DELETE, &format!("{KEYS}/{NOBODY}"), body).await.is(200);
    app.unverified_user("ben@example.com").await.get(KEYS).await.refuses(403, "email_unverified");
}
