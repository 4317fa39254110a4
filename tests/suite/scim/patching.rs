//! PATCH, PUT and POST as Entra, Okta and others write them.

use serde_json::{Value, json};

use super::{Corp, refused, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[actix_web::test]
async fn operations_are_taken_as_they_come_case_1() {
    let corp = Corp::open().await;
    let work = |value: &str| json!([{ "value": value, "type": "work", "primary": true }]);
    let was = work("ada@example.com");
    // Operations on a fresh entry, and what they come to: of the keys that are named.
    for (operations, comes_to) in [
        (json!([{ "op": "Replace", "path": "active", "value": "False" }]), json!({ "active": false })),
        (
            json!([{ "op": "replace", "path": "active", "value": [{ "value": false }] }]),
            json!({ "active": false }),
        ),
        (
            json!([{ "op": "replace", "value": { "active": false } }]),
            json!({ "active": false, "emails": was }),
        ),
        (
            json!([{ "op": "add", "value": { "name.givenName": "Augusta", "emails[type eq \"home\"].value": "a@home.example" } }]),
            json!({ "name": { "givenName": "Augusta", "familyName": "Lovelace" },
                    "emails": [was[0], { "value": "a@home.example", "type": "home" }] }),
        ),
        (
            json!([{ "op": "Add", "path": "emails[type eq \"work\"].value", "value": "augusta@example.com" }]),
            json!({ "emails": work("augusta@example.com") }),
        ),
        (json!([{ "op": "remove", "path": "emails[type eq \"home\"].value" }]), json!({ "emails": was })),
        (json!([{ "op": "remove", "path": "emails" }]), json!({ "emails": null })),
        (json!([{ "op": "remove", "path": "name.familyName" }]), json!({ "name": { "givenName": "Ada" } })),
        (
            json!([{ "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "x" },
                   { "op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "1" },
                   { "op": "replace", "path": "nickName", "value": "Countess" }]),
            json!({ "nickName": null, "phoneNumbers": null, "emails": was }),
        ),
        (
            json!([{ "op": "replace", "value": { "id": "other", "schemas": [], "meta": {}, "groups": [], "displayName": "Ada" } }]),
            json!({ "displayName": "Ada" }),
        ),
        (
            json!([{ "op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName", "value": "Ada" }]),
            json!({ "displayName": "Ada" }),
        ),
        (
            json!([{ "op": "Replace", "path": "active", "value": [{ "$ref": null, "value": "False" }] },
                   { "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "Ada L." }] },
                   { "op": "Replace", "path": "name.givenName", "value": [{ "$ref": null, "value": "Augusta" }] },
                   { "op": "Replace", "path": "externalId", "value": [{ "$ref": null, "value": "e1" }] },
                   { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": [{ "$ref": null, "value": "al@example.com" }] },
                   { "op": "Replace", "path": "userName", "value": [{ "$ref": null, "value": "al" }] }]),
            json!({ "active": false, "displayName": "Ada L.", "externalId": "e1", "userName": "al", "emails": work("al@example.com"),
                    "name": { "givenName": "Augusta", "familyName": "Lovelace" } }),
        ),
        (
            json!([{ "op": "replace", "value": { "urn:ietf:params:scim:schemas:core:2.0:User": { "active": false } } }]),
            json!({ "active": false }),
        ),
        (
            json!([{ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": { "active": false } }]),
            json!({ "active": false }),
        ),
        (
            json!([{ "op": "replace", "path": "emails[type eq 'work'].value", "value": "al@example.com" }]),
            json!({ "emails": work("al@example.com") }),
        ),
        (
            json!([{ "op": "replace", "path": "externalId", "value": "mended" }]),
            json!({ "externalId": "mended" }),
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "new@example.com", "primary": true }] }]),
            json!({ "emails": [{ "value": "ada@example.com", "type": "work", "primary": false },
                               { "value": "new@example.com", "primary": true }] }),
        ),
    ] {
        let id = corp.scim.adds("ada@example.com").await;
        let path = format!("/Users/{id}");
        let told = corp.scim.patch(&path, operations.clone()).await.is(200).json();
        let read = corp.scim.entry(&id).await;
        assert_eq!(told, read, "the answer is the entry");
        for (key, value) in comes_to.as_object().unwrap() {
            assert_eq!(read.get(key).unwrap_or(&Value::Null), value, "{key} after {operations}");
        }
        assert_eq!(read["id"], id);
        corp.scim.delete(&path).await.is(204);
    }
}

#[actix_web::test]
async fn what_is_wrong_is_said_and_changes_nothing() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let path = format!("/Users/{id}");
    let before = corp.scim.entry(&id).await;
    let op = |op: &str, path: &str, value: Value| json!({ "op": op, "path": path, "value": value });

    for (operation, kind) in [
        (op("replace", "active", json!("maybe")), "invalidValue"),
        (op("remove", "userName", json!(null)), "invalidValue"),
        (op("replace", "userName", json!(" ")), "invalidValue"),
        (op("replace", "name.", json!("x")), "invalidPath"),
        (op("replace", "emails[", json!("x")), "invalidPath"),
        (op("remove", "active", json!(null)), "invalidValue"),
        (op("replace", "active", json!([])), "invalidValue"),
        (op("replace", "emails[value co \"nobody\"].type", json!("x")), "noTarget"),
        (op("move", "name", json!("x")), "invalidSyntax"),
        (json!({ "op": "remove" }), "noTarget"),
    ] {
        // With one before it that would be right: all or nothing.
        let operations = json!([op("replace", "displayName", json!("Other")), operation]);
        refused(corp.scim.patch(&path, operations).await, 400, Some(kind));
        assert_eq!(corp.scim.entry(&id).await, before);
    }
    let many = vec![op("replace", "displayName", json!("x")); 101];
    refused(corp.scim.patch(&path, json!(many)).await, 400, Some("tooMany"));
    refused(corp.scim.put(&path, json!({ "active": true })).await, 400, Some("invalidValue"));
    assert_eq!(corp.scim.entry(&id).await, before);
}

#[actix_web::test]
async fn a_put_leaves_what_it_does_not_say_case_8() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let path = format!("/Users/{id}");
    let without = json!({ "userName": "ada@example.com", "displayName": "Ada" });

    let told = corp.scim.put(&path, without.clone()).await.is(200).json();
    assert_eq!((&told["active"], &told["displayName"]), (&json!(true), &json!("Ada")));
    assert_eq!(told["emails"][0]["value"], "ada@example.com");
    corp.scim.deactivates(&id).await.is(200);
    assert_eq!(corp.scim.put(&path, without).await.is(200).json()["active"], false, "it stays as it was");
    let cleared = json!({ "userName": "ada@example.com", "displayName": null, "emails": [], "name": null });
    let told = corp.scim.put(&path, cleared).await.is(200).json();
    assert_eq!(
        (&told["displayName"], &told["emails"], &told["name"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );

    let only_that = json!([{ "op": "replace", "value": { "active": false } }]);
    let before = corp.scim.entry(&id).await;
    assert_eq!(corp.scim.patch(&path, only_that).await.is(200).json(), before, "only that, and it was so");
}

#[actix_web::test]
async fn a_post_again_is_a_conflict_or_brings_the_entry_back_cases_6_and_7() {
    let corp = Corp::open().await;
    let mut ada = user("ada@example.com");
    ada["externalId"] = json!("00u1");
    let id = corp.scim.post("/Users", ada.clone()).await.is(201).json()["id"].clone();
    let before = corp.scim.entry(id.as_str().unwrap()).await;

    refused(corp.scim.post("/Users", ada.clone()).await, 409, Some("uniqueness"));
    refused(
        corp.scim.post("/Users", json!({ "userName": "ADA@example.com" })).await,
        409,
        Some("uniqueness"),
    );
    let by_id = json!({ "userName": "other", "externalId": "00u1" });
    refused(corp.scim.post("/Users", by_id).await, 409, Some("uniqueness"));
    assert_eq!(corp.scim.entry(id.as_str().unwrap()).await, before, "it is not emptied");

    corp.scim.deactivates(id.as_str().unwrap()).await.is(200);
    let mut again = ada.clone();
    again["userName"] = json!("ada.new@example.com");
    let back = corp.scim.post("/Users", again).await.is(201).json();
    assert_eq!((&back["id"], &back["userName"]), (&id, &json!("ada.new@example.com")));

    let bob = corp.scim.adds("bob@example.com").await;
    let clash = json!([{ "op": "replace", "path": "externalId", "value": "00u1" }]);
    refused(corp.scim.patch(&format!("/Users/{bob}"), clash).await, 409, Some("uniqueness"));
    let mend = json!([{ "op": "replace", "path": "externalId", "value": "00u2" }]);
    corp.scim.patch(&format!("/Users/{}", id.as_str().unwrap()), mend).await.is(200);
    corp.scim.delete(&format!("/Users/{}", id.as_str().unwrap())).await.is(204);
    refused(corp.scim.delete(&format!("/Users/{}", id.as_str().unwrap())).await, 404, None);
    let anew = corp.scim.post("/Users", ada).await.is(201).json();
    assert_ne!(anew["id"], id, "deleted and made anew");
}

#[actix_web::test]
async fn whoever_has_left_is_out_whatever_else_is_said() {
    let corp = Corp::open().await;
    let nine: Vec<Value> = (0..9).map(|n| json!({ "value": format!("{n}@example.com") })).collect();
    let work = "emails[type eq \"work\"]";
    let id = corp.scim.adds("ada@example.com").await;
    let path = format!("/Users/{id}");
    let back = json!([{ "op": "replace", "value": { "active": true, "displayName": "Ada", "emails": user("ada@example.com")["emails"] } }]);
    let cleared = json!(null);
    let same = json!("Ada");
    // What is said besides, and what `displayName` and the number of addresses are then.
    for (besides, value, display_name, emails) in [
        (work, json!([]), &same, 0),
        (work, json!([{ "value": "a@example.com" }]), &same, 1),
        ("emails[type eq \"work\"].value", json!(""), &same, 0),
        ("emails[type eq \"work\"].value", cleared.clone(), &same, 0),
        ("emails.value", json!(""), &same, 0),
        ("emails[type eq \"work\"].primary", json!(""), &same, 1),
        ("emails", json!([{ "value": "a@example.com", "primary": "" }]), &same, 1),
        ("emails", json!(["a\u{1}b"]), &same, 1),
        ("emails", json!(nine), &same, 8),
        ("emails[value co \"nobody\"].type", json!("x"), &same, 1),
        ("name", json!(""), &same, 1),
        ("name", json!("Ada Lovelace"), &same, 1),
        ("displayName", json!("a\u{1}b"), &same, 1),
        ("displayName", json!("x".repeat(257)), &same, 1),
        ("displayName", json!(""), &cleared, 1),
        ("id", json!(id), &same, 1),
        ("groups", json!([]), &same, 1),
        ("meta.version", json!("x"), &same, 1),
        ("schemas", json!([]), &same, 1),
        ("custom field", json!("x"), &same, 1),
        ("addresses[type eq 'work'].country", json!("x"), &same, 1),
        ("userName", cleared.clone(), &same, 1),
    ] {
        corp.scim.patch(&path, back.clone()).await.is(200);
        let operations = json!([
            { "op": "replace", "path": besides, "value": value },
            { "op": "replace", "path": "active", "value": false },
        ]);
        let told = corp.scim.patch(&path, operations).await.is(200).json();
        assert_eq!(told["active"], false, "{besides}: {value}");
        assert_eq!(&told["displayName"], display_name, "{besides}: {value}");
        assert_eq!(told["emails"].as_array().map_or(0, Vec::len), emails, "{besides}: {value}");
        assert_eq!(told["userName"], "ada@example.com");
    }

    // The same by PUT and POST.
    let poor = json!({
        "userName": "ada@example.com", "active": "False", "displayName": "a\u{1}b", "name": "Ada", "emails": nine, "externalId": [],
    });
    corp.scim.patch(&path, back.clone()).await.is(200);
    let told = corp.scim.put(&path, poor.clone()).await.is(200).json();
    assert_eq!((&told["active"], &told["displayName"]), (&json!(false), &same));
    corp.scim.patch(&path, back.clone()).await.is(200);
    corp.scim.put(&path, json!({ "userName": "", "active": false })).await.is(200);
    assert_eq!(corp.scim.entry(&id).await["active"], false);
    corp.scim.delete(&path).await.is(204);
    let told = corp.scim.post("/Users", poor).await.is(201).json();
    assert_eq!((&told["active"], &told["displayName"]), (&json!(false), &cleared));
    assert_eq!(told["emails"].as_array().map(Vec::len), Some(8));

    // Under our own schema, and not said at all.
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
    let whole = json!({ "userName": "b", urn: { "active": false, "displayName": "B" } });
    let told = corp.scim.post("/Users", whole).await.is(201).json();
    assert_eq!((&told["active"], &told["displayName"]), (&json!(false), &json!("B")));
    let b = format!("/Users/{}", told["id"].as_str().unwrap());
    let put = json!({ "userName": "b", format!("{urn}:active"): true });
    assert_eq!(corp.scim.put(&b, put).await.is(200).json()["active"], true);
    let put = json!({ "userName": "b", "active": null });
    assert_eq!(corp.scim.put(&b, put).await.is(200).json()["active"], true);
    let told = corp.scim.post("/Users", json!({ "userName": "c", "active": null })).await.is(201).json();
    assert_eq!(told["active"], true);
}
