//! Deactivated means out, before the answer is sent.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Corp, people::person, user};
use crate::{
    harness::{PASSWORD, Visitor},
    idp::{id_of, is_nobody},
};

/// Ada, listed and signed in by single sign-on: the id of her entry, her browser and her account.
async fn ada_in(corp: &Corp) -> (String, Visitor, String) {
    let id = corp.scim.adds("ada@example.com").await;
    let browser = corp.app.browser();
    corp.acme.signs_in(&corp.app, &browser, &person("00u1", "ada@example.com")).await.goes_to("/me");
    let account = id_of(&browser).await;
    (id, browser, account)
}

/// How much there is that opens an account.
async fn open_ways(corp: &Corp, account: &str) -> i64 {
    let mut count = 0;
    for table in ["sessions", "tokens", "api_keys", "identities", "grants", "gate_sessions"] {
        let of = match table {
            "gate_sessions" => {
                format!("{table} JOIN sessions ON sessions.id = session_id WHERE user_id = '{account}'")
            }
            "tokens" => format!(
                "{table} WHERE user_id = '{account}' AND used_at IS NULL AND purpose NOT IN ('not_me', 'report_sign_in')"
            ),
            _ => format!("{table} WHERE user_id = '{account}'"),
        };
        count += corp.app.count(&of).await;
    }
    count
}

#[actix_web::test]
async fn whoever_left_is_out_in_every_spelling_cases_9_and_10() {
    for way in ["patch", "put", "post", "delete"] {
        let corp = Corp::open().await;
        let (id, browser, account) = ada_in(&corp).await;
        let elsewhere = corp.app.second_node().await;
        let there = browser.at(elsewhere.port);
        there.get("/me").await.is(200);
        // A link to sign in, one to reset the password, and a key.
        corp.app.curl().post_json("/login/magic-link", json!({ "email": "ada@example.com" })).await.is(200);
        corp.app.curl().post_json("/forgot-password", json!({ "email": "ada@example.com" })).await.is(200);
        corp.app.db_execute(&format!("UPDATE sessions SET stepped_up_at = created_at, stepped_up_with = 'passkey' WHERE user_id = '{account}'")).await;
        let key = browser
            .clone()
            .with("accept", "application/json")
            .post_json("/me/keys", json!({ "name": "x", "permissions": ["account:read"] }))
            .await
            .is(201)
            .json();
        let by_key =
            corp.app.curl().with("authorization", &format!("Bearer {}", key["secret"].as_str().unwrap()));
        by_key.get("/me").await.is(200);
        assert!(open_ways(&corp, &account).await >= 3);

        let mut gone = user("ada@example.com");
        gone["active"] = json!(false);
        let path = format!("/Users/{id}");
        match way {
            "patch" => corp.scim.deactivates(&id).await.is(200),
            "put" => corp.scim.put(&path, gone).await.is(200),
            "post" => {
                // One who is back, and is listed as gone.
                corp.scim.deactivates(&id).await.is(200);
                corp.scim.post("/Users", gone).await.is(201)
            }
            _ => corp.scim.delete(&path).await.is(204),
        };

        assert!(is_nobody(&browser).await && is_nobody(&there).await, "{way}");
        assert_eq!(by_key.get("/me").await.status.as_u16(), 401, "{way}");
        assert_eq!(open_ways(&corp, &account).await, 0, "{way}");
        assert_eq!(corp.role("ada@example.com").await, None, "{way}");
        assert!(corp.keeps_out("ada@example.com").await, "{way}");
        if way != "delete" {
            assert_eq!(corp.scim.entry(&id).await["active"], false, "{way}");
        }
    }
}

#[actix_web::test]
async fn whoever_is_kept_out_reads_one_sentence_on_every_way_in_case_30() {
    let corp = Corp::open().await;
    let ben = corp.app.verified("ben@example.com").await;
    let member = corp.app.user_id("ben@example.com").await;
    let joins = format!(
        "INSERT INTO memberships (organisation_id, user_id, role, created_at) SELECT id, '{member}', 'viewer', created_at FROM organisations"
    );
    corp.app.db_execute(&joins).await;
    let id = corp.scim.adds("ben@example.com").await;
    corp.scim.deactivates(&id).await.is(200);

    ben.get("/me").await.refuses(401, "sign_in_required");
    let right = json!({ "email": "ben@example.com", "password": PASSWORD });
    let told = corp.app.curl().post_json("/login", right).await.refuses(403, "account_suspended");
    told.says("Your organisation has ended your access. Ask its administrator.");
    let wrong = json!({ "email": "ben@example.com", "password": "wrong horse battery staple" });
    corp.app.curl().post_json("/login", wrong).await.refuses(401, "wrong_credentials");
    let curl = corp.app.curl();
    curl.post_json("/login/magic-link", json!({ "email": "ben@example.com" })).await.is(200);
    let token = corp.app.token_for("ben@example.com").await;
    let by_link = curl.post_json("/login/magic-link/verify", json!({ "token": token })).await;
    by_link.refuses(403, "account_suspended");
    let browser = corp.app.browser();
    corp.acme.signs_in(&corp.app, &browser, &person("00u9", "ben@example.com")).await;
    assert!(is_nobody(&browser).await);
    assert_eq!(corp.acme.attempts(&corp.app).await[0], "deactivated");
    assert_eq!(corp.app.count(&format!("sessions WHERE user_id = '{member}'")).await, 0);
}

#[actix_web::test]
async fn whoever_is_back_gets_the_membership_and_nothing_else() {
    let corp = Corp::open().await;
    let (id, browser, account) = ada_in(&corp).await;
    corp.app.db_execute(&format!("UPDATE memberships SET role = 'editor' WHERE user_id = '{account}'")).await;
    corp.scim.deactivates(&id).await.is(200);

    let back = corp.scim.post("/Users", user("ada@example.com")).await.is(201).json();
    assert_eq!(back["id"], id);
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("editor"), "what she was");
    assert!(!corp.keeps_out("ada@example.com").await);
    assert!(is_nobody(&browser).await, "sessions do not come back");
    corp.acme.signs_in(&corp.app, &browser, &person("00u1", "ada@example.com")).await.goes_to("/me");
    assert_eq!(id_of(&browser).await, account);
}

#[actix_web::test]
async fn an_account_that_the_directory_made_ends_with_its_entry() {
    let corp = Corp::open().await;
    let (id, _, account) = ada_in(&corp).await;
    let never = corp.scim.adds("never@example.com").await;

    corp.scim.delete(&format!("/Users/{never}")).await.is(204);
    assert_eq!(
        corp.app.count("users WHERE email_normalized = 'never@example.com'").await,
        0,
        "nobody came in"
    );
    corp.scim.delete(&format!("/Users/{id}")).await.is(204);
    assert_eq!(corp.app.count(&format!("users WHERE id = '{account}' AND deletes_at IS NOT NULL")).await, 1);
    // Listed again in time: the account is as it was.
    corp.scim.adds("ada@example.com").await;
    assert_eq!(corp.app.count(&format!("users WHERE id = '{account}' AND deletes_at IS NULL")).await, 1);
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("viewer"));
    assert!(!corp.keeps_out("ada@example.com").await);
}

#[actix_web::test]
async fn what_others_decided_stays_case_31() {
    let corp = Corp::open().await;
    let (id, _, account) = ada_in(&corp).await;
    let path = format!("/Users/{id}");
    let told = async |what: &str| {
        let query =
            format!("SELECT COALESCE(CAST({what} AS TEXT), '') AS text FROM users WHERE id = '{account}'");
        corp.app.texts(&query).await.remove(0)
    };
    // Locked by the operator, and to be deleted as its person asked.
    corp.app.db_execute(&format!("UPDATE users SET locked_at = created_at, deletes_at = '2026-11-30 00:00:00' WHERE id = '{account}'")).await;
    let asked = told("deletes_at").await;
    corp.scim.deactivates(&id).await.is(200);
    let back = json!([{ "op": "replace", "path": "active", "value": true }]);
    corp.scim.patch(&path, back).await.is(200);
    corp.scim.delete(&path).await.is(204);
    corp.scim.adds("ada@example.com").await;
    assert_eq!(told("deletes_at").await, asked);
    assert_ne!(told("locked_at").await, "");
}

#[actix_web::test]
async fn the_last_owner_stays_one_and_is_kept_out_case_19() {
    let corp = Corp::open().await;
    let (id, browser, account) = ada_in(&corp).await;
    corp.app.db_execute(&format!("UPDATE memberships SET role = 'owner' WHERE user_id = '{account}'")).await;
    corp.app.db_execute(&format!("DELETE FROM memberships WHERE user_id <> '{account}'")).await;

    assert_eq!(corp.scim.deactivates(&id).await.is(200).json()["active"], false);
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("owner"), "the row stays");
    assert!(corp.keeps_out("ada@example.com").await && is_nobody(&browser).await);
    let metrics = corp.app.curl().get("/metrics").await.is(200).body;
    assert!(metrics.contains("vestibule_directory_kept_total 1"), "{metrics}");
    // Once there is another, the directory's next word is done.
    let boss = corp.app.user_id("boss@acme.example").await;
    corp.app.db_execute(&format!("INSERT INTO memberships (organisation_id, user_id, role, created_at) SELECT organisation_id, '{boss}', 'owner', created_at FROM memberships")).await;
    corp.scim.deactivates(&id).await.is(200);
    assert_eq!(corp.role("ada@example.com").await, None);
}

#[actix_web::test]
async fn nobody_is_shut_out_for_good_case_32() {
    for ends in ["domain", "organisation", "directory"] {
        let corp = Corp::open().await;
        let (id, _, account) = ada_in(&corp).await;
        corp.scim.deactivates(&id).await.is(200);
        assert!(corp.keeps_out("ada@example.com").await);
        let owner = &corp.acme.owner;
        match ends {
            "domain" => {
                let overview = owner.get("/organisations/acme/sso").await.is(200).json();
                let domain = overview["domains"][0]["id"].as_str().unwrap().to_owned();
                owner.delete(&format!("/organisations/acme/sso/domains/{domain}")).await.is(200);
            }
            "organisation" => corp.app.db_execute("DELETE FROM organisations").await,
            _ => {
                owner.delete("/organisations/acme/directory").await.is(200);
                assert!(corp.keeps_out("ada@example.com").await, "until an owner lets her in");
                let anew = super::Scim::of(&corp.app, owner, "acme").await;
                assert!(anew.finds("userName pr").await.is_empty());
                owner
                    .post_json(
                        &format!("/organisations/acme/directory/suspended/{account}/release"),
                        json!({}),
                    )
                    .await
                    .is(200);
            }
        }
        assert!(!corp.keeps_out("ada@example.com").await, "{ends}");
        assert_eq!(corp.role("ada@example.com").await, None, "{ends}");
    }
}

#[actix_web::test]
async fn a_tokens_deeds_are_on_record() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let rename = json!([{ "op": "replace", "path": "userName", "value": "countess" }]);
    corp.scim.patch(&format!("/Users/{id}"), rename).await.is(200);
    corp.app.wait(TimeDelta::seconds(1));
    corp.scim.deactivates(&id).await.is(200);

    let record = corp.acme.owner.get("/organisations/acme/audit").await.is(200).json();
    let events = record["events"].as_array().unwrap();
    let called = |name: &str| events.iter().find(|one| one["event"] == name).unwrap_or(&Value::Null).clone();
    assert_ne!(called("directory_person_deactivated"), Value::Null, "{record}");
    assert_ne!(called("account_suspended"), Value::Null);
    let changed =
        corp.app.texts("SELECT detail AS text FROM audit WHERE event = 'directory_person_changed'").await;
    let changed: Value = serde_json::from_str(&changed[0]).unwrap();
    assert_eq!(changed["from"]["userName"], "ada@example.com");
    assert_eq!(changed["to"]["userName"], "countess");
    assert_eq!(changed["byKey"]["name"], "Okta");
    assert_eq!(
        corp.app.count("audit WHERE event = 'directory_person_added' AND actor_kind = 'directory'").await,
        1
    );
}

#[actix_web::test]
async fn what_an_entry_says_of_an_account_ends_with_the_link() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("tmp@example.com").await;
    corp.app.verified("pia@example.com").await;
    let user = |name: &str| format!("(SELECT id FROM users WHERE email = '{name}@example.com')");
    corp.app.db_execute(&format!("DELETE FROM memberships WHERE user_id = {}", user("tmp"))).await;
    corp.app
        .db_execute(&format!(
            "INSERT INTO memberships (organisation_id, user_id, role, created_at) \
             SELECT organisation_id, {}, 'viewer', created_at FROM memberships LIMIT 1",
            user("pia")
        ))
        .await;
    corp.app.db_execute("UPDATE directory_people SET kept_role = 'owner'").await;
    let path = format!("/Users/{id}");
    let moved = json!([
        { "op": "replace", "path": "userName", "value": "pia@example.com" },
        { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "pia@example.com" }
    ]);
    corp.scim.patch(&path, moved).await.is(200);
    let hers = format!(
        "directory_people WHERE user_id = {} AND NOT made_account AND kept_role IS NULL",
        user("pia")
    );
    assert_eq!(corp.app.count(&hers).await, 1);
    corp.scim.delete(&path).await.is(204);
    let stays = "users WHERE email = 'pia@example.com' AND deletes_at IS NULL AND suspended_by IS NULL";
    assert_eq!(corp.app.count(stays).await, 1, "it was there before the directory");
}

#[actix_web::test]
async fn of_an_account_whose_sign_ins_are_forgotten_nobody_knows_that_nobody_came_in() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("uma@example.com").await;
    let long_ago = "UPDATE users SET created_at = '2020-01-01 00:00:00' WHERE email = 'uma@example.com'";
    corp.app.db_execute(long_ago).await;
    corp.scim.delete(&format!("/Users/{id}")).await.is(204);
    let waits = "users WHERE email = 'uma@example.com' AND deletes_at IS NOT NULL";
    assert_eq!(corp.app.count(waits).await, 1);
}
