//! Lists, filters, pages and versions.

use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Corp, SCIM, refused, user};

#[actix_web::test]
async fn what_is_kept_is_announced_and_nothing_else() {
    let corp = Corp::open().await;
    let scim = &corp.scim;

    let config = scim.get("/ServiceProviderConfig").await.is(200).json();
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["pagination"]["maxPageSize"], 200);
    for (path, names) in [("/ResourceTypes", ["User", "Group"]), ("/Schemas", [super::USER, super::GROUP])] {
        let all = scim.get(path).await.is(200).json();
        let ids: Vec<&str> =
            all["Resources"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, names);
        for name in names {
            assert_eq!(scim.get(&format!("{path}/{name}")).await.is(200).json()["id"], name);
        }
        refused(scim.get(&format!("{path}/Device")).await, 404, None);
        refused(scim.get(&format!("{path}?filter=id%20pr")).await, 403, None);
    }
}

#[actix_web::test]
async fn people_are_found_as_providers_look_for_them_cases_4_and_5() {
    let corp = Corp::open().await;
    let scim = &corp.scim;
    let mut ada = user("Ada@example.com");
    ada["externalId"] = json!("00uAda");
    ada["displayName"] = json!("Ada L.");
    let id = scim.post("/Users", ada).await.is(201).json()["id"].as_str().unwrap().to_owned();
    let bob = scim.adds("bob@example.com").await;

    for (filter, found) in [
        ("userName eq \"ada@EXAMPLE.com\"", vec!["Ada@example.com"]),
        ("USERNAME EQ \"ada@example.com\"", vec!["Ada@example.com"]),
        ("externalId eq \"00uAda\"", vec!["Ada@example.com"]),
        ("externalId eq \"00uADA\"", vec![]),
        ("externalId eq 00uAda", vec!["Ada@example.com"]),
        ("externalId eq \"7f3c1b1e-0000-4000-8000-000000000000\"", vec![]),
        ("emails[type eq \"work\"].value eq \"ada@example.com\"", vec!["Ada@example.com"]),
        ("emails.value eq \"ada@example.com\"", vec!["Ada@example.com"]),
        ("displayName eq \"ada l.\"", vec!["Ada@example.com"]),
        ("userName sw \"b\" and active eq true", vec!["bob@example.com"]),
        ("not (userName co \"ada\")", vec!["bob@example.com"]),
        ("meta.lastModified gt \"2026-11-21T14:05:00Z\" and userName pr", vec![]),
        (
            "meta.lastModified ge \"2026-11-21T00:00:00Z\" and userName eq \"bob@example.com\"",
            vec!["bob@example.com"],
        ),
        ("userName eq \"x\\u0000\"", vec![]),
    ] {
        assert_eq!(scim.finds(filter).await, found, "{filter}");
    }
    assert_eq!(scim.finds(&format!("id eq \"{id}\"")).await, ["Ada@example.com"]);
    scim.deactivates(&bob).await.is(200);
    assert_eq!(scim.finds("userName eq \"bob@example.com\"").await, ["bob@example.com"]);
    assert_eq!(scim.finds("active eq \"False\"").await, ["bob@example.com"]);
    assert_eq!(scim.entry(&bob).await["active"], false);
}

#[actix_web::test]
async fn a_filter_that_is_none_or_too_much_is_refused_case_29() {
    let corp = Corp::open().await;
    let terms = vec!["a pr"; 2_000].join(" or ");
    for filter in ["userName", "userName eq", "(", &"(".repeat(10_000), &terms, &"x".repeat(60_000)] {
        let body = json!({ "filter": filter });
        refused(corp.scim.post("/Users/.search", body).await, 400, Some("invalidFilter"));
    }
    // A bare number is the text that it was written as.
    for name in ["4711", "10000000000000000000000", "true"] {
        corp.scim.post("/Users", json!({ "userName": name, "externalId": name })).await.is(201);
        for filter in [
            format!("userName eq {name}"),
            format!("externalId eq {name}"),
            format!("userName eq '{name}' and active eq true"),
        ] {
            assert_eq!(corp.scim.finds(&filter).await, [name], "{filter}");
        }
    }
    assert_eq!(corp.scim.finds("userName eq 4711 and active eq true").await, ["4711"]);
    for name in ["\u{0}", "a\u{0}b", " ", "", &"x".repeat(300)] {
        refused(corp.scim.post("/Users", json!({ "userName": name })).await, 400, Some("invalidValue"));
    }
    let told = corp.scim.post("/Users", json!({ "userName": "\u{202e}kate" })).await.is(201).json();
    assert_eq!(told["userName"], "\u{202e}kate", "it is kept as it was sent");
    corp.scim.post("/Users", json!({ "userName": "\u{212a}ate" })).await.is(201);
    refused(corp.scim.post("/Users", json!({ "userName": "KATE" })).await, 409, Some("uniqueness"));
}

#[actix_web::test]
async fn pages_are_counted_from_one_and_stay_where_they_are_cases_23_and_24() {
    let corp = Corp::open().await;
    let scim = &corp.scim;
    for n in 0..5 {
        scim.post("/Users", json!({ "userName": format!("u{n}") })).await.is(201);
        corp.app.wait(TimeDelta::seconds(1));
    }
    let names = |page: &Value| -> Vec<String> {
        let list = page["Resources"].as_array().unwrap();
        list.iter().map(|one| one["userName"].as_str().unwrap().to_owned()).collect()
    };
    for (query, found) in [
        ("startIndex=0&count=2", vec!["u0", "u1"]),
        ("startIndex=-1&count=2", vec!["u0", "u1"]),
        ("startIndex=3&count=2", vec!["u2", "u3"]),
        ("startIndex=9", vec![]),
        ("count=0", vec![]),
        ("count=-1", vec![]),
        ("count=10000", vec!["u0", "u1", "u2", "u3", "u4"]),
        ("startIndex=2&count=2&filter=userName%20sw%20%22u%22", vec!["u1", "u2"]),
    ] {
        let page = scim.get(&format!("/Users?{query}")).await.is(200).json();
        assert_eq!(names(&page), found, "{query}");
        assert_eq!(page["totalResults"], 5, "{query}");
    }
    refused(scim.get("/Users?count=x").await, 400, Some("invalidCount"));

    for filter in ["", "&filter=userName%20sw%20%22u%22"] {
        let first = scim.get(&format!("/Users?cursor&count=2{filter}")).await.is(200).json();
        assert_eq!(names(&first), ["u0", "u1"]);
        scim.post("/Users", json!({ "userName": format!("later{}", filter.len()) })).await.is(201);
        let cursor = first["nextCursor"].as_str().unwrap().to_owned();
        let second = scim.get(&format!("/Users?cursor={cursor}&count=2{filter}")).await.is(200).json();
        assert_eq!(names(&second), ["u2", "u3"], "{filter}");
        let other = format!("/Users?cursor={cursor}&filter=active%20eq%20true");
        refused(scim.get(&other).await, 400, Some("invalidCursor"));
        refused(scim.get(&format!("/Users?cursor={cursor}x{filter}")).await, 400, Some("invalidCursor"));
        refused(scim.get(&format!("/Groups?cursor={cursor}{filter}")).await, 400, Some("invalidCursor"));
        corp.app.wait(TimeDelta::seconds(3_601));
        refused(scim.get(&format!("/Users?cursor={cursor}{filter}")).await, 400, Some("expiredCursor"));
    }
}

#[actix_web::test]
async fn a_write_meets_the_version_that_was_read_case_22() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let path = format!("/Users/{id}");

    let read = corp.scim.get(&path).await.is(200);
    let tag = read.header("etag").to_owned();
    assert_eq!(read.json()["meta"]["version"], tag);
    let held = corp.scim.with_header("if-none-match", &tag);
    assert!(held.get(&path).await.is(304).body.is_empty());
    let at_version = corp.scim.with_header("if-match", &tag);
    let rename = |name: &str| json!([{ "op": "replace", "path": "displayName", "value": name }]);
    let (one, two) =
        futures_util::join!(at_version.patch(&path, rename("One")), at_version.patch(&path, rename("Two")));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    refused(at_version.delete(&path).await, 412, None);
    held.get(&path).await.is(200);

    let rest = |key: &str, value: &str| json!([{ "op": "replace", "path": key, "value": value }]);
    let (one, two) = futures_util::join!(
        corp.scim.patch(&path, rest("name.givenName", "Augusta")),
        corp.scim.patch(&path, rest("name.familyName", "King"))
    );
    one.is(200);
    two.is(200);
    let name = corp.scim.entry(&id).await["name"].clone();
    assert_eq!((&name["givenName"], &name["familyName"]), (&json!("Augusta"), &json!("King")));
}

#[actix_web::test]
async fn only_what_is_asked_for_is_told() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let group = corp.scim.groups("Makers", &[&id]).await;
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };

    let told = corp.scim.get(&format!("/Users/{id}?attributes=userName,name.givenName")).await.json();
    assert_eq!(keys(&told), ["active", "id", "name", "schemas", "userName"]);
    assert_eq!(told["name"], json!({ "givenName": "Ada" }));
    let told = corp.scim.get(&format!("/Users/{id}?excludedAttributes=emails,groups,meta")).await.json();
    assert_eq!(keys(&told), ["active", "id", "name", "schemas", "userName"]);
    let told = corp.scim.get(&format!("/Groups/{group}?excludedAttributes=members")).await.json();
    assert_eq!(keys(&told), ["displayName", "id", "meta", "schemas"]);
    let body = json!({ "filter": format!("members.value eq \"{id}\""), "attributes": ["displayName"] });
    let found =
        corp.scim.send_as(SCIM, Method::POST, "/Groups/.search", &body.to_string()).await.is(200).json();
    assert_eq!(found["Resources"][0]["displayName"], "Makers");

    // Over everything: users first, then groups.
    let search = async |body: Value| corp.scim.post("/.search", body).await.is(200).json();
    let all = search(json!({})).await;
    assert_eq!((&all["totalResults"], &all["Resources"][1]["displayName"]), (&json!(2), &json!("Makers")));
    let second = search(json!({ "startIndex": 2, "count": 1 })).await;
    assert_eq!((&second["itemsPerPage"], &second["Resources"][0]["id"]), (&json!(1), &json!(group)));
    let none = search(json!({ "filter": "userName eq \"x\"" })).await;
    assert_eq!(none["totalResults"], 0);
}
