//! From an entry to an account: at once, or by the person's own act.

use serde_json::json;

use super::{Corp, Scim, user};
use crate::{
    harness::PASSWORD,
    idp::{Person, ada, comes_back, id_of, is_nobody, me, resident},
};

/// Somebody as their identity provider knows them, by their address.
pub fn person(subject: &str, address: &str) -> Person {
    ada().called(subject).at(address)
}

#[actix_web::test]
async fn an_address_at_a_proved_domain_is_an_account_at_once() {
    let corp = Corp::open().await;
    let squatter = corp.app.unverified_user("ada@example.com").await;

    let id = corp.scim.adds("ada@example.com").await;

    assert_eq!(corp.accounts().await, 1, "the claim is gone");
    squatter.get("/me").await.refuses(401, "sign_in_required");
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("viewer"));
    let browser = corp.app.browser();
    let comes = person("00u1", "ada@example.com");
    corp.acme.signs_in(&corp.app, &browser, &comes).await.goes_to("/me");
    assert_eq!(me(&browser).await["name"], "Ada Lovelace");
    assert_eq!(corp.accounts().await, 1);
    assert_eq!(corp.scim.entry(&id).await["userName"], "ada@example.com");
}

#[actix_web::test]
async fn nobodys_account_is_touched_by_a_strangers_directory_cases_11_and_13() {
    let corp = Corp::open().await;
    let bob = resident(&corp.app, "bob@elsewhere.example").await;
    let before = me(&bob).await;

    let id = corp.scim.adds("bob@elsewhere.example").await;
    assert_eq!(corp.role("bob@elsewhere.example").await, None);
    let path = format!("/Users/{id}");
    // Adopt, move, take over: nothing of it is his.
    let mut moved = user("mallory@example.com");
    moved["externalId"] = json!("x");
    corp.scim.put(&path, moved).await.is(200);
    corp.scim.put(&path, user("bob@elsewhere.example")).await.is(200);
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "Mallory" }]);
    corp.scim.patch(&path, rename).await.is(200);
    corp.scim.deactivates(&id).await.is(200);
    assert_eq!(me(&bob).await, before);
    assert!(!corp.keeps_out("bob@elsewhere.example").await);
    corp.scim.delete(&path).await.is(204);
    assert_eq!(me(&bob).await, before);
    let credentials = json!({ "email": "bob@elsewhere.example", "password": PASSWORD });
    corp.app.curl().post_json("/login", credentials).await.is(200);
}

#[actix_web::test]
async fn whoever_had_an_account_joins_by_the_email_they_get() {
    let corp = Corp::open().await;
    let ben = corp.app.verified("ben@elsewhere.example").await;

    let id = corp.scim.adds("ben@elsewhere.example").await;
    let page = corp.acme.owner.get("/organisations/acme/directory").await.is(200).json();
    assert_eq!(page["directory"]["people"][0]["state"], "unproved_domain");
    let token = corp.app.token_for("ben@elsewhere.example").await;
    ben.post_json("/invitations/accept", json!({ "token": token })).await.is(200);

    assert_eq!(corp.role("ben@elsewhere.example").await.as_deref(), Some("viewer"));
    let page = corp.acme.owner.get("/organisations/acme/directory").await.is(200).json();
    assert_eq!(page["directory"]["people"][0]["state"], "member");
    // The directory decides about the membership, and about nothing more.
    let rename = json!([{ "op": "replace", "path": "displayName", "value": "Mallory" }]);
    corp.scim.patch(&format!("/Users/{id}"), rename).await.is(200);
    assert_eq!(me(&ben).await["name"], "Ada");
    corp.scim.deactivates(&id).await.is(200);
    assert_eq!(corp.role("ben@elsewhere.example").await, None);
    assert!(!corp.keeps_out("ben@elsewhere.example").await);
    ben.get("/me").await.is(200);
    let back = json!([{ "op": "replace", "path": "active", "value": true }]);
    corp.scim.patch(&format!("/Users/{id}"), back).await.is(200);
    assert_eq!(corp.role("ben@elsewhere.example").await.as_deref(), Some("viewer"), "he joined once");
}

#[actix_web::test]
async fn an_email_to_join_is_dead_when_the_entry_is_case_11() {
    let corp = Corp::open().await;
    let ben = corp.app.verified("ben@elsewhere.example").await;
    let id = corp.scim.adds("ben@elsewhere.example").await;
    let token = corp.app.token_for("ben@elsewhere.example").await;

    corp.scim.deactivates(&id).await.is(200);

    ben.post_json("/invitations/accept", json!({ "token": token })).await.refuses(422, "dead_invitation");
    assert_eq!(corp.role("ben@elsewhere.example").await, None);
}

#[actix_web::test]
async fn an_account_at_a_proved_domain_waits_for_its_person_case_12() {
    let corp = Corp::open().await;
    let bob = resident(&corp.app, "bob@example.com").await;
    corp.scim.adds("bob@example.com").await;
    assert_eq!(corp.role("bob@example.com").await, None);

    let browser = corp.app.browser();
    let request = corp.acme.leave_for(&browser).await;
    let response = corp.acme.says(&corp.app, &request, &person("00u2", "bob@example.com"));
    let answer = comes_back(&corp.app, &browser, &response, &request.relay_state).await;
    assert_eq!(answer.header("location").split('?').next(), Some("/auth/link"));
    assert!(is_nobody(&browser).await, "the sign-in there is not enough");
    browser.post("/login", &[("email", "bob@example.com"), ("password", PASSWORD)]).await.is(303);
    browser.post("/auth/saml/link", &[]).await.goes_to("/me");
    assert_eq!(corp.role("bob@example.com").await.as_deref(), Some("viewer"));
    let page = corp.acme.owner.get("/organisations/acme/directory").await.is(200).json();
    assert_eq!(page["directory"]["people"][0]["state"], "member");
    assert_eq!(id_of(&bob).await, id_of(&browser).await);
}

#[actix_web::test]
async fn what_providers_send_is_kept_as_it_came_cases_15_and_33() {
    let corp = Corp::open().await;
    for (body, state) in [
        (json!({ "userName": "canaille", "emails": [{ "value": "can@example.com" }] }), "member"),
        (json!({ "userName": "upn@example.com" }), "member"),
        (json!({ "userName": "nomail" }), "no_address"),
        (json!({ "userName": "broken", "emails": [{ "value": "no address" }] }), "no_address"),
    ] {
        let made = corp.scim.post("/Users", body.clone()).await.is(201).json();
        assert_eq!(made["userName"], body["userName"]);
        let query = body["userName"].as_str().unwrap().split('@').next().unwrap().to_owned();
        let page =
            corp.acme.owner.get(&format!("/organisations/acme/directory?q={query}")).await.is(200).json();
        assert_eq!(page["directory"]["people"][0]["state"], state, "{body}");
    }
    // Who has no address is joined at the first sign-in.
    let browser = corp.app.browser();
    corp.acme.signs_in(&corp.app, &browser, &person("nomail", "mia@example.com")).await.goes_to("/me");
    let page = corp.acme.owner.get("/organisations/acme/directory?q=nomail").await.is(200).json();
    assert_eq!(page["directory"]["people"][0]["state"], "member");
    assert_eq!(corp.accounts().await, 3);
}

#[actix_web::test]
async fn names_and_addresses_follow_where_the_organisation_speaks_case_16() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    corp.scim.adds("bob@example.com").await;
    let path = format!("/Users/{id}");
    let browser = corp.app.browser();
    corp.acme.signs_in(&corp.app, &browser, &person("00u1", "ada@example.com")).await.goes_to("/me");
    let account = id_of(&browser).await;

    // The user name alone, the address alone.
    let rename = json!([{ "op": "replace", "path": "userName", "value": "countess" },
                        { "op": "replace", "path": "displayName", "value": "Ada King" }]);
    corp.scim.patch(&path, rename).await.is(200);
    assert_eq!(me(&browser).await["email"], "ada@example.com");
    assert_eq!(me(&browser).await["name"], "Ada King");
    let moves =
        |to: &str| json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": to }]);
    corp.scim.patch(&path, moves("king@example.com")).await.is(200);
    assert_eq!(me(&browser).await["email"], "king@example.com");
    // Somebody else's, and one that the organisation does not speak for: kept in the entry, and there only.
    for to in ["bob@example.com", "ada@elsewhere.example"] {
        let told = corp.scim.patch(&path, moves(to)).await.is(200).json();
        assert_eq!(told["emails"][0]["value"], to);
        assert_eq!(me(&browser).await["email"], "king@example.com");
    }
    assert_eq!(id_of(&browser).await, account);
    assert_eq!(corp.accounts().await, 2);
}

#[actix_web::test]
async fn leaving_one_organisation_leaves_the_others_case_17() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let browser = corp.app.browser();
    corp.acme.signs_in(&corp.app, &browser, &person("00u1", "ada@example.com")).await.goes_to("/me");
    let bob = corp.app.verified("bob@other.example").await;
    bob.steps_up().await;
    bob.post_json("/organisations", json!({ "name": "Other" })).await.is(201);
    let other = Scim::of(&corp.app, &bob, "other").await;
    let there = other.adds("ada@example.com").await;
    let token = corp.app.token_for("ada@example.com").await;
    browser.post("/invitations/accept", &[("token", &token)]).await.is(303);
    let of = async |slug: &str| {
        corp.app.count(&format!("memberships JOIN users ON users.id = user_id JOIN organisations ON organisations.id = organisation_id WHERE email_normalized = 'ada@example.com' AND slug = '{slug}'")).await
    };
    assert_eq!((of("acme").await, of("other").await), (1, 1));

    other.deactivates(&there).await.is(200);
    assert_eq!((of("acme").await, of("other").await), (1, 0));
    assert!(!corp.keeps_out("ada@example.com").await, "another organisation does not speak for her");
    corp.scim.deactivates(&id).await.is(200);
    assert_eq!(of("acme").await, 0);
    assert!(corp.keeps_out("ada@example.com").await);
}
